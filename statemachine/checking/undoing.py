"""The rules of sagas: what stands before the pivot can be undone, what stands after it goes forward.

And what a step's kind promises: one that runs at most once is not attempted again.
"""

from __future__ import annotations

from collections.abc import Iterator

from statemachine.checking.case import Case
from statemachine.checking.explore import Edge
from statemachine.definition import StepSpec


def check(case: Case) -> None:
    """Find what breaks them."""
    saga = _Saga(case)
    for step in case.definition.steps:
        saga.attempts(step)
        if saga.cycle(step):
            continue
        saga.gives_up(step)
        if not step.pivot:
            saga.uncompensated(step)
    _undone_late(case)


class _Saga:
    """The rules, with what they share: each looks at the places where a step runs, and not at all."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._component = case.graph.components(lambda _edge: True)
        self._running: dict[str, list[int]] = {step.name: [] for step in case.definition.steps}
        steps = {step.state: step for step in case.definition.steps}
        pivots = {step.succeeded_event for step in case.definition.steps if step.pivot}
        for index, place in enumerate(case.graph.places):
            for leaf in place.leaves if place.at_rest else ():
                step = steps.get(leaf)
                if step is not None and f"{step.state} {step.name}" not in place.spent:
                    self._running[step.name].append(index)
        self._deciding = {edge.source for edge in case.graph.all_edges() if edge.event in pivots}
        self._before = case.graph.coreached(self._deciding)

    def _edges(self, step: StepSpec) -> Iterator[Edge]:
        """What may happen while a step runs."""
        for index in self._running[step.name]:
            yield from self._case.graph.edges[index]

    def attempts(self, step: StepSpec) -> None:
        """At most once is once."""
        if step.kind == "at-most-once" and step.retry.attempts > 1:
            self._case.find(
                "error",
                "retried-once",
                (step.name, step.state),
                f"Step {step.name!r} runs at most once, and has {step.retry.attempts} attempts. Leave it one.",
                at=self._case.first.get(step.state),
            )

    def cycle(self, step: StepSpec) -> bool:
        """A pivot happens once, else True; and each turn of a loop adds to what may have to be undone."""
        case = self._case
        if not step.pivot and step.undo is None:
            return False
        for edge in self._edges(step):
            if edge.event != step.succeeded_event or self._component[edge.source] != self._component[edge.target]:
                continue
            if step.pivot:
                said = f"Pivot {step.name!r} can come again after itself; what it decides is decided once in a run."
                case.find("error", "pivot-cycle", (step.name, step.state), said, at=edge.source, then=(edge,))
                return True
            if not case.graph.places[edge.source].pivoted:
                said = f"Step {step.name!r} is on a loop and has an undo: the snapshot grows with each turn."
                then = (edge, *case.graph.way(edge.target, {edge.source}))
                case.find("warning", "undo-cycle", (step.name, step.state), said, at=edge.source, then=then)
                return False
        return False

    def uncompensated(self, step: StepSpec) -> None:
        """What comes before a pivot can be undone, or has no effect."""
        if step.undo is not None or not step.effect:
            return
        edge = next(
            (one for one in self._edges(step) if one.target in self._before and self._takes_effect(step, one)), None
        )
        if edge is not None:
            self._case.find(
                "error",
                "uncompensated",
                (step.name, step.state),
                f"Step {step.name!r} comes before a pivot and has no undo, so what it did stays when the run is "
                "undone. Give it an undo, or effect=False if there is nothing to undo.",
                at=edge.source,
                then=(edge, *self._case.graph.way(edge.target, self._deciding)),
            )

    def _takes_effect(self, step: StepSpec, edge: Edge) -> bool:
        """Whether a step has, or may have, had its effect once this move is made."""
        if self._case.graph.places[edge.source].pivoted:
            return False
        if edge.event in {step.succeeded_event, step.failed_event}:
            return True
        known = edge.event in {step.error_event(arm) for arm in range(len(step.errors))}
        return not known and step.state not in self._case.active[edge.target]

    def gives_up(self, step: StepSpec) -> None:
        """What comes after the pivot goes forward, whatever happens."""
        at = next((index for index in self._running[step.name] if self._case.graph.places[index].pivoted), None)
        if at is None or (step.failed and not step.pivot):
            return
        tries = "its one attempt has" if step.retry.attempts == 1 else f"all {step.retry.attempts} attempts have"
        said = f"Step {step.name!r} comes after the pivot, where nothing is undone, and "
        if step.pivot:
            said += f"is a pivot again: when {tries} failed, the run would wait for a person. Drop pivot=True and name "
            said += "a state in failed=."
        else:
            said += f"does not say where to go when {tries} failed: the run would wait for a person. Name a state in "
            said += "failed=."
        self._case.find("error", "gives-up", (step.name, step.state), said, at=at)


def _undone_late(case: Case) -> None:
    told: set[str] = set()
    for index, place in enumerate(case.graph.places):
        leaf = place.leaves[0]
        if place.pivoted and case.walker.over(place) and case.chart.nodes[leaf].spec.compensate and leaf not in told:
            told.add(leaf)
            said = f"{leaf!r} undoes what was done, and can be reached after the pivot, where nothing is undone."
            case.find("error", "undone-after-pivot", (leaf,), said, at=index)
