"""A child made by fork does nothing with its parent's journal, not even as it ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from persistence import Forked, Query, SQLiteJournal
from persistence.contract import LEASE, a_message, start, step
from persistence.sqlite import forking
from tests.contract.processes import ROOT, Process

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork are POSIX")


@pytest.fixture(name="journal")
def _journal(path: Path) -> Iterator[SQLiteJournal]:
    with closing(SQLiteJournal(path)) as journal:
        yield journal


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
