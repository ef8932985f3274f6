"""What a person holds back is not begun, nothing of it is lost meanwhile, and a release lets it go on in order."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from persistence import MemoryJournal
from statemachine import (
    Call,
    Client,
    Connection,
    NotAnswered,
    Receipt,
    Refused,
    RefusedVerb,
    Runner,
    State,
    Workflow,
    after,
    step,
    transaction,
)
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import Confirm, Note, Order, Reject, Shop, World, becomes, until


@pytest.fixture
def journal() -> MemoryJournal:
    """The journal of one test."""
    return MemoryJournal()


def kinds(runner: Runner, run: str) -> list[str]:
    """What has happened to a run."""
    return [f"{entry.kind} {entry.name}".rstrip() for entry in runner.get(run).journal()]


class Till(Workflow[Order], name="till"):
    booking = State(initial=True)
    booked = State(final=True)

    @transaction(booking, to=booked)
    def book(self, order: Order, connection: Connection) -> Order:
        connection.execute("SELECT 1")
        return order


class Patience(Workflow[Order], name="patience"):
    waiting = State(initial=True)
    lapsed = State(final=True)
    lapse = after(timedelta(days=7), source=waiting, to=lapsed)


class Once(Workflow[Order], name="once"):
    world: World
    calling = State(initial=True)
    called = State(final=True)

    @step(calling, to=called, once=True)
    async def call(self, order: Order, call: Call) -> Order:
        self.world.touch("call", call)
        return order


class TestOfAStep:
    def test_no_attempt_begins_until_the_release(self, journal: MemoryJournal, world: World) -> None:
        """Events, transitions and starts go on; each run that came to it then does it once."""
        with Runner(journal, [Shop(world)]) as runner:
            runner.hold(Shop.charge, reason="the bank is down", actor="ada")
            for name in ("o-1", "o-2"):
                until(runner.start(Shop, Order("book"), id=name), "waiting")
                assert runner.send(name, Confirm()).verdict == "accepted"
                until(runner.get(name), "charging")
            assert runner.start(Shop, Order("pen"), id="o-3").state
            assert "charge" not in world.names()
            runner.release(Shop.charge)
            for name in ("o-1", "o-2"):
                assert runner.result(name, timeout=10).state == ("sent",)
            assert world.names().count("charge") == 2

    def test_what_runs_already_runs_on_and_is_recorded(self, journal: MemoryJournal, world: World) -> None:
        """A hold begins nothing; it breaks nothing off either."""
        world.gate.clear()
        with Runner(journal, [Shop(world)]) as runner:
            run = runner.start(Shop, Order("book"), id="o-1")
            becomes(lambda: world.names() == ["reserve"])
            runner.hold(Shop.reserve)
            second = runner.start(Shop, Order("pen"), id="o-2")
            world.gate.set()
            until(run, "waiting")
            assert second.state == ("reserving",)
            assert world.names() == ["reserve"]

    def test_what_waits_in_line_for_its_turn_does_not_begin(self, journal: MemoryJournal, world: World) -> None:
        """Neither behind a limit nor for a thread; and it makes room for others."""
        world.gate.clear()
        with Runner(journal, [Shop(world)], concurrency={Shop.reserve: 1}, threads=1) as runner:
            for number in range(4):
                runner.start(Shop, Order("book"), id=f"o-{number}")
            becomes(lambda: world.names() == ["reserve"])
            runner.hold(Shop.reserve)
            world.gate.set()
            until(runner.get("o-0"), "waiting")
            runner.start(Shop, Order("book"), id="o-4")
            assert world.names() == ["reserve"]
            runner.release(Shop.reserve)
            for number in range(5):
                until(runner.get(f"o-{number}"), "waiting")
            assert world.names() == ["reserve"] * 5

    def test_its_undo_is_not_held(self, journal: MemoryJournal, world: World) -> None:
        """Taking back must stay possible while giving out is held."""
        with Runner(journal, [Shop(world)]) as runner:
            until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
            runner.hold(Shop.reserve)
            runner.send("o-1", Reject())
            assert runner.result("o-1", timeout=10).state == ("rejected",)
            assert world.names() == ["reserve", "release"]

    def test_a_run_that_waits_for_it_is_cancelled_and_killed(self, journal: MemoryJournal, world: World) -> None:
        """And after the release nothing of it is begun any more."""
        with Runner(journal, [Shop(world)]) as runner:
            runner.hold(Shop.reserve)
            for name in ("o-1", "o-2"):
                until(runner.start(Shop, Order("book"), id=name), "reserving")
            runner.get("o-1").cancel()
            assert runner.result("o-1", timeout=10).status == "cancelled"
            runner.get("o-2").kill()
            runner.release(Shop.reserve)
            runner.start(Shop, Order("pen"), id="o-3")
            until(runner.get("o-3"), "waiting")
            assert [call.run for what, call in world.calls if what == "reserve"] == ["o-3"]

    def test_a_transaction_is_held_too(self, tmp_path: Path) -> None:
        """It begins in its commit, and that is not made."""
        with Runner(tmp_path / "app.db", [Till()]) as runner:
            runner.hold(Till.book, reason="stock-taking")
            run = runner.start(Till, Order("book"), id="o-1")
            assert run.state == ("booking",)
            runner.release(Till.book)
            assert run.result(timeout=10).state == ("booked",)


class TestOfAWorkflow:
    def test_events_wait_in_their_order_and_come_first(self, journal: MemoryJournal, world: World) -> None:
        """From the owner and from a client; a resend is the same event, and each is told its verdict in the end."""
        with (
            Runner(journal, [Shop(world)]) as runner,
            Client(MemoryJournal(beside=journal), [Shop(world)]) as client,
        ):
            until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
            client.hold(Shop, reason="audit", actor="ada")
            receipts: list[Receipt] = []
            for number in range(6):
                who = (runner, client)[number % 2]
                receipts.append(who.send("o-1", Note(str(number)), id=f"m-{number}"))
            assert runner.send("o-1", Note("0"), id="m-0").verdict == "queued"
            assert {receipt.verdict for receipt in receipts} == {"queued"}
            assert kinds(runner, "o-1") == ["start", "succeeded reserve"]
            client.release(Shop)
            assert [client.verdict(receipt, timeout=10).verdict for receipt in receipts] == ["accepted"] * 6
            runner.send("o-1", Note("last"), id="m-9")
            ids = [entry.event_id for entry in runner.get("o-1").journal() if entry.kind == "event"]
            assert ids == [*(f"m-{number}" for number in range(6)), "m-9"]

    def test_starts_are_taken_and_begin_nothing(self, journal: MemoryJournal, world: World) -> None:
        """The run is there; its first step begins with the release."""
        with Runner(journal, [Shop(world)]) as runner:
            runner.hold(Shop)
            assert runner.start(Shop, Order("book"), id="o-1").state == ("reserving",)
            assert world.names() == []
            runner.release(Shop)
            until(runner.get("o-1"), "waiting")

    def test_a_deadline_that_passes_fires_once_after_the_release(self, journal: MemoryJournal, world: World) -> None:
        """Behind the events that were acknowledged before it, in front of those that came later, and others go on."""
        clock = VirtualClock()
        with Runner(journal, [Shop(world), Patience()], clock=clock) as runner:
            for name in ("before", "after", "none"):
                until(runner.start(Shop, Order("book"), id=name), "waiting")
            until(runner.start(Patience, Order("book"), id="other"), "waiting")
            runner.hold(Shop)
            early = runner.send("before", Confirm(), id="m-1")
            clock.advance(timedelta(days=8))
            late = runner.send("after", Confirm(), id="m-1")
            assert runner.result("other", timeout=10).state == ("lapsed",)
            assert kinds(runner, "none") == ["start", "succeeded reserve"]
            runner.release(Shop)
            assert runner.verdict(early, timeout=10).verdict == "accepted"
            with pytest.raises(Refused, match="being undone"):
                runner.verdict(late, timeout=10)
            assert runner.result("before", timeout=10).state == ("sent",)
            for name in ("after", "none"):
                assert runner.result(name, timeout=10).state == ("rejected",)
                assert kinds(runner, name).count("timer after.waiting.0") == 1

    def test_what_an_operator_decides_is_taken_and_undos_wait(self, journal: MemoryJournal, world: World) -> None:
        """A cancel is recorded at once; what it undoes is undone after the release."""
        with Runner(journal, [Shop(world)]) as runner:
            until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
            runner.hold(Shop)
            runner.get("o-1").cancel(actor="ada")
            assert runner.get("o-1").status == "undoing"
            assert world.names() == ["reserve"]
            runner.release(Shop)
            assert runner.result("o-1", timeout=10).status == "cancelled"
            assert world.names() == ["reserve", "release"]

    def test_everything_is_held_under_no_name(self, journal: MemoryJournal, world: World) -> None:
        """A hold of one thing within it stands beyond its release."""
        with Runner(journal, [Shop(world), Till()]) as runner:
            runner.hold(None, reason="restored")
            runner.hold(Shop.reserve)
            run = runner.start(Shop, Order("book"), id="o-1")
            runner.release(None)
            assert [(hold.workflow, hold.step) for hold in runner.holds()] == [("shop", "reserve")]
            assert run.state == ("reserving",)
            runner.release(Shop.reserve)
            until(run, "waiting")


class TestOverTime:
    def test_a_hold_outlives_its_runner(self, tmp_path: Path, world: World) -> None:
        """Whoever owns the file next begins nothing of it; what never began is not counted as running at a crash."""
        clock = VirtualClock()
        with Runner(tmp_path / "j.db", [Shop(world), Once(world)], clock=clock) as runner:
            runner.hold(Shop, reason="audit", actor="ada")
            runner.hold(Once.call)
            clock.advance(timedelta(seconds=1))
            runner.start(Shop, Order("book"), id="o-1")
            runner.start(Once, Order("book"), id="once-1")
        for _ in range(4):
            with Runner(tmp_path / "j.db", [Shop(world), Once(world)], clock=clock) as runner:
                (held, once) = sorted(runner.holds(), key=lambda hold: hold.step)
                assert (held.workflow, held.step, held.reason, held.actor) == ("shop", "", "audit", "ada")
                assert str(held) == "shop by ada: audit"
                assert str(once) == "step call of once"
                assert runner.send("o-1", Note("x"), id="m-1").verdict == "queued"
                assert world.names() == []
        with Runner(tmp_path / "j.db", [Shop(world), Once(world)], clock=clock) as runner:
            runner.release(Once.call)
            assert runner.result("once-1", timeout=10).state == ("called",)
            runner.release(Shop)
            until(runner.get("o-1"), "waiting")
            assert sorted(world.names()) == ["call", "reserve"]
            assert not runner.get("o-1").incidents

    @pytest.mark.parametrize("whole", [True, False])
    def test_what_is_held_is_not_counted_as_running_at_a_crash(
        self, journal: MemoryJournal, world: World, *, whole: bool
    ) -> None:
        """Also where it had been begun before: owners that died while it was held back are no incident of its."""
        world.gate.clear()
        for owner in range(5):
            mine = MemoryJournal(beside=journal)
            with Runner(mine, [Shop(world)], grace=0.0) as runner:
                if owner == 0:
                    runner.start(Shop, Order("book"), id="o-1")
                    becomes(lambda: world.names() == ["reserve"])
                    runner.hold(Shop if whole else Shop.reserve)
                mine.abandon()
        world.gate.set()
        with Runner(journal, [Shop(world)]) as runner:
            runner.release(Shop if whole else Shop.reserve)
            until(runner.get("o-1"), "waiting")
            assert not runner.get("o-1").incidents
        assert world.names() == ["reserve", "reserve"]

    def test_what_is_asked_for_while_nobody_owns_it_comes_before_everything(self, tmp_path: Path, world: World) -> None:
        """The next owner holds it before it begins anything again."""
        file = tmp_path / "j.db"
        with Runner(file, [Shop(world)], perform=False) as runner:
            runner.start(Shop, Order("book"), id="o-1")
        with Client(file, [Shop(world)]) as client:
            for what in ("shop", "soap"):
                with pytest.raises(NotAnswered, match="No runner has taken the message"):
                    client.hold(what, reason="now", timeout=0)
        with Runner(file, [Shop(world)]) as runner:
            assert [str(hold) for hold in runner.holds()] == ["shop: now"]
            assert world.names() == []
            runner.release("shop")
            until(runner.get("o-1"), "waiting")

    def test_a_workflow_that_was_renamed_stays_held(self, journal: MemoryJournal, world: World) -> None:
        """Under the name that it has now, and its runs of the old name; one release releases all."""

        class Store(Workflow[Order], name="store", was=("patience",)):
            waiting = State(initial=True)
            lapsed = State(final=True)
            lapse = after(timedelta(days=7), source=waiting, to=lapsed)

        clock = VirtualClock()
        with Runner(journal, [Patience()], clock=clock) as runner:
            runner.start(Patience, Order("book"), id="o-1")
            runner.hold(Patience)
        with Runner(journal, [Store()], clock=clock) as runner:
            assert {hold.workflow for hold in runner.holds()} == {"patience", "store"}
            runner.start(Store, Order("book"), id="o-2")
            clock.advance(timedelta(days=8))
            runner.release(Store)
            assert runner.holds() == ()
            for name in ("o-1", "o-2"):
                assert runner.result(name, timeout=10).state == ("lapsed",)

    def test_a_hold_of_a_step_that_is_gone_is_told(
        self, journal: MemoryJournal, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It would hold nothing, and somebody counts on it."""

        class Without(Workflow[Order], name="once"):
            calling = State(initial=True, final=True)

        with Runner(journal, [Once(world)]) as runner:
            runner.hold(Once.call)
        with Runner(journal, [Without()]):
            assert "this version has no such step" in caplog.text


@pytest.mark.parametrize("beside", [False, True], ids=["owner", "client"])
def test_a_name_that_means_nothing_is_refused(journal: MemoryJournal, world: World, *, beside: bool) -> None:
    """A typing error must not look like a hold, nor a release of something else like a release."""
    with (
        Runner(journal, [Shop(world)]) as runner,
        Client(MemoryJournal(beside=journal), [Shop.definition]) as client,
    ):
        who = client if beside else runner
        with pytest.raises(
            (RefusedVerb, Refused), match="Cannot hold shpo: its owner has no such workflow; it has: shop"
        ):
            who.hold("shpo")
        with pytest.raises((RefusedVerb, Refused), match="no such step; it has: reserve, charge"):
            who.hold("shop", step="chrage")
        with pytest.raises((RefusedVerb, Refused), match="name its workflow"):
            who.hold(None, step="charge")
        who.hold("shop", step="charge")
        with pytest.raises((RefusedVerb, Refused), match="it is not held; held is: step charge of shop"):
            who.release("shop")
        who.release("shop", step="charge")
        assert who.holds() == ()
    with (
        Client(MemoryJournal(beside=journal), [Shop.definition]) as client,
        pytest.raises(ValueError, match="by names"),
    ):
        client.hold(Shop.charge)
