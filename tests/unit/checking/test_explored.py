"""The explorer and the core agree on random definitions: each place that one reaches, the other reaches too.

The naive search here drives the real core: from each snapshot, every event, timer and outcome, and for each of these
every sequence of answers that its guards may give.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import attrs
import msgspec
from hypothesis import assume, event, example, given, reject
from hypothesis import strategies as st

from statemachine import macrostep
from statemachine.chart import Arc
from statemachine.checking import check
from statemachine.checking.explore import explore
from statemachine.checking.structure import Structure
from statemachine.checking.walker import Walker
from statemachine.definition import Code, Definition
from statemachine.errors import EndlessLoop
from statemachine.inputs import Begin, Elapsed, Failed, Input, Received, Succeeded
from statemachine.snapshot import Failure, Occurrence, Snapshot
from statemachine.transition import start, transition
from statemachine.turn import Turn
from tests.unit.checking.building import INNER_LAST, arc, compound, final, machine, state
from tests.unit.checking.drawn import EVENTS, definitions

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MOST = 150
"""Snapshots, and sequences of answers to one input, past which an example is too large for the naive search."""
BROKE = Failure("Broke", "it did")
Found = tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...], bool]


class Oracle:
    """Answers guards from a script; in one selection, a guard that is asked again answers the same."""

    def __init__(self) -> None:
        self.script: list[bool] = []
        self.given: list[bool] = []
        self.said: dict[str, bool] = {}

    def guard(self, name: str) -> Callable[..., bool]:
        """The guard of this name."""

        def answer(*_: object) -> bool:
            if name not in self.said:
                known = len(self.given) < len(self.script)
                self.given.append(self.script[len(self.given)] if known else False)
                self.said[name] = self.given[-1]
            return self.said[name]

        return answer

    def each(self, happen: Callable[[], Snapshot[Any]]) -> Iterator[Snapshot[Any]]:
        """What happens for each sequence of answers."""
        self.script = []
        for _ in range(MOST):
            self.given = []
            yield happen()
            while self.given and self.given[-1]:
                self.given.pop()
            if not self.given:
                return
            self.script = [*self.given[:-1], True]
        reject()


def naive(definition: Definition) -> set[Found]:
    """Every place of a definition's runs, found by driving the core."""
    oracle = Oracle()
    guards = {one.guard: oracle.guard(one.guard) for one in definition.transitions if one.guard}
    bound = attrs.evolve(definition, code=Code(functions=guards))
    original = macrostep.select

    def select(turn: Turn, name: str) -> tuple[Arc, ...]:
        oracle.said = {}
        return original(turn, name)

    def begin() -> Snapshot[Any]:
        return start(bound, "run", Begin({}, "nonce"), NOW).snapshot

    def after(snapshot: Snapshot[Any], told: Input) -> Callable[[], Snapshot[Any]]:
        return lambda: transition(bound, snapshot, told, NOW).snapshot

    with patch.object(macrostep, "select", select), patch.object(macrostep, "LONGEST", 60):
        known: dict[Any, Snapshot[Any]] = {}
        waiting: deque[Iterator[Snapshot[Any]]] = deque([oracle.each(begin)])
        while waiting:
            for snapshot in waiting.popleft():
                if any(one.failure is not None for one in snapshot.incidents):
                    reject()
                key = _key(snapshot)
                if key not in known:
                    known[key] = snapshot
                    waiting.extend(oracle.each(after(snapshot, told)) for told in _inputs(bound, snapshot))
            if len(known) > MOST:
                reject()
    return {_found(snapshot) for snapshot in known.values()}


def _inputs(definition: Definition, snapshot: Snapshot[Any]) -> Iterator[Input]:
    """All that may happen to a run next, but for what only a person or a failure without a way on does."""
    if snapshot.over:
        return
    for name in EVENTS:
        yield Received(Occurrence(name))
    for timer in snapshot.timers:
        yield Elapsed(timer.number)
    steps = {step.name: step for step in definition.steps}
    for pending in snapshot.pending:
        step = steps[pending.step]
        yield Succeeded(pending.step, pending.visit)
        for arm in range(len(step.errors)):
            yield Failed(pending.step, pending.visit, BROKE, arm=arm)
        if step.failed:
            yield Failed(pending.step, pending.visit, BROKE)


