"""Who looks on while a runner works: what they are told, when, and that they can do no harm."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import closing
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from persistence import CommitUnknown, Journal, MemoryJournal, SQLiteJournal, Unwritable
from statemachine import Client, Connection, Outbox, Runner, State, Workflow, evolve, on, step, transaction
from statemachine.commands import RunStep, Undo
from statemachine.inputs import Begin, Received
from statemachine.runner import Committed, Observer
from statemachine.snapshot import Snapshot
from tests.unit.runner.desk import Confirm, Order, Reject, Shop, World, becomes, until
from tests.unit.runner.trouble import TroubledJournal

HERE: ContextVar[str] = ContextVar("HERE", default="nowhere")


class Notes(Observer):
    """Notes all that it is told."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str, int]] = []
        self.moves: list[Committed] = []
        self.commits: list[tuple[float, int]] = []

    def caller(self) -> str | None:
        """What the caller has set."""
        return HERE.get()

    def sender(self, run: Snapshot[Any], /) -> str | None:
        """The run's id."""
        return f"run {run.run}"

    def begins(self, run: Snapshot[Any], work: RunStep | Undo, at: datetime, /) -> None:
        """Note it, and set what its function must find."""
        self.begun.append((type(work).__name__, work.step, work.attempt))
        HERE.set(f"{work.step} {work.attempt}")

    def moved(self, committed: Committed, /) -> None:
        """Note it."""
        self.moves.append(committed)

    def wrote(self, seconds: float, waiting: int, /) -> None:
        """Note it."""
        self.commits.append((seconds, waiting))


class Raises(Observer):
    """Fails at whatever it is told, each time in another way."""

    def caller(self) -> str | None:
        """Fail."""
        raise LookupError

    def sender(self, run: Snapshot[Any], /) -> str | None:
        """Fail."""
        raise LookupError

    def begins(self, run: Snapshot[Any], work: RunStep | Undo, at: datetime, /) -> None:
        """Fail."""
        raise SystemExit

    def moved(self, committed: Committed, /) -> None:
        """Fail."""
        raise asyncio.CancelledError

    def wrote(self, seconds: float, waiting: int, /) -> None:
        """Fail."""
        raise ZeroDivisionError


@attrs.frozen
class Visit:
    seen: tuple[str, ...] = ()


class Places(Workflow[Visit], name="places"):
    """A step of each kind, which says what it finds in the context."""

    later = State(initial=True)
    thread = State()
    within = State()
    over = State(final=True)

    @step(later, to=thread)
    async def wait(self, visit: Visit) -> Visit:
        await asyncio.sleep(0)
        return evolve(visit, seen=(*visit.seen, HERE.get()))

    @step(thread, to=within)
    def block(self, visit: Visit) -> Visit:
        return evolve(visit, seen=(*visit.seen, HERE.get()))

    @transaction(within, to=over)
    def commit(self, visit: Visit, connection: Connection) -> Visit:
        return evolve(visit, seen=(*visit.seen, HERE.get()))


class Unbooks(Workflow[Visit], name="unbooks"):
    """A transaction that is undone."""

    seen: list[str]

    booking = State(initial=True)
    waiting = State()
    rejected = State(final=True, compensate=True)

    @transaction(booking, to=waiting)
    def book(self, visit: Visit, connection: Connection) -> Visit:
        return visit

    @book.undo
    def unbook(self, visit: Visit, connection: Connection) -> None:
        self.seen.append(HERE.get())

    reject = on(Reject, source=waiting, to=rejected)


class Tells(Workflow[Visit], name="tells"):
    """Sends an event to another run."""

    idle = State(initial=True)
    told = State(final=True)

    @on(Confirm, source=idle, to=told)
    def tell(self, visit: Visit, event: Confirm, outbox: Outbox) -> Visit:
        outbox.send("hears", Reject())
        return visit


def journal_of(kind: str, folder: Path) -> Journal:
    """A journal of its own."""
    return MemoryJournal() if kind == "memory" else SQLiteJournal(folder / "journal.db")


