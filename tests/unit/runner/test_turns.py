"""Whose turn it is: places, a pace that outlives its runner, and priorities."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import attrs
import pytest

from persistence import MemoryJournal
from statemachine import AsyncRunner, Client, Runner, State, Workflow, evolve, step
from statemachine.runner.turns import Lane, Pace, Places, Turns
from statemachine.testing import VirtualClock
from tests.unit.runner.test_pressure import Gate, Other, Working, settled, started, until_inside

SECOND = timedelta(seconds=1)


@attrs.frozen
class Called:
    name: str = ""


class Calls:
    """When its calls began, by the runner's clock, and by whom."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.began: list[float] = []
        self.names: list[str] = []
        self.start = clock.now()

    def note(self, name: str) -> None:
        """One begins."""
        self.began.append((self.clock.now() - self.start).total_seconds())
        self.names.append(name)


class Calling(Workflow[Called], name="calling"):
    calls: Calls

    calling = State(initial=True)
    called = State(final=True)

    @step(calling, to=called)
    async def call(self, data: Called) -> Called:
        self.calls.note(data.name)
        return evolve(data, name="done")


async def calls_of(runner: AsyncRunner, calls: Calls, number: int) -> None:
    """Come back when so many have begun, and no more do without time."""
    while len(calls.began) < number:  # noqa: ASYNC110 -- nothing tells of it
        await asyncio.sleep(0.001)
    await settled(runner)
    assert len(calls.began) == number


def runner_of(journal: MemoryJournal, calls: Calls, rate: float) -> Runner:
    """A runner of calls, limited."""
    return Runner(journal, [Calling(calls), Other()], rate={Calling.call: rate}, clock=calls.clock, grace=0)


def test_no_second_sees_more_attempts_begin_than_may() -> None:
    """The first second is full already, for whoever owned the journal before; then each second has so many."""

    async def story() -> None:
        clock = VirtualClock()
        calls = Calls(clock)
        async with runner_of(MemoryJournal(), calls, 2) as runner:
            for number in range(5):
                await runner.start(Calling, Called(str(number)), id=f"c-{number}")
            for begun in (0, 2, 4, 5):
                await calls_of(runner, calls, begun)
                clock.advance(SECOND)
        assert calls.began == [1, 1, 2, 2, 3]

    asyncio.run(story())


def test_the_pace_is_kept_over_a_restart() -> None:
    """What the last owner began and what the next one begins are in one second together, and no more than may."""

    async def story() -> None:
        clock, journal = VirtualClock(), MemoryJournal()
        calls = Calls(clock)
        clock.advance(10)
        async with runner_of(journal, calls, 2) as runner:
            for number in range(6):
                await runner.start(Calling, Called(str(number)), id=f"c-{number}")
            clock.advance(SECOND)
            await calls_of(runner, calls, 2)
            journal.abandon()
        clock.advance(0.25)
        async with runner_of(MemoryJournal(beside=journal), calls, 2) as runner:
            await calls_of(runner, calls, 2)
            clock.advance(0.75)
            await calls_of(runner, calls, 2)
            for begun in (4, 6):
                clock.advance(SECOND)
                await calls_of(runner, calls, begun)
        spans = [later - earlier for earlier, later in zip(calls.began, calls.began[2:], strict=False)]
        assert all(span >= 1 for span in spans)

    asyncio.run(story())


def test_a_rate_below_one_is_one_in_so_long() -> None:
    """0.1 a second is one each ten seconds, and a clock that is set back holds nobody up for longer than that."""

    async def story() -> None:
        clock = VirtualClock()
        pace = Pace(0.1, clock, clock.now())
        lane = Lane(Turns(), [], [pace])
        waits = [pace.free]
        clock.advance(9.9)
        waits.append(pace.free)
        clock.advance(0.1)
        (await lane.turn(0)).begin()
        waiting = asyncio.create_task(lane.turn(0))
        clock.advance(-3600)
        waits.append(pace.free)
        clock.advance(10)
        assert [*waits, pace.free] == [False, False, False, True]
        clock.advance(3600)
        turn = await waiting
        turn.leave()  # it never began, so it does not count
        assert pace.free

    asyncio.run(story())


def test_who_waits_for_a_pace_holds_no_place() -> None:
    """A step that is slow to begin leaves the workflow's places to the others."""

    async def story() -> None:
        clock = VirtualClock()
        turns, places = Turns(), Places(1)
        paced = Lane(turns, [places], [Pace(1, clock, clock.now())])
        free = Lane(turns, [places])
        waiting = asyncio.create_task(paced.turn(9))
        await asyncio.sleep(0)
        first = await free.turn(0)
        clock.advance(1)
        await asyncio.sleep(0)
        assert not waiting.done()
        first.leave()
        (await waiting).leave()

    asyncio.run(story())


