"""An attempt that gives no sign of life for as long as it must not has failed; one that gives them goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta

import attrs
import pytest

from persistence import MemoryJournal
from statemachine import Call, DefinitionError, Retry, Runner, State, Workflow, step
from statemachine.runner.clock import Alarm
from statemachine.runner.pulse import Pulse
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import becomes


@attrs.frozen
class Job:
    name: str = "job"


class Watched(Workflow[Job], name="watched"):
    """Its step does in each attempt what the test says, when it says so."""

    go: threading.Semaphore
    done: threading.Semaphore
    signs: list[str]

    working = State(initial=True)
    finished = State(final=True)

    @step(working, to=finished, timeout=86_400, heartbeat=timedelta(seconds=10), retry=Retry(2, delay=0), effect=False)
    def work(self, job: Job, call: Call[int]) -> Job:
        self.done.release()
        while self.go.acquire(timeout=10):
            sign = self.signs.pop(0)
            if sign == "beat":
                call.beat()
            elif sign == "save":
                call.save(1)
            elif sign == "emit":
                call.emit("still here")
            self.done.release()
            if sign == "end":
                break
        return job


class WatchedLater(Workflow[Job], name="watched-later"):
    working = State(initial=True)
    finished = State(final=True)

    @step(working, to=finished, timeout=86_400, heartbeat=10, effect=False)
    async def work(self, job: Job, call: Call) -> Job:
        await asyncio.Event().wait()
        return job


def test_signs_of_life_keep_an_attempt_going() -> None:
    """Each of them; time passes between, altogether more than the silence that is allowed."""
    clock, go, done = VirtualClock(), threading.Semaphore(0), threading.Semaphore(0)
    signs = ["beat", "save", "emit", "beat", "end"]
    with Runner(MemoryJournal(), [Watched(go, done, signs)], clock=clock) as runner:
        run = runner.start(Watched, Job())
        assert done.acquire(timeout=10)
        for _ in range(4):
            clock.advance(9)
            go.release()
            assert done.acquire(timeout=10)
        clock.advance(9)
        go.release()
        assert run.result(10).status == "completed"
        assert [entry.kind for entry in run.journal()] == ["start", "succeeded"]


def test_a_silent_thread_has_failed_and_is_waited_for() -> None:
    """The next attempt begins when the thread of the silent one has ended, and not before."""
    clock, go, done = VirtualClock(), threading.Semaphore(0), threading.Semaphore(0)
    with Runner(MemoryJournal(), [Watched(go, done, ["beat", "end", "end"])], clock=clock) as runner:
        run = runner.start(Watched, Job())
        assert done.acquire(timeout=10)
        go.release()
        assert done.acquire(timeout=10)
        clock.advance(9)
        clock.advance(2)
        becomes(lambda: any(entry.kind == "failed" for entry in run.journal()))
        assert not done.acquire(timeout=0.05)
        go.release()
        assert done.acquire(timeout=10)
        clock.advance(1)
        assert done.acquire(timeout=10)
        go.release()
        assert run.result(10).status == "completed"
        failed = next(one for one in run.story().lines if one.entry.kind == "failed")
        assert "no sign of life for 10 s" in str(failed)


def test_a_silent_coroutine_is_cancelled() -> None:
    """With a message that says what was missed."""
    clock = VirtualClock()
    with Runner(MemoryJournal(), [WatchedLater()], clock=clock) as runner:
        run = runner.start(WatchedLater, Job())
        body = runner._body
        assert body is not None
        becomes(lambda: any(one.began is not None for one in body.steps._running.values()))
        clock.advance(5)
        clock.advance(6)
        error = run.result(10).error
    assert error is not None
    assert error.type == "StepSilent"
    assert error.message == "no sign of life for 10 s: no call.beat(), call.save() or call.emit()"


class Set(VirtualClock):
    """A system's clock that is set: its alarms ring by another that goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.alarms: list[Callable[[], object]] = []

    def call_at(self, time: object, call: Callable[[], object]) -> Alarm:  # type: ignore[override]
        """Keep it, for the test to ring."""
        self.alarms.append(call)

        class Kept:
            def cancel(self) -> None:
                """Nothing rings here."""

        return Kept()


def test_a_clock_that_is_set_is_no_silence() -> None:
    """Nor is a machine that stood still: where the look itself comes late, the silence counts from there."""
    clock, silent = Set(), list[Exception]()
    pulse = Pulse(clock, 10)
    pulse.watch(silent.append)
    pulse.beat()
    clock.advance(3600)
    clock.alarms.pop()()
    assert silent == []
    clock.advance(10)
    clock.alarms.pop()()
    assert len(silent) == 1
    pulse.stop()
    clock.advance(10)
    pulse.beat()
    assert clock.alarms == []


def test_a_heartbeat_needs_a_call_and_a_length() -> None:
    """Both are refused when the class is made."""
    with pytest.raises(DefinitionError, match=r"work has a heartbeat= and takes no Call"):

        class Mute(Workflow[Job]):
            working = State(initial=True)
            finished = State(final=True)

            @step(working, to=finished, heartbeat=5)
            def work(self, job: Job) -> Job:
                return job

    with pytest.raises(DefinitionError, match=r"step work has no time at all"):

        class Hasty(Workflow[Job]):
            working = State(initial=True)
            finished = State(final=True)

            @step(working, to=finished, heartbeat=0)
            def work(self, job: Job, call: Call) -> Job:
                return job
