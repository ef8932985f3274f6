"""Owners that are processes: killed, suspended, forked, and at the same file at once."""

from __future__ import annotations

import gc
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from persistence import Fenced, Owned, Query, SQLiteJournal
from persistence.contract import LEASE, a_run, start
from persistence.sqlite import lockfile, ownership
from persistence.sqlite.connection import begin
from persistence.sqlite.lockfile import LockFile, Stamp
from tests.contract.processes import Process

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork are POSIX")


@pytest.fixture(name="journal")
def _journal(path: Path) -> Iterator[SQLiteJournal]:
    with closing(SQLiteJournal(path)) as journal:
        yield journal


def eventually(true: Callable[[], bool]) -> None:
    """Wait for what another process is about to do."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# ------------------------------------------------------------------------------------------------------------ processes


def test_another_process_is_refused_and_sees_who_owns(journal: SQLiteJournal, path: Path) -> None:
    """The message names the owner and its process; reading and putting messages are free."""
    journal.claim("ada", LEASE)
    with Process(path) as other:
        refusal = other.ask("claim")
        assert refusal.startswith("Owned")
        assert f"'ada' (process {os.getpid()})" in refusal
        assert other.ask("owner") == "ok ada"
        assert other.ask("put") == "ok 1"
        assert other.ask("commit").startswith("Fenced")
        before = journal.pulse()
        other.ask("close")
        assert journal.owner() == "ada"
        assert journal.pulse() == before


@POSIX
def test_a_killed_owner_frees_the_journal_at_once(journal: SQLiteJournal, path: Path) -> None:
    """However long its lease was; and what it committed is there."""
    with Process(path) as other:
        assert other.ask("claim") == "ok 1"
        assert other.ask("commit") == "ok [None]"
        with pytest.raises(Owned):
            journal.claim("ada", LEASE)
        other.kill()
        assert journal.owner() is None
        assert journal.claim("ada", LEASE) == 2
    assert journal.run("r1-1") == a_run("r1-1")


@POSIX
def test_a_suspended_owner_is_replaced_when_its_lease_has_run_out(journal: SQLiteJournal, path: Path) -> None:
    """Awake again, it is fenced whatever it does; and once it is gone, the new owner has the lock, too."""
    with Process(path, lease=0.3) as other:
        assert other.ask("claim") == "ok 1"
        other.signal(signal.SIGSTOP)

        def claimed() -> bool:
            try:
                return journal.claim("ada", LEASE) == 2
            except Owned:
                return False

        eventually(claimed)
        assert journal.owner() == "ada"
        assert journal.commit(2, [start("new")]) == [None]
        other.signal(signal.SIGCONT)
        assert other.ask("commit").startswith("Fenced")
        assert other.ask("renew").startswith("Fenced")
        journal.renew(2)
        with Process(path) as third:
            assert third.ask("claim").startswith("Owned")  # the lock is the second's, the lease is ours
            other.kill()
            assert third.ask("claim").startswith("Owned")  # the lock is free, and the lease still ours
            journal.renew(2)
            assert third.ask("claim").startswith("Owned")  # both are ours
            assert third.ask("owner") == "ok ada"
    stamp = LockFile.share(f"{path}.owner")
    try:
        read = stamp.read()
        assert read is not None
        assert read.locked
    finally:
        stamp.leave(None)
    assert [run.run for run in journal.runs(Query())] == ["new"]


@POSIX
def test_an_owner_suspended_within_its_lease_stays_owner(journal: SQLiteJournal, path: Path) -> None:
    """It goes on as if nothing had been."""
    with Process(path) as other:
        assert other.ask("claim") == "ok 1"
        other.signal(signal.SIGSTOP)
        with pytest.raises(Owned):
            journal.claim("ada", LEASE)
        other.signal(signal.SIGCONT)
        assert other.ask("commit") == "ok [None]"


def test_of_processes_that_claim_at_once_one_wins(path: Path) -> None:
    """On a file that none of them has opened before."""
    processes = [Process(path) for _ in range(3)]
    try:
        for process in processes:
            process.tell("claim")
        answers = sorted(process.answer().split()[0] for process in processes)
        assert answers == ["Owned", "Owned", "ok"]
    finally:
        for process in processes:
            process.__exit__()


# -------------------------------------------------------------------------------------------------------- the lock file


def test_a_journal_that_nobody_keeps_frees_its_lock(path: Path) -> None:
    """Forgotten, not closed; another may claim at once."""
    forgotten = SQLiteJournal(path)
    forgotten.claim("ada", LEASE)
    del forgotten
    gc.collect()
    with closing(SQLiteJournal(path)) as journal:
        assert journal.owner() is None
        assert journal.claim("bob", LEASE) == 2


def test_a_journal_that_took_over_and_died_is_waited_for(path: Path, journal: SQLiteJournal) -> None:
    """It never had the lock, so only its lease can tell."""
    with closing(SQLiteJournal(path)) as suspended:
        suspended.claim("suspended", 0.0)
        with closing(SQLiteJournal(path)) as taker:
            assert taker.claim("taker", LEASE) == 2
            taker._ownership._stamp = None  # dies without a word
        suspended.close()
        with pytest.raises(Owned, match="taker"):
            journal.claim("ada", LEASE)
        assert journal.owner() == "taker"


def test_releasing_an_old_epoch_changes_nothing(path: Path, journal: SQLiteJournal) -> None:
    """Only the present one is given back; a stamp of another's is left alone."""
    epoch = journal.claim("ada", 0.0)
    journal.release(epoch + 7)
    assert journal.commit(epoch, [start()]) == [None]
    with closing(SQLiteJournal(path)) as other:
        assert other.claim("bob", LEASE) == 2
        journal.release(epoch)
        assert other.owner() == "bob"


