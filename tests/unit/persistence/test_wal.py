"""Checkpoints: when there is one, who makes it, and which SQLite is at risk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from persistence import SQLiteJournal, wal_reset_race
from persistence.contract import LEASE, a_message, start, step
from persistence.sqlite import journal as journal_module
from persistence.sqlite import wal


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture(name="journal")
def _journal(path: Path) -> Iterator[SQLiteJournal]:
    with closing(SQLiteJournal(path, synchronous="NORMAL")) as journal:
        yield journal


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 35, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
        ((4, 0, 0), False),
    ],
)
def test_which_sqlite_can_lose_a_commit_at_a_checkpoint(version: tuple[int, ...], *, affected: bool) -> None:
    """Before 3.51.3, but for the two that were mended."""
    assert wal_reset_race(version) is affected


def test_without_a_version_it_is_the_one_python_links() -> None:
    """What a warning would be about."""
    assert wal_reset_race() is wal_reset_race(sqlite3.sqlite_version_info)


def test_a_journal_knows_the_sqlite_beneath_it(journal: SQLiteJournal) -> None:
    """It need not be the one that Python links."""
    assert journal.sqlite_version == sqlite3.sqlite_version_info


def frames(path: Path) -> int:
    """Pages in the log, as SQLite counts them."""
    with closing(sqlite3.connect(path)) as connection:
        (_, log, _) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(log)


def test_the_length_of_the_log_is_what_is_in_use(
    journal: SQLiteJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the size of its file, which stays when the log starts again."""
    monkeypatch.setattr(wal, "LONG", 1000)
    log = Path(f"{path}-wal")
    epoch = journal.claim("ada", LEASE)
    journal.commit(epoch, [start(snapshot=b"x" * 200_000)])
    long = wal.log_length(log)
    assert long == log.stat().st_size
    assert long == 32 + frames(path) * (4096 + 24)
    journal._checkpoint(journal._writer)  # type: ignore[arg-type]
    journal.commit(epoch, [start("small")])
    assert log.stat().st_size == long
    assert wal.log_length(log) == 32 + frames(path) * (4096 + 24) < long / 4
    assert wal.log_length(Path("/nowhere")) == 0


def test_a_short_log_is_left_alone(journal: SQLiteJournal, path: Path) -> None:
    """However many changes were made."""
    epoch = journal.claim("ada", LEASE)
    size = path.stat().st_size
    journal._since_look = journal_module.LOOK_EVERY
    journal.commit(epoch, [start()])
    journal.tidy(epoch)
    assert journal._since_look == 0
    assert path.stat().st_size == size


def test_a_long_log_is_checkpointed_and_starts_again(
    journal: SQLiteJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the file stays near the limit, whatever is committed."""
    monkeypatch.setattr(journal_module, "LONG", 100_000)
    monkeypatch.setattr(wal, "LONG", 100_000)
    monkeypatch.setattr(journal_module, "LOOK_EVERY", 5)
    epoch = journal.claim("ada", LEASE)
    for n in range(200):
        journal.commit(epoch, [start(f"r{n}", snapshot=b"x" * 2000)])
        journal.tidy(epoch)
    assert Path(f"{path}-wal").stat().st_size < 400_000
    assert path.stat().st_size > 300_000


def test_nobody_but_the_owner_checkpoints(journal: SQLiteJournal, path: Path) -> None:
    """Neither commits nor messages copy anything by themselves, however long the log is."""
    epoch = journal.claim("ada", LEASE)
    size = path.stat().st_size
    for n in range(40):
        journal.commit(epoch, [start(f"r{n}", snapshot=b"x" * 100_000)])
        journal.put(a_message(str(n), body=b"x" * 50_000))
    with closing(SQLiteJournal(path)) as client:
        client.put(a_message("client"))
    assert Path(f"{path}-wal").stat().st_size > wal.LONG
    assert path.stat().st_size == size
    journal.tidy(epoch)
    assert path.stat().st_size == size  # it has not looked yet
    journal._since_look = journal_module.LOOK_EVERY
    journal.tidy(epoch)
    assert path.stat().st_size > wal.LONG


def test_a_checkpoint_holds_the_write_lock(journal: SQLiteJournal, path: Path) -> None:
    """While it runs nobody commits, so nobody resets the log under it."""
    epoch = journal.claim("ada", LEASE)
    journal.commit(epoch, [start()])
    refused: list[str] = []

    class Second(sqlite3.Connection):
        def execute(self, sql: str, /) -> sqlite3.Cursor:  # type: ignore[override]
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
                try:
                    other.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    refused.append(str(error))
            return super().execute(sql)

    with closing(sqlite3.connect(path, factory=Second)) as second:
        wal.checkpoint(journal._writer.connection, second, 1.0)  # type: ignore[union-attr]
    assert refused == ["database is locked"]
    assert journal.commit(epoch, [step()]) == [None]
