"""Back-pressure: limits on what runs at once, a line with an end, starts and events that wait or are refused."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from persistence import MemoryJournal
from statemachine import AsyncRunner, Overloaded, Runner, RunnerClosed, State, Workflow, evolve, step
from tests.unit.runner.desk import Note, Order, Shop, World, arrived
from tests.unit.runner.trouble import TroubledJournal


@attrs.frozen
class Job:
    number: int = 0
    done: bool = False


class Gate:
    """What steps wait at, and how many were in it at once."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.inside = 0
        self.most = 0

    async def through(self) -> None:
        """Wait at it."""
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.open.wait()
        finally:
            self.inside -= 1


class Working(Workflow[Job], name="working"):
    slow: Gate
    quick: Gate

    first = State(initial=True)
    second = State()
    finished = State(final=True)

    @step(first, to=second)
    async def begin(self, job: Job) -> Job:
        await self.slow.through()
        return job

    @step(second, to=finished)
    async def end(self, job: Job) -> Job:
        await self.quick.through()
        return evolve(job, done=True)


class Other(Workflow[Job], name="other"):
    working = State(initial=True)
    finished = State(final=True)

    @step(working, to=finished)
    async def work(self, job: Job) -> Job:
        return evolve(job, done=True)


async def until_inside(gate: Gate, number: int) -> None:
    """Come back when so many attempts wait at a gate."""
    while gate.inside != number:  # noqa: ASYNC110 -- nothing tells of it
        await asyncio.sleep(0.001)


async def settled(runner: AsyncRunner, rounds: int = 20) -> None:
    """Let whatever can go on do so: each commit of another run lets the loop and the writer turn once."""
    for number in range(rounds):
        await (await runner.start(Other, Job(number))).result(5)


async def started(runner: AsyncRunner, runs: int) -> None:
    """Start so many runs."""
    for number in range(runs):
        await runner.start(Working, Job(number), id=f"w-{number}")


@pytest.mark.parametrize("limited", [Working, Working.begin])
def test_no_more_attempts_run_at_once_than_may(limited: type[Working]) -> None:
    """The others wait in line, hold no other workflow up, and run when it is their turn."""

    async def story() -> None:
        slow, quick = Gate(), Gate()
        quick.open.set()
        runner = Runner(MemoryJournal(), [Working(slow, quick), Other()], concurrency={limited: 2})
        async with runner as running:
            await started(running, 5)
            await until_inside(slow, 2)
            await settled(running)
            assert slow.inside == 2
            slow.open.set()
            for number in range(5):
                assert (await running.result(f"w-{number}", 5)).data.done
            assert slow.most == 2

    asyncio.run(story())


def test_who_waits_for_its_steps_turn_has_no_place_of_the_workflow() -> None:
    """A slow step, limited, leaves the rest of the workflow's places to its other steps."""

    async def story() -> None:
        slow, quick = Gate(), Gate()
        slow.open.set()
        working = Working(slow, quick)
        async with Runner(MemoryJournal(), [working, Other()], concurrency={Working: 3, Working.end: 1}) as runner:
            await started(runner, 4)  # all of them are soon at their second step, and one of these may run
            await until_inside(quick, 1)
            slow.open.clear()
            await runner.start(Working, Job(4), id="w-4")
            await runner.start(Working, Job(5), id="w-5")
            await until_inside(slow, 2)
            slow.open.set()
            quick.open.set()
            for number in range(6):
                assert (await runner.result(f"w-{number}", 5)).data.done
            assert quick.most == 1

    asyncio.run(story())


def test_a_run_that_waits_in_line_can_be_cancelled() -> None:
    """It ends, and its place in line goes to nobody's harm."""

    async def story() -> None:
        slow, quick = Gate(), Gate()
        quick.open.set()
        async with Runner(MemoryJournal(), [Working(slow, quick)], queue=1, concurrency={Working: 1}) as runner:
            await started(runner, 2)
            await until_inside(slow, 1)
            await runner.get("w-1").cancel()
            assert (await runner.result("w-1", 5)).status == "cancelled"
            late = await runner.start(Working, Job(), id="w-2")
            slow.open.set()
            assert (await late.result(5)).data.done
            assert slow.most == 1

    asyncio.run(story())