@POSIX
@pytest.mark.parametrize("delay", [0.05, 0.2])
def test_what_a_killed_owner_acknowledged_is_there(path: Path, delay: float) -> None:
    """All of it, each run with its line, and at most one more: the one it was killed before acknowledging."""
    with Process(path) as other:
        assert other.ask("claim") == "ok 1"
        for _ in range(2000):
            other.tell("commit")
        time.sleep(delay)
        other.kill()
        assert other.process.stdout is not None
        acknowledged = sum(line == "ok [None]\n" for line in other.process.stdout)
    with closing(SQLiteJournal(path)) as journal:
        runs = journal.runs(Query(limit=5000))
        assert acknowledged <= len(runs) <= acknowledged + 1
        assert acknowledged > 0
        assert all(len(journal.entries(run.run)) == 1 for run in runs)


def test_an_idle_owner_writes_nothing_into_the_database(journal: SQLiteJournal, path: Path) -> None:
    """Renewing touches the lock's file only."""
    epoch = journal.claim("ada", LEASE)

    def version() -> object:
        return watch.execute("PRAGMA data_version").fetchone()

    with closing(sqlite3.connect(path)) as watch:
        before = version()
        stamped = json.loads(path.with_name("app.db.owner").read_text())
        journal.renew(epoch)
        assert version() == before
        assert json.loads(path.with_name("app.db.owner").read_text())["renewed"] > stamped["renewed"]


def test_removing_the_locks_file_lets_nobody_write_beside_the_owner(journal: SQLiteJournal, path: Path) -> None:
    """Another can then claim, and the first is fenced: the epoch is in the database."""
    epoch = journal.claim("ada", LEASE)
    path.with_name("app.db.owner").unlink()
    with Process(path) as other:
        assert other.ask("claim") == "ok 2"
        with pytest.raises(Fenced):
            journal.commit(epoch, [start()])
        with pytest.raises(Fenced):
            journal.renew(epoch)
        journal.release(epoch)
        with pytest.raises(Owned):
            journal.claim("ada", LEASE)  # it follows to the new file


@pytest.mark.parametrize("text", ["", "not JSON", '{"pid": 1}'])
def test_a_stamp_that_makes_no_sense_is_no_stamp(path: Path, journal: SQLiteJournal, text: str) -> None:
    """The lock itself decides."""
    path.with_name("app.db.owner").write_text(text)
    assert journal.owner() is None
    assert journal.claim("ada", LEASE) == 1


