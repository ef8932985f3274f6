"""What may happen at most, seen state by state and not in combination: for machines too large to be explored whole.

Every state that can ever be active, every transition that can ever be taken and every leaf from which the run can end
is among what this finds; so what it does not find can never be.
"""

from __future__ import annotations

from collections.abc import Iterator

from statemachine.chart import Arc
from statemachine.checking.walker import Walker


class Structure:
    """See the module.

    Attributes:
        states: May be active.
        taken: Transitions that may be taken, by document order.
        happened: Events that may happen.
        dead: Leaves from which the run can never end.
    """

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._nodes = walker.chart.nodes
        self.states: set[str] = set()
        self.taken: dict[int, Arc] = {}
        self.happened: set[str] = set()
        self._waiting: list[str] = []
        self._enter(walker.chart.initial)
        known = -1
        while known < len(self.taken):  # what is done may wake what was looked at before
            known = len(self.taken)
            self._waiting = [leaf for leaf in walker.leaves if leaf in self.states]
            while self._waiting:
                self._look(self._waiting.pop())
        self.dead = self._dead()

    def finishes(self, state: str) -> bool:
        """Whether a compound, or every region of a parallel state, may be done."""
        node = self._nodes[state]
        if node.spec.kind == "parallel":
            return all(self.finishes(child) for child in node.children)
        return any(child in self.states and self._nodes[child].spec.kind == "final" for child in node.children)

    def _look(self, leaf: str) -> None:
        for event, arcs in self._offers(leaf):
            self.happened.add(event)
            for arc in arcs:
                if arc.order not in self.taken:
                    self.taken[arc.order] = arc
                    self._enter(arc)

    def _offers(self, leaf: str) -> Iterator[tuple[str, list[Arc]]]:
        """For each event that may happen, the transitions of a leaf and what is around it that may be taken."""
        yield "", _free(self._walker.chart.candidates((leaf,), ""))
        for event, chain in self._walker.chains(leaf).items():
            yield event, _free((chain,))
        for name in self._nodes:
            if self._nodes[name].children and name in self.states and self.finishes(name):
                event = f"done.state.{name}"
                yield event, _free(self._walker.chart.candidates((leaf,), event))

    def _enter(self, arc: Arc) -> None:
        for name in self._entered(arc):
            if name not in self.states:
                self.states.add(name)
                if not self._nodes[name].children:
                    self._waiting.append(name)

    def _entered(self, arc: Arc) -> list[str]:
        """The states that a transition may enter. What a history remembers is taken to be anything around it."""
        found = list(self._walker.chart.plan((arc,), (), {}).entries)
        for name, node in self._nodes.items():
            if node.histories and (name in found or set(arc.targets) & set(node.histories)):
                found += [other for other in self._nodes if self._walker.chart.within(other, name)]
        return [name for name in found if self._nodes[name].spec.kind != "history"]

    def _dead(self) -> set[str]:
        """Leaves that no sequence of transitions, their own or a neighbouring region's, takes to a final state."""
        leaves = [leaf for leaf in self._walker.leaves if leaf in self.states]
        before: dict[str, set[str]] = {leaf: set() for leaf in leaves}
        for arc in self.taken.values():
            recalls = any(self._nodes[target].spec.kind == "history" for target in arc.targets)
            left = set(leaves) if recalls else self._walker.left_by(arc)
            sources = [leaf for leaf in leaves if leaf in left and self.beside(leaf, arc.source)]
            for target in self._entered(arc):
                if target in before:
                    before[target].update(sources)
        alive: set[str] = set()
        waiting = [leaf for leaf in leaves if leaf in self._walker.top_finals]
        while waiting:
            leaf = waiting.pop()
            if leaf not in alive:
                alive.add(leaf)
                waiting.extend(before[leaf])
        return set(leaves) - alive

    def beside(self, leaf: str, source: str) -> bool:
        """Whether a leaf may be active together with a state: it is that, below it, or in another region."""
        above = (leaf, *self._nodes[leaf].ancestors)
        if source in above:
            return True
        common = next((name for name in self._nodes[source].ancestors if name in above), None)
        return common is not None and self._nodes[common].spec.kind == "parallel"


def _free(chains: tuple[tuple[Arc, ...], ...]) -> list[Arc]:
    """The transitions of a leaf's chain that some answers of the guards enable."""
    found: list[Arc] = []
    guards: set[str] = set()
    for chain in chains:
        for arc in chain:
            if arc.guard_name not in guards:
                found.append(arc)
            if not arc.guard_name:
                break
            guards.add(arc.guard_name)
    return found
