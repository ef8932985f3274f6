"""Every commit and every step passes a point with a name, in order."""

from __future__ import annotations

import inspect

import attrs
import pytest

from persistence import Change, EntryRecord, Journal, MemoryJournal
from statemachine import Call, Connection, Event, Runner, State, Workflow, evolve, on, step, transaction
from statemachine.testing import journal_points, step_points, watched, watched_steps
from statemachine.testing.points import Unnamed
from tests.unit.runner.desk import until


@attrs.frozen
class Order:
    paid: bool = False
    sent: bool = False


class Pay(Event, frozen=True):
    pass


class Withdraw(Event, frozen=True):
    pass


class Shop(Workflow[Order], name="shop"):
    packing = State(initial=True)
    waiting = State()
    paying = State()
    done = State(final=True)
    withdrawn = State(final=True, compensate=True)

    @step(packing, to=waiting)
    async def pack(self, order: Order) -> Order:
        return order

    @pack.undo
    def unpack(self, order: Order, call: Call) -> None:
        pass

    pay = on(Pay, source=waiting, to=paying)
    withdraw = on(Withdraw, source=waiting, to=withdrawn)

    @transaction(paying, to=done)
    def book(self, order: Order, connection: Connection) -> Order:
        return evolve(order, paid=True)


def test_a_run_passes_its_points_in_order() -> None:
    """Owner, start, step, event, transaction, closing: each commit is passed before and after, by what it records."""
    passed: list[str] = []
    with Runner(watched(MemoryJournal(), passed.append), [watched_steps(Shop(), passed.append)]) as runner:
        run = runner.start(Shop, Order(), id="o-1")
        until(run, "waiting")
        run.send(Pay())
        assert run.result(timeout=10).state == ("done",)
    assert passed == [
        "before claim",
        "after claim",
        *("before mark", "after mark"),
        *("before start", "after start"),
        *("before step pack", "after step pack"),
        *("before succeeded", "after succeeded"),
        *("before event", "after event"),
        *("before transaction", "before step book", "after step book", "before succeeded"),
        *("after transaction", "after succeeded"),
        *("before unmark", "after unmark"),
        *("before release", "after release"),
    ]


def test_undoing_passes_the_undo_and_its_record() -> None:
    """The undo of a step has points of its own, and so has the transition that records it."""
    passed: list[str] = []
    with Runner(watched(MemoryJournal(), passed.append), [watched_steps(Shop(), passed.append)]) as runner:
        run = runner.start(Shop, Order(), id="o-1")
        until(run, "waiting")
        run.send(Withdraw())
        assert run.result(timeout=10).state == ("withdrawn",)
    begin = passed.index("before undo pack")
    assert passed[begin : begin + 4] == ["before undo pack", "after undo pack", "before undone", "after undone"]


def test_every_point_passed_is_one_that_can_be_named() -> None:
    """What a test can pass is in the list that a test can enumerate."""
    passed: list[str] = []
    with Runner(watched(MemoryJournal(), passed.append), [watched_steps(Shop(), passed.append)]) as runner:
        runner.start(Shop, Order(), id="o-1").cancel()
    assert set(passed) <= {*journal_points(), *step_points(Shop())}
    assert step_points(Shop()) == (
        *("before step pack", "after step pack", "before step book", "after step book"),
        *("before undo pack", "after undo pack"),
    )


def test_no_method_of_a_journal_is_without_a_point_or_a_reason() -> None:
    """What the protocol has, a watched journal has: with points where it commits, without where it does not."""
    journal = watched(MemoryJournal(), lambda _: None)
    for name, _ in inspect.getmembers(Journal, lambda member: callable(member) or isinstance(member, property)):
        if not name.startswith("_"):
            assert getattr(journal, name) is not None
    with pytest.raises(Unnamed, match=r"Journal\.vacuum"):
        journal.vacuum()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "change",
    [
        Change(),
        Change(dropped=(("r", 1),)),
        Change(entries=(EntryRecord(run="r", seq=0, at=0, kind="news", definition="", states=(), body=b""),)),
    ],
    ids=["empty", "dropped", "kind"],
)
def test_a_commit_without_a_name_is_refused(change: Change) -> None:
    """A new kind of commit cannot come in without a point of its own: the first test that makes it fails."""
    journal = watched(MemoryJournal(), lambda _: None)
    epoch = journal.claim("test", 15)
    with pytest.raises(Unnamed):
        journal.commit(epoch, [change])


def test_a_hook_that_raises_before_a_commit_keeps_it_from_happening() -> None:
    """A failure at `before start` is what the caller gets, and nothing was written; at `after start` it was."""

    def fail(point: str) -> None:
        if point == failing:
            raise OSError(point)

    failing = ""
    with Runner(watched(MemoryJournal(), fail), [Shop()]) as runner:
        failing = "before start"
        with pytest.raises(OSError, match="before start"):
            runner.start(Shop, Order(), id="o-1")
        assert not runner.list()
        failing = "after start"
        with pytest.raises(OSError, match="after start"):
            runner.start(Shop, Order(), id="o-1")
        failing = ""
        assert [run.id for run in runner.list()] == ["o-1"]
