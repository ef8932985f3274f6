"""An event id that comes again where nothing is left to compare, or from another run: never lost without a word."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import attrs
import msgspec
import pytest

from persistence import MemoryJournal, SQLiteJournal
from persistence.journal import Journal
from statemachine import AlreadySent, Client, Event, Outbox, Runner, State, Workflow, on
from statemachine.runner import Plain
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import Confirm, Note, Order, Reject, Shop, World, becomes, until
from tests.unit.runner.test_resends import Counting, Marked, Marking, Paper, Sign, Signing


@attrs.frozen
class Letter:
    to: str


class Tell(Event, frozen=True):
    text: str


class Speaking(Workflow[Letter], name="speaking"):
    """Sends a note to another run, always under one id."""

    awake = State(initial=True)

    @on(Tell, source=awake, to=awake)
    def tell(self, letter: Letter, event: Tell, outbox: Outbox) -> Letter:
        outbox.send(letter.to, Note(event.text), id="m-1")
        return letter


class Filed(Event, frozen=True, name="sign"):
    """As `Sign`, with a field more."""

    by: frozenset[str]
    notes: dict[str, str] = msgspec.field(default_factory=dict)


class Filing(Workflow[Paper], name="signing", version=4):
    blank = State(initial=True)
    signed = State(final=True)
    sign = on(Filed, source=blank, to=signed)


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """An empty journal."""
    made = MemoryJournal() if request.param == "memory" else SQLiteJournal(tmp_path / "app.db")
    yield made
    made.close()


def notes(runner: Runner, run: str) -> int:
    """How many notes a run has taken."""
    return sum(entry.name == "Note" for entry in runner.get(run).journal())


def test_another_event_that_a_run_sends_is_refused_aloud(
    journal: Journal, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Under an id that the receiver has taken before: the log names both runs. A resend is taken for one."""
    with caplog.at_level(logging.WARNING, "statemachine"), Runner(journal, [Shop(world), Speaking()]) as runner:
        until(runner.start(Shop, Order("book"), id="hears"), "waiting")
        speaks = runner.start(Speaking, Letter("hears"), id="speaks")
        speaks.send(Tell("a"))
        becomes(lambda: notes(runner, "hears") == 1)
        speaks.send(Tell("a"))
        speaks.send(Tell("b"))
        becomes(lambda: len(caplog.records) == 1)
        assert runner.send("hears", Note("a"), id="m-1").verdict == "accepted"
        with pytest.raises(AlreadySent):
            runner.send("hears", Note("b"), id="m-1")
        assert notes(runner, "hears") == 1
    said = caplog.records[0].getMessage()
    assert said == "Message m-1 to run hears, sent by run speaks, was refused: AlreadySent"


def test_what_a_client_has_put_does_not_swallow_what_a_run_sends(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Both stand in the inbox under one id; the first is taken, and the other is refused aloud."""
    journal = MemoryJournal()
    with caplog.at_level(logging.WARNING, "statemachine"), Runner(journal, [Shop(world), Speaking()]) as runner:
        until(runner.start(Shop, Order("book"), id="hears"), "waiting")
        speaks = runner.start(Speaking, Letter("hears"), id="speaks")
        with Client(MemoryJournal(beside=journal), [Shop.definition]) as client:
            client.verdict(client.send("hears", Note("a client's"), id="m-1"), 5)
            speaks.send(Tell("b"))
            becomes(lambda: len(caplog.records) == 1)
            assert client.send("hears", Note("a client's"), id="m-1").verdict == "accepted"


def test_the_id_of_a_pruned_run_is_not_given_to_another_event(journal: Journal, world: World) -> None:
    """A resend gets the first verdict; what differs is refused, by whoever sends it, typed or plain."""
    clock = VirtualClock()
    with Runner(journal, [Shop(world)], clock=clock) as runner:
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        run.send(Note("a"), id="m-1")
        run.send(Reject(), id="m-2")
        run.result(timeout=10)
        until(runner.start(Shop, Order("pen"), id="o-2"), "waiting")
        clock.advance(timedelta(days=2))
        assert runner.prune(clock.now()).runs == 1
        for same in (Note("a"), Plain({"text": "a"}, "Note")):
            assert runner.send("o-1", same, id="m-1").verdict == "accepted"
        for other in (Note("b"), Confirm(), Plain({"text": "b"}, "Note")):
            with pytest.raises(AlreadySent, match="as another event or to an earlier run"):
                runner.send("o-1", other, id="m-1")


def test_the_id_of_a_pruned_run_is_known_after_a_deploy(journal: Journal, world: World) -> None:
    """Renamed, or with a field more that has a default, it is the same; so is what cannot be compared."""
    clock, ada, grace = VirtualClock(), frozenset({"ada"}), frozenset({"grace"})
    with Runner(journal, [Signing(), Shop(world)], clock=clock) as runner:
        run = runner.start(Signing, Paper("x"), id="p-1")
        run.send(Sign(ada), id="m-1")
        run.result(timeout=10)
        until(runner.start(Shop, Order("pen"), id="o-2"), "waiting")
        clock.advance(timedelta(days=2))
        assert runner.prune(clock.now()).runs == 1
    with Runner(journal, [Marking(), Shop(world)], clock=clock) as runner:
        assert runner.send("p-1", Marked(ada), id="m-1").verdict == "accepted"
        for other in (Marked(grace), Marked(ada, place="there")):
            with pytest.raises(AlreadySent):
                runner.send("p-1", other, id="m-1")
    with Runner(journal, [Filing(), Shop(world)], clock=clock) as runner:
        assert runner.send("p-1", Filed(ada), id="m-1").verdict == "accepted"
        with pytest.raises(AlreadySent):
            runner.send("p-1", Filed(ada, {"at": "night"}), id="m-1")
    with Runner(journal, [Counting(), Shop(world)], clock=clock) as runner:
        assert runner.send("p-1", Plain({"by": ["ada"]}, "sign"), id="m-1").verdict == "accepted"


def test_a_run_that_has_the_name_of_a_pruned_one_is_not_sent_its_resends(journal: Journal, world: World) -> None:
    """The same event under the same id may be meant for either, so its sender is asked: it is not taken in silence."""
    clock = VirtualClock()
    with Runner(journal, [Shop(world)], clock=clock) as runner:
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        run.send(Reject(), id="m-1")
        run.result(timeout=10)
        until(runner.start(Shop, Order("pen"), id="o-2"), "waiting")
        clock.advance(timedelta(days=2))
        assert runner.prune(clock.now()).runs == 1
        until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
        with pytest.raises(AlreadySent, match="to an earlier run of that id"):
            runner.send("o-1", Reject(), id="m-1")
        assert runner.send("o-1", Reject(), id="m-3").verdict == "accepted"


def test_an_erased_run_still_knows_of_which_kind_its_events_were(journal: Journal, world: World) -> None:
    """One of another type is refused; with other values it cannot be told from the first, and gets its verdict."""
    with Runner(journal, [Shop(world)]) as runner:
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        run.send(Note("a"), id="m-1")
        run.send(Reject(), id="m-2")
        run.result(timeout=10)
        runner.erase("o-1", reason="asked for")
        assert runner.send("o-1", Note("b"), id="m-1").verdict == "accepted"
        with pytest.raises(AlreadySent, match="was sent before, as Note"):
            runner.send("o-1", Confirm(), id="m-1")
