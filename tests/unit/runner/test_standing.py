"""What stands in line at a death had not begun: it is not counted, and what runs at most once is begun after all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from persistence import Busy, Change, MemoryJournal, SQLiteJournal, Work
from statemachine import AsyncRunner, Event, Runner, State, Workflow, evolve, on, step
from statemachine.runner import restore
from statemachine.testing import watched
from tests.unit.runner.test_pressure import Gate, Job, Other, Working, settled, started, until_inside
from tests.unit.runner.trouble import TroubledJournal


class Away(Event, frozen=True):
    """It is not wanted any more."""


class Paying(Workflow[Job], name="paying"):
    gate: Gate
    paid: list[int]

    paying = State(initial=True)
    done = State(final=True)
    away = State(final=True)

    @step(paying, to=done, once=True)
    async def pay(self, job: Job) -> Job:
        self.paid.append(job.number)
        await self.gate.through()
        return evolve(job, done=True)

    leave = on(Away, source=paying, to=away)


async def paid_by(runner: AsyncRunner, runs: int) -> None:
    """Start so many payments."""
    for number in range(runs):
        await runner.start(Paying, Job(number), id=f"p-{number}")


async def incidents(runner: AsyncRunner, kind: str) -> list[str]:
    """The runs with an incident of that kind."""
    await settled(runner)
    views = [await runner.look(one.id) for one in await runner.list(workflow="paying")]
    return sorted(one.id for one in views if any(incident.kind == kind for incident in one.incidents))


def noted(journal: MemoryJournal | SQLiteJournal) -> list[str]:
    """The runs of which the journal says that they stand in line."""
    return sorted(attempt.run for attempt in journal.attempts() if ":waits:" in attempt.step)


@pytest.mark.parametrize("bound", ["places", "pace"])
def test_a_step_that_only_waited_runs_once_after_a_death(bound: str) -> None:
    """Only the one that had begun needs a person, over two deaths."""

    async def story() -> None:
        journal, paid = MemoryJournal(), list[int]()
        limits: Any = {"concurrency": {Paying.pay: 1}} if bound == "places" else {"rate": {Paying.pay: 0.5}}
        for death in range(2):
            mine = MemoryJournal(beside=journal)
            gate = Gate()
            async with Runner(mine, [Paying(gate, paid), Other()], grace=0, **limits) as runner:
                await paid_by(runner, 4)
                if bound == "places":
                    await until_inside(gate, 1)
                await settled(runner)
                assert len(paid) == (death + 1 if bound == "places" else 0)
                mine.abandon()
        gate = Gate()
        gate.open.set()
        async with Runner(MemoryJournal(beside=journal), [Paying(gate, paid), Other()]) as runner:
            begun = ["p-0", "p-1"] if bound == "places" else []
            assert await incidents(runner, "lost") == begun
            for number in range(len(begun), 4):
                assert (await runner.result(f"p-{number}", 5)).data.done
        assert sorted(paid) == [0, 1, 2, 3]
        assert noted(journal) == []

    asyncio.run(story())


@pytest.mark.parametrize(
    ("point", "lost"),
    [("before begin", False), ("after begin", True)],
)
def test_a_death_around_its_beginning(point: str, lost: bool) -> None:
    """Before that is committed it has not begun; after it, nobody knows."""

    async def story() -> None:
        journal, paid, passed = MemoryJournal(), list[int](), list[str]()
        gate = Gate()
        mine = MemoryJournal(beside=journal)

        def hook(there: str) -> None:
            passed.append(there)
            if there == point:
                mine.abandon()

        runner = Runner(watched(mine, hook), [Paying(gate, paid), Other()], concurrency={Paying: 1}, grace=0)
        async with runner as owner:
            await paid_by(owner, 2)
            await until_inside(gate, 1)
            await settled(owner)
            gate.open.set()
            while point not in passed:  # noqa: ASYNC110 -- nothing tells of it
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
        assert "after wait" in passed
        assert paid == [0] or lost
        later = list[int]()
        async with Runner(MemoryJournal(beside=journal), [Paying(gate, later), Other()]) as owner:
            assert await incidents(owner, "lost") == (["p-1"] if lost else [])
            if not lost:
                assert (await owner.result("p-1", 5)).data.done
        assert later == ([] if lost else [1])

    asyncio.run(story())


def test_those_that_waited_are_not_begun_alone() -> None:
    """After two deaths only those that ran at both are under suspicion; the line goes on as ever."""

    async def story() -> None:
        journal = MemoryJournal()
        for _ in range(2):
            mine, slow = MemoryJournal(beside=journal), Gate()
            async with Runner(mine, [Working(slow, slow), Other()], concurrency={Working: 2}, grace=0) as owner:
                await started(owner, 6)
                await until_inside(slow, 2)
                await settled(owner)
                mine.abandon()
        counted = {attempt.run: attempt.crashes for attempt in journal.attempts() if attempt.run.startswith("w-")}
        assert sorted(counted.values()) == [0, 0, 0, 0, 1, 1]

    asyncio.run(story())


def test_what_leaves_the_line_leaves_no_note() -> None:
    """Neither a run that goes on without its step, nor one whose turn comes."""

    async def story() -> None:
        journal, paid, gate = MemoryJournal(), list[int](), Gate()
        async with Runner(journal, [Paying(gate, paid), Other()], concurrency={Paying: 1}) as runner:
            await paid_by(runner, 3)
            await until_inside(gate, 1)
            await settled(runner)
            assert noted(journal) == ["p-1", "p-2"]
            await runner.send("p-1", Away())
            await runner.result("p-1", 5)
            assert noted(journal) == ["p-2"]
            gate.open.set()
            await runner.result("p-2", 5)
            assert noted(journal) == []
        assert paid == [0, 2]

    asyncio.run(story())


def test_a_note_that_could_not_be_written_is_not_written_later() -> None:
    """Its attempt has begun by then; a death would be taken for none of its."""

    async def story() -> None:
        journal, paid, gate = TroubledJournal(), list[int](), Gate()

        async with Runner(journal, [Paying(gate, paid), Other()], concurrency={Paying: 1}, grace=0) as runner:
            await paid_by(runner, 1)
            await until_inside(gate, 1)

            def spoil(epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
                if any(isinstance(one, Change) and one.begun for one in changes):
                    gate.open.set()
                    return [Busy("not now")] * len(changes)
                journal.spoil = spoil
                return journal.really(epoch, changes)

            journal.spoil = spoil
            await runner.start(Paying, Job(1), id="p-1")
            await runner.result("p-1", 5)
            assert noted(journal) == []
        assert paid == [0, 1]

    asyncio.run(story())


def test_a_restored_line_may_have_begun_since(tmp_path: Path) -> None:
    """What waited when the backup was made needs a person: it may have been done after that."""

    async def story() -> None:
        paid, gate = list[int](), Gate()
        path, copy, again = tmp_path / "app.db", tmp_path / "copy.db", tmp_path / "again.db"
        async with Runner(path, [Paying(gate, paid), Other()], concurrency={Paying: 1}) as runner:
            await paid_by(runner, 2)
            await until_inside(gate, 1)
            await settled(runner)
            await runner.backup(copy)
            gate.open.set()
            await runner.result("p-1", 5)
        await asyncio.to_thread(restore, copy, again)
        async with Runner(again, [Paying(gate, paid), Other()], concurrency={Paying: 1}) as runner:
            await runner.release(None)
            assert await incidents(runner, "lost") == ["p-0", "p-1"]
        assert paid == [0, 1]

    asyncio.run(story())
