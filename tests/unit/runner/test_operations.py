"""What an operator asks of a whole journal, from the process that owns it and from another that knows no workflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from persistence import MemoryJournal
from statemachine import Client, NotStored, Refused, Runner, UndeclaredEvent
from statemachine.runner import Plain
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import Confirm, Order, Reject, Shop, World, becomes, until


@contextmanager
def served(path: Path, clock: VirtualClock | None = None) -> Iterator[tuple[Runner, Client]]:
    """An owner that moves the shop's runs, and a client beside it that knows nothing of the shop."""
    with Runner(path, [Shop(World())], clock=clock) as owner, Client(path) as client:
        yield owner, client


def test_a_tool_without_the_workflow_starts_sends_and_looks(tmp_path: Path) -> None:
    """Data and events are JSON values; the owner gives them their types."""
    with served(tmp_path / "shop.db") as (owner, client):
        begun = client.start_plain("shop", Plain({"item": "book"}), id="o1", tags={"from": "cli"}, actor="ada")
        assert client.verdict(begun, timeout=10).verdict == "accepted"
        until(owner.get("o1"), "waiting")
        said = client.send("o1", Plain({"by": "ada"}, "Confirm"), id="m1", actor="ada")
        assert client.verdict(said, timeout=10).verdict == "accepted"
        assert owner.result("o1", timeout=10).data == Order("book", reserved=True)
        assert client.get("o1").look(plain=True).data == {
            "item": "book",
            "price": 10.0,
            "reserved": True,
            "note": "",
        }


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Plain({}, "Confrim"), "does not declare the event 'Confrim'; it declares: Confirm"),
        (Plain({"by": 7}, "Confirm"), "Expected `str`, got `int`"),
        (Plain([], "Confirm"), "Expected `object`, got `array`"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(tmp_path: Path, event: Plain, said: str) -> None:
    """The same from beside and from the owner itself; the run is as it was."""
    with served(tmp_path / "shop.db") as (owner, client):
        run = owner.start(Shop, Order("book"), id="o1")
        until(run, "waiting")
        with pytest.raises(Refused, match=said):
            client.verdict(client.send("o1", event), timeout=10)
        with pytest.raises((UndeclaredEvent, NotStored), match=said):
            owner.send("o1", event)
        assert run.state == ("waiting",)


def test_a_start_that_names_no_workflow_waits_for_one(tmp_path: Path) -> None:
    """A version that is deployed later may know it; until then nothing is started, and nobody is told that it was."""
    with served(tmp_path / "shop.db") as (_, client):
        begun = client.start_plain("shoop", Plain({"item": "book"}), id="o1")
        with pytest.raises(TimeoutError):
            client.verdict(begun, timeout=0.5)
        assert client.list() == []


def test_the_log_has_every_run_in_the_order_of_commits() -> None:
    """From its end without a number, from a number on with one."""
    with Runner(MemoryJournal(), [Shop(World())]) as runner:
        for number in range(3):
            until(runner.start(Shop, Order("book"), id=f"o{number}"), "waiting")
        whole = runner.log(after=0)
        assert [(entry.run, entry.kind) for entry in whole] == [
            ("o0", "start"),
            ("o0", "succeeded"),
            ("o1", "start"),
            ("o1", "succeeded"),
            ("o2", "start"),
            ("o2", "succeeded"),
        ]
        assert runner.log(limit=2) == whole[-2:]
        assert runner.log(after=whole[3].number) == whole[4:]


@pytest.mark.parametrize("beside", [False, True], ids=["owner", "client"])
def test_pruning_removes_what_is_over_and_old(tmp_path: Path, *, beside: bool) -> None:
    """A dry prune counts the same; a resend of a remembered id gets its first verdict; others stay."""
    clock = VirtualClock()
    with (
        Runner(tmp_path / "shop.db", [Shop(World())], clock=clock) as owner,
        Client(tmp_path / "shop.db", clock=clock) as client,
    ):
        for number in ("old", "new"):
            until(owner.start(Shop, Order("book"), id=number), "waiting")
            owner.send(number, Confirm(), id="m1")
            owner.result(number, timeout=10)
            clock.advance(timedelta(days=2))
        until(owner.start(Shop, Order("book"), id="open"), "waiting")
        who = client if beside else owner
        before = clock.now() - timedelta(days=3)
        dry = who.prune(before, dry=True)
        assert (dry.runs, dry.remembered) == (1, 1)
        assert who.prune(before) == dry
        assert [run.id for run in owner.list()] == ["open", "new"]
        assert owner.send("old", Confirm(), id="m1").verdict == "accepted"
        assert who.prune(before, dry=True).runs == 0


def test_health_says_what_is_wrong(tmp_path: Path) -> None:
    """Incidents, deadlines that nobody kept, messages that nobody took, and who owns it."""
    clock, world = VirtualClock(), World()
    path = tmp_path / "shop.db"
    with Runner(path, [Shop(world)], clock=clock) as owner:
        run = owner.start(Shop, Order("book"), id="o1")
        until(run, "waiting")
        good = owner.health()
        assert good.owner is not None
        assert (good.live, good.incidents, good.overdue, good.messages) == (1, 0, 0, 0)
        assert good.file > 0
    clock.advance(timedelta(days=8))
    with Client(path, [Shop(world)], clock=clock) as client:
        client.send("o1", Confirm())
        bad = client.health()
        assert bad.owner is None
        assert (bad.overdue, bad.messages) == (1, 1)
        assert bad.oldest is not None
        assert bad.waiting is not None


def test_statistics_know_how_long_attempts_took(tmp_path: Path) -> None:
    """Of steps that succeed, of those that fail, and of undos; a wait between attempts is no part of it."""
    world = World()
    clock = VirtualClock()
    with Runner(tmp_path / "shop.db", [Shop(world)], clock=clock) as owner:
        world.failures = [ConnectionError("no answer")]
        run = owner.start(Shop, Order("book"), id="o1")
        becomes(lambda: any(entry.kind == "failed" for entry in run.journal()))
        clock.advance(timedelta(seconds=61))
        until(run, "waiting")
        owner.send("o1", Reject())
        owner.result("o1", timeout=10)
        numbers = {(one.step, one.undo): one for one in owner.statistics().steps}
    assert set(numbers) == {("reserve", False), ("reserve", True)}
    assert (numbers["reserve", False].attempts, numbers["reserve", False].failed) == (2, 1)
    for one in numbers.values():
        assert one.p50 is not None
        assert one.p95 is not None
        assert 0 <= one.p50 <= one.p95 < 60


def test_runs_are_counted_and_what_waits_is_told(tmp_path: Path) -> None:
    """By the conditions that a listing takes; the same from beside."""
    with served(tmp_path / "shop.db") as (owner, client):
        for number in range(3):
            until(owner.start(Shop, Order("book"), id=f"o{number}", tags={"n": str(number)}), "waiting")
        owner.send("o1", Confirm())
        owner.result("o1", timeout=10)
        for who in (owner, client):
            assert (who.count(), who.count(status="completed"), who.count(state=Shop.waiting)) == (3, 1, 2)
            assert (who.count(tags={"n": "2"}), who.count(incident=True)) == (1, 0)
            assert [(one.workflow, one.state, one.runs) for one in who.standing()] == [("shop", ("waiting",), 2)]
        assert owner.definitions == (Shop.definition,)
        assert client.definitions == ()