def traces(runner: Runner, run: str) -> list[str | None]:
    """Where the journal says that a run's start and events came from."""
    inputs = [msgspec.json.decode(entry.body)["input"] for entry in runner.get(run).journal()]
    return [
        one.get("trace") if one["type"] == "start" else one["occurrence"].get("trace")
        for one in inputs
        if one["type"] in {"start", "event"}
    ]


def test_all_that_is_committed_is_told_once_in_its_order(world: World) -> None:
    """With what stood before it, what it led to, and when the run began; attempts too, of steps and of undos."""
    notes = Notes()
    with Runner(MemoryJournal(), [Shop(world)], observer=notes) as runner:
        run = runner.start(Shop, Order("book"), id="r")
        until(run, "waiting")
        run.send(Reject())
        run.result(timeout=10)
        told = [(entry.kind, entry.name) for entry in run.journal()]
        started = runner.get("r").look().started
    assert [(one.kind, one.name) for one in notes.moves] == told
    assert [one.outcome.snapshot.seq for one in notes.moves] == [1, 2, 3, 4]
    assert [None if one.before is None else one.before.seq for one in notes.moves] == [None, 1, 2, 3]
    assert {one.started for one in notes.moves} == {started}
    assert isinstance(notes.moves[0].told, Begin)
    assert notes.begun == [("RunStep", "reserve", 1), ("Undo", "reserve", 1)]
    assert len(notes.commits) == len(told)
    assert all(seconds >= 0 and waiting >= 0 for seconds, waiting in notes.commits)


@pytest.mark.parametrize("face", ["sync", "async"])
def test_a_step_finds_the_context_that_was_set_for_its_attempt(face: str, tmp_path: Path) -> None:
    """In a coroutine, in a thread and in a transaction, on either face."""

    async def seen() -> tuple[str, ...]:
        async with Runner(tmp_path / "async.db", [Places()], observer=Notes()) as runner:
            run = await runner.start(Places, Visit())
            return (await run.result(timeout=10)).data.seen

    if face == "async":
        found = asyncio.run(seen())
    else:
        with Runner(tmp_path / "sync.db", [Places()], observer=Notes()) as runner:
            found = runner.start(Places, Visit()).result(timeout=10).data.seen
    assert found == ("wait 1", "block 1", "commit 1")
    assert HERE.get() == "nowhere"


def test_the_undo_of_a_transaction_finds_its_context_too(tmp_path: Path) -> None:
    """It runs in the commit that records it."""
    seen: list[str] = []
    with Runner(tmp_path / "journal.db", [Unbooks(seen)], observer=Notes()) as runner:
        run = runner.start(Unbooks, Visit())
        until(run, "waiting")
        run.send(Reject())
        run.result(timeout=10)
    assert seen == ["book 1"]


def test_without_an_observer_a_step_in_a_thread_has_a_context_of_its_own(tmp_path: Path) -> None:
    """As it was before there were any."""
    with Runner(tmp_path / "journal.db", [Places()]) as runner:
        run = runner.start(Places, Visit())
        assert run.result(timeout=10).data.seen == ("nowhere",) * 3
        assert traces(runner, run.id) == [None]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_where_a_start_and_an_event_came_from_is_journaled(kind: str, world: World, tmp_path: Path) -> None:
    """As it is in the context of whoever called, in whatever thread; and the run keeps where its start came from."""
    with Runner(journal_of(kind, tmp_path), [Shop(world)], observer=Notes()) as runner:
        HERE.set("the start")
        run = runner.start(Shop, Order("book"), id="r")
        until(run, "waiting")
        HERE.set("the event")
        run.send(Confirm())
        HERE.set("nowhere")
        run.result(timeout=10)
        assert traces(runner, "r") == ["the start", "the event"]
        assert runner.verify("r").ok


