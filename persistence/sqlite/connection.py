"""How a connection to a journal's database is opened, and the few kept open for reading."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from persistence.errors import Closed, Damaged
from persistence.sqlite.trouble import Translated

Connect = Callable[[str], sqlite3.Connection]
T = TypeVar("T")
Synchronous = Literal["FULL", "NORMAL", "EXTRA"]


class Opener:
    """Opens connections with what the journal asks of each.

    Args:
        path: The database.
        connect: What opens it: `sqlite3.connect`, or another module's that gives connections of the same shape in
            autocommit mode, whose errors are sqlite3's with `sqlite_errorcode` set.
        synchronous: FULL: a commit survives power loss. NORMAL: it survives the process's death; the last ones may be
            lost with power.
        busy_timeout: Seconds to wait for another's lock.
    """

    def __init__(self, path: str, connect: Connect | None, synchronous: Synchronous, busy_timeout: float) -> None:
        self.path = path
        self.busy_timeout = busy_timeout
        self._connect = connect or self._plain
        self._synchronous = synchronous

    def _plain(self, path: str) -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=self.busy_timeout, check_same_thread=False, cached_statements=256)

    def open(self, *, patient: bool = True) -> sqlite3.Connection:
        """A connection in autocommit mode that never checkpoints by itself (see `persistence.sqlite.wal`).

        An impatient one is for writing: it leaves the waiting to `begin`.
        """
        connection = self._connect(self.path)
        connection.isolation_level = None
        try:
            self._set_up(connection)
        except UnicodeDecodeError as error:  # SQLite cites the damaged schema in what it says, and that is no text
            connection.close()
            msg = f"Journal {self.path!r}: its schema is damaged. Restore the file from a backup."
            raise Damaged(msg) from error
        if not patient:
            connection.execute("PRAGMA busy_timeout = 0")
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        # The first look at the file may meet another process that recovers it, or that closes it as the last one.
        connection.execute(f"PRAGMA busy_timeout = {int(self.busy_timeout * 1000)}")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        # On macOS a plain fsync leaves data in the drive's cache; elsewhere this says nothing.
        connection.execute(f"PRAGMA fullfsync = {self._synchronous != 'NORMAL':d}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA secure_delete = ON")  # what is erased or pruned shall not stay in a free page


def begin(connection: sqlite3.Connection, patience: float) -> None:
    """Begin to write on an impatient connection, waiting for others for so many seconds.

    SQLite's own way to wait asks ever more seldom, down to ten times a second; beside an owner that commits without a
    pause it was seen to starve for seconds. This asks every millisecond.
    """
    deadline = 0.0
    while not _begun(connection, last=0 < deadline <= time.monotonic()):
        deadline = deadline or time.monotonic() + patience
        time.sleep(0.001)


def _begun(connection: sqlite3.Connection, *, last: bool) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if last or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


class Pool:
    """Connections of one kind: as many as were ever in use at once, each for one thread at a time."""

    def __init__(self, opener: Opener, *, patient: bool) -> None:
        self._opener = opener
        self._patient = patient
        self._idle: list[sqlite3.Connection] = []
        self._every: set[sqlite3.Connection] = set()
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def connection(self) -> Generator[sqlite3.Connection]:
        """A connection for the length of a `with`; SQLite's errors become the journal's."""
        with Translated(self._opener.path):
            connection = self._take()
            try:
                yield connection
            except BaseException:
                # One that met an error may hold a lock or a half-read statement; a new one costs less than finding out.
                self._drop(connection)
                raise
            self._give_back(connection)

    def ask(self, question: Callable[..., T], *arguments: Any) -> T:
        """One question, as `connection` would have it asked, at a third of the cost: each start asks one."""
        with Translated(self._opener.path):
            connection = self._take()
            try:
                answer = question(connection, *arguments)
            except BaseException:
                self._drop(connection)
                raise
            self._give_back(connection)
            return answer

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed:
            self._drop(connection)
        else:
            self._idle.append(connection)

    def _take(self) -> sqlite3.Connection:
        if self._closed:
            msg = f"Journal {self._opener.path!r} is closed. Open it again."
            raise Closed(msg)
        try:
            return self._idle.pop()
        except IndexError:
            connection = self._opener.open(patient=self._patient)
        with self._lock:
            self._every.add(connection)
        return connection

    def _drop(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            self._every.discard(connection)
        connection.close()

    def every(self) -> list[sqlite3.Connection]:
        """All that are open, in use or not."""
        return list(self._every)

    def close(self) -> None:
        """Close all; one still in use closes when it is given back."""
        self._closed = True
        while self._idle:
            self._drop(self._idle.pop())