def test_a_stamp_of_another_boot_counts_only_with_the_lock(
    path: Path, journal: SQLiteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its times mean nothing here: alone it keeps nobody out, and with the lock held it is never called dead."""
    with closing(SQLiteJournal(path)) as other:
        epoch = other.claim("ada", 0.0)
        monkeypatch.setattr(lockfile, "boot", lambda: "another")
        with pytest.raises(Owned):
            journal.claim("bob", LEASE)
        other.release(epoch)
        file = LockFile.share(f"{path}.owner")
        file.write(Stamp(1, "carl", 1, lockfile.now(), LEASE, "an older boot", locked=False))
        assert journal.owner() is None
        assert journal.claim("bob", LEASE) == 2
        file.leave(None)


def test_an_owner_that_has_the_lock_and_no_stamp_yet_is_not_replaced(
    path: Path, journal: SQLiteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is just starting: who looks a second time sees its stamp."""
    file = LockFile.share(f"{path}.owner")
    starting = object()
    try:
        assert file.lock(starting)
        with pytest.raises(Owned, match="just starting"):
            journal.claim("ada", LEASE)
        stale = Stamp(1, "an old one", 0, 0.0, 0.0, lockfile.boot())
        file.write(stale)
        monkeypatch.setattr(
            "persistence.sqlite.ownership.time.sleep",
            lambda _: file.write(Stamp(2, "new", 1, lockfile.now(), LEASE, lockfile.boot())),
        )
        with pytest.raises(Owned, match="'new'"):
            journal.claim("ada", LEASE)
    finally:
        file.unlock(starting)
        file.leave(None)


def test_of_two_that_replace_a_suspended_owner_one_wins(
    path: Path, journal: SQLiteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both saw the lease run out; the second finds in the database that the epoch has moved on."""
    with closing(SQLiteJournal(path)) as suspended, closing(SQLiteJournal(path)) as quick:
        suspended.claim("suspended", 0.0)
        slept: list[float] = []

        def meanwhile(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 1:
                assert quick.claim("quick", LEASE) == 2

        monkeypatch.setattr("persistence.sqlite.ownership.time.sleep", meanwhile)
        with pytest.raises(Owned, match="quick"):
            journal.claim("slow", LEASE)
        assert quick.commit(2, [start()]) == [None]


def test_who_replaced_a_suspended_owner_leaves_the_file_to_the_next(path: Path, journal: SQLiteJournal) -> None:
    """The suspended one has the lock all the time, and nobody has to wait for it."""
    with closing(SQLiteJournal(path)) as suspended, closing(SQLiteJournal(path)) as second:
        suspended.claim("suspended", 0.0)
        second.release(second.claim("second", LEASE))
        assert journal.owner() is None
        assert journal.claim("third", LEASE) == 3
        assert journal.owner() == "third"


def test_one_object_does_not_claim_twice(journal: SQLiteJournal) -> None:
    """It is told that it owns the journal already."""
    journal.claim("ada", LEASE)
    with pytest.raises(Owned, match="this very object"):
        journal.claim("ada", LEASE)


def test_journals_of_one_process_share_one_descriptor(path: Path, journal: SQLiteJournal) -> None:
    """Closing one that does not own must not free the lock of the one that does (POSIX would)."""
    journal.claim("ada", LEASE)
    with closing(SQLiteJournal(path)) as other:
        assert other.owner() == "ada"
    with Process(path) as process:
        assert process.ask("claim").startswith("Owned")


def test_a_path_and_a_link_to_it_are_one_journal(path: Path, journal: SQLiteJournal) -> None:
    """The lock lies beside the file, not beside the link."""
    journal.claim("ada", LEASE)
    link = path.with_name("link.db")
    link.symlink_to(path)
    with closing(SQLiteJournal(link)) as other, pytest.raises(Owned):
        other.claim("bob", LEASE)


def test_who_is_overtaken_on_the_last_step_has_lost(
    path: Path, journal: SQLiteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two looks at the stamp found the owner suspended; the epoch in the database has the last word."""
    with closing(SQLiteJournal(path)) as suspended, closing(SQLiteJournal(path)) as quick:
        suspended.claim("suspended", 0.0)

        def overtaken(connection: sqlite3.Connection, patience: float) -> None:
            monkeypatch.setattr(ownership, "begin", begin)
            assert quick.claim("quick", LEASE) == 2
            begin(connection, patience)

        monkeypatch.setattr(ownership, "begin", overtaken)
        with pytest.raises(Owned, match="quick"):
            journal.claim("slow", LEASE)
        assert quick.commit(2, [start()]) == [None]


def test_a_system_that_does_not_name_its_boots_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then times alone decide."""

    def absent(_: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    assert lockfile.boot() == ""


def test_a_child_leaves_its_parents_lock_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The in-process twin: after the fork the registry is empty, and what it held is nobody's to free."""
    monkeypatch.setattr(lockfile, "_registry", lockfile._Registry())
    file = LockFile.share(f"{path}.owner")
    holder = object()
    assert file.lock(holder)
    lockfile._registry.forget()
    file.leave(holder)
    assert file.lock(holder)
    os.close(file._descriptor)
