"""Rows that cannot be read: an error that names them, and everything else goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from persistence import Damaged, Query, SQLiteJournal
from persistence.contract import LEASE, a_run, start


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


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
