"""Steps as the runner performs them: whatever they do, the run goes on or asks a person, and nothing runs beside itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from persistence import Busy, MemoryJournal, SQLiteJournal
from persistence.sqlite.guarded import GuardedConnection
from statemachine import Call, Retry, Runner, State, Workflow, evolve, step, transaction
from tests.unit.runner.desk import becomes

ROOT = Path(__file__).resolve().parents[3]


@attrs.frozen
class Job:
    name: str = "job"
    done: bool = False


class Unspeakable(Exception):
    """One that cannot even be told."""

    def __str__(self) -> str:
        message = "no words"
        raise ValueError(message)


class Odd:
    """Compares with nothing."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        message = "the truth of it is ambiguous"
        raise ValueError(message)


class Log:
    """What ran, when."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.gate = threading.Event()
        self.raises: BaseException | None = None

    def run(self, line: str) -> None:
        """Note the begin and the end; in between, wait for the gate."""
        self.lines.append(f"{line} begins")
        self.gate.wait(10)
        self.lines.append(f"{line} ends")


class Threaded(Workflow[Job], name="threaded"):
    log: Log

    working = State(initial=True)
    finished = State(final=True)

    @step(working, to=finished, timeout=0.2, retry=Retry(2, delay=0.01, jitter=0))
    def work(self, job: Job, call: Call) -> Job:
        self.log.run(f"{job.name} {call.attempt}")
        return evolve(job, done=True)

    @work.undo
    def unwork(self, job: Job) -> None:
        self.log.lines.append(f"{job.name} undone")


class Raising(Workflow[Job], name="raising"):
    log: Log

    working = State(initial=True)
    finished = State(final=True)

    @step(working, to=finished)
    def work(self, job: Job) -> Job:
        assert self.log.raises is not None
        raise self.log.raises


class RaisingLater(Workflow[Job], name="raising-later"):
    log: Log

    working = State(initial=True)
    finished = State(final=True)

    @step(working, to=finished)
    async def work(self, job: Job) -> Job:
        await asyncio.sleep(0)
        assert self.log.raises is not None
        raise self.log.raises


class Booking(Workflow[Job], name="booking"):
    log: Log

    working = State(initial=True)
    finished = State(final=True)

    @transaction(working, to=finished)
    def work(self, job: Job, connection: GuardedConnection) -> Job:
        if self.log.raises is not None:
            raise self.log.raises
        self.log.lines.append("booked")
        return evolve(job, done=True)


@pytest.fixture
def log() -> Iterator[Log]:
    """The log of one test; whatever still waits at its end goes on."""
    log = Log()
    yield log
    log.gate.set()


def test_a_thread_that_outlives_its_timeout_is_waited_for(log: Log) -> None:
    """Neither the next attempt nor the undo begins beside it."""
    with Runner(MemoryJournal(), [Threaded(log)]) as runner:
        run = runner.start(Threaded, Job("a"), id="a")
        becomes(lambda: any(entry.kind == "failed" for entry in run.journal()))
        run.cancel()
        time.sleep(0.1)
        assert log.lines == ["a 1 begins"]
        log.gate.set()
        assert run.result(5).status == "cancelled"
    assert log.lines == ["a 1 begins", "a 1 ends", "a undone"]


def test_waiting_for_a_thread_uses_no_attempt_up(log: Log) -> None:
    """A step's time begins when it does: one that waits until the pool has room does not time out."""
    with Runner(MemoryJournal(), [Threaded(log)], threads=1) as runner:
        first = runner.start(Threaded, Job("a"), id="a")
        becomes(lambda: log.lines == ["a 1 begins"])
        second = runner.start(Threaded, Job("b"), id="b")
        time.sleep(0.5)
        log.gate.set()
        assert second.result(5).status == "completed"
        assert "b 2 begins" not in log.lines
        first.result(5)


@pytest.mark.parametrize("workflow", [Raising, RaisingLater, Booking])
@pytest.mark.parametrize(
    "error", [SystemExit(3), Unspeakable(), asyncio.CancelledError()], ids=lambda e: type(e).__name__
)
def test_whatever_a_step_raises_is_its_failure(
    tmp_path: Path, log: Log, workflow: type[Raising], error: BaseException
) -> None:
    """A step that exits, cancels itself or raises what cannot be told fails like any other; the runner lives on."""
    log.raises = error
    with Runner(tmp_path / "journal.db", [workflow(log)]) as runner:
        result = runner.start(workflow, Job()).result(5)
        assert result.status == "failed"
        assert result.error is not None
        assert runner.list(status="failed")


def test_a_run_cancelled_as_it_starts_leaves_no_step_behind(log: Log) -> None:
    """Its first step is cancelled before it began."""

    async def story() -> None:
        async with Runner(MemoryJournal(), [RaisingLater(log)]) as runner:
            start = asyncio.ensure_future(runner.start(RaisingLater, Job(), id="a"))
            await asyncio.sleep(0)
            cancel = asyncio.ensure_future(runner.get("a").cancel())
            await asyncio.gather(start, cancel)
            assert (await runner.result("a", 5)).status == "cancelled"

    asyncio.run(story())


class BusyOnce(SQLiteJournal):
    """Somebody else keeps the file locked for one commit of the transaction."""

    left = 1

    def commit(self, epoch: int, changes: object) -> list[Exception | None]:
        """See `Journal.commit`."""
        if self.left and any(callable(change) for change in changes):  # type: ignore[attr-defined]
            self.left -= 1
            message = "locked"
            raise Busy(message)
        return super().commit(epoch, changes)  # type: ignore[arg-type]


def test_a_locked_file_is_no_failure_of_a_transaction(tmp_path: Path, log: Log) -> None:
    """It is tried again when the file can be written; it uses no attempt up, and the run is not undone."""
    journal = BusyOnce(tmp_path / "journal.db")
    with Runner(journal, [Booking(log)]) as runner:
        run = runner.start(Booking, Job())
        assert run.result(5).status == "completed"
        assert log.lines == ["booked"]
        assert [entry.kind for entry in run.journal()] == ["start", "succeeded"]
    journal.close()


STUCK = """
import sys, threading, time
from statemachine import Runner
from tests.unit.runner.test_steps import Job, Log, Threaded
log = Log()
log.gate.wait = lambda seconds: time.sleep(60)
with Runner(sys.argv[1], [Threaded(log)], grace=0.3) as runner:
    runner.start(Threaded, Job())
    while not log.lines:
        time.sleep(0.01)
    print("begun", flush=True)
    if sys.argv[2] == "wait":
        time.sleep(60)
"""


@pytest.mark.parametrize("how", ["wait", "leave"])
def test_a_process_ends_though_a_step_does_not(tmp_path: Path, how: str) -> None:
    """After the grace period a thread that still runs keeps neither SIGTERM nor the end of the script from ending it."""
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, str(tmp_path / "journal.db"), how], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            if how == "wait":
                process.terminate()
            assert process.wait(15) == (143 if how == "wait" else 0)
        finally:
            process.kill()
