"""A journal is taken over page by page: runs go on in their order, none is moved before its page has come."""

from __future__ import annotations

import asyncio

import pytest

from persistence import Codec, MemoryJournal
from statemachine import Runner
from statemachine.runner import recovery
from statemachine.runner.clock import SystemClock
from statemachine.runner.hosted import Workflows
from statemachine.runner.mover import Mover
from statemachine.runner.recording import NOBODY
from statemachine.runner.requests import Sending, Starting
from statemachine.runner.waiting import NotRecovered
from tests.unit.runner.desk import Confirm, Order, Shop, World, becomes

RUNS = [f"o-{number}" for number in range(5)]


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "PAGE", 2)


def dead(world: World) -> MemoryJournal:
    """A journal whose owner was killed with five steps under way."""
    journal = MemoryJournal()
    mine = MemoryJournal(beside=journal)
    world.gate.clear()
    with Runner(mine, [Shop(world)], grace=0.0) as runner:
        for run in RUNS:
            runner.start(Shop, Order("book"), id=run)
        becomes(lambda: len(world.calls) == len(RUNS))
        mine.abandon()
    return journal


def owned(journal: MemoryJournal, world: World) -> Mover:
    """What moves the runs of a journal, by hand."""
    mover = Mover(journal, Workflows([Shop(world)], codec=Codec(), limit=1 << 20, verify=True), SystemClock())
    mover.epoch = journal.claim("test", 60)
    return mover


def counts(journal: MemoryJournal) -> dict[str, int]:
    """How many deaths are counted, by run; the mark aside."""
    return {attempt.run: attempt.crashes for attempt in journal.attempts() if attempt.run}


def test_every_run_goes_on_whatever_page_it_is_on() -> None:
    """Each step is begun again once."""
    world = World()
    journal = dead(world)
    with Runner(journal, [Shop(world)]) as runner:
        becomes(lambda: len(world.calls) == 2 * len(RUNS))
        world.gate.set()
        for run in RUNS:
            runner.get(run).pause()
    assert sorted(call.run for _, call in world.calls[len(RUNS) :]) == RUNS


def test_a_run_is_not_moved_before_its_page_has_come() -> None:
    """What is asked of it waits; a run that is new does not."""
    world = World()
    mover = owned(dead(world), world)
    taken = recovery.Recovery(mover)
    (first,) = mover.move([recovery.Recovering(taken)])
    taken.advance(first.answer)
    mover.behind = first.answer.last
    assert mover.behind == "o-1"
    hosted = mover.workflows.named("shop")
    events = [Sending(run, None, Confirm(), NOBODY) for run in ("o-1", "o-2", "p-1")]
    _, *told = mover.move([Starting("p-1", hosted, Order("tea"), {}), *events])
    assert [isinstance(reply.error, NotRecovered) for reply in told] == [False, True, False]
    seen = list(first.answer.going)
    while taken.after is not None:
        (page,) = mover.move([recovery.Recovering(taken)])
        taken.advance(page.answer)
        seen += page.answer.going
    assert [loaded.record.run for loaded in seen] == RUNS, "the new run is not among those that died"
    world.gate.set()


def test_a_death_between_two_pages_is_counted_for_those_that_ran() -> None:
    """Runs of the first page ran at both deaths, and are begun alone; the others ran at one."""
    world = World()
    journal = dead(world)
    mover = owned(journal, world)
    mover.move([recovery.Recovering(recovery.Recovery(mover))])
    assert counts(journal) == {"o-0": 1, "o-1": 1}
    journal.release(mover.epoch)
    mover = owned(journal, world)
    taken = recovery.Recovery(mover)
    (whole,) = mover.move([recovery.Recovering(taken)])
    assert [run for run, _ in whole.answer.alone] == ["o-0", "o-1"]
    assert counts(journal) == {"o-0": 2, "o-1": 2, "o-2": 1, "o-3": 1, "o-4": 1}
    assert whole.answer.last is None, "with a suspect among them all are read before anything begins"
    world.gate.set()


def test_closing_between_two_pages_counts_the_rest() -> None:
    """The next owner finds no mark, and knows of the death all the same."""
    world = World()
    journal = dead(world)

    async def briefly() -> None:
        async with Runner(journal, [Shop(world)], grace=0.0):
            pass

    world.gate.set()
    asyncio.run(briefly())
    left = {run for run in RUNS if (record := journal.run(run)) is not None and record.busy}
    assert counts(journal) == dict.fromkeys(sorted(left), 1)


def test_what_waits_for_its_page_is_answered_when_it_comes() -> None:
    """In its order, behind what recovery itself has to say."""
    world = World()
    journal = dead(world)

    async def at_once() -> list[str]:
        async with Runner(journal, [Shop(world)]) as runner:
            pausing = [asyncio.ensure_future(runner.get(run).pause()) for run in RUNS]
            await asyncio.gather(*pausing)
            world.gate.set()
            return [(await runner.look(run)).status for run in RUNS if (await runner.look(run)).paused]

    assert asyncio.run(at_once()) == ["running"] * len(RUNS)
