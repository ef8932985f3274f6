"""Messages put on the application's own connection: one commit with its own rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from persistence import SQLiteJournal, WrongConnection
from persistence.contract import a_message


@pytest.fixture(name="journal")
def _journal(path: Path) -> Iterator[SQLiteJournal]:
    with closing(SQLiteJournal(path, synchronous="NORMAL")) as journal:
        with closing(sqlite3.connect(path)) as own:
            own.execute("CREATE TABLE ledger (loan TEXT, amount INTEGER)")
            own.commit()
        yield journal


def test_a_message_on_the_applications_connection_is_one_commit_with_its_rows(
    journal: SQLiteJournal, path: Path
) -> None:
    """Committed with them or rolled back with them; the journal itself does neither."""
    with closing(sqlite3.connect(path)) as own:
        own.row_factory = sqlite3.Row
        own.execute("INSERT INTO ledger VALUES ('rolled back', 1)")
        gone = journal.put(a_message("gone"), own)
        assert own.in_transaction
        assert gone.number > 0
        own.rollback()
        assert journal.inbox(0, 10) == []
        own.execute("INSERT INTO ledger VALUES ('kept', 1)")
        kept = journal.put(a_message("kept"), own)
        assert journal.put(a_message("kept", body=b"again"), own) == kept
        assert journal.inbox(0, 10) == []
        own.commit()
    assert journal.inbox(0, 10) == [kept]
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT * FROM ledger").fetchall() == [("kept", 1)]
    assert journal.put(a_message("kept")) == kept


def test_a_wrapped_connection_will_do(journal: SQLiteJournal, path: Path) -> None:
    """All that is asked of it is a cursor that takes question marks."""

    class Cursor:
        def __init__(self, cursor: sqlite3.Cursor) -> None:
            self._cursor = cursor

        def execute(self, sql: str, parameters: tuple[Any, ...]) -> None:
            self._cursor.execute(sql, parameters)

        def fetchone(self) -> list[Any]:
            return list(self._cursor.fetchone())

        def close(self) -> None:
            self._cursor.close()

    class Connection:
        def cursor(self) -> Cursor:
            return Cursor(own.cursor())

    with closing(sqlite3.connect(path)) as own:
        message = journal.put(a_message(), Connection())
        own.commit()
    assert journal.inbox(0, 1) == [message]


@pytest.mark.parametrize(
    ("place", "said"), [("other.db", r"leads to '.*other\.db'"), (":memory:", "a database in memory")]
)
def test_a_connection_to_another_file_is_refused(journal: SQLiteJournal, tmp_path: Path, place: str, said: str) -> None:
    """Also where the journal is attached to it: the commits of two files in WAL mode are two."""
    with closing(sqlite3.connect(tmp_path / place if place != ":memory:" else place)) as own:
        own.execute("ATTACH ? AS journal", (journal.name,))
        with pytest.raises(WrongConnection, match=said):
            journal.put(a_message(), own)
    assert journal.inbox(0, 1) == []


def test_a_connection_that_commits_by_itself_is_refused(journal: SQLiteJournal, path: Path) -> None:
    """Unless the application has begun a transaction on it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as own:
        with pytest.raises(WrongConnection, match="in no transaction"):
            journal.put(a_message(), own)
        own.execute("BEGIN")
        journal.put(a_message(), own)
        own.execute("ROLLBACK")
    assert journal.inbox(0, 1) == []


def test_what_has_no_cursor_is_told_what_to_give(journal: SQLiteJournal) -> None:
    """As a SQLAlchemy session has none."""
    with pytest.raises(WrongConnection, match=r"object has no cursor.*driver_connection"):
        journal.put(a_message(), object())
