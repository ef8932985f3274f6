"""The saga in parallel regions and in a loop: undone in commit order over all regions, reversed; each visit once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest

from statemachine.definition import Definition
from statemachine.inputs import Failed, Input, Succeeded
from statemachine.retry import Retry
from statemachine.snapshot import Failure
from statemachine.testing.host import Host
from tests.unit.core.charts import Book, compound, define, final, go, parallel, state, step

LEFT, RIGHT = ("l1", "l2"), ("r1", "r2")
STEPS = (*LEFT, *RIGHT)


def two_regions() -> Definition:
    """Two regions of two steps each, joined; then one more step. A declared error of any leads to `declined`."""
    ways = [
        go("l1", "done.step.l1", "l2"),
        go("l2", "done.step.l2", "l.end"),
        go("r1", "done.step.r1", "r2"),
        go("r2", "done.step.r2", "r.end"),
        go("both", "done.state.both", "last"),
        go("last", "done.step.last", "paid"),
        go("last", "error.step.last.0", "declined"),
        go("both", "give-up", "declined"),
        *(go(name, f"error.step.{name}.0", "declined") for name in STEPS),
    ]
    return define(
        [
            parallel("both"),
            compound("l", "l1", "both"),
            state("l1", "l"),
            state("l2", "l"),
            final("l.end", "l"),
            compound("r", "r1", "both"),
            state("r1", "r"),
            state("r2", "r"),
            final("r.end", "r"),
            state("last"),
            final("paid"),
            final("declined", compensate=True),
        ],
        ways,
        steps=[step(name, name, errors=("Declined",), retry=Retry(1)) for name in (*STEPS, "last")],
    )


ORDERS = sorted({order for order in permutations(STEPS) if order.index("l1") < order.index("l2")})
ORDERS = [order for order in ORDERS if order.index("r1") < order.index("r2")]


def cases() -> Iterator[tuple[tuple[str, ...], int, str, str]]:
    """Every order of completion, cut at every point by each kind of end, the other region's attempt ending each way."""
    for order in ORDERS:
        for at in range(5):
            for how in ("declared", "failed", "cancel", "event"):
                for other in ("stopped", "succeeded", "declared"):
                    yield order, at, how, other


@pytest.mark.parametrize(("order", "at", "how", "other"), list(cases()))
@pytest.mark.parametrize("forgetful", [False, True])
def test_regions_are_undone_in_commit_order_reversed(
    order: tuple[str, ...], at: int, how: str, other: str, forgetful: bool
) -> None:
    """Whatever the order of completion and wherever it is cut, the stack is the order of commits over all regions."""
    if at == 4 and how == "event":
        how = "cancel"
    host = Host(two_regions(), Book())
    committed = list(order[:at])
    for name in committed:
        host.succeed(name, **_wrote(name))
    failing = order[at] if at < 4 else "last"
    running = {command.step for command in host.running.values()}
    if how == "declared":
        host.fail(failing, arm=0)
    elif how == "failed":
        host.fail(failing)
    elif how == "cancel":
        host.cancel()
    else:
        host.send("give-up")
    gone = how in {"declared", "failed"}
    stopped = running - {failing} if gone else running
    assert {command.step for command in host.cancelling.values()} == stopped
    unknown = [failing] if how == "failed" else []
    stack = [done.step for done in host.snapshot.undo]
    assert stack[: len(committed)] == committed
    assert set(stack[len(committed) :]) == stopped | set(unknown)
    for name in sorted(stopped):
        assert host.undo_under_way() is None
        _end_late(host, name, other)
        if other == "declared":
            stack.remove(name)
    if forgetful:
        host.forgetful = True
        host.crash()
    host.unwind()
    assert [name for name, _ in host.undone()] == stack[::-1]
    assert len(set(host.undone())) == len(host.undone())
    assert (
        host.ended() == {"declared": "completed", "failed": "failed", "cancel": "cancelled", "event": "completed"}[how]
    )
    fields = {deed.step: dict(deed.fields) for deed in host.deeds if deed.what == "undo"}
    assert all(fields[name] == _wrote(name) for name in committed)
    if other == "succeeded":
        assert all(fields[name] == {"c": 7} for name in stopped)
    assert host.retold() == host.snapshot


def _wrote(name: str) -> dict[str, int]:
    return {"a" if name in LEFT else "b": STEPS.index(name) + 1}


def _end_late(host: Host, name: str, how: str) -> None:
    visit = next(visit for visit, command in host.cancelling.items() if command.step == name)
    if how == "stopped":
        host.stop(name)
        return
    del host.cancelling[visit]
    told = (
        Succeeded(name, visit, {"c": 7})
        if how == "succeeded"
        else Failed(name, visit, Failure("Declined", "no"), arm=0)
    )
    assert host.tell(told).verdict == "accepted"


