"""Copies of a journal's file: whole, of one moment, and never half there."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from persistence import Change, HoldRecord, Query, SQLiteJournal, Unsuitable, Unwritable, restore
from persistence.contract import LEASE, start, step
from persistence.sqlite import backup as backing

ROOT = Path(__file__).parents[2]


def test_a_backup_under_load_is_of_one_moment(
    journal: SQLiteJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every run in it has the entries that its number says, in the order of commits, and it is copied in one go."""
    monkeypatch.setattr(backing, "PAGES", 5)
    epoch = journal.claim("ada", LEASE)
    for n in range(300):
        journal.commit(epoch, [start(f"r{n}", snapshot=b"x" * 3000)])
    done = threading.Event()
    committed = [0]

    def work() -> None:
        while not done.is_set():
            committed[0] += 1
            n = committed[0]
            journal.commit(epoch, [start(f"new{n}", snapshot=b"y" * 3000), step(f"r{n % 300}", seq=2 + n // 300)])
            journal.tidy(epoch)

    worker = threading.Thread(target=work)
    worker.start()
    seen: list[tuple[int, int]] = []
    try:
        for n in range(3):
            journal.backup(tmp_path / f"copy{n}.db", lambda copied, total: seen.append((copied, total)))
    finally:
        done.set()
        worker.join()
    assert len(seen) > 30
    assert seen[-1][0] == seen[-1][1]
    for n in range(3):
        copy = tmp_path / f"copy{n}.db"
        with closing(SQLiteJournal(copy)) as again:
            entries = again.log(0, 1_000_000)
            last = {entry.run: entry.seq for entry in entries}
            runs = again.runs(Query(limit=1_000_000))
            assert {run.run: run.seq for run in runs} == last
            assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
        with closing(sqlite3.connect(copy)) as checked:
            assert checked.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert committed[0] > 3


def test_the_applications_tables_are_in_it(journal: SQLiteJournal, path: Path, tmp_path: Path) -> None:
    """It is the file that is copied; who may read it, may read the copy."""
    with closing(sqlite3.connect(path)) as own:
        own.execute("CREATE TABLE loan (id TEXT)")
        own.execute("INSERT INTO loan VALUES ('l-1')")
        own.commit()
    path.chmod(0o600)
    journal.backup(tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT id FROM loan").fetchall() == [("l-1",)]
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_the_log_of_another_file_is_not_taken_for_its_own(journal: SQLiteJournal, tmp_path: Path, suffix: str) -> None:
    """SQLite would play a log that it finds beside a database into it."""
    (tmp_path / f"copy.db{suffix}").write_bytes(b"of another time")
    with pytest.raises(Unsuitable, match="would take for a part of it"):
        journal.backup(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_backup_that_fails_leaves_nothing(
    journal: SQLiteJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a half copy nor one under another name; the journal goes on."""
    epoch = journal.claim("ada", LEASE)
    with pytest.raises(Unwritable):
        journal.backup(tmp_path / "nowhere" / "copy.db")

    def fail(_handle: int) -> None:
        raise OSError(5, "the disk has gone")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unwritable, match="the disk has gone"):
        journal.backup(tmp_path / "copy.db")
    monkeypatch.undo()
    assert [one.name for one in tmp_path.iterdir() if "copy" in one.name] == []
    assert journal.commit(epoch, [start()]) == [None]


def test_two_backups_to_one_name_are_one(journal: SQLiteJournal, tmp_path: Path) -> None:
    """Whoever has the name first; the other is refused, though the name was free when it began."""
    to = tmp_path / "copy.db"
    with pytest.raises(Unsuitable, match="is there already"):
        journal.backup(to, lambda _copied, _total: to.touch())
    assert to.stat().st_size == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from persistence import SQLiteJournal
from persistence.sqlite import backup
backup.PAGES = 5
SQLiteJournal(sys.argv[1]).backup(Path(sys.argv[2]), lambda copied, total: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_a_backup_whose_process_is_killed_has_no_name(journal: SQLiteJournal, path: Path, tmp_path: Path) -> None:
    """Nobody can take half of it for whole; the next one is made as if nothing had been."""
    epoch = journal.claim("ada", LEASE)
    journal.commit(epoch, [start(f"r{n}", snapshot=b"x" * 3000) for n in range(100)])
    to = tmp_path / "copy.db"
    died = subprocess.run([sys.executable, "-c", KILLED, path, to], cwd=ROOT, check=False)
    assert died.returncode == -signal.SIGKILL
    assert not to.exists()
    journal.backup(to)
    with closing(SQLiteJournal(to)) as copy:
        assert copy.count(Query()) == 100


RESTORE_KILLED = """
import os, signal, sys
from persistence import Change, HoldRecord, SQLiteJournal, restore
from persistence.sqlite import backup, restoring

def die(*_arguments, **_named):
    os.kill(os.getpid(), signal.SIGKILL)

place = sys.argv[3]
if place == "copied":
    restoring.copy = die
elif place == "linked":
    link = os.link
    os.link = lambda partial, to: die() if not str(to).endswith(".partial") else link(partial, to)
elif place == "named":
    backup._sync = lambda path: die() if path.is_dir() and os.path.exists(sys.argv[2]) else None
else:
    setattr(SQLiteJournal, place, die)
restore(sys.argv[1], sys.argv[2], lambda _: Change(holds=(HoldRecord(workflow="", at=5, reason="why"),)))
"""


@pytest.mark.parametrize("place", ["copied", "claim", "commit", "release", "close", "linked", "named"])
def test_a_restore_that_is_killed_makes_all_of_it_or_nothing(
    journal: SQLiteJournal, path: Path, tmp_path: Path, place: str
) -> None:
    """What has the name is whole and held, wherever it is killed; where nothing has, the next one makes it."""
    epoch = journal.claim("ada", LEASE)
    journal.commit(epoch, [start(f"r{n}", snapshot=b"x" * 3000) for n in range(20)])
    copy, to = tmp_path / "copy.db", tmp_path / "again.db"
    journal.backup(copy)
    whole = copy.read_bytes()
    died = subprocess.run([sys.executable, "-c", RESTORE_KILLED, copy, to, place], cwd=ROOT, check=False)
    assert died.returncode == -signal.SIGKILL
    assert to.exists() == (place == "named")
    assert copy.read_bytes() == whole
    if place != "named":
        restore(copy, to, lambda _: Change(holds=(HoldRecord(workflow="", at=5, reason="why"),)))
    with closing(SQLiteJournal(to)) as again:
        assert again.count(Query()) == 20
        assert [hold.workflow for hold in again.holds()] == [""]
        assert again.owner() is None
        assert again.claim("bob", LEASE) > epoch
