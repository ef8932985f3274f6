"""Runs as their users meet them: started once, sent to once, refused clearly, undone, steered and waited for."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from persistence import MemoryJournal
from statemachine import (
    AlreadyStarted,
    BlockingCall,
    Client,
    HandlerFailed,
    NoSuchRun,
    NotAccepted,
    NotOver,
    NotStored,
    RefusedVerb,
    Runner,
    RunnerClosed,
    RunOver,
    State,
    TooLarge,
    UndeclaredEvent,
    UnknownWorkflow,
    Workflow,
    on,
    on_entry,
)
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import Confirm, Gone, Note, Order, Reject, Shop, Unheard, World, until, until_incident


@pytest.fixture
def clock() -> VirtualClock:
    """The clock of one test."""
    return VirtualClock()


@pytest.fixture
def runner(world: World, clock: VirtualClock) -> Iterator[Runner]:
    """The runner of one test."""
    with Runner(MemoryJournal(), [Shop(world)], clock=clock, limit=10_000, grace=2.0) as runner:
        yield runner


def test_the_same_start_is_the_same_run(runner: Runner, world: World) -> None:
    """An id started again with the same data is that run; with other data it is an error."""
    runner.start(Shop, Order("book"), id="o-1")
    until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
    assert world.names() == ["reserve"]
    with pytest.raises(AlreadyStarted, match="'o-1' exists already, with other data"):
        runner.start(Shop, Order("pen"), id="o-1")


def test_the_same_event_id_counts_once(runner: Runner) -> None:
    """A resend gets the first verdict and changes nothing, also after the run has moved on."""
    run = runner.start(Shop, Order("book"))
    until(run, "waiting")
    assert run.send(Confirm(), id="m-1").verdict == "accepted"
    assert run.result(5).state == ("sent",)
    assert run.send(Confirm(), id="m-1").verdict == "accepted"
    with pytest.raises(RunOver, match=r"is over \(completed in sent\); Confirm came too late"):
        run.send(Confirm(), id="m-2")


def test_a_refusal_says_what_is_accepted(runner: Runner, world: World) -> None:
    """The state, the event, and the events that have a transition now."""
    world.gate.clear()
    run = runner.start(Shop, Order("book"), id="o-1")
    with pytest.raises(NotAccepted, match="'o-1' in reserving does not accept Confirm") as refused:
        run.send(Confirm())
    assert refused.value.accepted == ()
    world.gate.set()
    until(run, "waiting")
    with pytest.raises(UndeclaredEvent, match=r"shop does not declare the event 'Unheard'.*Confirm, Note, Reject"):
        run.send(Unheard())
    assert run.state == ("waiting",)


def test_a_handler_that_raises_leaves_the_run_as_it_was(runner: Runner) -> None:
    """The sender gets the error with the handler's name; nothing was recorded."""
    run = runner.start(Shop, Order("book"))
    until(run, "waiting")
    before = run.look()
    with pytest.raises(HandlerFailed, match=r"Shop.write raised ValueError: a handler that raises"):
        run.send(Note("bad"))
    assert run.look() == before
    assert run.send(Note("good")).verdict == "accepted"
    assert run.data.note == "good"


def test_what_cannot_be_stored_is_refused_to_its_sender(runner: Runner) -> None:
    """Too large, or not equal once read again: the run never sees it."""
    run = runner.start(Shop, Order("book"))
    until(run, "waiting")
    with pytest.raises(TooLarge, match=r"event Note is .* bytes; the limit is 10,000"):
        run.send(Note("x" * 20_000))
    with pytest.raises(NotStored, match="price"):
        runner.start(Shop, Order("book", price=math.nan))
    assert run.state == ("waiting",)


def test_waiting_has_an_end(runner: Runner) -> None:
    """A run that is not over in time goes on, and the error says where it is."""
    run = runner.start(Shop, Order("book"), id="o-1")
    until(run, "waiting")
    with pytest.raises(NotOver, match=r"'o-1' is not over after 0.05 s: running in waiting. It goes on"):
        run.result(0.05)
    with pytest.raises(NoSuchRun, match="no run 'o-2'"):
        runner.result("o-2", 0.05)


def test_a_declared_error_takes_its_way_at_once(runner: Runner, world: World) -> None:
    """It is known to have had no effect: never tried again, nothing to undo."""
    world.failures.append(Gone())
    assert runner.start(Shop, Order("book")).result(5).state == ("gone",)
    assert world.names() == ["reserve"]


