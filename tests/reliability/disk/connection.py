"""apsw's connections in the shape of sqlite3's, for the journal's `connect=`: another SQLite stands under it.

What the journal and sqlite-utils use of a connection is here, and nothing else. Errors are sqlite3's own classes with
`sqlite_errorcode` set, for that is what says to the journal what happened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self, cast

import apsw

_KINDS: dict[int, type[sqlite3.Error]] = {
    apsw.SQLITE_CONSTRAINT: sqlite3.IntegrityError,
    apsw.SQLITE_MISMATCH: sqlite3.IntegrityError,
    apsw.SQLITE_CORRUPT: sqlite3.DatabaseError,
    apsw.SQLITE_NOTADB: sqlite3.DatabaseError,
    apsw.SQLITE_AUTH: sqlite3.DatabaseError,
    apsw.SQLITE_TOOBIG: sqlite3.DataError,
    apsw.SQLITE_MISUSE: sqlite3.InterfaceError,
}
"""Which of sqlite3's errors a result code becomes, where it is not OperationalError."""


@contextmanager
def _told_as_sqlite3() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        code = getattr(error, "extendedresult", None)
        if code is None:  # of apsw itself: a closed connection, wrong bindings
            raise sqlite3.ProgrammingError(str(error)) from error
        raised = _KINDS.get(code & 0xFF, sqlite3.OperationalError)(str(error))
        raised.sqlite_errorcode = code
        raise raised from error


class _Noted:
    """What a statement is, noted as it begins: once it has run to its end, apsw says no more.

    Apart from the cursor, so that no circle of references keeps a half-read statement from being freed.
    """

    columns: tuple[tuple[Any, ...], ...] | None = None
    writes = False

    def __call__(self, cursor: apsw.Cursor, _sql: str, _bindings: Any) -> bool:
        self.columns = tuple((name, *[None] * 6) for name, _ in cursor.get_description()) or None
        self.writes = not cursor.is_readonly
        return True


class Cursor:
    """As `sqlite3.Cursor`: it reads one row ahead, so a statement ends with its last row. `row_factory` gets both."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.row_factory: Any = connection.row_factory
        self.rowcount = -1
        self._noted = _Noted()
        self._ahead: Any = None
        with _told_as_sqlite3():
            self._cursor = connection.apsw.cursor()
        self._cursor.exec_trace = self._noted

    @property
    def description(self) -> tuple[tuple[Any, ...], ...] | None:
        return self._noted.columns

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        with _told_as_sqlite3():
            self._cursor.execute(sql, parameters)
            self._ahead = self._cursor.fetchone()
            self.rowcount = self.connection.apsw.changes() if self._noted.writes else -1
        return self

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Self:
        before = self.connection.total_changes
        with _told_as_sqlite3():
            self._cursor.executemany(sql, parameters)
        self.rowcount = self.connection.total_changes - before
        return self

    def fetchone(self) -> Any:
        row = self._ahead
        if row is None:
            return None
        with _told_as_sqlite3():
            self._ahead = self._cursor.fetchone()
        return row if self.row_factory is None else self.row_factory(self, row)

    def fetchall(self) -> list[Any]:
        return list(self)

    def fetchmany(self, size: int = 1) -> list[Any]:
        return [row for _ in range(size) if (row := self.fetchone()) is not None]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchone, None)

    @property
    def lastrowid(self) -> int:
        return self.connection.apsw.last_insert_rowid()

    def close(self) -> None:
        with _told_as_sqlite3():
            self._cursor.close(True)


class Connection:
    """As `sqlite3.Connection` in autocommit mode."""

    isolation_level: str | None = None

    def __init__(self, connection: apsw.Connection) -> None:
        self.apsw = connection
        self.row_factory: Any = None

    def cursor(self) -> Cursor:
        return Cursor(self)

    def execute(self, sql: str, parameters: Any = (), /) -> Cursor:
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Cursor:
        return self.cursor().executemany(sql, parameters)

    @property
    def in_transaction(self) -> bool:
        with _told_as_sqlite3():
            return self.apsw.in_transaction

    @property
    def total_changes(self) -> int:
        return self.apsw.total_changes()

    def set_authorizer(self, authorizer: Callable[..., int] | None) -> None:
        self.apsw.authorizer = authorizer

    def close(self) -> None:
        # What the disk says while it is closed, apsw raises once it is; SQLite itself, and so sqlite3, passes over it.
        with suppress(apsw.Error):
            self.apsw.close(True)


def connect(path: str, vfs: str | None = None) -> sqlite3.Connection:
    """A connection through a VFS (None: the system's own), typed as the journal asks for it."""
    with _told_as_sqlite3():
        return cast("sqlite3.Connection", Connection(apsw.Connection(path, vfs=vfs)))
