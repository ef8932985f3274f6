"""A new version of a workflow meets old runs; an owner that died meets the next one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import attrs
import pytest

from persistence import MemoryJournal, SQLiteJournal
from statemachine import Call, Event, Runner, State, Workflow, on, step
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import Order, Shop, World, until, until_incident


@attrs.frozen
class Parcel:
    address: str


@attrs.frozen
class LongerParcel:
    address: str
    weight: int = 1


class Send(Event, frozen=True):
    pass


class First(Workflow[Parcel], name="parcel", version=1):
    packed = State(initial=True)
    checked = State()
    sent = State(final=True)
    check = on(Send, source=packed, to=checked)
    send = on(Send, source=checked, to=sent)


class FieldAdded(Workflow[LongerParcel], name="parcel", version=2):
    packed = State(initial=True)
    checked = State()
    sent = State(final=True)
    check = on(Send, source=packed, to=checked)
    send = on(Send, source=checked, to=sent)


class StateRemoved(Workflow[Parcel], name="parcel", version=3):
    packed = State(initial=True)
    sent = State(final=True)
    send = on(Send, source=packed, to=sent)


class StateRenamed(Workflow[Parcel], name="parcel", version=4):
    packed = State(initial=True)
    weighed = State(was=("checked",))
    sent = State(final=True)
    check = on(Send, source=packed, to=weighed)
    send = on(Send, source=weighed, to=sent)


@pytest.fixture
def journal() -> Iterator[MemoryJournal]:
    """A journal with one run in each of the first version's states."""
    journal = MemoryJournal()
    with Runner(journal, [First()]) as runner:
        runner.start(First, Parcel("here"), id="packed")
        runner.start(First, Parcel("there"), id="checked").send(Send())
    yield journal
    journal.close()


def moved() -> type[Workflow[Parcel]]:
    """The first version again, from another place in the code."""

    class First(Workflow[Parcel], name="parcel", version=1):
        packed = State(initial=True)
        checked = State()
        sent = State(final=True)
        check = on(Send, source=packed, to=checked)
        send = on(Send, source=checked, to=sent)

    return First


def test_a_module_that_moved_changes_nothing(journal: MemoryJournal) -> None:
    """The hash knows no module paths, so the run simply goes on."""
    assert moved().definition.hash == First.definition.hash
    with Runner(journal, [moved()()]) as runner:
        assert runner.get("checked").send(Send()).verdict == "accepted"
        assert [entry.kind for entry in runner.get("checked").journal()] == ["start", "event", "event"]


def test_a_field_added_is_adopted_and_journaled(journal: MemoryJournal) -> None:
    """The data decodes with the new field's default, and the journal says since when."""
    with Runner(journal, [FieldAdded()]) as runner:
        run = runner.get("checked")
        run.send(Send())
        assert run.result(5).data == LongerParcel("there", 1)
        assert [entry.kind for entry in run.journal()] == ["start", "event", "adopt", "event"]
        assert runner.verify("checked").ok


def test_a_state_removed_holds_the_runs_in_it(journal: MemoryJournal) -> None:
    """They are named and listed, their events wait, the others go on; a roll-back lets them go on, too."""
    with Runner(journal, [StateRemoved()]) as runner:
        assert [(found.id, "no state checked" in found.held) for found in runner.list(held=True)] == [("checked", True)]
        assert runner.get("checked").send(Send(), id="m-1").verdict == "queued"
        assert runner.get("packed").send(Send()).verdict == "accepted"
        assert runner.get("packed").result(5).state == ("sent",)
    with Runner(journal, [First()]) as runner:
        assert runner.list(held=True) == []
        assert runner.get("checked").result(5).state == ("sent",)


def test_a_state_renamed_is_found_by_what_it_was(journal: MemoryJournal) -> None:
    """`was=` carries the run over."""
    with Runner(journal, [StateRenamed()]) as runner:
        run = runner.get("checked")
        assert run.send(Send()).verdict == "accepted"
        assert run.result(5).state == ("sent",)


def test_a_workflow_that_was_not_given_is_held(journal: MemoryJournal) -> None:
    """Its runs are listed with the reason; killing one is always possible."""
    with Runner(journal, [Shop(World())]) as runner:
        assert len(runner.list(held=True)) == 2
        assert all("not given" in found.held for found in runner.list(held=True))


class Fragile(Workflow[Order], name="fragile"):
    world: World

    once = State(initial=True)
    done = State(final=True)

    @step(once, to=done, once=True)
    def charge(self, order: Order) -> Order:
        self.world.calls.append(("charge", None))  # type: ignore[arg-type]
        self.world.gate.wait(20)
        return order


def begun(world: World, times: int) -> None:
    """Come back when steps were begun so often."""
    end = time.monotonic() + 10
    while len(world.calls) < times:
        assert time.monotonic() < end
        time.sleep(0.005)


def die(journal: MemoryJournal, workflow: Workflow[Order], world: World, times: int, *, start: bool) -> None:
    """An owner begins a step and dies while it runs."""
    mine = MemoryJournal(beside=journal)
    runner = Runner(mine, [workflow], grace=0.0)
    with runner:
        if start:
            runner.start(type(workflow), Order("book"), id="o-1")
        begun(world, times)
        mine.abandon()


