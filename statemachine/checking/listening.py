"""Events that nobody takes: declared and never accepted, or deferred to a state that never comes."""

from __future__ import annotations

from statemachine.checking.case import Case
from statemachine.checking.reaching import triggers


def check(case: Case) -> None:
    """Find them."""
    arcs = [arc for node in case.chart.nodes.values() for arc in node.arcs]
    deferred = {event for spec in case.definition.states for event in spec.defer}
    for event in case.definition.events:
        if event not in deferred and not any(triggers(case, arc, event) for arc in arcs):
            case.find("error", "never-accepted", (event,), f"Event {event!r} is declared, and no transition takes it.")
    for spec in case.definition.states:
        for event in spec.defer:
            if spec.name in case.states and not _taken_later(case, spec.name, event):
                case.find(
                    "error",
                    "never-recalled",
                    (spec.name, event),
                    f"{spec.name!r} defers {event!r}, and no state that comes later takes it.",
                    at=case.first.get(spec.name),
                )


def _taken_later(case: Case, state: str, event: str) -> bool:
    if case.structure is not None:
        return any(
            triggers(case, arc, event)
            for node in case.chart.nodes.values()
            for arc in node.arcs
            if arc.order in case.taken
        )
    later = case.graph.reached([index for index, active in enumerate(case.active) if state in active])
    return any(edge.event == event and edge.arcs for index in later for edge in case.graph.edges[index])
