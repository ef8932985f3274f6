"""The rules of sagas: what stands before the pivot can be undone, what stands after it goes forward.

And what a step's kind promises: one that runs at most once is not attempted again.
"""

from __future__ import annotations

from statemachine.checking.case import Case
from statemachine.checking.explore import Edge
from statemachine.checking.places import Place
from statemachine.definition import StepSpec


def check(case: Case) -> None:
    """Find what breaks them."""
    pivots = {step.succeeded_event for step in case.definition.steps if step.pivot}
    before = case.graph.coreached({edge.source for edge in case.graph.all_edges() if edge.event in pivots})
    component = case.graph.components(lambda _edge: True)
    for step in case.definition.steps:
        _attempts(case, step)
        _cycle(case, step, component)
        if not step.pivot:
            _uncompensated(case, step, before)
            _gives_up(case, step)
    _undone_late(case)


def _attempts(case: Case, step: StepSpec) -> None:
    if step.kind == "at-most-once" and step.retry.attempts > 1:
        case.find(
            "error",
            "retried-once",
            (step.name, step.state),
            f"Step {step.name!r} runs at most once, and has {step.retry.attempts} attempts. Leave it one.",
            at=case.first.get(step.state),
        )


def _cycle(case: Case, step: StepSpec, component: list[int]) -> None:
    """A pivot happens once; and each turn of a loop adds to what may have to be undone."""
    if not step.pivot and step.undo is None:
        return
    for edge in case.graph.all_edges():
        if edge.event != step.succeeded_event or component[edge.source] != component[edge.target]:
            continue
        if step.pivot:
            said = f"Pivot {step.name!r} can come again after itself; what it decides is decided once in a run."
            case.find("error", "pivot-cycle", (step.name, step.state), said, at=edge.source, then=(edge,))
            return
        if not case.graph.places[edge.source].pivoted:
            said = f"Step {step.name!r} is on a loop and has an undo: the snapshot grows with each turn."
            then = (edge, *case.graph.way(edge.target, {edge.source}))
            case.find("warning", "undo-cycle", (step.name, step.state), said, at=edge.source, then=then)
            return


def _uncompensated(case: Case, step: StepSpec, before: set[int]) -> None:
    if step.undo is not None or not step.effect:
        return
    edge = next((edge for edge in case.graph.all_edges() if edge.target in before and _leaves(case, step, edge)), None)
    if edge is None:
        return
    goals = {other.source for other in case.graph.all_edges() if _is_pivot(case, other)}
    way = case.graph.way(edge.target, goals)
    case.find(
        "error",
        "uncompensated",
        (step.name, step.state),
        f"Step {step.name!r} comes before a pivot and has no undo, so what it did stays when the run is undone. "
        "Give it an undo, or effect=False if there is nothing to undo.",
        at=edge.source,
        then=(edge, *way),
    )


def _leaves(case: Case, step: StepSpec, edge: Edge) -> bool:
    """Whether a step has, or may have, had its effect once this move is made."""
    if case.graph.places[edge.source].pivoted or not _runs(case, step, edge.source):
        return False
    if edge.event in {step.succeeded_event, step.failed_event}:
        return True
    known = edge.event in {step.error_event(arm) for arm in range(len(step.errors))}
    return not known and step.state not in case.active[edge.target]


def _is_pivot(case: Case, edge: Edge) -> bool:
    return any(step.pivot and edge.event == step.succeeded_event for step in case.definition.steps)


def _runs(case: Case, step: StepSpec, index: int) -> bool:
    place: Place = case.graph.places[index]
    return place.at_rest and step.state in case.active[index] and f"{step.state} {step.name}" not in place.spent


def _gives_up(case: Case, step: StepSpec) -> None:
    if step.failed:
        return
    at = next(
        (index for index, place in enumerate(case.graph.places) if place.pivoted and _runs(case, step, index)), None
    )
    if at is not None:
        tries = "its one attempt has" if step.retry.attempts == 1 else f"all {step.retry.attempts} attempts have"
        case.find(
            "error",
            "gives-up",
            (step.name, step.state),
            f"Step {step.name!r} comes after the pivot, where nothing is undone, and does not say where to go when "
            f"{tries} failed: the run would wait for a person. Name a state in failed=.",
            at=at,
        )


def _undone_late(case: Case) -> None:
    told: set[str] = set()
    for index, place in enumerate(case.graph.places):
        leaf = place.leaves[0]
        if place.pivoted and case.walker.over(place) and case.chart.nodes[leaf].spec.compensate and leaf not in told:
            told.add(leaf)
            said = f"{leaf!r} undoes what was done, and can be reached after the pivot, where nothing is undone."
            case.find("error", "undone-after-pivot", (leaf,), said, at=index)
