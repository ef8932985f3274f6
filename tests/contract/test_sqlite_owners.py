"""Owners that are processes: killed, suspended, forked, and at the same file at once."""

from __future__ import annotations

import ctypes
import gc
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from persistence import Fenced, Forked, Owned, Query, SQLiteJournal
from persistence.contract import LEASE, a_message, a_run, start, step
from persistence.sqlite import forking, lockfile
from persistence.sqlite.lockfile import LockFile, Stamp

ROOT = Path(__file__).parents[2]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork are POSIX")


class Process:
    """Another process with the same file; see `owner_process`."""

    def __init__(self, path: Path, lease: float = LEASE) -> None:
        script = Path(__file__).with_name("owner_process.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(path), str(lease)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, word: str) -> str:
        self.tell(word)
        return self.answer()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def __enter__(self) -> Self:
        assert self.ask("open") == "ok"
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


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


# ----------------------------------------------------------------------------------------------------------------- fork


def in_fork(use: Callable[[], object]) -> str:
    """What a forked child says: the result or the error of `use`, after which it ends as scripts do."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = repr(use())
        except BaseException as error:  # noqa: BLE001 - the parent judges it
            said = f"{type(error).__name__} {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@POSIX
def test_a_child_cannot_use_its_parents_journal(journal: SQLiteJournal, path: Path) -> None:
    """It is told what to do instead; its close does nothing; and the parent goes on, still the owner."""
    epoch = journal.claim("ada", LEASE)
    journal.commit(epoch, [start()])
    for use in (
        lambda: journal.run("r"),
        lambda: journal.put(a_message()),
        lambda: journal.commit(epoch, [step()]),
        journal.pulse,
        lambda: SQLiteJournal(path),
    ):
        said = in_fork(use)
        assert said.startswith("Forked"), said
        assert "after the fork" in said
    assert in_fork(journal.close) == "None"
    with Process(path) as other:
        assert other.ask("claim").startswith("Owned")
    assert journal.commit(epoch, [step()]) == [None]


@POSIX
def test_a_child_may_open_what_was_not_open_at_the_fork(tmp_path: Path, journal: SQLiteJournal) -> None:
    """A file of its own, or one that its parent had closed."""

    def opened(path: Path) -> int:
        return SQLiteJournal(path).claim("child", LEASE)

    SQLiteJournal(tmp_path / "closed.db").close()
    for name in ("own.db", "closed.db"):
        assert in_fork(partial(opened, tmp_path / name)) == "1"
    assert journal.claim("ada", LEASE) == 1


@POSIX
def test_a_child_that_ends_like_a_script_closes_nothing_of_its_parents(path: Path) -> None:
    """Python's end frees every object, and a connection that is freed is closed: so the child must keep them."""
    script = f"""
import os, sqlite3, sys
from persistence import SQLiteJournal
from persistence.contract import start

class Watched(sqlite3.Connection):
    def __del__(self):
        if os.getpid() != parent:
            os.write(1, b"freed")

parent = os.getpid()
path = {str(path)!r}
journal = SQLiteJournal(path, connect=lambda path: sqlite3.connect(path, factory=Watched, check_same_thread=False))
epoch = journal.claim("parent", 60)
journal.commit(epoch, [start("before")])
journal.owner()
child = os.fork()
if child == 0:
    journal.close()
    del journal
    sys.exit()
os.waitpid(child, 0)
assert os.path.exists(path + "-wal")
assert journal.commit(epoch, [start("after")]) == [None]
os.write(1, b"done")
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=30, stdout=subprocess.PIPE)
    assert done.stdout == b"done"
    with closing(SQLiteJournal(path)) as journal:
        assert [run.run for run in journal.runs(Query())] == ["after", "before"]


@POSIX
def test_multiprocessing_by_fork_is_told_so_too(journal: SQLiteJournal) -> None:
    """The commonest way in."""
    journal.claim("ada", LEASE)
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)

    def child() -> None:
        try:
            journal.run("r")
        except Forked as error:
            sending.send(str(error))

    process = context.Process(target=child)
    process.start()
    process.join(10)
    assert "spawn" in receiving.recv()
    assert journal.owner() == "ada"


def test_in_another_process_every_use_is_refused(
    path: Path, journal: SQLiteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The in-process twin of a forked child."""
    epoch = journal.claim("ada", LEASE)
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        for use in (lambda: journal.run("r"), lambda: journal.commit(epoch, []), lambda: journal.put(a_message())):
            with pytest.raises(Forked, match="in its child -1"):
                use()
        journal.close()
    assert journal.commit(epoch, [start()]) == [None]


def test_a_child_keeps_its_parents_connections_and_opens_none_of_its_files(
    path: Path, journal: SQLiteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The in-process twin of what happens right after a fork."""
    journal.pulse()
    epoch = journal.claim("ada", LEASE)
    journal.commit(epoch, [start()])
    journal.put(a_message())
    assert journal.run("r") is not None
    journal._checkpoint(journal._writer)  # type: ignore[arg-type]
    kept: list[sqlite3.Connection] = []
    monkeypatch.setattr(forking, "_open", {journal._birth})
    monkeypatch.setattr(forking, "_inherited", set[str]())
    monkeypatch.setattr(forking, "_leak", kept.append)
    forking._in_child()
    assert len(kept) == len(set(map(id, kept))) == 5  # reading, sending, writing, checkpoints, the pulse
    with pytest.raises(Forked, match="made by fork"):
        SQLiteJournal(path)


def test_a_kept_connection_is_never_freed() -> None:
    """Its count of references can no longer reach nothing."""
    with closing(sqlite3.connect(":memory:")) as connection:
        before = sys.getrefcount(connection)
        forking._leak(connection)
        assert sys.getrefcount(connection) == before + 1
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(connection))


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
