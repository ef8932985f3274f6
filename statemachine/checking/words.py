"""How findings speak of events, transitions and paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from statemachine.checking.explore import Edge, Graph
from statemachine.definition import Definition
from statemachine.wording import Wording


class Words(Wording):
    """The words for what is in one definition."""

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self._definition = definition

    def transition(self, order: int) -> str:
        """A transition: what it is declared as, and what it does."""
        spec = self._definition.transitions[order]
        when = " or ".join(self.event(name) for name in spec.events) or "at once"
        guard = f" if {spec.guard}" if spec.guard else ""
        does = f"{spec.source} -({when}{guard})-> {', '.join(spec.targets) or spec.source}"
        return f"{spec.declared!r} ({does})" if spec.declared else does

    def subject(self, order: int) -> str:
        """What a waiver calls a transition."""
        return self._definition.transitions[order].declared or self.transition(order)

    def path(self, graph: Graph, edges: Sequence[Edge]) -> tuple[str, ...]:
        """A line for each event and where it leads; what follows by itself stands on the same line."""
        lines: list[str] = [states(graph, 0)]
        for edge in edges:
            source, target = graph.places[edge.source], graph.places[edge.target]
            if source.at_rest:
                lines.append(f"({self.event(edge.event)}) {states(graph, edge.target)}")
            elif source.leaves != target.leaves:
                said = f" ({self.event(edge.event)})" if edge.event else ""
                lines[-1] += f" ->{said} {states(graph, edge.target)}"
        return tuple(lines)


def names(found: Iterable[str]) -> str:
    """`'a'`, `'a' and 'b'`, `'a', 'b' and 'c'`."""
    quoted = [f"{name!r}" for name in found]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}" if quoted else ""


def states(graph: Graph, place: int) -> str:
    """The active leaves of a place."""
    return ", ".join(graph.places[place].leaves)
