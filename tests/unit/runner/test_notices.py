"""A person is told of each incident and each failed run, at least once, and nothing waits for the telling."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from persistence import MemoryJournal
from statemachine import Call, Client, Runner, State, Workflow, step
from statemachine.runner import Notice, notices
from statemachine.testing import VirtualClock, watched
from tests.unit.runner.desk import Confirm, Order, Shop, World, becomes, until, until_incident


class Plain(Workflow[Order], name="plain"):
    world: World
    trying = State(initial=True)
    tried = State(final=True)

    @step(trying, to=tried)
    async def attempt(self, order: Order, call: Call) -> Order:
        self.world.touch("attempt", call)
        return order


class Heard:
    """Somebody who is told, and does not always listen."""

    def __init__(self, fails: int = 0) -> None:
        self.notices: list[Notice] = []
        self.fails = fails

    def __call__(self, notice: Notice) -> None:
        self.notices.append(notice)
        if self.fails:
            self.fails -= 1
            message = "the pager is down"
            raise ConnectionError(message)

    async def later(self, notice: Notice) -> None:
        """The same, as a coroutine."""
        await asyncio.sleep(0)
        self(notice)


@pytest.fixture
def journal() -> MemoryJournal:
    """The journal of one test."""
    return MemoryJournal()


@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
def test_each_incident_and_each_failed_run_is_told_once(journal: MemoryJournal, world: World, *, later: bool) -> None:
    """With what is needed to decide it; and then it is told no more."""
    incidents, failed = Heard(), Heard()
    on_incident = incidents.later if later else incidents
    with Runner(journal, [Shop(world), Plain(world)], on_incident=on_incident, on_failed=failed) as runner:
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        world.failures = [ConnectionError("no answer")]
        run.send(Confirm())
        number = until_incident(run)
        becomes(lambda: len(incidents.notices) == 1)
        world.failures = [ValueError("never")]
        assert runner.start(Plain, Order("pen"), id="p-1").result(timeout=10).status == "failed"
        becomes(lambda: len(failed.notices) == 1)
        becomes(lambda: journal.notices(0, 9) == [])
    told, ended = incidents.notices[0], failed.notices[0]
    assert (told.run, told.workflow, told.state, told.kind) == ("o-1", "shop", ("charging",), "pivot")
    assert (told.incident, told.step, told.error) == (number, "charge", "ConnectionError: no answer")
    assert "charge" in told.message
    assert (ended.run, ended.kind, ended.incident, ended.error) == ("p-1", "failed", None, "ValueError: never")
    assert told.id != ended.id
    assert told.at.tzinfo is not None


def test_a_callback_that_raises_is_tried_again_and_holds_up_nothing(
    journal: MemoryJournal, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Later and later, and meanwhile runs go on; what it raises may be private, and is not logged."""
    clock = VirtualClock()
    heard = Heard(fails=3)
    with Runner(journal, [Plain(world)], clock=clock, on_failed=heard) as runner:
        world.failures = [ValueError("never")]
        runner.start(Plain, Order("a"), id="p-1").result(timeout=10)
        for seconds in (1, 2, 4):
            becomes(lambda seconds=seconds: f"the next is in {seconds} s" in caplog.text)  # type: ignore[misc]
            assert journal.notices(0, 9)[0].run == "p-1"
            assert runner.start(Plain, Order("b"), id=f"b-{seconds}").result(timeout=10).status == "completed"
            clock.advance(timedelta(seconds=seconds))
        becomes(lambda: journal.notices(0, 9) == [])
    assert len(heard.notices) == 4
    assert {notice.id for notice in heard.notices} == {heard.notices[0].id}
    assert "the pager is down" not in caplog.text


def test_one_that_hangs_holds_up_no_other(journal: MemoryJournal, world: World) -> None:
    """Neither a notice nor a run."""
    gate, heard = threading.Event(), Heard()

    def sometimes(notice: Notice) -> None:
        if notice.run == "p-0":
            gate.wait(10)
        heard(notice)

    with Runner(journal, [Plain(world)], on_failed=sometimes, grace=5) as runner:
        for number in range(3):
            world.failures = [ValueError("never")]
            runner.start(Plain, Order("a"), id=f"p-{number}").result(timeout=10)
        becomes(lambda: sorted(notice.run for notice in heard.notices) == ["p-1", "p-2"])
        gate.set()
        becomes(lambda: journal.notices(0, 9) == [])