def test_other_failures_are_tried_again_under_one_key(runner: Runner, world: World, clock: VirtualClock) -> None:
    """As `Retry` says, by the runner's clock; the key stays, the attempt counts."""
    world.failures += [OSError("one"), OSError("two")]
    run = runner.start(Shop, Order("book"))
    for attempt in (1, 2):
        while len([entry for entry in run.journal() if entry.kind == "failed"]) < attempt:
            pass
        clock.advance(300)
    until(run, "waiting")
    assert [call.attempt for _, call in world.calls] == [1, 2, 3]
    assert len({call.key for _, call in world.calls}) == 1


def test_used_up_attempts_undo_what_may_have_been_done(runner: Runner, world: World, clock: VirtualClock) -> None:
    """The effect is unknown, so the undo runs; the run has failed, with its error kept whole."""
    world.failures += [OSError("1"), OSError("2"), OSError("the bank burnt down")]
    run = runner.start(Shop, Order("book"))
    for attempt in (1, 2):
        while len([entry for entry in run.journal() if entry.kind == "failed"]) < attempt:
            pass
        clock.advance(300)
    result = run.result(5)
    assert result.status == "failed"
    assert result.error is not None
    assert "the bank burnt down" in result.error.traceback
    assert world.names() == ["reserve", "reserve", "reserve", "release"]
    assert world.calls[-1][1].undoes == world.calls[0][1].key


def test_a_deadline_fires_once(runner: Runner, world: World, clock: VirtualClock) -> None:
    """Seven days pass in no time, and the compensating final state undoes the reservation."""
    run = runner.start(Shop, Order("book"))
    until(run, "waiting")
    clock.advance(timedelta(days=6, hours=23))
    assert run.state == ("waiting",)
    clock.advance(timedelta(hours=1))
    assert run.result(5).state == ("rejected",)
    assert world.names() == ["reserve", "release"]


def test_cancel_undoes_and_kill_does_not(runner: Runner, world: World) -> None:
    """A cancelled run is undone; a killed one lists what it left."""
    cancelled, killed = (runner.start(Shop, Order("book"), id=name) for name in ("a", "b"))
    until(cancelled, "waiting")
    until(killed, "waiting")
    cancelled.cancel(reason="changed my mind")
    assert cancelled.result(5).status == "cancelled"
    assert world.names().count("release") == 1
    left = killed.kill(reason="broken")
    assert left.status == "killed"
    assert [done.step for done in left.undo] == ["reserve"]
    assert world.names().count("release") == 1
    with pytest.raises(RefusedVerb, match=r"Cannot cancel run 'b': it is over \(killed\)"):
        killed.cancel()


def test_a_paused_run_starts_nothing_and_keeps_events(runner: Runner, world: World) -> None:
    """What was sent meanwhile is taken when it goes on."""
    run = runner.start(Shop, Order("book"))
    until(run, "waiting")
    run.pause(reason="audit")
    assert run.send(Confirm()).verdict == "deferred"
    assert run.state == ("waiting",)
    run.resume()
    assert run.result(5).state == ("sent",)
    assert world.names() == ["reserve", "charge"]


def test_an_unknown_outcome_at_the_pivot_asks_a_person(runner: Runner, world: World) -> None:
    """Nobody can know, so nobody guesses: the incident has verbs, and a reason is required."""
    run = runner.start(Shop, Order("book"))
    until(run, "waiting")
    world.failures.append(OSError("no answer"))
    run.send(Confirm())
    number = until_incident(run)
    assert run.incidents[0].kind == "pivot"
    assert [found.id for found in runner.list(incident=True)] == [run.id]
    with pytest.raises(RefusedVerb, match="decide its incident"):
        run.cancel()
    with pytest.raises(RefusedVerb, match="a reason is required"):
        run.done(number, reason="")
    run.done(number, reason="the bank confirms it", actor="ada")
    assert run.result(5).state == ("sent",)
    assert run.journal()[-1].actor == "ada"


def test_an_undo_that_cannot_succeed_is_never_a_run_that_merely_failed(
    runner: Runner, world: World, clock: VirtualClock
) -> None:
    """It is tried again as it says, then waits as an incident; the run is undoing all the while."""
    run = runner.start(Shop, Order("book"))
    until(run, "waiting")
    world.failures += [OSError("1"), OSError("2")]
    run.send(Reject())
    while len([entry for entry in run.journal() if entry.kind == "undo-failed"]) < 1:
        pass
    clock.advance(300)
    number = until_incident(run)
    assert (run.status, run.incidents[0].kind) == ("undoing", "undo")
    run.retry(number)
    assert run.result(5).status == "completed"
    assert world.names() == ["reserve", "release", "release", "release"]


