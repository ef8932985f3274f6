"""What SQLite's result codes mean for a journal (https://www.sqlite.org/rescode.html)."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from persistence.errors import Busy, ConnectionGuarded, Damaged, Foreign, JournalError, Unwritable
from persistence.sqlite.rows import Unreadable

_MEANINGS: dict[int, tuple[type[JournalError], str]] = {
    5: (
        Busy,
        "somebody else keeps the database locked; nothing was written. Find who holds a transaction open so long",
    ),
    6: (Busy, "a table is locked inside this process; nothing was written. Do not open it with a shared cache"),
    8: (
        Unwritable,
        "the database is read-only. Make the file and its folder writable, or read it with any SQLite tool",
    ),
    10: (Unwritable, "the disk gave an input/output error. Look at the system's log before anything else"),
    11: (Damaged, "the database is damaged. Keep the file and its -wal, and recover it with `sqlite3 FILE .recover`"),
    13: (
        Unwritable,
        "the disk (or the database's own limit of pages) is full. Make room; the journal goes on by itself",
    ),
    14: (
        Unwritable,
        "the file cannot be opened. See that its folder exists and may be written, for the -wal beside it too",
    ),
    23: (ConnectionGuarded, "the statement is not allowed inside a transactional step"),
    26: (Foreign, "the file is not an SQLite database. Give the journal a path of its own"),
}

FATAL = (Busy, Damaged, Unwritable)
"""Errors that concern the whole transaction, not the statement that met them."""


def meaning(error: BaseException, name: str) -> JournalError | None:
    """The journal's error for one of SQLite's; None when it means nothing beyond itself."""
    if isinstance(error, Unreadable) or "Could not decode to UTF-8" in str(error):
        return Damaged(f"Journal {name!r}: {error}. Mend that row, or restore the file from a backup.")
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(code, int):
        return None
    kind, said = _MEANINGS.get(code & 0xFF, (None, ""))
    if kind is None and "unsupported file format" in str(error):  # a plain SQLITE_ERROR: the header is damaged
        return Damaged(f"Journal {name!r}: {error}. Its header is damaged; restore the file from a backup.")
    if kind is None:
        if "no such table: statemachine_" in str(error):
            return Damaged(f"Journal {name!r}: one of its tables is gone ({error}). Restore the file from a backup.")
        return None
    return kind(f"Journal {name!r}: {said}. ({error})")


class Translated:
    """A context in which SQLite's errors become the journal's."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        known = None if error is None else meaning(error, self._name)
        if known is not None:
            raise known from error
