"""What is put by clients, applications and other runs: taken once, in order, refused to its sender, never lost."""

from __future__ import annotations

import math
import sqlite3
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from persistence import MemoryJournal, MessageRecord, SQLiteJournal
from statemachine import (
    AlreadyStarted,
    Client,
    NoSuchRun,
    NotStored,
    Refused,
    Runner,
    RunOver,
    State,
    TooLarge,
    UndeclaredEvent,
    Workflow,
    on,
)
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import Confirm, Note, Order, Reject, Shop, Unheard, World, becomes, until
from tests.unit.runner.test_deploys import First, Parcel, Send


@attrs.frozen
class OtherParcel:
    weight: int


class Unfit(Workflow[OtherParcel], name="parcel", version=9):
    packed = State(initial=True)
    checked = State()
    sent = State(final=True)
    check = on(Send, source=packed, to=checked)
    send = on(Send, source=checked, to=sent)


class Renamed(Workflow[Parcel], name="package", was=("parcel",)):
    packed = State(initial=True)
    checked = State()
    sent = State(final=True)
    check = on(Send, source=packed, to=checked)
    send = on(Send, source=checked, to=sent)


@pytest.fixture
def journal() -> MemoryJournal:
    """The journal of one test."""
    return MemoryJournal()


def test_a_refused_id_may_be_sent_again(journal: MemoryJournal, world: World) -> None:
    """A refusal is not remembered: the resend is judged anew, and the first receipt keeps its verdict."""
    world.gate.clear()
    with (
        Runner(journal, [Shop(world)]) as runner,
        Client(MemoryJournal(beside=journal), [Shop(world)]) as client,
    ):
        run = runner.start(Shop, Order("book"), id="o-1")
        first = client.send("o-1", Confirm(), id="m-1")
        with pytest.raises(Refused, match="does not accept Confirm"):
            client.verdict(first, 5)
        world.gate.set()
        until(run, "waiting")
        second = client.send("o-1", Confirm(), id="m-1")
        assert second.verdict == "queued"
        assert client.verdict(second, 5).verdict == "accepted"
        with pytest.raises(Refused, match="does not accept Confirm"):
            client.verdict(first, 5)
        assert client.send("o-1", Confirm(), id="m-1").verdict == "accepted"


def test_one_id_through_both_doors_counts_once(journal: MemoryJournal, world: World) -> None:
    """Through the owner first, or through the inbox first."""
    with (
        Runner(journal, [Shop(world)]) as runner,
        Client(MemoryJournal(beside=journal), [Shop(world)]) as client,
    ):
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        run.send(Note("a"), id="m-1")
        assert client.verdict(client.send("o-1", Note("a"), id="m-1"), 5).verdict == "accepted"
        client.verdict(client.send("o-1", Note("b"), id="m-2"), 5)
        assert run.send(Note("b"), id="m-2").verdict == "accepted"
        assert [entry.event_id for entry in run.journal() if entry.kind == "event"] == ["m-1", "m-2"]


def test_a_client_is_refused_what_its_owner_would_refuse(journal: MemoryJournal, world: World) -> None:
    """Data of another type, not equal once read again, too large: told at once, and nothing is put."""
    with Client(journal, [Shop(world)], limit=10_000) as client:
        with pytest.raises(NotStored, match="price"):
            client.start(Shop, Order("book", price=math.nan), id="o-1")
        with pytest.raises(NotStored, match="data"):
            client.start(Shop, Parcel("here"), id="o-1")  # type: ignore[misc]
        with pytest.raises(TooLarge, match="data is"):
            client.start(Shop, Order("x" * 20_000), id="o-1")
    assert journal.inbox(0, 10) == []


def test_a_client_of_several_workflows_sends_to_a_run_whose_start_is_queued(
    journal: MemoryJournal, world: World
) -> None:
    """The event's type tells the workflow; one that none declares is refused."""
    with Client(journal, [First(), Shop(world)]) as client:
        client.start(Shop, Order("book"), id="o-1")
        assert client.send("o-1", Note("x"), id="m-1").verdict == "queued"
        with pytest.raises(UndeclaredEvent, match="Unheard"):
            client.send("o-1", Unheard())
    with Runner(journal, [First(), Shop(world)]) as runner:
        becomes(lambda: not journal.inbox(0, 1))
        assert runner.get("o-1").look().workflow == "shop"


def test_the_owner_takes_a_start_from_its_inbox_before_it_says_that_there_is_no_run(journal: MemoryJournal) -> None:
    """A client's start is acknowledged; what is sent next may reach the owner first, and finds the run all the same."""
    with Runner(journal, [First()]) as runner, Client(journal, [First.definition]) as client:
        for number in range(30):
            client.start(First, Parcel("here"), id=f"p{number}")
            assert runner.send(f"p{number}", Send()).verdict == "accepted"
        with pytest.raises(NoSuchRun):
            runner.send("nobody", Send())


def test_a_start_that_this_owner_cannot_take_waits_for_one_that_can(journal: MemoryJournal, world: World) -> None:
    """It was acknowledged, and so was what was put behind it for the same run; others are not held up."""
    with Client(journal, [First(), Shop(world)]) as client:
        client.start(First, Parcel("here"), id="p-1")
        client.send("p-1", Send(), id="m-1")
        client.start(Shop, Order("book"), id="o-1")
    with Runner(MemoryJournal(beside=journal), [Shop(world)]) as runner:
        becomes(lambda: runner.list(workflow=Shop) != [])
        becomes(lambda: len(journal.inbox(0, 10)) == 2)
    with Runner(MemoryJournal(beside=journal), [First()]) as runner:
        becomes(lambda: not journal.inbox(0, 1))
        assert runner.get("p-1").state == ("checked",)