def test_a_start_waits_while_too_many_attempts_stand_in_line() -> None:
    """It is made when one has begun; starts of another workflow do not wait for that."""

    async def story() -> None:
        slow, quick = Gate(), Gate()
        quick.open.set()
        runner = Runner(MemoryJournal(), [Working(slow, quick), Other()], queue=2, concurrency={Working: 1})
        async with runner as running:
            await started(running, 3)
            await until_inside(slow, 1)
            late = [asyncio.create_task(running.start(Working, Job(), id=f"late-{n}")) for n in range(3)]
            await settled(running)
            assert not any(start.done() for start in late)
            assert len(await running.list(workflow=Working)) == 3
            late.pop().cancel()
            slow.open.set()
            for start in late:
                assert (await (await start).result(5)).data.done
            assert slow.most == 1

    asyncio.run(story())


def test_a_start_that_waits_hears_of_the_end_of_its_runner() -> None:
    """It does not wait for ever."""

    async def story() -> None:
        slow, quick = Gate(), Gate()
        async with Runner(
            MemoryJournal(), [Working(slow, quick)], queue=1, grace=0, concurrency={Working: 1}
        ) as runner:
            await started(runner, 2)
            await until_inside(slow, 1)
            late = asyncio.create_task(runner.start(Working, Job(), id="late"))
            await asyncio.sleep(0)
        with pytest.raises(RunnerClosed):
            await late

    asyncio.run(story())


def test_a_runner_that_refuses_says_that_it_cannot_keep_up() -> None:
    """A start that would have to wait for steps is refused, and nothing of it is recorded."""

    async def story() -> None:
        slow, quick = Gate(), Gate()
        working = Working(slow, quick)
        async with Runner(MemoryJournal(), [working], queue=1, refuse=True, concurrency={Working: 1}) as runner:
            await started(runner, 1)
            await until_inside(slow, 1)
            await runner.start(Working, Job(1), id="w-1")
            with pytest.raises(Overloaded, match="the line of steps of working is full"):
                await runner.start(Working, Job(), id="late")
            assert len(await runner.list()) == 2
            slow.open.set()
            quick.open.set()

    asyncio.run(story())


@pytest.mark.parametrize("refuse", [False, True])
def test_events_wait_or_are_refused_while_the_journal_is_behind(world: World, *, refuse: bool) -> None:
    """At most `queue` of them are in memory; an operator's verb does not wait with them."""

    async def story() -> None:
        journal = TroubledJournal()
        async with Runner(journal, [Shop(world)], queue=2, refuse=refuse) as runner:
            await runner.start(Shop, Order("book"), id="o-1")
            await arrived(runner, "o-1", "waiting")
            journal.at_gate.clear()
            journal.gate.clear()
            sent = [asyncio.create_task(runner.send("o-1", Note(f"{number}"))) for number in range(5)]
            verb = asyncio.create_task(runner.get("o-1").pause())
            await asyncio.to_thread(journal.at_gate.wait, 5)
            if refuse:
                with pytest.raises(Overloaded, match="the queue before the journal is full"):
                    await sent[-1]
            journal.gate.set()
            await verb
            done = await asyncio.gather(*sent, return_exceptions=True)
            assert sum(isinstance(one, Overloaded) for one in done) == (3 if refuse else 0)
            lines = [line for line in await runner.journal("o-1") if line.kind in {"event", "pause"}]
            # The verb was asked for last, and is in front of those that had to wait outside.
            assert [line.kind for line in lines] == ["event", "event", "pause", *["event"] * (0 if refuse else 3)]

    asyncio.run(story())


@pytest.mark.parametrize(("limited", "most"), [(Working, 0), (Shop, 1), (Shop.charge, 1)])
def test_a_limit_that_cannot_be_is_refused(limited: type[Working], most: int) -> None:
    """Below one, or of what this runner was not given."""
    with pytest.raises(ValueError, match="concurrency"):
        Runner(MemoryJournal(), [Working(Gate(), Gate())], concurrency={limited: most})
