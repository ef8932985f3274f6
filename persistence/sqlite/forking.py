"""What a child made by fork must not do with its parent's journals: use or close them, or open the same file.

SQLite keeps the locks it holds in its own memory, too, which a child inherits without the locks themselves
(https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_). So in a child the parent's
connections are never touched, not even to close them as the child ends; and a file that was open at the fork is not
opened by the child at all.
"""

from __future__ import annotations

import importlib
import os
import sqlite3
import weakref
from collections.abc import Callable, Iterable

from persistence.errors import Forked

Connections = Callable[[], Iterable[sqlite3.Connection]]

_WAY_OUT = (
    "Open the journal in the child only (after the fork: gunicorn's post_fork, a pool's initializer), or start "
    "children by spawn (multiprocessing.get_context('spawn')) and open it in each."
)


class Birth:
    """In which process a journal was opened, and what it has open: kept by the journal, and dropped when it is closed.

    Raises:
        Forked: The file was open in the parent when this process was made by fork.
    """

    def __init__(self, path: str, connections: Connections) -> None:
        self._path = path
        self._pid = os.getpid()
        self.key = os.path.realpath(path)
        self._connections = weakref.WeakMethod(connections)  # weak, so that a journal nobody keeps is freed at once
        if self.key in _inherited:
            said = (
                f"The file of journal {path!r} was open when this process was made by fork: SQLite cannot use it here."
            )
            msg = f"{said} {_WAY_OUT}"
            raise Forked(msg)
        _open.add(self)

    def check(self) -> None:
        """Raise Forked in a child."""
        if os.getpid() != self._pid:
            said = f"Journal {self._path!r} was opened in process {self._pid} and is used in its child {os.getpid()}."
            msg = f"{said} {_WAY_OUT}"
            raise Forked(msg)

    @property
    def here(self) -> bool:
        """Whether this is the process that opened it."""
        return os.getpid() == self._pid

    def connections(self) -> Iterable[sqlite3.Connection]:
        """What the journal has open now."""
        connections = self._connections()
        return connections() if connections is not None else ()

    def end(self) -> None:
        """The journal is closed."""
        _open.discard(self)


_open: weakref.WeakSet[Birth] = weakref.WeakSet()
_inherited: set[str] = set()


def _in_child() -> None:
    """Remember what the parent had open, and keep its connections from ever being freed: that would close them."""
    for birth in list(_open):
        _inherited.add(birth.key)
        for connection in birth.connections():
            _leak(connection)
    _open.clear()


def _leak(connection: sqlite3.Connection) -> None:
    # ctypes is worth its import only here.
    ctypes = importlib.import_module("ctypes")
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_in_child)