def test_an_event_acknowledged_before_a_deadline_beats_it(tmp_path: Path, world: World) -> None:
    """However late the owner looks at it: also after a downtime in which the deadline passed."""
    clock, file = VirtualClock(), tmp_path / "journal.db"
    with Runner(file, [Shop(world)], clock=clock) as runner:
        for name in ("before", "after"):
            until(runner.start(Shop, Order("book"), id=name), "waiting")
    with Client(file, [Shop(world)], clock=clock) as client:
        client.send("before", Confirm(), id="m-1")
        clock.advance(timedelta(days=8))
        receipt = client.send("after", Confirm(), id="m-1")
        with Runner(file, [Shop(world)], clock=clock) as runner:
            assert runner.result("before", 5).state == ("sent",)
            assert runner.result("after", 5).state == ("rejected",)
            with pytest.raises(Refused):
                client.verdict(receipt, 5)


def test_a_clock_that_is_set_back_does_not_turn_a_run_back(tmp_path: Path, world: World) -> None:
    """The time of a run's transitions never goes back, and its deadlines come when they come."""
    clock = VirtualClock()
    with Runner(tmp_path / "journal.db", [Shop(world)], clock=clock) as runner:
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        clock.advance(timedelta(hours=-5))
        run.send(Note("x"))
        times = [entry.at for entry in run.journal()]
        assert times == sorted(times)
        clock.advance(timedelta(days=7, hours=5))
        assert run.result(5).state == ("rejected",)


def test_many_overdue_deadlines_are_taken_in_batches(journal: MemoryJournal, world: World) -> None:
    """After a downtime each fires once; between the batches others are heard."""
    clock = VirtualClock()
    with Runner(journal, [Shop(world)], clock=clock) as runner:
        runs = [runner.start(Shop, Order("book"), id=f"o-{n}") for n in range(600)]
        for run in runs:
            until(run, "waiting")
    clock.advance(timedelta(days=30))
    with Runner(journal, [Shop(world)], clock=clock) as runner:
        for n in range(600):
            assert runner.result(f"o-{n}", 30).state == ("rejected",)
        timers = [entry for n in range(600) for entry in runner.get(f"o-{n}").journal() if entry.kind == "timer"]
        assert len(timers) == 600


@pytest.mark.parametrize("commit", [True, False])
def test_a_start_and_a_send_on_the_applications_own_connection(tmp_path: Path, world: World, *, commit: bool) -> None:
    """They are one commit with its rows: begun when it commits, never there when it rolls back."""
    file = tmp_path / "app.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE loan (id TEXT)")
    connection.close()
    journal = SQLiteJournal(file, adopt=True)
    with Runner(journal, [Shop(world)]) as runner:
        connection = sqlite3.connect(file, isolation_level=None)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO loan VALUES ('o-1')")
        runner.start(Shop, Order("book"), id="o-1", connection=connection)
        runner.send("o-1", Reject(), id="m-1", connection=connection)
        assert runner.list() == []
        connection.execute("COMMIT" if commit else "ROLLBACK")
        connection.close()
        if commit:
            becomes(lambda: not journal.inbox(0, 1))
            assert [found.id for found in runner.list()] == ["o-1"]
        else:
            assert journal.inbox(0, 1) == []
            runner.start(Shop, Order("other"), id="o-1")
    journal.close()


def test_a_run_whose_data_does_not_fit_is_listed_as_held(journal: MemoryJournal) -> None:
    """Found when an event is sent to it: named and listed, its event waits."""
    with Runner(journal, [First()]) as runner:
        runner.start(First, Parcel("here"), id="p-1")
        runner.start(First, Parcel("there"), id="p-2")
    with Runner(journal, [Unfit()]) as runner:
        assert runner.send("p-1", Send(), id="m-1").verdict == "queued"
        journal.put(MessageRecord(run="p-2", id="m-1", kind="event", name="Send", body=b"{}", at=1))
        becomes(lambda: {found.id for found in runner.list(held=True)} == {"p-1", "p-2"})
        assert "does not fit" in runner.list(held=True)[0].held
    with Runner(journal, [First()]) as runner:
        becomes(lambda: [runner.get(name).state for name in ("p-1", "p-2")] == [("checked",)] * 2)


def test_a_start_again_is_the_same_run_under_every_name(journal: MemoryJournal) -> None:
    """Also of a workflow that was renamed, and of a run that is held."""
    with Runner(journal, [First()]) as runner:
        runner.start(First, Parcel("here"), id="p-1")
    with Client(MemoryJournal(beside=journal), [Renamed()]) as client:
        assert client.start(Renamed, Parcel("here"), id="p-1").state == ("packed",)
    with Runner(journal, [Renamed()]) as runner:
        assert runner.start(Renamed, Parcel("here"), id="p-1").state == ("packed",)
        with pytest.raises(AlreadyStarted):
            runner.start(Renamed, Parcel("there"), id="p-1")


def test_a_message_to_a_run_that_is_over_is_refused(journal: MemoryJournal, world: World) -> None:
    """To the one who put it, in the owner's words."""
    with Runner(journal, [Shop(world)]) as runner:
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        run.send(Confirm())
        run.result(5)
        with pytest.raises(RunOver):
            run.send(Note("x"))
        put = journal.put(MessageRecord(run="o-1", id="m", kind="event", name="Note", body=b'{"text":"x"}', at=1))
        becomes(lambda: not journal.inbox(0, 1))
        told = journal.message(put.number)
        assert told is not None
        assert told.verdict == "refused"
        assert b"is over" in told.answer
