"""The journal meets trouble: senders are told the truth, and what happened to a run is recorded when it can be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

import pytest

from persistence import Busy, Change, CommitUnknown, MessageRecord, Stale, Unwritable
from persistence.journal import Work
from statemachine import NotAccepted, Runner, RunnerClosed
from tests.unit.runner.desk import Confirm, Note, Order, Shop, World, arrived, becomes, until
from tests.unit.runner.trouble import TroubledJournal


@pytest.fixture
def world() -> World:
    """The world of one test."""
    return World()


@pytest.fixture
def journal() -> TroubledJournal:
    """The journal of one test."""
    return TroubledJournal()


@pytest.fixture
def runner(world: World, journal: TroubledJournal) -> Iterator[Runner]:
    """The runner of one test."""
    with Runner(journal, [Shop(world)], grace=1.0) as runner:
        yield runner


def test_many_refused_sends_of_one_id_are_all_refused(world: World) -> None:
    """However many stand in one commit, none is told that it was taken."""
    world.gate.clear()

    async def story() -> Sequence[object]:
        async with Runner(TroubledJournal(), [Shop(world)]) as runner:
            run = await runner.start(Shop, Order("book"), id="o-1")
            sends = [run.send(Confirm(), id="m-1") for _ in range(20)]
            said = await asyncio.gather(*sends, return_exceptions=True)
            world.gate.set()
            return said

    assert {type(one) for one in asyncio.run(story())} == {NotAccepted}


def test_a_run_that_never_stands_where_it_was_read_is_told_to_its_sender(
    runner: Runner, journal: TroubledJournal
) -> None:
    """Each attempt is stale: the sender gets the error, not a receipt."""
    run = runner.start(Shop, Order("book"), id="o-1")
    until(run, "waiting")

    def stale(_epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        journal.spoil = stale
        return [Stale("it is elsewhere") for _ in changes]

    journal.spoil = stale
    with pytest.raises(Stale, match="elsewhere"):
        run.send(Note("lost?"), id="m-1")
    journal.spoil = None
    assert run.send(Note("kept"), id="m-1").verdict == "accepted"


@pytest.mark.parametrize("trouble", [Busy("locked"), Unwritable("full")])
def test_a_runner_outlives_a_journal_that_cannot_be_written(
    runner: Runner, journal: TroubledJournal, world: World, trouble: Exception
) -> None:
    """Senders are refused meanwhile; a step's outcome is recorded when it can be, and the step has run once."""
    world.gate.clear()
    run = runner.start(Shop, Order("book"), id="o-1")
    becomes(lambda: world.names() == ["reserve"])
    journal.trouble = trouble
    world.gate.set()
    becomes(lambda: journal.refused >= 4)
    with pytest.raises(type(trouble)):
        run.send(Note("x"))
    journal.trouble = None
    until(run, "waiting")
    assert run.send(Confirm()).verdict == "accepted"
    assert run.result(5).state == ("sent",)
    assert world.names() == ["reserve", "charge"]


def test_a_runner_outlives_a_journal_that_cannot_be_read(
    runner: Runner, journal: TroubledJournal, world: World
) -> None:
    """An outcome whose run cannot be read now is recorded later."""
    world.gate.clear()
    run = runner.start(Shop, Order("book"), id="o-1")
    becomes(lambda: world.names() == ["reserve"])
    journal.lost = CommitUnknown("what is in memory is thrown away")
    with pytest.raises(NotAccepted):
        run.send(Confirm())
    journal.put(MessageRecord(run="nobody", id="m", kind="event", name="Note", body=b'{"text":"x"}', at=1))
    becomes(lambda: journal.lost is None)
    journal.blind = Unwritable("the disk is gone")
    world.gate.set()
    time.sleep(0.3)
    journal.blind = None
    until(run, "waiting")
    assert world.names() == ["reserve"]


