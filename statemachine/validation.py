"""Refuses a definition that is ambiguous or broken, whichever way it was built, and says what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from statemachine.definition import Definition, StateSpec, StepSpec, TransitionSpec
from statemachine.errors import BrokenState, BrokenStep, BrokenTransition


def validate(definition: Definition, said: str | None = None) -> None:
    """Refuse a broken definition.

    Args:
        definition: The definition.
        said: What messages call it; its name when not given.

    Raises:
        BrokenState, BrokenTransition, BrokenStep: With the state and the reason.
    """
    _Validation(definition, said or definition.name).run()


@attrs.define
class _Validation:
    definition: Definition
    said: str
    states: dict[str, StateSpec] = attrs.field(init=False)
    by_source: dict[str, list[TransitionSpec]] = attrs.field(init=False, factory=dict[str, list[TransitionSpec]])

    def __attrs_post_init__(self) -> None:
        self.states = {spec.name: spec for spec in self.definition.states}
        for transition in self.definition.transitions:
            self.by_source.setdefault(transition.source, []).append(transition)

    def run(self) -> None:
        self._names()
        for spec in self.definition.states:
            self._shape(spec)
            self._ways(spec)
            if not self.definition.descriptors:
                self._ambiguity(spec)
        seen: dict[str, str] = {}
        for step in self.definition.steps:
            if step.state in seen:
                raise BrokenStep(
                    self.said, step.state, f"it has two steps, {seen[step.state]} and {step.name}; split it"
                )
            seen[step.state] = step.name
            self._step(step)
        self._pivots()

    def _names(self) -> None:
        if len(self.states) != len(self.definition.states):
            raise BrokenState(self.said, None, "two states have one name")
        for transition in (self.definition.initial, *self.definition.transitions):
            for name in (transition.source, *transition.targets):
                if name and name not in self.states:
                    raise BrokenTransition(self.said, transition.source, f"there is no state {name!r}")

    def _shape(self, spec: StateSpec) -> None:
        children = [other for other in self.definition.states if other.parent == spec.name]
        if spec.kind in {"compound", "parallel"} and not any(child.kind != "history" for child in children):
            raise BrokenState(self.said, spec.name, "nothing is nested in it; nest states in it or make it a State")
        if spec.kind == "compound" and spec.initial is None:
            raise BrokenState(self.said, spec.name, "no initial state; mark exactly one with initial=True")
        if spec.compensate and (spec.kind != "final" or spec.parent is not None):
            raise BrokenState(self.said, spec.name, "only a top-level final state compensates: add final=True")
        if spec.kind == "final" and any(timer.state == spec.name for timer in self.definition.timers):
            raise BrokenState(self.said, spec.name, "nothing happens in a final state, so it can have no timer")
        if spec.kind == "parallel" and any(child.kind == "final" for child in children):
            raise BrokenState(self.said, spec.name, "its regions are states that go on, not final states")

    def _ways(self, spec: StateSpec) -> None:
        own = self.by_source.get(spec.name, ())
        if spec.kind == "final" and own:
            raise BrokenTransition(
                self.said, spec.name, "it is final, so nothing leaves it; drop final=True or the way out"
            )
        if spec.kind == "atomic" and not self.definition.descriptors and not self._left(spec):
            raise BrokenState(
                self.said, spec.name, "nothing leaves it and it is not final; add a way out or final=True"
            )

    def _left(self, spec: StateSpec) -> bool:
        return any(
            transition.targets
            for name in (spec.name, *self._above(spec.name))
            for transition in self.by_source.get(name, ())
        ) or any(self._region_of(name, spec.name) for name in self._above(spec.name))

    def _region_of(self, parallel: str, _state: str) -> bool:
        """Whether a sibling region's transitions may leave the parallel state around it."""
        if self.states[parallel].kind != "parallel":
            return False
        inside = {name for name in self.states if parallel in self._above(name)}
        return any(
            target not in inside
            for name in inside
            for transition in self.by_source.get(name, ())
            for target in transition.targets
        )

    def _above(self, name: str) -> Iterator[str]:
        parent = self.states[name].parent
        while parent is not None:
            yield parent
            parent = self.states[parent].parent

    def _ambiguity(self, spec: StateSpec) -> None:
        unguarded: dict[str, TransitionSpec] = {}
        for transition in self.by_source.get(spec.name, ()):
            for event in transition.events or ("",):
                shown = f"event {event}" if event else "eventless transitions"
                if event in unguarded:
                    raise BrokenTransition(
                        self.said,
                        spec.name,
                        f"two transitions for {shown}, and the first has no guard, so the second is never taken: "
                        "give the first a guard (when=), or put arms into one to=(…) with the unguarded last",
                    )
                if transition.guard is None:
                    unguarded[event] = transition

    def _step(self, step: StepSpec) -> None:
        spec = self.states.get(step.state)
        if spec is None or spec.kind != "atomic":
            kind = spec.kind if spec else "missing"
            raise BrokenStep(self.said, step.state, f"step {step.name} needs an atomic state; this one is {kind}")
        arms = [
            transition for transition in self.by_source.get(step.state, ()) if step.succeeded_event in transition.events
        ]
        if not any(arm.guard is None for arm in arms):
            raise BrokenStep(
                self.said,
                step.state,
                f"step {step.name} has no way on when no guard of to= holds; end to= with a state without guard",
            )
        if any(not arm.targets for arm in arms):
            raise BrokenStep(self.said, step.state, f"step {step.name} has no state to go on to; name one in to=")

    def _pivots(self) -> None:
        for step in self.definition.steps:
            if step.pivot:
                self._pivot(step)

    def _pivot(self, step: StepSpec) -> None:
        if any(self.states[name].kind == "parallel" for name in self._above(step.state)):
            raise BrokenStep(
                self.said, step.state, f"pivot {step.name} stands in a parallel region; it decides for the whole run"
            )
        if step.undo is not None:
            raise BrokenStep(self.said, step.state, f"pivot {step.name} has an undo; nothing is undone after a pivot")
        outcomes = (step.succeeded_event, step.failed_event, f"error.step.{step.name}.")
        for name in (step.state, *self._above(step.state)):
            for transition in self.by_source.get(name, ()):
                own = name == step.state and any(event.startswith(outcomes) for event in transition.events)
                if not own and (transition.targets or not transition.events):
                    raise BrokenStep(
                        self.said,
                        step.state,
                        f"it runs pivot {step.name}, so only its step may leave it; {_say(transition)} leaves it too",
                    )
        after = self._reachable(
            target
            for transition in self.by_source.get(step.state, ())
            if step.succeeded_event in transition.events
            for target in transition.targets
        )
        if step.state in after:
            raise BrokenStep(
                self.said, step.state, f"pivot {step.name} is on a cycle through itself; it happens once in a run"
            )
        for other in self.definition.steps:
            if other.undo is not None and other.state in after:
                raise BrokenStep(
                    self.said,
                    other.state,
                    f"step {other.name} has an undo, but it runs after pivot {step.name}: never undone",
                )

    def _reachable(self, first: Iterator[str]) -> set[str]:
        """States that may be active after these were entered, guards taken as free."""
        edges = self._edges()
        found: set[str] = set()
        waiting = list(first)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(edges.get(name, ()))
                waiting.extend(self._above(name))
        return found

    def _edges(self) -> Mapping[str, set[str]]:
        edges: dict[str, set[str]] = {}
        for transition in self.definition.transitions:
            edges.setdefault(transition.source, set()).update(transition.targets)
        for spec in self.definition.states:
            down = edges.setdefault(spec.name, set())
            if spec.initial is not None:
                down.update(spec.initial.targets)
            if spec.default is not None:
                down.update(spec.default.targets)
            if spec.kind == "parallel":
                down.update(other.name for other in self.definition.states if other.parent == spec.name)
        return edges


def _say(transition: TransitionSpec) -> str:
    return f"the transition for {', '.join(transition.events) or 'no event'} of {transition.source}"
