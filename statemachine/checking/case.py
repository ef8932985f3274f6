"""What the rules look at: the definition, what was seen of it, and what has been found so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from statemachine.checking import words
from statemachine.checking.explore import Edge, Graph, explore
from statemachine.checking.report import Finding, Severity
from statemachine.checking.structure import Structure
from statemachine.checking.walker import Walker
from statemachine.definition import Definition


@attrs.define(eq=False)
class Draft:
    """A finding to which its consequences may still be added, so that one fault is told once.

    Attributes:
        arcs: The transitions that this keeps from being taken.
        behind: States that nothing reaches because of it.
    """

    severity: Severity
    code: str
    about: tuple[str, ...]
    message: str
    path: tuple[str, ...] = ()
    arcs: tuple[int, ...] = ()
    behind: list[str] = attrs.field(factory=list[str])

    def finding(self) -> Finding:
        """The finding, with its consequences told."""
        message = self.message
        if self.behind and self.code != "unreachable":
            message += f" So nothing reaches {words.names(self.behind)}."
        elif self.behind:
            message += f" Nor {words.names(self.behind)} behind it."
        about = (*self.about, *(name for name in self.behind if name not in self.about))
        return Finding(severity=self.severity, code=self.code, about=about, message=message, path=self.path)


class Case:
    """See the module.

    Attributes:
        states: May be active. All else here, too, is never too little: what is missing can never be.
        taken: Transitions that may be taken, by document order.
        happened: Events that may happen.
        active: For each place of the graph, all its active states.
        endless: Places from which eventless transitions go on for ever.
    """

    def __init__(self, definition: Definition, work: int) -> None:
        self.definition = definition
        self.words = words.Words(definition)
        self.walker = Walker(definition)
        self.chart = self.walker.chart
        self.graph: Graph = explore(self.walker, work)
        self.drafts: list[Draft] = []
        self.endless: set[int] = set()
        memory: dict[tuple[str, ...], set[str]] = {}
        self.active: list[set[str]] = []
        for place in self.graph.places:
            if place.leaves not in memory:
                memory[place.leaves] = self.walker.active(place)
            self.active.append(memory[place.leaves])
        self.first: dict[str, int] = {}
        self.resting: dict[str, int] = {}
        for index, place in enumerate(self.graph.places):
            for name in self.active[index]:
                self.first.setdefault(name, index)
                if place.at_rest:
                    self.resting.setdefault(name, index)
        self.structure = None if self.graph.complete else Structure(self.walker)
        if self.structure is None:
            self.states = set(self.first)
            self.taken = {order for edge in self.graph.all_edges() for order in edge.arcs}
            self.happened = {edge.event for edge in self.graph.all_edges()}
        else:
            self.states = self.structure.states
            self.taken = set(self.structure.taken)
            self.happened = self.structure.happened

    def find(
        self,
        severity: Severity,
        code: str,
        about: Iterable[str],
        message: str,
        *,
        at: int | None = None,
        then: Sequence[Edge] = (),
        arcs: tuple[int, ...] = (),
    ) -> Draft:
        """Note a finding, with the shortest path to place `at` and on along `then`."""
        path = () if at is None else self.words.path(self.graph, (*self.graph.path(at), *then))
        draft = Draft(severity, code, tuple(dict.fromkeys(about)), message, path, arcs)
        self.drafts.append(draft)
        return draft

    def kept_back(self) -> set[int]:
        """The transitions that a finding so far keeps from being taken."""
        return {order for draft in self.drafts for order in draft.arcs}

    def looping(self) -> set[str]:
        """The states that eventless transitions turn in for ever."""
        return {name for index in self.endless for name in self.active[index]}
