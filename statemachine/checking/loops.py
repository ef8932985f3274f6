"""Eventless loops: transitions that follow one another without an event and never come to rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from statemachine.checking import words
from statemachine.checking.case import Case
from statemachine.checking.explore import Edge

Cycle = tuple[Edge, ...]


def check(case: Case) -> None:
    """Find the loops that nothing ends (an error), and those that end only if a guard says so (a warning).

    A guard's answer changes only with the data. Where no function on the way changes that, a loop once begun never
    ends, guards or not.
    """
    for cycle in _cycles(case, lambda edge: not edge.guards):
        _endless(case, cycle, "")
    for cycle in _cycles(case, lambda _edge: True):
        if any(edge.source in case.endless for edge in cycle):
            continue
        guards = [guard for edge in cycle for guard, answer in edge.guards if answer]
        if _consistent(cycle) and not _changes_data(case, cycle):
            _endless(case, cycle, f" once {words.names(dict.fromkeys(guards))} holds, as nothing here changes the data")
        else:
            case.find(
                "warning",
                "eventless-loop",
                _states(case, cycle),
                f"{_shown(case, cycle)} goes on without an event until a guard says no.",
                at=cycle[0].source,
                then=cycle,
            )


def _endless(case: Case, cycle: Cycle, when: str) -> None:
    case.endless.update(edge.source for edge in cycle)
    caught = {name for edge in cycle for name in case.active[edge.source]}
    case.find(
        "error",
        "eventless-loop",
        _states(case, cycle),
        f"{_shown(case, cycle)} goes on for ever without an event{when}.",
        at=cycle[0].source,
        then=cycle,
        arcs=tuple(
            order
            for order, transition in enumerate(case.definition.transitions)
            if transition.source in caught and order not in case.taken
        ),
    )


def _cycles(case: Case, fits: Callable[[Edge], bool]) -> Iterator[Cycle]:
    """A short cycle of each group of places that lead to each other without an event."""
    graph = case.graph

    def along(edge: Edge) -> bool:
        by_itself = not edge.event or edge.event.startswith("done.state.")
        return by_itself and not graph.places[edge.source].at_rest and fits(edge)

    component = graph.components(along)
    told: set[int] = set()
    for edge in graph.all_edges():
        same = component[edge.source]
        if same not in told and component[edge.target] == same and along(edge):
            told.add(same)
            yield (edge, *graph.way(edge.target, {edge.source}, along))


def _states(case: Case, cycle: Cycle) -> list[str]:
    return list(dict.fromkeys(leaf for edge in cycle for leaf in case.graph.places[edge.source].leaves))


def _shown(case: Case, cycle: Cycle) -> str:
    shown = [words.states(case.graph, edge.source) for edge in cycle]
    shown.append(words.states(case.graph, cycle[-1].target))
    last = len(shown) - 1
    return " -> ".join(name for at, name in enumerate(shown) if at in {0, last} or name != shown[at - 1])


def _consistent(cycle: Cycle) -> bool:
    """Whether each guard answers the same all the way round."""
    answers: dict[str, bool] = {}
    return all(answers.setdefault(guard, answer) == answer for edge in cycle for guard, answer in edge.guards)


def _changes_data(case: Case, cycle: Cycle) -> bool:
    """Whether a function on the way may give the run other data."""
    nodes = case.chart.nodes
    passed = {name for edge in cycle for name in case.active[edge.source]}
    arcs = [case.definition.transitions[order] for edge in cycle for order in edge.arcs if order >= 0]
    return any(arc.actions for arc in arcs) or any(
        nodes[name].entry or nodes[name].exit or _content(case, name) for name in passed
    )


def _content(case: Case, name: str) -> bool:
    node = case.chart.nodes[name]
    histories = [case.chart.nodes[history].default for history in node.histories]
    return any(arc is not None and arc.actions for arc in (node.initial, *histories))
