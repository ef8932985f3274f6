"""The owner's connection as a transactional step gets it: it executes and fetches, and cannot end the transaction.

It has no method that commits, reads how each statement begins, and looks at the transaction before the next one. What
gets past it, SQLite refuses (see `persistence.sqlite.guard`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, Self

from persistence.errors import ConnectionGuarded, JournalError
from persistence.sqlite.guard import Guard
from persistence.sqlite.trouble import FATAL, meaning

Parameters = Sequence[Any] | Mapping[str, Any]

# Words that begin a statement which ends or leaves the transaction. The authorizer is not asked about a statement that
# Python's cache has prepared already, so the wrapper reads the first word, too.
_WORDS = frozenset(("BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", "VACUUM"))


def _first_word(sql: str) -> str:
    """The word that a statement begins with, past blanks, semicolons and comments."""
    rest = sql.lstrip(" \t\r\n\f;\ufeff")
    while rest.startswith(("--", "/*")):
        _, _, rest = rest.partition("\n" if rest.startswith("--") else "*/")
        rest = rest.lstrip(" \t\r\n\f;")
    return rest[:10].split(";")[0].split(maxsplit=1)[0].upper() if rest.strip() else ""


class GuardedConnection:
    """What a transactional step works with: `execute`, `executemany` and `cursor`, in the journal's own transaction.

    It is of use during the step only; afterwards it refuses everything.
    """

    __slots__ = ("_connection", "_cursors", "_guard", "_name", "_open", "row_factory", "trouble")

    def __init__(self, connection: sqlite3.Connection, guard: Guard, name: str) -> None:
        self._connection = connection
        self._guard = guard
        self._name = name
        self._cursors: list[sqlite3.Cursor] = []
        self._open = True
        self.row_factory: Any = connection.row_factory
        """As on a sqlite3 connection: how rows are made; set it to `sqlite3.Row` for access by name."""
        self.trouble: JournalError | None = None
        """An error of the database itself that the step met, even if it went on."""

    @property
    def in_transaction(self) -> bool:
        """Always True while the step runs."""
        return self._open

    @property
    def total_changes(self) -> int:
        """Rows changed on this connection since it was opened."""
        return self._connection.total_changes

    def execute(self, sql: str, parameters: Parameters = ()) -> GuardedCursor:
        """Execute one statement."""
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Parameters]) -> GuardedCursor:
        """Execute one statement for each set of parameters."""
        return self.cursor().executemany(sql, parameters)

    def cursor(self) -> GuardedCursor:
        """A cursor that is guarded like this connection."""
        self.check("")
        cursor = self._connection.cursor()
        cursor.row_factory = self.row_factory
        self._cursors.append(cursor)
        return GuardedCursor(self, cursor)

    def check(self, sql: str) -> None:
        """Refuse what may not be executed here and now."""
        if not self._open:
            msg = "This connection was a transactional step's, and that step has ended. Use it only inside the step."
            raise ConnectionGuarded(msg)
        if not self._connection.in_transaction:
            self._refuse("go on after the transaction was rolled back")
        word = _first_word(sql)
        if word in _WORDS:
            self._refuse(f"execute {word}")

    def note(self, error: sqlite3.Error) -> None:
        """Remember an error that concerns more than its statement.

        Raise the journal's own for a statement that was refused.
        """
        known = meaning(error, self._name)
        if isinstance(known, ConnectionGuarded):
            raise known from error
        # LOCKED is the step's own doing: it changes a table that it still reads.
        if isinstance(known, FATAL) and error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_LOCKED:
            self.trouble = known

    @contextmanager
    def unguarded(self) -> Generator[sqlite3.Connection]:
        """For the journal itself, which may write its own tables within the step.

        What puts a message on this connection.
        """
        self.check("")
        self._guard.on_duty = False
        try:
            yield self._connection
        finally:
            self._guard.on_duty = True

    def end(self) -> None:
        """The step is over: nothing more through this connection, and no half-read statement keeps a lock."""
        self._open = False
        for cursor in self._cursors:
            cursor.close()

    def _refuse(self, what: str) -> NoReturn:
        msg = (
            f"A transactional step may not {what}: its work is committed together with its transition, or not at all. "
            "Execute statements and return; raise to have everything rolled back."
        )
        raise ConnectionGuarded(msg)

    def commit(self) -> NoReturn:
        """Refused."""
        self._refuse("commit")

    def rollback(self) -> NoReturn:
        """Refused."""
        self._refuse("roll back")

    def close(self) -> NoReturn:
        """Refused."""
        self._refuse("close the connection")

    def executescript(self, _script: str) -> NoReturn:
        """Refused: it commits first."""
        self._refuse("use executescript, which commits first")

    def __enter__(self) -> Self:
        self._refuse("use the connection as a context, which commits at its end")

    def __exit__(self, *_: object) -> None:
        """Nothing enters, so nothing leaves."""

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse(f"use {name!r} of the connection")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__slots__:
            self._refuse(f"set {name!r} of the connection")
        object.__setattr__(self, name, value)


class GuardedCursor:
    """A cursor that gives rows and no way to the connection beneath."""

    __slots__ = ("_connection", "_cursor")

    def __init__(self, connection: GuardedConnection, cursor: sqlite3.Cursor) -> None:
        self._connection = connection
        self._cursor = cursor

    def execute(self, sql: str, parameters: Parameters = ()) -> Self:
        """Execute one statement."""
        self._connection.check(sql)
        try:
            self._cursor.execute(sql, parameters)
        except sqlite3.Error as error:
            self._connection.note(error)
            raise
        return self

    def executemany(self, sql: str, parameters: Iterable[Parameters]) -> Self:
        """Execute one statement for each set of parameters."""
        self._connection.check(sql)
        try:
            self._cursor.executemany(sql, parameters)
        except sqlite3.Error as error:
            self._connection.note(error)
            raise
        return self

    def fetchone(self) -> Any:
        """The next row, or None."""
        return self._cursor.fetchone()

    def fetchmany(self, size: int = 1) -> list[Any]:
        """The next rows."""
        return self._cursor.fetchmany(size)

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor.fetchone, None)

    @property
    def connection(self) -> GuardedConnection:
        """The guarded connection this cursor belongs to."""
        return self._connection

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed."""
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        """Rowid of the last row inserted."""
        return self._cursor.lastrowid

    @property
    def description(self) -> Any:
        """Columns of the last query."""
        return self._cursor.description

    def close(self) -> None:
        """Free what the last statement holds."""
        self._cursor.close()
