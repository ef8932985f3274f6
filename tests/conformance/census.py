"""Counts what drawn statecharts come to do, so that a comparison over them is known not to be blind.

It watches the naive interpreter, from outside: what was looked for and what was found.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance.agreement import PATIENCE
from tests.conformance.drawn import DrawnMachine, Guard
from tests.conformance.naive import EndlessError, Naive
from tests.conformance.naive_content import Delayed, Event
from tests.conformance.naive_entry import EntrySet
from tests.conformance.naive_tree import Transition


class Watched(Naive):
    """A naive interpreter that notes what it comes to do."""

    def __init__(self, machine: DrawnMachine) -> None:
        super().__init__(machine, PATIENCE)
        self.seen: set[str] = set()

    def _note(self, feature: str, happened: object = True) -> None:
        if happened:
            self.seen.add(feature)

    def main_event_loop(self) -> None:
        """Note how it comes to rest."""
        try:
            super().main_event_loop()
        except EndlessError:
            self._note("loops for ever")
            raise
        kinds = [self.tree.states[name].kind for name in self.rested]
        self._note("a parallel state active", "parallel" in kinds)
        self._note("parallel states in each other", kinds.count("parallel") > 1)
        self._note("over", not self.running)
        self._note("over with done data", not self.running and self.said[-1][1] is not None)

    def receive(self, event: Event) -> None:
        """Note whether an event from outside changes nothing."""
        before = self.log
        super().receive(event)
        self._note("an event that nothing takes", self.log is before)

    def elapse(self, delayed: Delayed) -> None:
        """Note what was delayed."""
        self._note("timer of a state fires" if delayed.state else "delayed send arrives")
        self._note("delayed send to elsewhere", delayed.to)
        super().elapse(delayed)

    def forget(self, delayed: Delayed) -> None:
        """Note what does not come."""
        if self.running:
            self._note("timer forgotten on exit" if delayed.state else "send cancelled by id")
        super().forget(delayed)

    def error(self) -> None:
        """Note errors."""
        self._note("error in content or guard")
        super().error()

    def condition_match(self, guard: Guard | None) -> bool:
        """Note what guards ask."""
        queued = len(self.internal_queue)
        answer = super().condition_match(guard)
        self._note("error in a guard", len(self.internal_queue) > queued)
        self._note(f"In() is {answer}", guard is not None and guard[0] == "in")
        return answer

    def first_enabled(self, state: str, triggered: Callable[[Transition], bool]) -> Transition | None:
        """Note where transitions are found."""
        found = super().first_enabled(state, triggered)
        self._note("taken by a state around", found is not None and found.source != state)
        return found

    def remove_conflicting_transitions(self, enabled: list[Transition]) -> list[Transition]:
        """Note conflicts."""
        kept = super().remove_conflicting_transitions(enabled)
        self._note("several transitions at once", len(kept) > 1)
        self._note("one preempts another", len(kept) < len(enabled))
        self._note("the inner preempts the earlier", enabled and enabled[0] not in kept)
        return kept

    def microstep(self, enabled: list[Transition]) -> None:
        """Note what is taken."""
        for transition in enabled:
            if transition.source:
                self._taken(transition)
        super().microstep(enabled)

    def _taken(self, transition: Transition) -> None:
        drawn = transition.drawn
        name = self.event.name if self.event else ""
        self._note("eventless", not drawn.events)
        self._note("targetless", not drawn.targets)
        self._note("by the beginning of a name", drawn.events and name not in drawn.events and "*" not in drawn.events)
        self._note("by any event", "*" in drawn.events)
        self._note("several targets", len(drawn.targets) > 1)
        self._note("external self-transition", transition.source in drawn.targets)
        self._note("by an error", drawn.events and name.startswith("error."))
        done = drawn.events and name.startswith("done.state.")
        if done:
            self._note(f"by a {self.tree.states[name.removeprefix('done.state.')].kind} state that is done")
            self._note("done data seen", self.event and self.event.value is not None)
        if drawn.targets:
            domain = self.tree.get_transition_domain(transition, self.history_value)
            self._note("internal into its own state", domain == transition.source)
            self._note("history of a state that is not left", any(self._stays(to, domain) for to in drawn.targets))
        for target in drawn.targets:
            state = self.tree.states[target]
            if state.kind == "history":
                kind = "deep" if state.deep else "shallow"
                self._note(f"{kind} history, {'recalled' if target in self.history_value else 'default'}")

    def _stays(self, target: str, domain: str | None) -> bool:
        parent = self.tree.parent[target]
        history = self.tree.states[target].kind == "history"
        return history and domain is not None and parent is not None and self.tree.is_descendant(domain, parent)

    def enter_states(self, enabled: list[Transition]) -> None:
        """Note what is entered, and how."""
        entry = EntrySet(self.tree, self.history_value, self.configuration, enabled)
        self._note("content of a history's default", set(entry.default_history) & set(entry.to_enter))
        initial = [self.tree.states[name].initial for name in entry.default_entry]
        targets = [one.targets for one in initial if one is not None]
        self._note("initial transition further in", any(len(one) > 1 or any(map(self._nested, one)) for one in targets))
        super().enter_states(enabled)

    def _nested(self, target: str) -> bool:
        state = self.tree.states[target]
        return state.kind in {"compound", "parallel", "history"}

    def finish(self, state: str) -> None:
        """Note final states by where they are."""
        depth = len(self.tree.get_proper_ancestors(state, None))
        queued = len(self.internal_queue)
        super().finish(state)
        self._note("final state, two or more deep", depth > 1)
        self._note("all regions done", len(self.internal_queue) > queued + 1)