def test_messages_keep_their_order_over_a_busy_journal(runner: Runner, journal: TroubledJournal) -> None:
    """One that cannot be committed now is not overtaken by the one put behind it."""
    run = runner.start(Shop, Order("book"), id="o-1")
    until(run, "waiting")
    texts = [f"{n}" for n in range(40)]
    journal.trouble = Busy("locked")
    for text in texts:
        body = f'{{"text":"{text}"}}'.encode()
        journal.put(MessageRecord(run="o-1", id=f"m-{text}", kind="event", name="Note", body=body, at=1))
        time.sleep(0.01)
    becomes(lambda: journal.refused > 3)
    journal.trouble = None
    becomes(lambda: not journal.inbox(0, 1))
    taken = [entry.event_id for entry in run.journal() if entry.kind == "event"]
    assert taken == [f"m-{text}" for text in texts]


def test_a_commit_that_failed_and_happened_is_acknowledged(
    runner: Runner, journal: TroubledJournal, world: World
) -> None:
    """The journal tells that it happened, and the run goes on from there."""
    run = runner.start(Shop, Order("book"), id="o-1")
    until(run, "waiting")
    journal.lost = CommitUnknown("who knows")
    assert run.send(Confirm()).verdict == "accepted"
    assert run.result(5).state == ("sent",)
    assert world.names() == ["reserve", "charge"]


def test_a_commit_that_failed_and_did_not_happen_is_refused_and_an_outcome_kept(
    runner: Runner, journal: TroubledJournal, world: World
) -> None:
    """The sender is told; a step's outcome is committed again."""
    run = runner.start(Shop, Order("book"), id="o-1")
    until(run, "waiting")

    def fail(_epoch: int, _changes: Sequence[Change | Work]) -> list[Exception | None]:
        message = "who knows"
        raise CommitUnknown(message)

    journal.spoil = fail
    with pytest.raises(Unwritable, match="did not happen"):
        run.send(Confirm())
    world.gate.clear()
    other = runner.start(Shop, Order("pen"), id="o-2")
    becomes(lambda: len(world.calls) == 2)
    journal.spoil = fail
    world.gate.set()
    until(other, "waiting")
    assert world.names() == ["reserve", "reserve"]


def test_of_a_commit_that_happened_in_part_each_is_told_its_own(world: World) -> None:
    """What is there goes on; what is not is refused."""
    journal = TroubledJournal()

    def half(epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        assert len(changes) == 4
        assert journal.really(epoch, changes[:2]) == [None, None]
        message = "2 of 4 were decided"
        raise CommitUnknown(message)

    async def story() -> tuple[Sequence[object], list[str]]:
        async with Runner(journal, [Shop(world)]) as runner:
            journal.spoil = half
            starts = [runner.start(Shop, Order("book"), id=f"o-{n}") for n in range(4)]
            said = await asyncio.gather(*starts, return_exceptions=True)
            for n in range(2):
                await arrived(runner, f"o-{n}", "waiting")
            return said, [found.id for found in await runner.list()]

    said, there = asyncio.run(story())
    assert [isinstance(one, Unwritable) for one in said] == [False, False, True, True]
    assert there == ["o-1", "o-0"]


def test_a_commit_of_which_nothing_can_be_learnt_stops_the_runner(runner: Runner, journal: TroubledJournal) -> None:
    """What is in memory and what is in the journal may differ: only a new start can tell."""
    run = runner.start(Shop, Order("book"), id="o-1")
    until(run, "waiting")

    def fail(_epoch: int, _changes: Sequence[Change | Work]) -> list[Exception | None]:
        journal.blind = Unwritable("nor can it be read")
        message = "who knows"
        raise CommitUnknown(message)

    journal.spoil = fail
    with pytest.raises(CommitUnknown):
        run.send(Note("x"))
    journal.blind = None
    with pytest.raises(RunnerClosed, match="who knows"):
        run.send(Note("y"))
