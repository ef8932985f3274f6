"""Items whose step is sync, slow or stuck: threads, timeouts, limits of the runner, a state that is left meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import attrs

from persistence import MemoryJournal
from statemachine import Call, Event, Retry, Runner, State, Workflow, evolve, on, step
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import becomes
from tests.unit.runner.fanning import Load


class Leave(Event, frozen=True):
    """It goes another way."""


@attrs.define(eq=False)
class Gate:
    """Where calls wait until they are let through."""

    open: threading.Event = attrs.field(factory=threading.Event)
    inside: int = 0
    most: int = 0
    done: list[str] = attrs.field(factory=list[str])
    undone: list[str] = attrs.field(factory=list[str])
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def go_through(self, document: str) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        assert self.open.wait(20)
        with self.lock:
            self.inside -= 1
            self.done.append(document)


def documents(load: Load) -> tuple[str, ...]:
    """What is done."""
    return load.documents


def counted(load: Load, results: Sequence[int]) -> Load:
    """How many were done."""
    return evolve(load, stored=len(results))


class Slow(Workflow[Load], name="slow"):
    gate: Gate

    going = State(initial=True)
    over = State(final=True)
    left = State(final=True, compensate=True)

    @step(going, each=documents, limit=3, to=over, into=counted, timeout=10, retry=Retry(2, delay=5, jitter=0))
    def go(self, load: Load, document: str, call: Call) -> int:
        self.gate.go_through(document)
        return call.attempt

    @go.undo
    def back(self, load: Load, document: str) -> None:
        self.gate.undone.append(document)

    leave = on(Leave, source=going, to=left)


MANY = tuple(f"d{number}" for number in range(9))


def test_threads_are_used_up_to_the_limit() -> None:
    """Of the visit, and of the runner for the step."""
    for most in (3, 2):
        gate = Gate()
        with Runner(MemoryJournal(), [Slow(gate)], concurrency={Slow.go: 4 if most == 3 else most}) as runner:
            run = runner.start(Slow, Load(MANY), id="r")
            becomes(lambda: gate.inside == most)  # noqa: B023 -- it is called here
            gate.open.set()
            assert run.result(timeout=20).data.stored == 9
        assert gate.most == most


def test_a_state_that_is_left_stops_its_items_and_undoes_what_may_have_been_done() -> None:
    """Once their threads have ended; of what was not begun, only as many as may have been for all the journal says."""
    gate = Gate()
    with Runner(MemoryJournal(), [Slow(gate)]) as runner:
        run = runner.start(Slow, Load(MANY), id="r")
        becomes(lambda: gate.inside == 3)
        run.send(Leave())
        assert gate.undone == []
        gate.open.set()
        assert run.result(timeout=20).state == ("left",)
        assert runner.verify("r").ok
    assert sorted(gate.done) == ["d0", "d1", "d2"]
    assert gate.undone == ["d5", "d4", "d3", "d2", "d1", "d0"]


def test_an_item_that_takes_too_long_is_tried_again() -> None:
    """Not beside the thread that it left behind."""
    gate, clock = Gate(), VirtualClock()
    with Runner(MemoryJournal(), [Slow(gate)], clock=clock) as runner:
        run = runner.start(Slow, Load(("d0",)), id="r")
        becomes(lambda: gate.inside == 1)
        clock.advance(11)
        becomes(lambda: run.look().progress[0].again == 1)
        gate.open.set()
        becomes(lambda: bool(run.look().timers))
        clock.advance(6)
        assert run.result(timeout=20).data.stored == 1
    assert gate.done == ["d0", "d0"]
    assert gate.most == 1


def test_a_runner_that_closes_records_what_runs_and_begins_no_more() -> None:
    """The next one does the rest."""
    gate, journal = Gate(), MemoryJournal()
    with Runner(journal, [Slow(gate)]) as runner:
        runner.start(Slow, Load(MANY), id="r")
        becomes(lambda: gate.inside == 3)
        gate.open.set()
    first = len(gate.done)
    assert journal.fans("r")[0].forward == {"done": first}
    with Runner(MemoryJournal(beside=journal), [Slow(gate)]) as runner:
        assert runner.get("r").result(timeout=20).data.stored == 9
    assert sorted(gate.done) == list(MANY)