def _key(snapshot: Snapshot[Any]) -> object:
    pending = sorted(one.step for one in snapshot.pending)
    timers = sorted(one.event for one in snapshot.timers)
    return msgspec.json.encode([_found(snapshot), pending, timers, snapshot.status])


def _found(snapshot: Snapshot[Any]) -> Found:
    return snapshot.states, tuple(sorted(snapshot.history.items())), snapshot.pivoted


BACK_AND_FORTH = machine(
    (
        state("both", kind="parallel"),
        *(compound("both.a", "two"), state("both.a.one"), state("both.a.two")),
        *(compound("both.b", "one"), state("both.b.one"), state("both.b.two")),
        final("end"),
    ),
    (arc("both.b.one", "A", "both.b.two"), arc("both.a.two", "A", "both.a.one"), arc("both", "B", "end")),
)
"""One event moves every region, and not in the order of the document."""


@given(definitions())
@example(BACK_AND_FORTH)
@example(INNER_LAST)
def test_explorer_and_core_reach_the_same(definition: Definition) -> None:
    """Configurations, history and whether the pivot has happened are the same, and none is missed by either."""
    graph = explore(Walker(definition))
    assume(graph.complete)  # a rare drawing has more than is explored
    try:
        expected = naive(definition)
    except EndlessLoop:
        reject()
    seen = {(place.leaves, place.history, place.pivoted) for place in graph.places if place.at_rest}
    event(f"{len(expected) // 5 * 5} places or more")
    assert seen == expected


@given(definitions())
def test_structure_alone_misses_nothing(definition: Definition) -> None:
    """What it says can never be never is: it may take more for possible than there is, and never less."""
    walker = Walker(definition)
    graph, structure = explore(walker), Structure(walker)
    assert {name for place in graph.places for name in walker.active(place)} <= structure.states
    assert {order for edge in graph.all_edges() for order in edge.arcs} <= set(structure.taken)
    assert {edge.event for edge in graph.all_edges()} <= structure.happened
    ends = graph.coreached([index for index, place in enumerate(graph.places) if walker.over(place)])
    assert not structure.dead & {leaf for index in ends for leaf in graph.places[index].leaves}


@given(definitions(), st.booleans())
def test_what_is_never_reached_is_told(definition: Definition, whole: bool) -> None:
    """By whichever finding: each state that no run is ever in is named, and only such are said to be."""
    report = check(definition) if whole else check(definition, work=15)
    walker = Walker(definition)
    reached = {name for place in explore(walker).places for name in walker.active(place)}
    unreached = {one.name for one in definition.states if one.kind != "history"} - reached
    told = {name for one in report.findings for name in one.about}
    assert not {name for one in report.findings if one.code == "unreachable" for name in one.about} & reached
    if report.explored.whole:
        assert unreached <= told


def test_the_drawn_definitions_have_all_features() -> None:
    """What is compared is worth comparing: each feature occurs often among what is drawn."""
    occurred: Counter[str] = Counter()

    @given(definitions())
    def look(definition: Definition) -> None:
        occurred.update({one.kind for one in definition.states})
        occurred.update({"eventless" for one in definition.transitions if not one.events})
        occurred.update({"guard" for one in definition.transitions if one.guard})
        occurred.update({"done" for one in definition.transitions if "done.state." in str(one.events)})
        occurred.update({"timer" for _ in definition.timers} | {"step" for _ in definition.steps})
        occurred.update({"deep" for one in definition.states if one.deep})
        occurred.update({"pivot" for one in definition.steps if one.pivot})

    look()
    wanted = {"compound", "parallel", "history", "eventless", "guard", "done", "timer", "step", "deep", "pivot"}
    assert {name for name in wanted if occurred[name] < 3} == set()
