"""The short way of working a step's success out says what the whole algorithm says, or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given

from statemachine import straight
from statemachine.chart import chart_of
from statemachine.definition import Definition, StateSpec, TransitionSpec
from statemachine.inputs import Pause, Succeeded
from statemachine.snapshot import Snapshot
from statemachine.testing.host import START, stored
from statemachine.transition import Outcome, start, transition
from tests.property.machines import FUNCTIONS, Tally, definitions, stories
from tests.property.test_core import BEGIN, story
from tests.unit.core.charts import define, step


@given(definitions(), stories)
def test_a_random_story_goes_the_same_way(definition: Definition, choices: list[int]) -> None:
    """Snapshots to the byte, commands, verdicts, states left and entered, and errors."""
    keep = stored(definition)
    short = story(definition, choices)
    with patch.object(straight, "succeeded", return_value=None):
        long = story(definition, choices)
    assert short == long
    assert [keep.freeze(told.after, None) for told in short] == [keep.freeze(told.after, None) for told in long]


def machine(**more: Any) -> Definition:
    """a → b → c → a, each with a step."""
    names = ("a", "b", "c")
    ways = [
        TransitionSpec(source="a", events=("done.step.w-a",), guard="even", targets=("b",), actions=("count",)),
        TransitionSpec(source="a", events=("done.step.w-a",), targets=("c",), actions=("count", "copy")),
        TransitionSpec(source="b", events=("done.step.w-b",), targets=("c",)),
        TransitionSpec(source="c", events=("done.step.w-c",), targets=("a",)),
    ]
    works = [step(f"w-{name}", name, **{"undo": False, **more}) for name in names]
    return define([StateSpec(name=name) for name in names], ways, steps=works, functions=FUNCTIONS, data=Tally)


def begun(definition: Definition) -> Snapshot[Tally]:
    """A run of it."""
    return start(definition, "r", BEGIN, START).snapshot


@given(stories)
def test_the_common_case_takes_the_short_way(choices: list[int]) -> None:
    """Guards, actions, changed data, the clock going back: each success is worked out without a turn."""
    definition = machine()
    snapshot = begun(definition)
    for choice in choices:
        (pending,) = snapshot.pending
        now = snapshot.now + timedelta(seconds=choice % 3 - 1)
        told = Succeeded(pending.step, pending.visit, {"n": choice} if choice % 2 else {}, choice)
        found = straight.succeeded(chart_of(definition), snapshot, told, now)
        with patch.object(straight, "succeeded", return_value=None):
            outcome = transition(definition, snapshot, told, now)
        assert found is not None
        after, commands, plan = found
        assert Outcome(after, commands, "accepted", plan.exits, plan.entries) == outcome
        snapshot = after


@pytest.mark.parametrize("more", [{"pivot": True}, {"undo": True}], ids=str)
def test_what_sagas_know_of_takes_the_whole_algorithm(more: dict[str, Any]) -> None:
    """A pivot drops the stack, a step with an undo is put on it."""
    definition = machine(**more)
    snapshot = begun(definition)
    told = Succeeded("w-a", snapshot.pending[0].visit)
    assert straight.succeeded(chart_of(definition), snapshot, told, START) is None


def test_a_run_that_is_paused_and_an_outcome_that_is_late_take_the_whole_algorithm() -> None:
    """A paused run begins nothing; nobody waits for a visit that was left."""
    definition = machine()
    snapshot = begun(definition)
    late = Succeeded("w-a", snapshot.pending[0].visit + 7)
    assert straight.succeeded(chart_of(definition), snapshot, late, START) is None
    paused = transition(definition, snapshot, Pause(), START).snapshot
    told = Succeeded("w-a", snapshot.pending[0].visit)
    assert straight.succeeded(chart_of(definition), paused, told, START) is None
    assert transition(definition, paused, told, START).commands == ()
