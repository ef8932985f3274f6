"""Refuses a definition that is ambiguous or broken, whichever way it was built, and says what to do about it.

A definition with SCXML's ways (`descriptors`) may hold much that is a mistake elsewhere, such as a state that nothing
leaves; of it, only what the algorithm stands on is asked.
"""

from __future__ import annotations

from statemachine.definition import Definition, StateSpec, TransitionSpec
from statemachine.errors import BrokenState, BrokenTransition
from statemachine.outline import Outline
from statemachine.retry import LONGEST
from statemachine.step_validation import StepValidation

RESERVED = ("done.", "error.", "failed.", "after.")
"""How names of the machine's own events begin."""


def validate(definition: Definition, said: str | None = None) -> None:
    """Refuse a broken definition.

    Args:
        definition: The definition.
        said: What messages call it; its name when not given.

    Raises:
        BrokenState, BrokenTransition, BrokenStep: With the state and the reason.
    """
    _Validation(definition, said or definition.name).run()


class _Validation:
    def __init__(self, definition: Definition, said: str) -> None:
        self._definition = definition
        self._said = said
        self._outline = Outline(definition)

    def run(self) -> None:
        self._names()
        for spec in self._definition.states:
            self._shape(spec)
        self._starts("", None, self._definition.initial)
        StepValidation(self._outline, self._said).run()
        if not self._definition.descriptors:
            self._events()
            for spec in self._definition.states:
                self._ambiguity(spec)
                self._ways(spec)

    # What the algorithm stands on.

    def _names(self) -> None:
        states = self._outline.states
        if len(states) != len(self._definition.states):
            raise BrokenState(self._said, None, "two states have one name; rename one of them")
        for spec in self._definition.states:
            if spec.parent is not None and spec.parent not in states:
                raise BrokenState(self._said, spec.name, f"it is nested in {spec.parent!r}, which is not there")
        entries = [one for spec in self._definition.states for one in (spec.initial, spec.default) if one is not None]
        for transition in (self._definition.initial, *entries, *self._definition.transitions):
            for name in (transition.source, *transition.targets):
                if name and name not in states:
                    raise BrokenTransition(
                        self._said, transition.source or None, f"there is no state {name!r}; name one of its own"
                    )
        for timer in self._definition.timers:
            if timer.state not in states:
                raise BrokenState(self._said, timer.state, f"timer {timer.event} is set in a state that is not there")
            if not isinstance(timer.delay, str) and not 0 <= timer.delay <= LONGEST:
                raise BrokenState(
                    self._said, timer.state, f"a timer of {timer.delay} s is no time to wait; give 0 to {LONGEST:.0e} s"
                )

    def _shape(self, spec: StateSpec) -> None:
        nested = [child for child in self._outline.below(spec.name) if child.kind != "history"]
        if spec.kind in {"compound", "parallel"}:
            if not nested:
                raise BrokenState(
                    self._said, spec.name, "nothing is nested in it; nest states in it, or make it a State"
                )
        elif nested:
            raise BrokenState(self._said, spec.name, f"{nested[0].name} is nested in a state that is {spec.kind}")
        if spec.kind == "compound":
            self._starts(spec.name, spec.name, spec.initial)
        if spec.kind == "parallel" and any(child.kind == "final" for child in nested):
            raise BrokenState(self._said, spec.name, "a region is a state that goes on, not a final state")
        if spec.kind == "history" and spec.default is None:
            raise BrokenState(self._said, spec.name, "say where to go when nothing is remembered")
        if spec.compensate and (spec.kind != "final" or spec.parent is not None):
            raise BrokenState(
                self._said, spec.name, "only a final state of the workflow itself, not of a compound, compensates"
            )
        if spec.kind == "final":
            self._final(spec)

    def _starts(self, inside: str, about: str | None, initial: TransitionSpec | None) -> None:
        if initial is None or not initial.targets:
            raise BrokenState(self._said, about, "no initial state; mark exactly one with initial=True")
        for target in initial.targets:
            if inside and inside not in self._outline.above(target):
                raise BrokenState(self._said, about, f"its initial state {target!r} is not nested in it")

    def _final(self, spec: StateSpec) -> None:
        if any(timer.state == spec.name for timer in self._definition.timers):
            raise BrokenState(
                self._said, spec.name, "it is final, so nothing waits in it; drop its timer or final=True"
            )
        if self._outline.leaving(spec.name):
            raise BrokenTransition(
                self._said, spec.name, "it is final, so nothing leaves it; drop final=True or the way out"
            )
        if spec.defer or spec.waits_for:
            raise BrokenState(self._said, spec.name, "it is final, so nothing waits in it; drop defer= and waits_for=")

    # What is a mistake, though the algorithm could go on.

    def _events(self) -> None:
        for name in self._definition.events:
            if name.startswith(RESERVED):
                raise BrokenTransition(
                    self._said, None, f"event name {name!r} begins like those of the machine itself; give it another"
                )
        for spec in self._definition.states:
            unknown = next((event for event in spec.defer if event not in self._definition.events), None)
            if unknown is not None:
                raise BrokenState(
                    self._said,
                    spec.name,
                    f"it defers {unknown}, which no transition takes; add on({unknown}, …) or drop it from defer=",
                )

    def _ambiguity(self, spec: StateSpec) -> None:
        taken: dict[str, set[str | None]] = {}
        for transition in self._outline.leaving(spec.name):
            for event in transition.events or ("",):
                guards = taken.setdefault(event, set())
                shown = _say(event)
                if None in guards:
                    raise BrokenTransition(
                        self._said,
                        spec.name,
                        f"two transitions {shown}, and the first has no guard, so the second is never taken: guard the "
                        "first with when=, or put both into one to=(…) with the unguarded last",
                    )
                if transition.guard is not None and transition.guard in guards:
                    raise BrokenTransition(
                        self._said,
                        spec.name,
                        f"two transitions {shown} have the guard {transition.guard}, so the second is never taken",
                    )
                guards.add(transition.guard)
                if not event and transition.guard is None and not transition.targets:
                    raise BrokenTransition(
                        self._said, spec.name, "an eventless transition without guard or target never ends; guard it"
                    )
                self._joins(spec, event)

    def _joins(self, spec: StateSpec, event: str) -> None:
        if event != f"done.state.{spec.name}" or self._outline.finishes(spec.name):
            return
        stuck = next(
            (child.name for child in self._outline.below(spec.name) if not self._outline.finishes(child.name)),
            spec.name,
        )
        where = stuck if spec.kind == "parallel" else spec.name
        raise BrokenTransition(
            self._said,
            spec.name,
            f"it is never done, since no state in {where!r} is final; give it one with final=True",
        )

    def _ways(self, spec: StateSpec) -> None:
        # Where a region of a parallel state is done, the others may go on.
        regions = [name for name in self._outline.above(spec.name) if self._outline.states[name].kind == "parallel"]
        nested_final = spec.kind == "final" and spec.parent is not None and not regions
        if (spec.kind == "atomic" or nested_final) and not self._left(spec):
            if nested_final:
                reason = f"once {spec.parent!r} is done, nothing leads out of it; add joined({spec.parent}, to=…)"
            else:
                reason = "nothing leaves it and it is not final; add a way out, or final=True"
            raise BrokenState(self._said, spec.name, reason)

    def _left(self, spec: StateSpec) -> bool:
        above = list(self._outline.above(spec.name))
        # While a state is active that is not final, nothing around it is done.
        never = {f"done.state.{name}" for name in above} if spec.kind == "atomic" else set[str]()
        return any(
            transition.targets and not never.issuperset(transition.events or ("",))
            for name in (spec.name, *above)
            for transition in self._outline.leaving(name)
        ) or any(self._left_by_other_region(name) for name in above)

    def _left_by_other_region(self, name: str) -> bool:
        if self._outline.states[name].kind != "parallel":
            return False
        inside = set(self._outline.inside(name))
        return any(
            target not in inside
            for state in inside
            for transition in self._outline.leaving(state)
            for target in transition.targets
        )


def _say(event: str) -> str:
    if not event:
        return "without event"
    if event.startswith("done.step."):
        return f"after step {event.removeprefix('done.step.')}"
    return f"on {event}"
