"""Rows that cannot be read: an error that names them, and everything else goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from persistence import Damaged, Query, SQLiteJournal
from persistence.contract import LEASE, a_run, start


@pytest.fixture(name="journal")
def _journal(path: Path) -> Iterator[SQLiteJournal]:
    with closing(SQLiteJournal(path)) as journal:
        yield journal


@pytest.fixture(name="epoch")
def _epoch(journal: SQLiteJournal) -> int:
    return journal.claim("ada", LEASE)


def test_an_entry_that_cannot_be_read_is_damaged(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """The error names the file, the entry and the run."""
    journal.commit(epoch, [start("bad")])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE statemachine_entry SET states = '['")
    with pytest.raises(Damaged, match=r"app\.db.*entry 1 of run 'bad'"):
        journal.entries("bad")


@pytest.mark.parametrize("damage", ["states = 'review'", "tags = '{'", "seq = 'many'", "states = CAST(x'ff' AS TEXT)"])
def test_a_row_that_cannot_be_read_is_damaged(journal: SQLiteJournal, epoch: int, path: Path, damage: str) -> None:
    """The error names the file, and the run; the others are read."""
    journal.commit(epoch, [start("bad"), start("good")])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"UPDATE statemachine_run SET {damage} WHERE run = 'bad'")
    for read in (lambda: journal.run("bad"), lambda: journal.runs(Query())):
        with pytest.raises(Damaged, match=r"app\.db.*'bad'"):
            read()
    assert journal.run("good") == a_run("good")


@pytest.mark.parametrize("damage", ["'review'", "'5'", "'{'", "''", "CAST(x'ff' AS TEXT)"])
def test_runs_whose_states_cannot_be_read_are_held_like_a_group(
    journal: SQLiteJournal, epoch: int, path: Path, damage: str
) -> None:
    """So that nobody moves them, and the others go on."""
    journal.commit(epoch, [start("bad", busy=True, due=1), start("good", busy=True, due=2)])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"UPDATE statemachine_run SET states = {damage} WHERE run = 'bad'")
        groups = {group.states: group for group in journal.live()}
        assert groups.keys() == {(), ("review",)}
        journal.hold(epoch, groups[()], "damaged")
        assert other.execute("SELECT run FROM statemachine_run WHERE held <> ''").fetchall() == [("bad",)]
    assert [run.run for run in journal.busy("", 9)] == ["good"]
    assert journal.next_due() == 2


def closed(path: Path) -> bytes:
    """The bytes of a journal that was made and closed."""
    SQLiteJournal(path).close()
    return path.read_bytes()


@pytest.mark.parametrize("left", [1, 99, 4095, -1, -4095])
def test_a_file_cut_inside_a_page_is_refused(tmp_path: Path, left: int) -> None:
    """SQLite would read the rest of the page as zeros. Nothing is written to it."""
    path = tmp_path / "cut.db"
    cut = closed(path)[:left]
    path.write_bytes(cut)
    with pytest.raises(Damaged, match=r"cut\.db"):
        SQLiteJournal(path)
    assert path.read_bytes() == cut


def test_a_file_without_bytes_becomes_a_journal(tmp_path: Path) -> None:
    """It is what SQLite and `tempfile` make of a name: an empty database."""
    path = tmp_path / "new.db"
    path.touch()
    with closing(SQLiteJournal(path)) as journal:
        assert journal.runs(Query()) == []


def test_a_damaged_schema_that_is_no_text_is_told(tmp_path: Path) -> None:
    """SQLite cites it in what it says, and sqlite3 cannot read that."""
    path = tmp_path / "app.db"
    raw = closed(path)
    cited, table = b"tablestatemachine_seen", b"CREATE TABLE statemachine_seen"
    assert (raw.count(cited), raw.count(table)) == (1, 1)
    path.write_bytes(raw.replace(cited, b"table\xe5tatemachine_seen").replace(table, b"CREATE TABLX statemachine_seen"))
    with pytest.raises(Damaged, match=r"app\.db.*schema is damaged"):
        SQLiteJournal(path)
