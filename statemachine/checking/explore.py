"""The graph of all places a definition's runs can be in, breadth first, up to a bound that is told.

Moves that need nothing from outside (eventless transitions, internal events) cost nothing, so the path to a place has
as few events as any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from statemachine.checking.places import Guards, Move, Place
from statemachine.checking.walker import Walker

MOST_WORK = 200_000
"""Bound of an exploration: all checks of 200 states stay under a second. A move costs as much as it has active leaves
and transitions."""


class Edge(NamedTuple):
    """A move as the graph keeps it; `source` and `target` are indexes of places."""

    source: int
    event: str
    arcs: tuple[int, ...]
    guards: Guards
    target: int


class Graph:
    """Places and edges. `complete`: nothing was left out."""

    def __init__(self, walker: Walker) -> None:
        self.walker = walker
        self.places: list[Place] = []
        self.edges: list[list[Edge]] = []
        self.came: list[Edge | None] = []
        self.complete = True
        self._known: dict[Place, int] = {}

    def add(self, place: Place) -> int:
        """The index of a place, new or known."""
        index = self._known.setdefault(place, len(self.places))
        if index == len(self.places):
            self.places.append(place)
            self.edges.append([])
            self.came.append(None)
        return index

    def all_edges(self) -> Iterator[Edge]:
        """Every edge, sources in the order in which they were found."""
        for edges in self.edges:
            yield from edges

    def path(self, place: int) -> tuple[Edge, ...]:
        """The edges that lead from the start to a place, with as few events as any."""
        found: list[Edge] = []
        edge = self.came[place]
        while edge is not None:
            found.append(edge)
            edge = self.came[edge.source]
        return tuple(reversed(found))

    def coreached(self, goals: Iterable[int]) -> set[int]:
        """The places from which a goal can be reached, the goals included."""
        before: list[list[int]] = [[] for _ in self.places]
        for edge in self.all_edges():
            before[edge.target].append(edge.source)
        return _spread(goals, before)

    def reached(self, first: Iterable[int]) -> set[int]:
        """The places that can be reached from these, these included."""
        return _spread(first, [[edge.target for edge in edges] for edges in self.edges])

    def way(self, first: int, goals: set[int], along: Callable[[Edge], bool] | None = None) -> tuple[Edge, ...]:
        """The shortest path, in moves, from a place to one of the goals along edges that fit; empty: none is needed."""
        came: dict[int, Edge] = {}
        waiting = deque([first])
        while waiting and first not in goals:
            for edge in self.edges[waiting.popleft()]:
                if edge.target == first or edge.target in came or not (along is None or along(edge)):
                    continue
                came[edge.target] = edge
                if edge.target in goals:
                    return _unwound(came, first, edge)
                waiting.append(edge.target)
        return ()

    def components(self, along: Callable[[Edge], bool]) -> list[int]:
        """For each place the number of its strongly connected component, over edges that fit (Tarjan 1972)."""
        return _Components([[e.target for e in edges if along(e)] for edges in self.edges]).number


def explore(walker: Walker, work: int = MOST_WORK) -> Graph:
    """Explore all that a definition's runs can do.

    Args:
        walker: The definition.
        work: Stop when so much is done.
    """
    graph = Graph(walker)
    resting = deque([graph.add(walker.first())])
    moving: list[int] = []
    while moving or resting:
        source = moving.pop() if moving else resting.popleft()
        for move in walker.moves(graph.places[source]):
            work -= 4 + len(move.target.leaves) + 2 * len(move.arcs)
            if work < 0:
                graph.complete = False
                return graph
            _note(graph, source, move, resting, moving)
    return graph


def _note(graph: Graph, source: int, move: Move, resting: deque[int], moving: list[int]) -> None:
    known = len(graph.places)
    target = graph.add(move.target)
    edge = Edge(source, move.event, move.arcs, move.guards, target)
    graph.edges[source].append(edge)
    if target == known:
        graph.came[target] = edge
        if move.target.at_rest:
            resting.append(target)
        else:
            moving.append(target)


def _spread(first: Iterable[int], to: list[list[int]]) -> set[int]:
    found = set(first)
    waiting = list(found)
    while waiting:
        for index in to[waiting.pop()]:
            if index not in found:
                found.add(index)
                waiting.append(index)
    return found


def _unwound(came: dict[int, Edge], first: int, last: Edge) -> tuple[Edge, ...]:
    found = [last]
    while found[-1].source != first:
        found.append(came[found[-1].source])
    return tuple(reversed(found))


class _Components:
    """Tarjan's algorithm without recursion."""

    def __init__(self, to: list[list[int]]) -> None:
        self._to = to
        self.number = [-1] * len(to)
        self._low: dict[int, int] = {}
        self._found: dict[int, int] = {}
        self._open: list[int] = []
        for root in range(len(to)):
            if root not in self._found:
                self._visit(root)

    def _visit(self, root: int) -> None:
        work = [(root, iter(self._to[root]))]
        self._enter(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in self._found:
                    self._enter(target)
                    work.append((target, iter(self._to[target])))
                    break
                if self.number[target] < 0:
                    self._low[node] = min(self._low[node], self._found[target])
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    self._low[above] = min(self._low[above], self._low[node])
                self._close(node)

    def _enter(self, node: int) -> None:
        self._found[node] = self._low[node] = len(self._found)
        self._open.append(node)

    def _close(self, node: int) -> None:
        if self._low[node] != self._found[node]:
            return
        member = -1
        while member != node:
            member = self._open.pop()
            self.number[member] = node
