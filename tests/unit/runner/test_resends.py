"""An event id that comes again: the same event gets the first verdict, another one is refused."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import attrs
import msgspec
import pytest

from persistence import MemoryJournal, SQLiteJournal
from statemachine import AlreadySent, Client, Event, Refused, Runner, State, Workflow, on
from statemachine.runner import Plain
from tests.unit.runner.desk import Confirm, Note, Order, Shop, World, arrived, until


@attrs.frozen
class Paper:
    text: str


class Sign(Event, frozen=True, name="sign"):
    by: frozenset[str]


class Marked(Event, frozen=True, name="mark", was=("sign",)):
    by: frozenset[str]
    place: str = "here"


class Other(Event, frozen=True, name="sign"):
    by: int


class Signing(Workflow[Paper], name="signing", version=1):
    blank = State(initial=True)
    signed = State(final=True)
    sign = on(Sign, source=blank, to=signed)


class Ready(Event, frozen=True):
    pass


class Drafting(Workflow[Paper], name="drafting"):
    draft = State(initial=True, defer=(Sign,))
    blank = State()
    signed = State(final=True)
    ready = on(Ready, source=draft, to=blank)
    sign = on(Sign, source=blank, to=signed)


class Marking(Workflow[Paper], name="signing", version=2):
    blank = State(initial=True)
    signed = State(final=True)
    sign = on(Marked, source=blank, to=signed)


class Counting(Workflow[Paper], name="signing", version=3):
    blank = State(initial=True)
    signed = State(final=True)
    sign = on(Other, source=blank, to=signed)


@pytest.fixture
def journal() -> MemoryJournal:
    """The journal of one test."""
    return MemoryJournal()


@pytest.fixture
def runner(journal: MemoryJournal, world: World) -> Iterator[Runner]:
    """An owner with a run that waits for the clerk."""
    with Runner(journal, [Shop(world)]) as runner:
        until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
        yield runner


@pytest.fixture
def client(journal: MemoryJournal, world: World) -> Iterator[Client]:
    """A client of the same journal."""
    with Client(MemoryJournal(beside=journal), [Shop(world)]) as client:
        yield client


def test_another_event_under_a_known_id_is_refused(runner: Runner) -> None:
    """By its values or by its type; the error tells which was first; under an id of its own it is taken."""
    run = runner.get("o-1")
    run.send(Note("a"), id="m-1")
    with pytest.raises(AlreadySent, match=r"'o-1'.*id 'm-1' was sent before, with other values") as refused:
        run.send(Note("b"), id="m-1")
    assert (refused.value.run, refused.value.id, refused.value.first) == ("o-1", "m-1", refused.value.event)
    with pytest.raises(AlreadySent, match="'m-1' was sent before, as Note"):
        run.send(Confirm(), id="m-1")
    with pytest.raises(AlreadySent, match="Event Reject"):
        run.send(Plain({}, "Reject"), id="m-1")
    assert run.send(Note("a"), id="m-1").verdict == "accepted"
    assert run.send(Plain({"text": "a"}, "Note"), id="m-1").verdict == "accepted"
    assert run.send(Confirm(), id="m-2").verdict == "accepted"
    assert [entry.event_id for entry in run.journal() if entry.kind == "event"] == ["m-1", "m-2"]


def test_two_events_of_one_id_in_one_batch(journal: MemoryJournal, world: World) -> None:
    """Whichever is first is taken, its twin gets the same verdict, and the other one is refused."""

    async def scene() -> list[object]:
        async with Runner(journal, [Shop(world)]) as runner:
            run = await runner.start(Shop, Order("book"), id="o-1")
            await arrived(runner, "o-1", "waiting")
            sends = (run.send(Note(text), id="m-1") for text in ("a", "b", "a"))
            return list(await asyncio.gather(*sends, return_exceptions=True))

    first, other, twin = asyncio.run(scene())
    assert isinstance(other, AlreadySent)
    assert first == twin


def test_a_client_is_refused_by_its_own_first_message(runner: Runner, client: Client) -> None:
    """Queued or answered, the message that is there has another event: nothing is put, and the sender hears of it."""
    receipt = client.send("o-1", Note("a"), id="m-1")
    with pytest.raises(AlreadySent, match="with other values"):
        client.send("o-1", Note("b"), id="m-1")
    client.verdict(receipt, 5)
    with pytest.raises(AlreadySent, match="as Note"):
        client.send("o-1", Confirm(), id="m-1")
    assert client.send("o-1", Note("a"), id="m-1").verdict == "accepted"
    assert client.send("o-1", Plain({"text": "a"}, "Note"), id="m-1").verdict == "accepted"


def test_an_id_that_the_owner_has_seen_is_refused_to_a_client(runner: Runner, client: Client) -> None:
    """The owner took it without a message, so the owner refuses the client's; and the other way about."""
    run = runner.get("o-1")
    run.send(Note("a"), id="m-1")
    receipt = client.send("o-1", Confirm(), id="m-1")
    with pytest.raises(Refused, match="id 'm-1' was sent before, as Note"):
        client.verdict(receipt, 5)
    client.verdict(client.send("o-1", Note("b"), id="m-2"), 5)
    with pytest.raises(AlreadySent):
        run.send(Confirm(), id="m-2")
    assert run.state == ("waiting",)


