"""One file, several processes: who owns it, who takes over, and what a client may do meanwhile."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from persistence import Owned, SQLiteJournal
from statemachine import Client, NoSuchRun, Refused, Run, Runner
from tests.crash.server import Close, Ticket, TicketLife, Work

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(file: Path, mode: str) -> Iterator[subprocess.Popen[str]]:
    """A server process that has said `ready`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.server", str(file), mode],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        expect(process, "ready")
        yield process
    finally:
        process.kill()
        process.communicate()


def expect(process: subprocess.Popen[str], line: str) -> None:
    """The next line that the process says is this one."""
    assert process.stdout is not None
    assert process.stdout.readline().strip() == line


def until_worked(run: Run[Ticket], times: int = 1) -> None:
    """Come back when the ticket has been worked on so often; its start may still be queued."""
    while True:
        with suppress(NoSuchRun):
            if run.data.worked >= times:
                return
        time.sleep(0.01)


def suspend(process: subprocess.Popen[str], file: Path) -> None:
    """SIGSTOP, and not amid a commit: the lock of the file would stay with it for as long as it is suspended."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        connection.execute("ROLLBACK")


def test_a_second_runner_is_refused(tmp_path: Path) -> None:
    """A plain runner on a file that another process moves raises Owned, and that process goes on."""
    file = tmp_path / "journal.db"
    with serving(file, "owner") as owner:
        expect(owner, "owner")
        with pytest.raises(Owned), Runner(file, [TicketLife()]):
            pass
        with Client(file, [TicketLife()]) as client:
            client.start(TicketLife, Ticket("a"), id="t-1")


def test_a_client_starts_sends_and_reads(tmp_path: Path) -> None:
    """A client's verbs go through the inbox, durably; a refusal comes back with the owner's words."""
    file = tmp_path / "journal.db"
    with serving(file, "owner") as owner, Client(file, [TicketLife()]) as client:
        expect(owner, "owner")
        run = client.start(TicketLife, Ticket("a"), id="t-1")
        receipt = run.send(Work(), id="m-1")
        assert receipt.verdict == "queued"
        assert client.verdict(receipt, timeout=10).verdict == "accepted"
        assert run.send(Work(), id="m-1").verdict == "accepted"
        until_worked(run)
        client.verdict(run.send(Close()), timeout=10)
        assert run.result(timeout=10).state == ("closed",)
        assert run.data.worked == 1
        with pytest.raises(Refused, match="is over"):
            client.verdict(run.send(Close()), timeout=10)


def test_what_a_client_puts_while_nobody_owns_waits(tmp_path: Path) -> None:
    """A start and an event that were acknowledged with no owner alive are taken by the next one, in their order."""
    file = tmp_path / "journal.db"
    SQLiteJournal(file).close()
    with Client(file, [TicketLife()]) as client:
        run = client.start(TicketLife, Ticket("a"), id="t-1")
        client.send("t-1", Close(), id="m-1")
        with serving(file, "owner"):
            assert run.result(timeout=10).state == ("closed",)


def test_a_standby_takes_over_when_the_owner_is_killed(tmp_path: Path) -> None:
    """SIGKILL frees the file at once; the standby finishes what the owner had begun, and nothing is lost."""
    file = tmp_path / "journal.db"
    with serving(file, "owner") as owner, serving(file, "standby") as standby, Client(file, [TicketLife()]) as client:
        expect(owner, "owner")
        runs = [client.start(TicketLife, Ticket(f"{n}"), id=f"t-{n}") for n in range(20)]
        for run in runs:
            run.send(Work(), id="work")
        owner.send_signal(signal.SIGKILL)
        expect(standby, "owner")
        for run in runs:
            until_worked(run)
            client.verdict(run.send(Close(), id="close"), timeout=10)
        assert [run.result(timeout=10).data.worked for run in runs] == [1] * 20


def test_sigterm_lets_a_step_finish(tmp_path: Path) -> None:
    """A process told to end records the outcome of what runs, leaves no crash behind, and ends."""
    file = tmp_path / "journal.db"
    with serving(file, "owner") as owner, Client(file, [TicketLife()]) as client:
        expect(owner, "owner")
        run = client.start(TicketLife, Ticket("a"), id="t-1")
        client.verdict(run.send(Work()), timeout=10)
        owner.send_signal(signal.SIGTERM)
        assert owner.wait(timeout=20) == 128 + signal.SIGTERM
        assert run.data.worked == 1
        assert not run.incidents


def test_a_suspended_owner_is_replaced_and_fenced(tmp_path: Path) -> None:
    """SIGSTOP past the lease: another takes over, and what the first does after SIGCONT is refused."""
    file = tmp_path / "journal.db"
    with serving(file, "owner") as owner, serving(file, "standby") as standby, Client(file, [TicketLife()]) as client:
        expect(owner, "owner")
        run = client.start(TicketLife, Ticket("a"), id="t-1")
        client.verdict(run.send(Work()), timeout=10)
        suspend(owner, file)
        expect(standby, "owner")
        owner.send_signal(signal.SIGCONT)
        until_worked(run)
        client.verdict(run.send(Work(), id="later"), timeout=10)
        until_worked(run, 2)
        client.verdict(run.send(Close()), timeout=10)
        assert run.result(timeout=10).data.worked == 2
