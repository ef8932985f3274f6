"""Async steps that wait for nothing share a task, and none of them can harm another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar, copy_context
from datetime import timedelta
from typing import Any

import attrs

from persistence import MemoryJournal
from statemachine import Runner, State, Workflow, evolve, step
from statemachine.testing import VirtualClock


@attrs.frozen
class Job:
    number: int = 0
    seen: str = ""


MARK: ContextVar[str] = ContextVar("mark", default="")
Do = Callable[[Job], Awaitable[str]]
"""What a step does; it says what it saw."""


class Doing(Workflow[Job], name="doing"):
    """One step, which does what its test says."""

    do: Do

    working = State(initial=True)
    finished = State(final=True)

    @step(working, to=finished, timeout=30)
    async def work(self, job: Job) -> Job:
        return evolve(job, seen=await self.do(job))


def together(do: Do, numbers: Iterable[int]) -> list[Any]:
    """What came of runs that were started in one commit: what each saw, or what it failed with."""

    async def story() -> list[Any]:
        async with Runner(MemoryJournal(), [Doing(do)]) as runner:
            runs = await asyncio.gather(*[runner.start(Doing, Job(number), id=f"r{number}") for number in numbers])
            results = await asyncio.gather(*[run.result(10) for run in runs])
            return [result.data.seen if result.error is None else result.error.type for result in results]

    return asyncio.run(story())


async def task_of(_job: Job) -> str:
    """Which task it is called in."""
    return str(id(asyncio.current_task()))


def test_steps_that_wait_for_nothing_share_a_task() -> None:
    """Ten runs that start in one commit are worked on in one."""
    assert len(set(together(task_of, range(10)))) == 1


def test_one_that_waits_holds_up_none_behind_it() -> None:
    """The first waits until the last has been called."""
    called = asyncio.Event()

    async def do(job: Job) -> str:
        if job.number == 9:
            called.set()
        await called.wait()
        return await task_of(job)

    assert len(set(together(do, range(10)))) == 10


def test_a_context_variable_that_one_sets_is_seen_by_no_other() -> None:
    """Each sees what stood there before all of them."""

    async def do(job: Job) -> str:
        seen = MARK.get()
        MARK.set(f"of {job.number}")
        return seen

    assert set(together(do, range(10))) == {""}


class Odd:
    """A value that does not let itself be compared."""

    def __eq__(self, other: object) -> bool:
        raise ArithmeticError

    __hash__ = object.__hash__


ODD: ContextVar[Odd] = ContextVar("odd")


def test_a_context_variable_may_hold_what_cannot_be_compared() -> None:
    """That counts as a mark, too."""
    outer = Odd()

    async def do(_job: Job) -> str:
        seen = ODD.get()
        ODD.set(Odd())
        return "outer" if seen is outer else "another's"

    def story() -> list[Any]:
        ODD.set(outer)
        return together(do, range(5))

    assert set(copy_context().run(story)) == {"outer"}


def test_one_that_cancels_its_own_task_cancels_no_other() -> None:
    """It had its result by then; those behind it have theirs."""

    async def do(job: Job) -> str:
        task = asyncio.current_task()
        if job.number == 0 and task is not None:
            task.cancel()
            return "cancelled"
        await asyncio.sleep(0)
        return "went on"

    assert together(do, range(5)) == ["cancelled", *["went on"] * 4]


def test_one_that_raises_fails_alone() -> None:
    """Whatever it raises, the end of the process included."""

    async def do(job: Job) -> str:
        if job.number == 1:
            raise SystemExit
        if job.number == 2:
            raise OSError
        return "done"

    assert together(do, range(4)) == ["done", "StepExited", "OSError", "done"]


def test_the_time_of_each_is_bounded() -> None:
    """Of the one that has its task from the carrier, too."""
    clock, called = VirtualClock(), [asyncio.Event(), asyncio.Event()]

    async def do(job: Job) -> str:
        called[job.number].set()
        await asyncio.Event().wait()
        return "never"

    async def story() -> list[str]:
        async with Runner(MemoryJournal(), [Doing(do)], clock=clock) as runner:
            runs = await asyncio.gather(*[runner.start(Doing, Job(n), id=f"r{n}") for n in range(2)])
            for one in called:
                await one.wait()
            clock.advance(timedelta(seconds=31))
            return [(await run.result(10)).error.type for run in runs]  # type: ignore[union-attr]

    assert asyncio.run(story()) == ["StepTimeout", "StepTimeout"]


def test_one_that_is_cancelled_before_it_began_is_never_called() -> None:
    """Its start and its cancellation are in one commit; those around it are called."""
    called: list[int] = []

    async def do(job: Job) -> str:
        called.append(job.number)
        return "done"

    async def story() -> list[str]:
        async with Runner(MemoryJournal(), [Doing(do)]) as runner:
            starts = [runner.start(Doing, Job(number), id=f"r{number}") for number in range(3)]
            await asyncio.gather(*starts, runner.get("r1").cancel(reason="too late"))
            return [(await runner.get(f"r{number}").result(10)).status for number in range(3)]

    assert asyncio.run(story()) == ["completed", "cancelled", "completed"]
    assert called == [0, 2]
