"""The document of a drawn statechart as appendix D asks about it: parents, order, descendants, common ancestors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from tests.conformance.drawn import Drawn, DrawnMachine, every


@attrs.frozen(eq=False)
class Transition:
    """A transition with its place: whose it is, and the how-manieth of the document."""

    source: str
    order: int
    drawn: Drawn


class Tree:
    """The document. The root has no name and is no state; None stands for it."""

    def __init__(self, machine: DrawnMachine) -> None:
        self.states = {state.name: state for state in every(machine.children)}
        self.document_order = {name: order for order, name in enumerate(self.states)}
        self.parent: dict[str, str | None] = dict.fromkeys(self.states)
        for state in self.states.values():
            for child in state.children:
                self.parent[child.name] = state.name
        self.transitions: dict[str, list[Transition]] = {name: [] for name in self.states}
        order = 0
        for state in self.states.values():
            for drawn in state.transitions:
                self.transitions[state.name].append(Transition(state.name, order, drawn))
                order += 1
        self.initial = Transition("", -1, machine.initial)

    def get_proper_ancestors(self, state: str, up_to: str | None) -> list[str]:
        """From the parent outwards, without `up_to` and what is around it."""
        found: list[str] = []
        parent = self.parent[state]
        while parent is not None and parent != up_to:
            found.append(parent)
            parent = self.parent[parent]
        return found

    def is_descendant(self, state: str, ancestor: str | None) -> bool:
        """Whether a state lies below another."""
        return ancestor is None or ancestor in self.get_proper_ancestors(state, None)

    def get_child_states(self, state: str) -> list[str]:
        """The children that can be active."""
        return [child.name for child in self.states[state].children if child.kind != "history"]

    def is_atomic(self, state: str) -> bool:
        """Whether nothing is below a state."""
        return self.states[state].kind in {"atomic", "final"}

    def sorted(self, states: Iterable[str]) -> list[str]:
        """In document order, which is entry order; exit order is its reverse."""
        return sorted(states, key=self.document_order.__getitem__)

    def find_lcca(self, states: Sequence[str]) -> str | None:
        """The innermost compound state, or the root, that is around all of them."""
        for anc in self.get_proper_ancestors(states[0], None):
            compound = self.states[anc].kind == "compound"
            if compound and all(self.is_descendant(state, anc) for state in states[1:]):
                return anc
        return None

    def get_effective_target_states(
        self, targets: Iterable[str], history_value: Mapping[str, Sequence[str]]
    ) -> list[str]:
        """The targets, with histories replaced by what they remember, or by their default."""
        found: list[str] = []
        for target in targets:
            state = self.states[target]
            if state.kind != "history":
                found.append(target)
            elif target in history_value:
                found.extend(history_value[target])
            else:
                assert state.default is not None
                found.extend(self.get_effective_target_states(state.default.targets, history_value))
        return found

    def get_transition_domain(self, transition: Transition, history_value: Mapping[str, Sequence[str]]) -> str | None:
        """The compound state inside which a transition leaves and enters; None is the whole document."""
        source = transition.source
        if not source:
            return None
        targets = self.get_effective_target_states(transition.drawn.targets, history_value)
        if (
            transition.drawn.internal
            and self.states[source].kind == "compound"
            and all(self.is_descendant(target, source) for target in targets)
        ):
            return source
        return self.find_lcca([source, *targets])