def test_a_turn_that_came_and_was_not_wanted_goes_on() -> None:
    """Cancelled before it was taken, it is the next one's."""

    async def story() -> None:
        lane = Lane(Turns(), [Places(1)])
        first = await lane.turn(0)
        second, third = (asyncio.create_task(lane.turn(0)) for _ in range(2))
        await asyncio.sleep(0)
        first.leave()
        second.cancel()
        (await third).leave()
        fourth = await lane.turn(0)
        fourth.leave()

    asyncio.run(story())


class Waiting(Workflow[Called], name="waiting"):
    gate: Gate
    order: list[str]
    blocking: threading.Event

    first = State(initial=True)
    second = State()
    done = State(final=True)

    @step(first, to=second)
    async def wait(self, data: Called) -> Called:
        self.order.append(data.name)
        await self.gate.through()
        return data

    @step(second, to=done)
    def block(self, data: Called) -> Called:
        self.order.append(f"{data.name}, second")
        self.blocking.wait(10)
        return data


PRIORITIES = {"low": -1, "plain": 0, "urgent": 5, "urgent too": 5}


async def until_long(order: list[str], number: int) -> None:
    """Come back when so many have begun."""
    while len(order) < number:  # noqa: ASYNC110 -- nothing tells of it
        await asyncio.sleep(0.001)


def test_a_higher_priority_goes_first_and_what_runs_goes_on() -> None:
    """Also for a thread; among equals in order; what runs is not interrupted."""

    async def story() -> None:
        order: list[str] = []
        gate, blocking = Gate(), threading.Event()
        waiting = Waiting(gate, order, blocking)
        async with Runner(MemoryJournal(), [waiting, Other()], concurrency={Waiting.wait: 1}, threads=1) as runner:
            await runner.start(Waiting, Called("running"), id="running")
            await until_inside(gate, 1)
            for name, priority in PRIORITIES.items():
                await runner.start(Waiting, Called(name), id=name, priority=priority)
            await settled(runner)
            assert order == ["running"]
            gate.open.set()
            await until_long(order, 6)
            await settled(runner)
            blocking.set()
            for name in PRIORITIES:
                await runner.result(name, 10)
            firsts = [name for name in order if "second" not in name]
            assert firsts == ["running", "urgent", "urgent too", "plain", "low"]
            seconds = [name.partition(",")[0] for name in order if "second" in name]
            assert seconds == firsts

    asyncio.run(story())


def test_a_priority_is_the_run_s_for_good() -> None:
    """It is journaled with its start: another owner goes by it, and a client or an operator gives it as well."""

    async def story() -> None:
        order: list[str] = []
        gate, blocking = Gate(), threading.Event()
        blocking.set()
        journal = MemoryJournal()
        waiting = Waiting(gate, order, blocking)
        runner = Runner(journal, [waiting], concurrency={Waiting.wait: 1}, grace=0)
        async with runner as owner:
            for name in ("a", "b"):
                await owner.start(Waiting, Called(name), id=name, priority=1 if name == "b" else 0)
            await until_inside(gate, 1)
        async with Client(MemoryJournal(beside=journal), [waiting]) as client:
            await client.start(Waiting, Called("c"), id="c", priority=3)
            await client.start(Waiting, Called("c"), id="c", priority=3)
        gate.open.set()
        order.clear()
        async with Runner(MemoryJournal(beside=journal), [waiting], concurrency={Waiting.wait: 1}) as owner:
            for name in ("a", "b", "c"):
                await owner.result(name, 10)
                assert (await owner.verify(name)).ok
            assert (await owner.look("c")).priority == 3
            assert (await owner.look("a")).priority == 0

    asyncio.run(story())


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_a_rate_that_cannot_be_is_refused(rate: float) -> None:
    """Nothing would ever begin, or it bounds nothing."""
    with pytest.raises(ValueError, match="rate"):
        Runner(MemoryJournal(), [Calling(Calls(VirtualClock()))], rate={Calling: rate})


def test_places_hold_over_a_restart() -> None:
    """Those that wait and those that were running are begun again, and no more of them at once than may."""

    async def story() -> None:
        slow, quick = Gate(), Gate()
        quick.open.set()
        journal = MemoryJournal()
        async with Runner(journal, [Working(slow, quick)], concurrency={Working: 2}, grace=0) as owner:
            await started(owner, 5)
            await until_inside(slow, 2)
            journal.abandon()
        slow = Gate()
        runner = Runner(MemoryJournal(beside=journal), [Working(slow, quick), Other()], concurrency={Working: 2})
        async with runner as owner:
            await until_inside(slow, 2)
            await settled(owner)
            slow.open.set()
            for number in range(5):
                await owner.result(f"w-{number}", 5)
            assert slow.most == 2

    asyncio.run(story())
