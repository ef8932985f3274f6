"""A second interpreter: appendix D of the W3C Recommendation, slow and plain, with sets and lists.

Procedures have the appendix's names and order. It shares nothing with the core, which it is compared with. Where the
appendix is not followed to the letter, `naive_entry` and `finish` say so and why.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance.drawn import DrawnMachine
from tests.conformance.naive_content import Content, Delayed, Event, matches
from tests.conformance.naive_entry import EntrySet
from tests.conformance.naive_tree import Transition, Tree


class EndlessError(Exception):
    """Eventless transitions, or raised events, that never come to rest."""


class Naive(Content):
    """A running machine. After `patience` microsteps for one event it is taken to loop for ever."""

    def __init__(self, machine: DrawnMachine, patience: int) -> None:
        super().__init__()
        self.patience = patience
        self.tree = Tree(machine)
        self.history_value: dict[str, list[str]] = {}
        self.running = True
        self.rested: list[str] = []
        """The states it was in last; it keeps them when it is over."""

    # What a host calls.

    def start(self) -> None:
        """Take the initial transition."""
        self.microstep([self.tree.initial])
        self.main_event_loop()

    def receive(self, event: Event) -> None:
        """One turn of the main event loop with an external event."""
        self.said = []
        self.event = event
        enabled = self.select_transitions(event)
        if enabled:
            self.microstep(enabled)
        self.main_event_loop()

    def elapse(self, delayed: Delayed) -> None:
        """A delayed event is due."""
        self.said = []
        self.now = delayed.due
        self.delayed.remove(delayed)
        if delayed.to:
            self.said.append(("send", delayed.to, delayed.event.name, delayed.event.value, delayed.send_id))
        else:
            self.receive(delayed.event)

    # The algorithm.

    def main_event_loop(self) -> None:
        """Eventless transitions, then internal events, until nothing is left."""
        steps = 0
        while self.running:
            steps += 1
            if steps > self.patience:
                raise EndlessError
            enabled = self.select_eventless_transitions()
            if not enabled:
                if not self.internal_queue:
                    break
                self.event = self.internal_queue.pop(0)
                enabled = self.select_transitions(self.event)
            if enabled:
                self.microstep(enabled)
        self.rested = self.tree.sorted(self.configuration)
        if not self.running:
            self.exit_interpreter()

    def exit_interpreter(self) -> None:
        """A final state of the whole machine was entered."""
        value = None
        for state in reversed(self.tree.sorted(self.configuration)):
            for block in self.tree.states[state].exit:
                self.execute(block)
            self.configuration.remove(state)
            if self.tree.states[state].kind == "final" and self.tree.parent[state] is None:
                value = self.done_data(state)
        for delayed in list(self.delayed):
            self.forget(delayed)
        self.said.append(("finish", value))

    def select_eventless_transitions(self) -> list[Transition]:
        """Those without an event."""
        return self.select(lambda transition: not transition.drawn.events)

    def select_transitions(self, event: Event) -> list[Transition]:
        """Those that an event triggers."""
        return self.select(lambda transition: any(matches(one, event.name) for one in transition.drawn.events))

    def select(self, triggered: Callable[[Transition], bool]) -> list[Transition]:
        """The first enabled for each active atomic state, without conflicts."""
        enabled: list[Transition] = []
        for state in self.tree.sorted(self.configuration):
            if not self.tree.is_atomic(state):
                continue
            found = self.first_enabled(state, triggered)
            if found is not None and found not in enabled:
                enabled.append(found)
        return self.remove_conflicting_transitions(enabled)

    def first_enabled(self, state: str, triggered: Callable[[Transition], bool]) -> Transition | None:
        """The innermost state's first."""
        for source in [state, *self.tree.get_proper_ancestors(state, None)]:
            for transition in self.tree.transitions[source]:
                if triggered(transition) and self.condition_match(transition.drawn.guard):
                    return transition
        return None

    def remove_conflicting_transitions(self, enabled: list[Transition]) -> list[Transition]:
        """Of two that leave a common state, the inner source's, else the earlier."""
        filtered: list[Transition] = []
        for first in enabled:
            preempted = False
            to_remove: list[Transition] = []
            for second in filtered:
                if self.compute_exit_set([first]) & self.compute_exit_set([second]):
                    if self.tree.is_descendant(first.source, second.source):
                        to_remove.append(second)
                    else:
                        preempted = True
                        break
            if not preempted:
                filtered = [transition for transition in filtered if transition not in to_remove]
                filtered.append(first)
        return filtered

    def microstep(self, enabled: list[Transition]) -> None:
        """Take these transitions together."""
        self.exit_states(enabled)
        # In document order, as section 3.13 has it.
        for transition in sorted(enabled, key=lambda transition: transition.order):
            self.execute(transition.drawn.actions)
        self.enter_states(enabled)

    def exit_states(self, enabled: list[Transition]) -> None:
        """Leave, innermost and last first; histories are recorded before anything is left."""
        to_exit = self.tree.sorted(self.compute_exit_set(enabled))[::-1]
        for state in to_exit:
            for history in self.tree.states[state].children:
                if history.kind == "history":
                    self.record(history.name, state, deep=history.deep)
        for state in to_exit:
            for block in self.tree.states[state].exit:
                self.execute(block)
            for delayed in [delayed for delayed in self.delayed if delayed.state == state]:
                self.forget(delayed)
            self.configuration.remove(state)

    def record(self, history: str, state: str, *, deep: bool) -> None:
        """What a history remembers of its state."""
        if deep:
            kept = [s for s in self.configuration if self.tree.is_atomic(s) and self.tree.is_descendant(s, state)]
        else:
            kept = [s for s in self.configuration if self.tree.parent[s] == state]
        self.history_value[history] = self.tree.sorted(kept)

    def compute_exit_set(self, transitions: list[Transition]) -> set[str]:
        """All that is active inside the transitions' domains."""
        to_exit: set[str] = set()
        for transition in transitions:
            if transition.drawn.targets:
                domain = self.tree.get_transition_domain(transition, self.history_value)
                to_exit |= {state for state in self.configuration if self.tree.is_descendant(state, domain)}
        return to_exit

    def enter_states(self, enabled: list[Transition]) -> None:
        """Enter, outermost and first first."""
        entry = EntrySet(self.tree, self.history_value, self.configuration, enabled)
        for name in entry.to_enter:
            state = self.tree.states[name]
            self.configuration.add(name)
            for block in state.entry:
                self.execute(block)
            if name in entry.default_entry and state.initial is not None:
                self.execute(state.initial.actions)
            if name in entry.default_history:
                self.execute(entry.default_history[name])
            for delay, event in state.after:
                self.set(Delayed(self.now + delay, Event(event, None, "platform"), state=name))
            if state.kind == "final":
                self.finish(name)

    def finish(self, state: str) -> None:
        """A final state was entered."""
        parent = self.tree.parent[state]
        if parent is None:
            self.running = False
            return
        self.internal_queue.append(Event(f"done.state.{parent}", self.done_data(state), "platform"))
        grandparent = self.tree.parent[parent]
        while (
            grandparent is not None
            and self.tree.states[grandparent].kind == "parallel"
            and all(self.is_in_final_state(child) for child in self.tree.get_child_states(grandparent))
        ):
            self.internal_queue.append(Event(f"done.state.{grandparent}", None, "platform"))
            # The appendix ends here; by 3.4 a parallel state whose last region is itself parallel is done as well.
            grandparent = self.tree.parent[grandparent]

    def is_in_final_state(self, state: str) -> bool:
        """Whether a final child of it is active, or each of its regions is so."""
        children = self.tree.get_child_states(state)
        if self.tree.states[state].kind == "compound":
            return any(self.tree.states[child].kind == "final" and child in self.configuration for child in children)
        if self.tree.states[state].kind == "parallel":
            return all(self.is_in_final_state(child) for child in children)
        return False

    def done_data(self, state: str) -> int | None:
        """What a final state gives to whoever waits for it."""
        return self.n if self.tree.states[state].done else None
