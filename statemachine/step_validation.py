"""Refuses steps that stand where they cannot work, and pivots after or around which a run could not be undone.

A pivot is run-wide: after it nothing is undone any more. So only its own outcome may leave its state, it stands in no
parallel region and on no cycle through itself, and nothing that has an undo comes after it.
"""

from __future__ import annotations

from typing import Any

from statemachine.definition import StepSpec, TransitionSpec
from statemachine.errors import BrokenStep
from statemachine.outline import Outline
from statemachine.retry import LONGEST


class StepValidation:
    """The rules on the steps of one definition, which messages call `said`."""

    def __init__(self, outline: Outline, said: str) -> None:
        self._outline = outline
        self._steps = outline.definition.steps
        self._said = said

    def run(self) -> None:
        """Raise BrokenStep at the first rule that is broken."""
        names: set[str] = set()
        states: dict[str, str] = {}
        for step in self._steps:
            if step.name in names:
                raise BrokenStep(self._said, step.state, f"two steps are called {step.name}; rename one of them")
            names.add(step.name)
            first = states.setdefault(step.state, step.name)
            if first != step.name:
                raise BrokenStep(
                    self._said, step.state, f"it has two steps, {first} and {step.name}; give each a state of its own"
                )
            self._place(step)
            self._tuning(step)
            if step.each is not None:
                self._each(step)
            self._cache(step)
            self._outcomes(step)
        for step in self._steps:
            if step.pivot:
                self._pivot(step)

    def _place(self, step: StepSpec) -> None:
        spec = self._outline.states.get(step.state)
        kind = "missing" if spec is None else spec.kind
        if kind != "atomic":
            raise BrokenStep(
                self._said, step.state, f"step {step.name} stands in a state that is {kind}; only an atomic one works"
            )

    def _tuning(self, step: StepSpec) -> None:
        if step.kind == "at-most-once" and step.retry.attempts > 1:
            raise BrokenStep(
                self._said,
                step.state,
                f"step {step.name} runs at most once, so it has no retries; drop once= or retry=",
            )
        times = (step.timeout, step.overall, step.heartbeat, step.undo.timeout if step.undo else None)
        if any(time is not None and not 0 < time <= LONGEST for time in times):
            raise BrokenStep(
                self._said,
                step.state,
                f"step {step.name} has no time at all, or has no end; timeouts are above 0 s and up to {LONGEST:.0e} s",
            )
        if step.undo is not None and not step.effect:
            raise BrokenStep(
                self._said, step.state, f"step {step.name} says effect=False and has an undo; drop one of the two"
            )

    def _each(self, step: StepSpec) -> None:
        said = None
        limit: Any = step.limit
        if step.kind != "at-least-once":
            said = f"and is {step.kind}; of many items each is done at least once, under a key of its own"
        elif step.pivot:
            said = "and is a pivot, which is done in one piece; let a step after it be the pivot"
        elif not isinstance(limit, int) or limit < 1:
            said = f"with limit={limit!r}; at least 1 of them must be able to run"
        elif step.failures not in {"stop", "collect"}:
            said = f"with failures={step.failures!r}; say 'stop' or 'collect'"
        elif step.failures == "collect" and (step.errors or step.failed):
            said = "and collects failures, so none is the step's; drop error= and failed=, and see retry=Retry(never=…)"
        elif step.failures == "collect" and step.into is None:
            said = "and collects failures for nobody; say in into= what is made of them"
        if said is not None:
            raise BrokenStep(self._said, step.state, f"step {step.name} is done for each of many items {said}")

    def _cache(self, step: StepSpec) -> None:
        """A result may be taken from another run only where nothing else of an attempt matters."""
        if step.cache is None:
            return
        refused = (
            (step.kind != "at-least-once", f"runs {step.kind}, and so its result is that of its own attempt"),
            (step.pivot, "is a pivot, which must happen in each run that passes it"),
            (step.undo is not None, "has an undo, but of a result that is taken nothing was done"),
            (
                step.into is None and step.each is not None,
                "returns nothing for an item; say in into= what is made of it",
            ),
            (step.into is None, "returns the data itself, which is no other run's; let it return a result, with into="),
            (not 0 < step.cache.age <= LONGEST, f"keeps results above 0 s and up to {LONGEST:.0e} s"),
            (step.cache.most < 1 or step.cache.size < 1, "keeps no result at all, since most= or size= is below 1"),
        )
        for holds, reason in refused:
            if holds:
                raise BrokenStep(
                    self._said, step.state, f"step {step.name} has cache= and {reason}; drop one of the two"
                )

    def _outcomes(self, step: StepSpec) -> None:
        self._way_on(step, step.succeeded_event, "to=")
        for arm, name in enumerate(step.errors):
            self._way_on(step, step.error_event(arm), f"error= for {name}")
        if step.failed:
            self._way_on(step, step.failed_event, "failed=")

    def _way_on(self, step: StepSpec, event: str, shown: str) -> None:
        arms = [one for one in self._outline.leaving(step.state) if event in one.events]
        if any(not arm.targets for arm in arms):
            raise BrokenStep(self._said, step.state, f"step {step.name} has no state to go on to in {shown}; name one")
        if all(arm.guard is not None for arm in arms):
            raise BrokenStep(
                self._said,
                step.state,
                f"step {step.name} has no way on when no guard of {shown} holds; end it with a state without guard",
            )

    def _pivot(self, step: StepSpec) -> None:
        outline = self._outline
        if any(outline.states[name].kind == "parallel" for name in outline.above(step.state)):
            raise BrokenStep(
                self._said,
                step.state,
                f"pivot {step.name} stands in a parallel region, but it decides for the whole run; move it behind the "
                "parallel state",
            )
        if step.undo is not None:
            raise BrokenStep(
                self._said,
                step.state,
                f"pivot {step.name} has an undo, but from a pivot on nothing is undone",
            )
        other = next((one for one in self._ways_out(step) if not _own(one, step)), None)
        if other is not None:
            raise BrokenStep(
                self._said,
                step.state,
                f"while pivot {step.name} runs, only its outcome may leave the state, but {_say(other)} leaves it too; "
                "move that to other states",
            )
        self._afterwards(step)

    def _ways_out(self, step: StepSpec) -> list[TransitionSpec]:
        """Transitions that may leave the step's state. While it is active, nothing around it is done."""
        above = list(self._outline.above(step.state))
        never = {f"done.state.{name}" for name in above}
        return [
            transition
            for name in (step.state, *above)
            for transition in self._outline.leaving(name)
            if transition.targets and not never.issuperset(transition.events or ("",))
        ]

    def _afterwards(self, step: StepSpec) -> None:
        after = self._outline.after(
            target
            for transition in self._outline.leaving(step.state)
            if step.succeeded_event in transition.events
            for target in transition.targets
        )
        if step.state in after:
            raise BrokenStep(
                self._said,
                step.state,
                f"pivot {step.name} is on a cycle through itself, but it happens once in a run; end the cycle, or let "
                "each round be a run of its own",
            )
        for other in self._steps:
            if other.undo is not None and other.state in after:
                raise BrokenStep(
                    self._said,
                    other.state,
                    f"step {other.name} has an undo, but it may run after pivot {step.name}, where nothing is undone; "
                    "drop the undo or move the pivot behind it",
                )


def _own(transition: TransitionSpec, step: StepSpec) -> bool:
    outcomes = {step.succeeded_event, step.failed_event, *(step.error_event(arm) for arm in range(len(step.errors)))}
    return bool(transition.events) and outcomes.issuperset(transition.events)


def _say(transition: TransitionSpec) -> str:
    return f"the transition of {transition.source} on {', '.join(transition.events) or 'no event'}"