def test_at_most_once_is_never_simply_repeated() -> None:
    """Found started after a crash it is an incident, and the step has run once."""
    world, journal = World(), MemoryJournal()
    world.gate.clear()
    die(journal, Fragile(world), world, 1, start=True)
    with Runner(journal, [Fragile(world)]) as runner:
        run = runner.get("o-1")
        number = until_incident(run)
        assert run.incidents[0].kind == "lost"
        assert len(world.calls) == 1
        run.done(number, reason="the receipt is there")
        assert run.result(5).state == ("done",)
    world.gate.set()


def test_a_step_that_was_running_at_three_crashes_is_an_incident() -> None:
    """It may be what ends the process; the key stayed the same all along, and `retry` runs it again."""
    world, journal = World(), MemoryJournal()
    world.gate.clear()
    for crash in range(1, 4):
        die(journal, Shop(world), world, crash, start=crash == 1)
    with Runner(journal, [Shop(world)]) as runner:
        run = runner.get("o-1")
        number = until_incident(run)
        assert run.incidents[0].kind == "crashes"
        assert len({call.key for _, call in world.calls}) == 1
        world.gate.set()
        run.retry(number)
        until(run, "waiting")


class Unkind(Workflow[Order], name="unkind"):
    world: World

    holding = State(initial=True)
    held = State()
    gone = State(final=True, compensate=True)

    @step(holding, to=held)
    def hold(self, order: Order, call: Call) -> Order:
        self.world.touch("hold", call)
        self.world.gate.wait(10)
        return order

    @hold.undo
    def let_go(self, order: Order, call: Call) -> None:
        self.world.touch("let go", call)
        self.world.gate.wait(10)

    leave = on(Send, source=held, to=gone)


def test_an_undo_that_was_running_at_three_crashes_is_an_incident() -> None:
    """It is counted like a step, and begins with none of its step's deaths; `retry` undoes the run after all."""
    world, journal = World(), MemoryJournal()
    world.gate.clear()
    for crash in (1, 2):
        die(journal, Unkind(world), world, crash, start=crash == 1)
    world.gate.set()
    with Runner(journal, [Unkind(world)]) as runner:
        until(runner.get("o-1"), "held")
    world.calls.clear()
    world.gate.clear()
    for crash in range(1, 4):
        mine = MemoryJournal(beside=journal)
        with Runner(mine, [Unkind(world)], grace=0.0) as runner:
            if crash == 1:
                runner.send("o-1", Send())
            begun(world, crash)
            mine.abandon()
    with Runner(journal, [Unkind(world)]) as runner:
        run = runner.get("o-1")
        number = until_incident(run)
        assert run.incidents[0].kind == "undo"
        assert "was running at 3 crashes" in run.incidents[0].message
        assert world.names() == ["let go"] * 3
        assert len({call.key for _, call in world.calls}) == 1
        assert [attempt.outcome for attempt in run.story().attempts if attempt.undo] == ["lost"]
        world.gate.set()
        run.retry(number)
        assert run.result(5).state == ("gone",)


def test_what_is_paused_is_not_counted_and_holds_nobody_up() -> None:
    """A step of a run that was paused is not begun, so no death is its doing, and others need not wait for it."""
    world, journal = World(), MemoryJournal()
    world.gate.clear()
    for crash in (1, 2):
        die(journal, Shop(world), world, crash, start=crash == 1)
    mine = MemoryJournal(beside=journal)
    with Runner(mine, [Shop(world)], grace=0.0) as runner:
        runner.get("o-1").pause()
        mine.abandon()
    world.gate.set()
    with Runner(MemoryJournal(beside=journal), [Shop(world)]) as runner:
        until(runner.start(Shop, Order("lamp"), id="o-2"), "waiting")
        run = runner.get("o-1")
        assert not run.incidents
        run.resume()
        until(run, "waiting")


def test_of_steps_that_were_running_at_two_crashes_only_the_guilty_one_is_counted() -> None:
    """They are begun one at a time, so the third crash is told of the one that ran, and the other goes on."""
    world, journal = World(), MemoryJournal()
    world.gate.clear()
    for crash in range(1, 4):
        mine = MemoryJournal(beside=journal)
        with Runner(mine, [Shop(world)], grace=0.0) as runner:
            if crash == 1:
                runner.start(Shop, Order("book"), id="o-1")
                runner.start(Shop, Order("lamp"), id="o-2")
            begun(world, (2, 4, 5)[crash - 1])
            mine.abandon()
    assert len(world.calls) == 5, "one alone after the second crash"
    guilty = world.calls[-1][1].run
    other = {"o-1": "o-2", "o-2": "o-1"}[guilty]
    world.gate.set()
    with Runner(journal, [Shop(world)]) as runner:
        until(runner.get(other), "waiting")
        until_incident(runner.get(guilty))
        assert not runner.get(other).incidents
        assert [call.run for _, call in world.calls[5:]] == [other]


def test_overdue_timers_fire_once_after_downtime(tmp_path: object) -> None:
    """Thirty days down: the deadline fires when somebody owns the file again."""
    clock, world = VirtualClock(), World()
    file = f"{tmp_path}/journal.db"
    with Runner(SQLiteJournal(file), [Shop(world)], clock=clock) as runner:
        until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
    clock.advance(30 * 86_400)
    with Runner(file, [Shop(world)], clock=clock) as runner:
        run = runner.get("o-1")
        assert run.result(5).state == ("rejected",)
        assert [entry.kind for entry in run.journal()].count("timer") == 1