def test_a_tool_that_knows_no_workflow_is_refused_too(runner: Runner, journal: MemoryJournal) -> None:
    """It compares what it sees: name and JSON."""
    with Client(MemoryJournal(beside=journal), []) as tool:
        tool.send("o-1", Plain({"text": "a"}, "Note"), id="m-1")
        assert tool.send("o-1", Plain({"text": "a"}, "Note"), id="m-1").id == "m-1"
        with pytest.raises(AlreadySent):
            tool.send("o-1", Plain({"text": "b"}, "Note"), id="m-1")


def test_an_applications_transaction_is_told_at_once(tmp_path: Path, world: World) -> None:
    """Through its own connection, before it commits."""
    path = tmp_path / "app.db"
    with Runner(path, [Shop(world)]) as runner:
        until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        runner.send("o-1", Note("a"), id="m-1", connection=connection)
        with pytest.raises(AlreadySent):
            runner.send("o-1", Confirm(), id="m-1", connection=connection)
        connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        receipt = runner.send("o-1", Confirm(), id="m-1", connection=connection)
        connection.execute("COMMIT")
        connection.close()
        assert runner.verdict(receipt, 5).verdict == "accepted"


def test_a_deferred_event_keeps_its_id(tmp_path: Path) -> None:
    """While it waits its id is taken already, also for the next owner of the file."""
    path = tmp_path / "app.db"
    ada, grace = Sign(frozenset({"ada"})), Sign(frozenset({"grace"}))
    with Runner(SQLiteJournal(path), [Drafting()]) as runner:
        run = runner.start(Drafting, Paper("x"), id="p-1")
        assert run.send(ada, id="m-1").verdict == "deferred"
        with pytest.raises(AlreadySent):
            run.send(grace, id="m-1")
    with Runner(SQLiteJournal(path), [Drafting()]) as runner:
        with pytest.raises(AlreadySent):
            runner.send("p-1", grace, id="m-1")
        runner.send("p-1", Ready())
        assert runner.get("p-1").result(5).state == ("signed",)
        with pytest.raises(AlreadySent):
            runner.send("p-1", grace, id="m-1")
        assert runner.send("p-1", ada, id="m-1").verdict == "deferred"


def test_an_equal_event_is_the_same_after_a_deploy(journal: MemoryJournal) -> None:
    """Renamed, and with a field more that has a default: a resend is known. Of another shape, it is not."""
    with Runner(journal, [Signing()]) as runner:
        runner.start(Signing, Paper("x"), id="p-1").send(Sign(frozenset({"ada", "grace", "mary"})), id="m-1")
    with Runner(journal, [Marking()]) as runner:
        assert runner.send("p-1", Marked(frozenset({"mary", "grace", "ada"})), id="m-1").verdict == "accepted"
        with pytest.raises(AlreadySent):
            runner.send("p-1", Marked(frozenset({"mary"})), id="m-1")
        with pytest.raises(AlreadySent):
            runner.send("p-1", Marked(frozenset({"ada", "grace", "mary"}), place="there"), id="m-1")
    with Runner(journal, [Counting()]) as runner, pytest.raises(AlreadySent):
        runner.send("p-1", Other(3), id="m-1")


def test_a_set_may_be_in_another_order(journal: MemoryJournal, runner: Runner) -> None:
    """What a message holds is compared as its type has it, not as its bytes."""
    del runner
    with Client(MemoryJournal(beside=journal), [Signing()]) as client:
        client.send("p-9", Plain({"by": ["a", "b"]}, "sign"), id="m-1")
        again = client.send("p-9", Sign(frozenset({"b", "a"})), id="m-1")
    assert msgspec.json.decode(journal.message(again.number).body) == {"by": ["a", "b"]}  # type: ignore[union-attr]
