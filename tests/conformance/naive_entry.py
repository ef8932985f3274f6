"""What a microstep enters: computeEntrySet of appendix D, held to section 3.13 where the two part.

They part where a transition goes to a history of a state that it does not leave, and the history stands for states
further in. The appendix's procedures then add states that are active and stay so, and even a second child of them.
Section 3.13 defines the entry set as the members of the complete target set (targets, all their ancestors, and what
completes these) that are not active or are left, and 3.11 allows a compound state one active child. So here every
ancestor is added, what is active already completes itself, and what is active already is not entered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tests.conformance.drawn import Action
from tests.conformance.naive_tree import Transition, Tree


class EntrySet:
    """Computed from what is still active once states were left, and what the histories remember by then.

    Attributes:
        to_enter: In entry order.
        default_entry: States whose initial transition is taken, with its content.
        default_history: States whose history's default is taken, with its content.
    """

    def __init__(
        self,
        tree: Tree,
        history_value: Mapping[str, Sequence[str]],
        configuration: Iterable[str],
        transitions: Iterable[Transition],
    ) -> None:
        self._tree = tree
        self._history_value = history_value
        self._configuration = set(configuration)
        self._complete_target_set: set[str] = set()
        self.default_entry: set[str] = set()
        self.default_history: dict[str, tuple[Action, ...]] = {}
        for transition in transitions:
            targets = transition.drawn.targets
            for state in targets:
                self._add_descendant_states_to_enter(state)
            for state in tree.get_effective_target_states(targets, history_value):
                self._add_ancestor_states_to_enter(state, None)
        self.to_enter = tree.sorted(self._complete_target_set - self._configuration)

    def _add_descendant_states_to_enter(self, name: str) -> None:
        state = self._tree.states[name]
        if state.kind == "history":
            self._recall(name)
            return
        self._complete_target_set.add(name)
        if state.kind == "compound":
            assert state.initial is not None
            self.default_entry.add(name)
            for target in state.initial.targets:
                self._add_descendant_states_to_enter(target)
            for target in state.initial.targets:
                self._add_ancestor_states_to_enter(target, name)
        elif state.kind == "parallel":
            self._complete(name)

    def _recall(self, name: str) -> None:
        parent = self._tree.parent[name]
        assert parent is not None
        targets = self._history_value.get(name)
        if targets is None:
            default = self._tree.states[name].default
            assert default is not None
            self.default_history[parent] = default.actions
            targets = default.targets
        for target in targets:
            self._add_descendant_states_to_enter(target)
        for target in targets:
            self._add_ancestor_states_to_enter(target, parent)

    def _add_ancestor_states_to_enter(self, state: str, ancestor: str | None) -> None:
        for anc in self._tree.get_proper_ancestors(state, ancestor):
            self._complete_target_set.add(anc)
            if self._tree.states[anc].kind == "parallel":
                self._complete(anc)

    def _complete(self, parallel: str) -> None:
        for child in self._tree.get_child_states(parallel):
            active = child in self._configuration
            if not active and not any(self._tree.is_descendant(state, child) for state in self._complete_target_set):
                self._add_descendant_states_to_enter(child)