def test_both_regions_done_is_joined() -> None:
    """In every order of completion the parallel state is done once, after its last region."""
    for order in ORDERS:
        host = Host(two_regions(), Book())
        for name in order[:3]:
            host.succeed(name)
        assert host.state != ("last",)
        host.succeed(order[3])
        assert host.state == ("last",)


# A loop.


def loop() -> Definition:
    """One step in a loop, and a second state to come back from."""
    return define(
        [state("work"), state("rest"), final("paid"), final("declined", compensate=True)],
        [
            go("work", "done.step.turn", "rest"),
            go("work", "error.step.turn.0", "declined"),
            go("work", "hurry", "work"),
            go("rest", "again", "work"),
            go("rest", "stop", "declined"),
        ],
        steps=[step("turn", "work", errors=("Declined",), retry=Retry(2))],
    )


@pytest.mark.parametrize("turns", [1, 2, 5])
@pytest.mark.parametrize("end", ["stop", "declared", "failed"])
@pytest.mark.parametrize("forgetful", [False, True])
def test_each_turn_of_a_loop_is_a_visit_of_its_own_and_is_undone_once(turns: int, end: str, forgetful: bool) -> None:
    """Each visit has its own key and its own fields, and they are undone last first."""
    host = Host(loop(), Book(), forgetful=forgetful)
    for turn in range(turns):
        host.succeed("turn", a=turn + 1)
        if turn + 1 < turns or end != "stop":
            host.send("again")
    if end == "stop":
        host.send("stop")
    else:
        host.fail("turn", final=True, arm=0 if end == "declared" else None)
    host.unwind()
    keys = [command.key for command in host.begun]
    assert len(set(keys)) == len(keys)
    fields = [deed.fields for deed in host.deeds if deed.what == "undo"]
    expected = [(("a", turn),) for turn in range(turns, 0, -1)]
    assert fields == ([(), *expected] if end == "failed" else expected)
    undone = [visit for _, visit in host.undone()]
    assert undone == sorted(set(undone), reverse=True)
    assert host.ended() == ("failed" if end == "failed" else "completed")


@pytest.mark.parametrize("late", ["stopped", "succeeded", "declared", "failed", "never"])
@pytest.mark.parametrize("after", ["before the next", "after the next"])
def test_a_late_outcome_of_a_left_visit_only_tells_the_undo_stack(late: str, after: str) -> None:
    """A visit left while its step ran: its outcome changes neither state nor data, but what is undone and with what."""
    host = Host(loop(), Book())
    first = host.visit("turn")
    host.send("hurry")
    second = host.visit("turn")
    assert second != first
    assert list(host.cancelling) == [first]
    if after == "after the next":
        host.succeed("turn", a=2)
    before = host.snapshot
    if late != "never":
        del host.cancelling[first]
        outcomes: dict[str, Input] = {
            "stopped": Failed("turn", first, Failure("Cancelled", "")),
            "succeeded": Succeeded("turn", first, {"a": 1}),
            "declared": Failed("turn", first, Failure("Declined", ""), arm=0),
            "failed": Failed("turn", first, Failure("Trouble", "")),
        }
        told = outcomes[late]
        assert host.tell(told).verdict == "accepted"
        assert host.snapshot.data == before.data
        assert host.state == before.states
        assert host.tell(told).verdict == "late"
    if after == "before the next":
        host.succeed("turn", a=2)
    host.send("stop")
    if late == "never":
        assert host.undo_under_way() is None, "the undo waits until the first attempt has stopped, visit by visit"
    host.unwind()
    undone = {deed.visit: deed.fields for deed in host.deeds if deed.what == "undo"}
    expected = {second: (("a", 2),), first: (("a", 1),) if late == "succeeded" else ()}
    if late == "declared":
        del expected[first]
    assert undone == expected
    assert list(undone) == sorted(undone, reverse=True), "the visit left first stands deeper in the stack"


@pytest.mark.parametrize("order", [("one", "two", "three"), ("three", "two", "one"), ("one", "three", "two")])
def test_a_parallel_state_that_is_a_region_of_another_joins_both(order: tuple[str, ...]) -> None:
    """Whichever region is done last, the outer state is done with it, and not before."""
    definition = define(
        [
            parallel("outer"),
            parallel("inner", "outer"),
            *(
                spec
                for name, around in (("one", "inner"), ("two", "inner"), ("three", "outer"))
                for spec in (
                    compound(name, f"{name}.on", around),
                    state(f"{name}.on", name),
                    final(f"{name}.end", name),
                )
            ),
            state("joined"),
        ],
        [
            *(go(f"{name}.on", name, f"{name}.end") for name in order),
            go("outer", "done.state.outer", "joined"),
        ],
    )
    host = Host(definition, Book())
    for name in order:
        assert host.state != ("joined",)
        host.send(name)
    assert host.state == ("joined",)
