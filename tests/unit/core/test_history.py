"""History states whose own state is not left: what is active and stays so is not entered again (SCXML 3.13)."""

from __future__ import annotations

import pytest

from statemachine.definition import Definition, StateSpec, TimerSpec, TransitionSpec
from statemachine.testing.host import Host
from tests.unit.core.charts import Book, compound, define, final, go, noting, parallel, state


def history(name: str, parent: str, default: str, *, deep: bool) -> StateSpec:
    """A history state."""
    there = TransitionSpec(source=name, targets=(default,))
    return StateSpec(name=name, parent=parent, kind="history", deep=deep, default=there)


def inside(*, deep: bool) -> Definition:
    """A transition between two states of `inner`, by way of a history of `outer` that remembers nothing yet."""
    return define(
        [
            compound("outer", "inner", entry=(("note",),)),
            history("h", "outer", "b", deep=deep),
            compound("inner", "a", "outer", entry=(("note",),)),
            state("a", "inner"),
            state("b", "inner"),
            final("end"),
        ],
        [go("a", "on", "h"), go("b", "off", "end"), go("outer", "after.outer", "end")],
        timers=[TimerSpec(state="outer", event="after.outer", delay=100.0)],
        functions={"note": noting("entered")},
    )


@pytest.mark.parametrize("deep", [False, True])
def test_states_around_a_transition_are_not_entered_again(deep: bool) -> None:
    """Their handlers do not run again, and their deadlines are not set a second time."""
    host = Host(inside(deep=deep), Book())
    outer, timers = host.snapshot.visits["outer"], host.snapshot.timers
    host.send("on")
    assert host.snapshot.states == ("b",)
    assert host.snapshot.data.log == ("entered", "entered")
    assert host.snapshot.visits["outer"] == outer
    assert host.snapshot.timers == timers


def test_a_region_beside_stays_where_it_is() -> None:
    """It is not begun a second time: a compound state has one active child (SCXML 3.11)."""
    host = Host(
        define(
            [
                compound("outer", "both"),
                history("h", "outer", "b1", deep=True),
                parallel("both", "outer"),
                compound("left", "a1", "both"),
                state("a1", "left"),
                state("b1", "left"),
                compound("right", "a2", "both"),
                state("a2", "right"),
                state("b2", "right"),
                final("end"),
            ],
            [go("a1", "one", "h"), go("a2", "two", "b2"), go("b1", "off", "end"), go("b2", "off", "end")],
        ),
        Book(),
    )
    host.send("two")
    host.send("one")
    assert host.snapshot.states == ("b1", "b2")
    assert sorted(host.snapshot.visits) == ["b1", "b2", "both", "left", "outer", "right"]
