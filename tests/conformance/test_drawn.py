"""The core and a naive interpreter agree on statecharts that nobody thought of, also when all is stored in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

from statemachine import macrostep
from statemachine.chart import Arc, Chart
from statemachine.snapshot import Snapshot
from statemachine.turn import Turn
from tests.conformance.agreement import PATIENCE, agree
from tests.conformance.census import Watched
from tests.conformance.drawing import ANEW, SAMPLE, Story, seeded, stories
from tests.conformance.drawn import Drawn, DrawnMachine, DrawnState

SEED = 20150901


@pytest.fixture(autouse=True, scope="module")
def _impatient() -> Iterator[None]:
    """Many drawn machines loop for ever; that shows soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(macrostep, "LONGEST", PATIENCE)
        yield


def _region(name: str, event: str) -> DrawnState:
    to_end = Drawn(events=(event,), targets=(f"{name}.end",))
    children = (
        DrawnState(name=f"{name}.on", kind="atomic", transitions=(to_end,)),
        DrawnState(name=f"{name}.end", kind="final"),
    )
    return DrawnState(name=name, kind="compound", children=children, initial=Drawn(targets=(f"{name}.on",)))


def _inner_last() -> Story:
    inner = DrawnState(name="inner", kind="parallel", children=(_region("one", "a"),))
    joined = Drawn(events=("done.state.outer",), targets=("end",))
    outer = DrawnState(name="outer", kind="parallel", children=(inner, _region("two", "a.x")), transitions=(joined,))
    machine = DrawnMachine(children=(outer, DrawnState(name="end", kind="final")), initial=Drawn(targets=("outer",)))
    return machine, [("event", "a.x", 0), ("event", "a", 0)]


@settings(
    max_examples=max(ANEW, settings().max_examples),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(stories())
@example(_inner_last())
def test_the_core_agrees_with_the_naive_interpreter(story: Story) -> None:
    """The same configuration, data, history, timers and commands after every event, also going on from bytes."""
    agree(*story)


OFTEN = {
    "taken by a state around": 120,
    "timer forgotten on exit": 90,
    "an event that nothing takes": 80,
    "final state, two or more deep": 80,
    "eventless": 80,
    "error in content or guard": 70,
    "initial transition further in": 60,
    "by a compound state that is done": 60,
    "a parallel state active": 60,
    "targetless": 50,
    "loops for ever": 50,
    "content of a history's default": 50,
    "one preempts another": 40,
    "delayed send arrives": 40,
    "done data seen": 40,
    "by the beginning of a name": 40,
    "send cancelled by id": 40,
    "deep history, default": 30,
    "shallow history, default": 30,
    "In() is False": 30,
    "by an error": 30,
    "deep history, recalled": 30,
    "shallow history, recalled": 20,
    "timer of a state fires": 20,
    "error in a guard": 20,
    "internal into its own state": 20,
    "several transitions at once": 20,
    "by any event": 20,
    "delayed send to elsewhere": 20,
    "In() is True": 20,
    "parallel states in each other": 20,
    "the inner preempts the earlier": 20,
    "external self-transition": 15,
    "several targets": 15,
    "over": 10,
    "all regions done": 5,
    "over with done data": 5,
    "history of a state that is not left": 5,
    "by a parallel state that is done": 5,
}
"""How many of the sample must come to do what: about half of what they did when this was written."""


def test_what_is_drawn_comes_to_do_everything() -> None:
    """Statecharts in which nothing happens would agree on anything."""
    counted: Counter[str] = Counter()
    for machine, happened in seeded(SEED, SAMPLE):
        watched = Watched(machine)
        agree(machine, happened, watched)
        counted.update(watched.seen)
    assert counted.keys() == OFTEN.keys()
    assert {feature: counted[feature] for feature, least in OFTEN.items() if counted[feature] < least} == {}


Fault = Callable[[pytest.MonkeyPatch], None]


def _the_earlier_wins(patch: pytest.MonkeyPatch) -> None:
    def without_conflicts(
        chart: Chart, enabled: tuple[Arc, ...], leaves: tuple[str, ...], history: Mapping[str, tuple[str, ...]]
    ) -> tuple[Arc, ...]:
        kept: list[Arc] = []
        left: set[str] = set()
        for arc in enabled:
            leaving = chart.exit_set(arc, leaves, history)
            if not left & leaving:
                kept.append(arc)
                left |= leaving
        return tuple(sorted(kept, key=lambda arc: arc.order))

    patch.setattr(Chart, "_without_conflicts", without_conflicts)


def _deep_history_is_shallow(patch: pytest.MonkeyPatch) -> None:
    remembered: Any = Chart._remembered

    def shallow(self: Chart, exits: frozenset[str], leaves: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        found: list[tuple[str, tuple[str, ...]]] = []
        for history, states in remembered(self, exits, leaves):
            parent = self.nodes[history].ancestors[0]
            inside = {name for state in states for name in (state, *self.nodes[state].ancestors)}
            found.append((history, tuple(child for child in self.nodes[parent].children if child in inside)))
        return tuple(found)

    patch.setattr(Chart, "_remembered", shallow)


def _regions_are_never_done(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Chart, "in_final", lambda *_: False)


def _a_send_is_not_cancelled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Turn, "note_unsend", lambda *_: None)


def _a_snapshot_loses_history(patch: pytest.MonkeyPatch) -> None:
    freeze = Turn.freeze

    def forgetful(self: Turn) -> Snapshot[Any]:
        self.history = {}
        return freeze(self)

    patch.setattr(Turn, "freeze", forgetful)


def _internal_transitions_are_external(patch: pytest.MonkeyPatch) -> None:
    common: Any = Chart._common

    def external(self: Chart, arc: Arc, targets: tuple[str, ...]) -> Any:
        return next((name for name in [common(self, arc, targets)] if name != arc.source), "")

    patch.setattr(Chart, "_common", external)


@pytest.mark.parametrize(
    "fault",
    [
        _the_earlier_wins,
        _deep_history_is_shallow,
        _regions_are_never_done,
        _a_send_is_not_cancelled,
        _a_snapshot_loses_history,
        _internal_transitions_are_external,
    ],
)
def test_a_core_with_a_fault_is_found_out(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them within the sample."""
    fault(monkeypatch)
    with pytest.raises(AssertionError):  # noqa: PT012 -- which of them finds it is not asked
        for machine, happened in seeded(SEED, SAMPLE):
            agree(machine, happened)