def test_one_that_hangs_is_told_of(
    journal: MemoryJournal, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its thread cannot be stopped, so the log says which run it was told of; once it returns, that counts."""
    monkeypatch.setattr(notices, "PATIENCE", 0.01)
    gate = threading.Event()
    with (
        caplog.at_level("WARNING", "statemachine"),
        Runner(journal, [Plain(world)], on_failed=lambda _notice: gate.wait(10), grace=5) as runner,
    ):
        world.failures = [ValueError("never")]
        runner.start(Plain, Order("a"), id="p-1").result(timeout=10)
        becomes(lambda: "keeps one of 4 places: it was told of run p-1 (failed)" in caplog.text)
        assert len(journal.notices(0, 9)) == 1
        gate.set()
        becomes(lambda: journal.notices(0, 9) == [])


def test_what_nobody_was_told_of_is_told_by_the_next_owner(tmp_path: Path, world: World) -> None:
    """A process that dies before the callback returns, or before that is noted, is followed by one that tells it."""
    file, deaf, heard = tmp_path / "j.db", Heard(fails=99), Heard()
    with Runner(file, [Plain(world)], on_failed=deaf) as runner:
        world.failures = [ValueError("never")]
        runner.start(Plain, Order("a"), id="p-1").result(timeout=10)
        becomes(lambda: len(deaf.notices) > 0)
    with Runner(file, [Plain(world)], on_failed=heard) as runner:
        becomes(lambda: len(heard.notices) == 1)
        becomes(lambda: runner.wait(_kept(runner)) == 0)
    assert heard.notices[0] == deaf.notices[0]
    with Runner(file, [Plain(world)], on_failed=heard):
        pass
    assert len(heard.notices) == 1


async def _kept(runner: Runner) -> int:
    body = runner._body
    assert body is not None
    return len(body.journal.notices(0, 9))


def test_a_tool_that_owns_the_file_for_a_moment_writes_them_too(tmp_path: Path, world: World) -> None:
    """It has no callback; the application's next runner has."""
    file, heard = tmp_path / "j.db", Heard()

    class Once(Workflow[Order], name="once"):
        calling = State(initial=True)
        called = State(final=True)

        @step(calling, to=called, once=True)
        async def call(self, order: Order) -> Order:
            return order

    with Runner(file, [Once()], on_incident=heard):
        pass
    with Runner(file, [Once()], perform=False) as tool:
        tool.start(Once, Order("a"), id="c-1")
    with Runner(file, [Once()], perform=False) as tool:  # finds it begun, for all that it knows
        becomes(lambda: bool(tool.get("c-1").incidents))
    with Runner(file, [Once()], on_incident=heard):
        becomes(lambda: [notice.kind for notice in heard.notices] == ["lost"])
    with Client(file) as client:
        assert client.health().unheard == 0


def test_an_application_that_wants_none_has_none_written(journal: MemoryJournal, world: World) -> None:
    """Also where one before it did."""
    with Runner(journal, [Plain(world)], on_failed=Heard()):
        assert journal.wanted() == {"failed"}
    with Runner(MemoryJournal(beside=journal), [Plain(world)]) as runner:
        world.failures = [ValueError("never")]
        runner.start(Plain, Order("a"), id="p-1").result(timeout=10)
        assert journal.wanted() == frozenset()
        assert journal.notices(0, 9) == []


def test_what_is_not_delivered_is_seen(tmp_path: Path, world: World) -> None:
    """With its age, once it is more than a minute old."""
    clock, file = VirtualClock(), tmp_path / "j.db"
    with Runner(file, [Plain(world)], clock=clock, on_failed=Heard(fails=99)) as runner:
        world.failures = [ValueError("never")]
        runner.start(Plain, Order("a"), id="p-1").result(timeout=10)
        began = clock.now()
        assert runner.health().unheard == 0
        clock.advance(timedelta(minutes=2))
        well = runner.health()
        assert (well.unheard, well.silent) == (1, began)


def test_its_commits_have_crash_points(journal: MemoryJournal, world: World) -> None:
    """What is wanted, and what was delivered."""
    points: list[str] = []
    with Runner(watched(journal, points.append), [Plain(world)], on_failed=Heard()) as runner:
        world.failures = [ValueError("never")]
        runner.start(Plain, Order("a"), id="p-1").result(timeout=10)
        becomes(lambda: "after notice" in points)
    assert "after want" in points