def test_it_comes_through_a_client_too(world: World, tmp_path: Path) -> None:
    """By the inbox: a start before anybody owns the journal, and an event to the owner beside it."""
    path = tmp_path / "journal.db"
    SQLiteJournal(path).close()
    with Client(path, [Shop.definition], observer=Notes()) as client:
        HERE.set("a client's start")
        client.start(Shop, Order("book"), id="r")
        HERE.set("nowhere")
        with Runner(path, [Shop(world)]) as runner:
            becomes(lambda: "r" in {run.id for run in runner.list(state=Shop.waiting)})
            HERE.set("a client's event")
            client.verdict(client.send("r", Confirm()), timeout=10)
            HERE.set("nowhere")
            runner.result("r", timeout=10)
            assert traces(runner, "r") == ["a client's start", "a client's event"]


def test_it_comes_through_an_applications_own_transaction(world: World, tmp_path: Path) -> None:
    """In the row that the application commits."""
    path = tmp_path / "journal.db"
    with Runner(path, [Shop(world)], observer=Notes()) as runner, closing(sqlite3.connect(path)) as own:
        HERE.set("a view")
        runner.start(Shop, Order("book"), id="r", connection=own)
        HERE.set("nowhere")
        own.commit()
        becomes(lambda: "r" in {run.id for run in runner.list(state=Shop.waiting)})
        assert traces(runner, "r") == ["a view"]


def test_what_a_run_sends_comes_from_that_run(world: World, tmp_path: Path) -> None:
    """In the commit of the transition that sends it."""
    notes = Notes()
    with Runner(tmp_path / "journal.db", [Shop(world), Tells()], observer=notes) as runner:
        hears = runner.start(Shop, Order("book"), id="hears")
        until(hears, "waiting")
        runner.start(Tells, Visit(), id="speaks").send(Confirm())
        hears.result(timeout=10)
    (heard,) = [one.told.occurrence for one in notes.moves if isinstance(one.told, Received) and one.name == "Reject"]
    assert heard.trace == "run speaks"


def test_one_that_raises_hurts_no_run(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it raises, wherever it is asked: the log has it, and the runs go on as if nobody looked on."""
    with (
        caplog.at_level(logging.ERROR, "statemachine"),
        Runner(tmp_path / "journal.db", [Shop(world), Tells(), Places()], observer=Raises()) as runner,
    ):
        run = runner.start(Shop, Order("book"), id="hears")
        until(run, "waiting")
        runner.start(Tells, Visit(), id="speaks").send(Confirm())
        assert run.result(timeout=10).status == "completed"
        assert runner.start(Places, Visit()).result(timeout=10).status == "completed"
        assert traces(runner, "hears") == [None, None]
    assert world.names() == ["reserve", "release"]
    failed = {record.exc_info[0] for record in caplog.records if record.exc_info}
    assert failed == {LookupError, SystemExit, asyncio.CancelledError, ZeroDivisionError}


def test_a_commit_that_failed_is_not_told_of(world: World) -> None:
    """What was worked out and is not in the journal did not happen; done again, it is told once."""
    notes = Notes()
    journal = TroubledJournal()
    with Runner(journal, [Shop(world)], observer=notes) as runner:
        run = runner.start(Shop, Order("book"), id="r")
        until(run, "waiting")
        told, wrote = len(notes.moves), len(notes.commits)
        journal.trouble = Unwritable("the disk is full")
        with pytest.raises(Unwritable):
            run.send(Confirm(), id="c")
        assert (len(notes.moves), len(notes.commits)) == (told, wrote)
        journal.trouble = None
        run.send(Confirm(), id="c")
        run.result(timeout=10)
    assert [one.name for one in notes.moves if one.kind == "event"] == ["Confirm"]


def test_a_commit_that_was_taken_for_failed_and_is_there_is_told_of_once(world: World) -> None:
    """Its answer was lost; the journal shows that it happened."""
    notes = Notes()
    journal = TroubledJournal()
    with Runner(journal, [Shop(world)], observer=notes) as runner:
        run = runner.start(Shop, Order("book"), id="r")
        until(run, "waiting")
        journal.lost = CommitUnknown("the answer was lost")
        run.send(Confirm(), id="c")
        run.result(timeout=10)
    assert [one.name for one in notes.moves if one.kind == "event"] == ["Confirm"]
