"""How findings speak of events, transitions and paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from statemachine.checking.explore import Edge, Graph
from statemachine.definition import Definition

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


class Words:
    """The words for what is in one definition."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._events = {"": "at once"}
        for step in definition.steps:
            self._events[step.succeeded_event] = f"{step.name} succeeds"
            self._events[step.failed_event] = f"{step.name} is given up"
            for arm, exception in enumerate(step.errors):
                self._events[step.error_event(arm)] = f"{step.name} raises {exception}"
        for timer in definition.timers:
            self._events[timer.event] = f"after {timer.delay if isinstance(timer.delay, str) else span(timer.delay)}"

    def event(self, name: str) -> str:
        """What an event is to a reader: a step's outcome, a time, a state that is done, or its own name."""
        if name.startswith("done.state."):
            return f"{name.removeprefix('done.state.')} is done"
        return self._events.get(name, name)

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


def span(seconds: float) -> str:
    """Seconds in the largest unit that fits evenly."""
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"{seconds:g} seconds"


def states(graph: Graph, place: int) -> str:
    """The active leaves of a place."""
    return ", ".join(graph.places[place].leaves)
