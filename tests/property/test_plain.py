"""The short way of working an event out says what the whole algorithm says, or nothing."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings

from statemachine import plain
from statemachine.chart import chart_of
from statemachine.definition import Definition, StateSpec, TimerSpec, TransitionSpec, unscoped
from statemachine.errors import HandlerFailed
from statemachine.inputs import Pause, Received
from statemachine.scope import Scope
from statemachine.snapshot import Occurrence, Snapshot
from statemachine.transition import Outcome, start, transition
from tests.property.machines import FUNCTIONS, Tally, definitions, stories
from tests.property.test_core import BEGIN, story
from tests.unit.core.charts import define, step
from tests.unit.core.host import START, stored


def the_long_way(definition: Definition) -> Definition:
    """The same definition, of whose functions nobody says that they look at no scope."""
    functions = {name: types.FunctionType(f.__code__, f.__globals__) for name, f in definition.code.functions.items()}
    return attrs.evolve(definition, code=attrs.evolve(definition.code, functions=functions))


@given(definitions(), stories)
def test_a_random_story_goes_the_same_way(definition: Definition, choices: list[int]) -> None:
    """Snapshots to the byte, commands, verdicts, states left and entered, and errors."""
    keep = stored(definition)
    short, long = story(definition, choices), story(the_long_way(definition), choices)
    assert short == long
    assert [keep.freeze(told.after, None) for told in short] == [keep.freeze(told.after, None) for told in long]


GO = Received(Occurrence("go", 1))
WAYS = [
    TransitionSpec(source="a", events=("go",), guard="even", targets=("b",), actions=("count",)),
    TransitionSpec(source="a", events=("go",), targets=("a",), actions=("count", "copy")),
    TransitionSpec(source="b", events=("go",), actions=("count",)),
]


def machine(*ways: TransitionSpec, functions: Mapping[str, Callable[..., Any]] = {}, **more: Any) -> Definition:
    """Two states that one event moves between."""
    states = more.pop("states", [StateSpec(name="a"), StateSpec(name="b")])
    events = {"go": Any, "later": Any}
    return define(states, ways or WAYS, functions={**FUNCTIONS, **functions}, data=Tally, events=events, **more)


def begun(definition: Definition) -> Snapshot[Any]:
    """A run of it."""
    return start(definition, "r", BEGIN, START).snapshot


@given(stories)
@settings(max_examples=20)
def test_the_common_case_takes_the_short_way(choices: list[int]) -> None:
    """Guards, actions, self-transitions and transitions without a target: each event is worked out without a turn."""
    definition = machine()
    snapshot = begun(definition)
    for choice in choices:
        now = snapshot.now + timedelta(seconds=choice % 3 - 1)
        found = plain.moved(chart_of(definition), snapshot, GO.occurrence, now)
        outcome = transition(the_long_way(definition), snapshot, GO, now)
        assert found is not None
        after, plan = found
        assert Outcome(after, (), "accepted", plan.exits, plan.entries) == outcome
        snapshot = after


def _other_data(_data: Tally, _occurrence: Occurrence, _scope: Scope) -> Any:
    return {"n": 1}


A_TO_B = TransitionSpec(source="a", events=("go",), targets=("b",), actions=("count",))
LONGER: dict[str, Definition] = {
    "an entry handler": machine(A_TO_B, states=[StateSpec(name="a"), StateSpec(name="b", entry=(("count",),))]),
    "an exit handler": machine(A_TO_B, states=[StateSpec(name="a", exit=(("count",),)), StateSpec(name="b")]),
    "a final state": machine(A_TO_B, states=[StateSpec(name="a"), StateSpec(name="b", kind="final")]),
    "a timer to set": machine(A_TO_B, timers=[TimerSpec(state="b", event="later", delay=1.0)]),
    "a timer to cancel": machine(A_TO_B, timers=[TimerSpec(state="a", event="later", delay=1.0)]),
    "a step to begin": machine(A_TO_B, steps=[step("work", "b")]),
    "a step that is pending": machine(attrs.evolve(A_TO_B, targets=()), steps=[step("work", "a")]),
    "a handler that looks at its scope": machine(attrs.evolve(A_TO_B, actions=("send",))),
    "a guard that looks at its scope": machine(
        attrs.evolve(A_TO_B, guard="first"), functions={"first": lambda _data, _occurrence, scope: scope.active("a")}
    ),
    "an eventless transition": machine(A_TO_B, TransitionSpec(source="b", guard="even", targets=("a",))),
    "a handler that gives other data": machine(
        attrs.evolve(A_TO_B, actions=("other",)), functions={"other": unscoped(_other_data)}
    ),
}


@pytest.mark.parametrize("definition", LONGER.values(), ids=LONGER)
def test_everything_else_takes_the_whole_algorithm(definition: Definition) -> None:
    """What has anything to run, set, begin, end or say besides its data is not the common case."""
    assert plain.moved(chart_of(definition), begun(definition), GO.occurrence, START) is None


def test_a_run_that_is_paused_takes_the_whole_algorithm() -> None:
    """Its events wait."""
    definition = machine()
    paused = transition(definition, begun(definition), Pause(), START).snapshot
    assert plain.moved(chart_of(definition), paused, GO.occurrence, START) is None
    assert transition(definition, paused, GO, START).verdict == "deferred"


def test_a_function_that_raises_is_reported_by_the_whole_algorithm() -> None:
    """The sender hears of it, with the function's name."""
    definition = machine(
        attrs.evolve(A_TO_B, actions=("broken",)), functions={"broken": unscoped(lambda *_given: 1 / 0)}
    )
    assert plain.moved(chart_of(definition), begun(definition), GO.occurrence, START) is None
    with pytest.raises(HandlerFailed, match="broken"):
        transition(definition, begun(definition), GO, START)