def test_a_left_step_is_awaited_before_its_undo(world: World, clock: VirtualClock) -> None:
    """A thread cannot be cancelled: the undo never runs beside it."""
    world.gate.clear()
    with Runner(MemoryJournal(), [Shop(world)], clock=clock) as runner:
        run = runner.start(Shop, Order("book"))
        while not world.calls:
            pass
        run.cancel()
        assert (run.status, world.names()) == ("undoing", ["reserve"])
        world.gate.set()
        assert run.result(5).status == "cancelled"
    assert world.names() == ["reserve", "release"]


def test_the_journal_folds_to_the_snapshot(runner: Runner) -> None:
    """`verify` works the journal out again and compares."""
    run = runner.start(Shop, Order("book"), id="o-1")
    until(run, "waiting")
    run.send(Note("fragile"))
    run.send(Reject())
    run.result(5)
    assert runner.verify("o-1").ok
    assert runner.verify("o-1").folded == len(run.journal())


def test_misuse_is_told_apart(runner: Runner, world: World) -> None:
    """A closed runner, an unknown workflow, a blocking call where a loop runs."""
    closed = Runner(MemoryJournal(), [Shop(world)])
    with pytest.raises(RunnerClosed, match="Use it inside"):
        closed.list()
    with Runner(MemoryJournal()) as empty, pytest.raises(UnknownWorkflow, match="not given workflow 'shop'"):
        empty.start(Shop, Order("book"))

    async def blocking() -> None:
        runner.list()

    with pytest.raises(BlockingCall, match="async with Runner"):
        asyncio.run(blocking())


def test_the_async_face_tells_transitions_live(world: World) -> None:
    """Each is told after its commit, in order, and the subscription ends with the run."""

    async def story() -> list[tuple[str, ...]]:
        async with Runner(MemoryJournal(), [Shop(world)]) as runner:
            seen: list[tuple[str, ...]] = []
            async with runner.watch("o-1") as transitions:
                run = await runner.start(Shop, Order("book"), id="o-1")
                async for transition in transitions:
                    seen.append(transition.state)
                    if transition.state == ("waiting",):
                        await run.send(Confirm())
            assert (await run.result(5)).status == "completed"
            return seen

    assert asyncio.run(story()) == [("reserving",), ("waiting",), ("charging",), ("sent",)]


def test_the_log_has_fields_and_no_payload(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Transitions are DEBUG, retries WARNING, incidents ERROR; what the data says is in none."""
    with caplog.at_level(logging.DEBUG, logger="statemachine"), Runner(MemoryJournal(), [Shop(world)]) as runner:
        run = runner.start(Shop, Order("a secret book"), id="o-1")
        until(run, "waiting")
        world.failures.append(OSError("a secret failure"))
        run.send(Confirm())
        until_incident(run)
    levels = {record.levelno for record in caplog.records if record.name == "statemachine"}
    assert {logging.DEBUG, logging.WARNING, logging.ERROR} <= levels
    assert "secret" not in caplog.text
    failed = next(record for record in caplog.records if record.levelno == logging.WARNING)
    assert (failed.__dict__["run"], failed.__dict__["step"], failed.__dict__["attempt"]) == ("o-1", "charge", 1)


def test_an_error_is_kept_whole_also_when_a_thread_times_out(runner: Runner, world: World, clock: VirtualClock) -> None:
    """The traceback leads into the step, whatever it raised."""
    world.failures += [TimeoutError("no answer")] * 3
    run = runner.start(Shop, Order("book"))
    for attempt in (1, 2):
        while len([entry for entry in run.journal() if entry.kind == "failed"]) < attempt:
            pass
        clock.advance(300)
    error = run.result(5).error
    assert error is not None
    assert (error.type, error.message) == ("TimeoutError", "no answer")
    assert "in reserve" in error.traceback


class Picky(Workflow[Order], name="picky"):
    waiting = State(initial=True)
    sent = State(final=True)
    confirm = on(Confirm, source=waiting, to=sent)

    @on_entry(waiting)
    def look(self, order: Order) -> Order:
        message = f"what is a {order.item}?"
        raise ValueError(message)


def test_what_a_handler_says_stays_out_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It may be private: the log has the run and the kind of the refusal."""
    file = tmp_path / "journal.db"
    with Runner(file, [Picky()]), Client(file, [Picky()]) as client:
        client.start(Picky, Order("secret"), id="o-1")
        end = time.monotonic() + 5
        while not (told := [record for record in caplog.records if record.levelno == logging.WARNING]):
            assert time.monotonic() < end
            time.sleep(0.005)
    assert told[0].getMessage().endswith("to run o-1 was refused: HandlerFailed")
    assert told[0].__dict__["run"] == "o-1"
    assert "secret" not in caplog.text
