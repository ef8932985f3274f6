"""A sound workflow as data, with every feature that the checks look at, and the means to plant faults in it."""

from __future__ import annotations

from typing import Any

import attrs

from statemachine.checking import Finding, check
from statemachine.definition import Definition, StateSpec, StepSpec, TimerSpec, TransitionSpec, UndoSpec, Waiver
from statemachine.retry import Retry

DAY = 86_400.0


def arc(source: str, event: str, *targets: str, when: str | None = None, **more: Any) -> TransitionSpec:
    """A transition; an empty event is none."""
    return TransitionSpec(source=source, events=(event,) if event else (), targets=targets, guard=when, **more)


def entry(source: str, *targets: str) -> TransitionSpec:
    """A default entry."""
    return TransitionSpec(source=source, targets=targets)


def state(name: str, **more: Any) -> StateSpec:
    """A state; what its name is nested in is its parent."""
    parent = name.rpartition(".")[0] or None
    return StateSpec(name=name, parent=parent, **more)


def final(name: str, **more: Any) -> StateSpec:
    """A final state."""
    return state(name, kind="final", **more)


def compound(name: str, initial: str) -> StateSpec:
    """A compound state."""
    return state(name, kind="compound", initial=entry(name, f"{name}.{initial}"))


def step(name: str, at: str, **more: Any) -> StepSpec:
    """A step, with the defaults of the class API."""
    return StepSpec(name=name, state=at, function=name, **{"retry": Retry(), "timeout": 300.0, **more})


UNDO = UndoSpec(function="undo", retry=Retry(3), timeout=300.0)


def machine(
    states: tuple[StateSpec, ...], transitions: tuple[TransitionSpec, ...], first: str = "", **more: Any
) -> Definition:
    """A definition that declares every event its transitions name, but for the machine's own."""
    own = ("done.", "error.", "failed.", "after.")
    events = sorted({event for one in transitions for event in one.events if not event.startswith(own)})
    return Definition(
        name="loan",
        states=states,
        initial=entry("", first or states[0].name),
        transitions=transitions,
        events=more.pop("events", tuple(events)),
        **more,
    )


INNER_LAST = machine(
    (
        state("all", kind="parallel"),
        state("all.inner", kind="parallel"),
        *(compound("all.inner.one", "on"), state("all.inner.one.on"), final("all.inner.one.end")),
        *(compound("all.two", "on"), state("all.two.on"), final("all.two.end")),
        final("end"),
    ),
    (
        arc("all.two.on", "A", "all.two.end"),
        arc("all.inner.one.on", "done.state.all.two", "all.inner.one.end"),
        arc("all", "done.state.all", "end", declared="joined"),
    ),
)
"""The region that is done last is itself parallel."""

SOUND = machine(
    (
        state("screening", defer=("Park",)),
        state("checks", kind="parallel"),
        compound("checks.fraud", "scoring"),
        state("checks.fraud.scoring"),
        final("checks.fraud.scored"),
        compound("checks.income", "asking"),
        state("checks.income.asking"),
        final("checks.income.known"),
        state(
            "checks.memory",
            kind="history",
            deep=True,
            default=entry("checks.memory", "checks.fraud.scoring", "checks.income.asking"),
        ),
        state("parked"),
        state("review"),
        state("routing"),
        state("second"),
        state("holding"),
        state("paying"),
        state("telling"),
        final("paid"),
        final("declined", compensate=True),
    ),
    (
        arc("screening", "done.step.screen", "declined", when="fraudulent", declared="screen"),
        arc("screening", "done.step.screen", "checks", declared="screen"),
        arc("checks.fraud.scoring", "Scored", "checks.fraud.scored", declared="scored"),
        arc("checks.income.asking", "Proof", "checks.income.known", declared="proof"),
        arc("checks", "Park", "parked", declared="park"),
        arc("checks", "done.state.checks", "review", declared="joined"),
        arc("parked", "Resume", "checks.memory", declared="resume"),
        arc("review", "Approve", "routing", declared="approve"),
        arc("review", "Decline", "declined", declared="decline"),
        arc("review", "Remind", declared="remind"),
        arc("review", "after.review.0", "declined", declared="lapse"),
        arc("routing", "", "second", when="large", declared="route"),
        arc("routing", "", "holding", declared="route"),
        arc("second", "Approve", "holding", when="someone_else", declared="approve_too"),
        arc("second", "Decline", "declined", declared="decline"),
        arc("second", "Ask", "review", declared="ask"),
        arc("holding", "done.step.hold", "paying", declared="hold"),
        arc("holding", "error.step.hold.0", "declined", declared="hold"),
        arc("paying", "done.step.pay", "telling", declared="pay"),
        arc("telling", "done.step.tell", "paid", declared="tell"),
        arc("telling", "failed.step.tell", "paid", declared="tell"),
    ),
    steps=(
        step("screen", "screening", effect=False, retry=Retry(5), timeout=30.0),
        step("hold", "holding", undo=UNDO, errors=("InsufficientFunds",)),
        step("pay", "paying", pivot=True, kind="at-most-once"),
        step("tell", "telling", failed=True),
    ),
    timers=(TimerSpec(state="review", event="after.review.0", delay=7 * DAY),),
)


def with_states(definition: Definition, *states: StateSpec) -> Definition:
    """With more states, at the end."""
    return attrs.evolve(definition, states=(*definition.states, *states))


def with_arcs(definition: Definition, *arcs: TransitionSpec) -> Definition:
    """With more transitions, at the end, and the events they name."""
    events = {event for one in arcs for event in one.events if event[0].isupper()}
    return attrs.evolve(
        definition,
        transitions=(*definition.transitions, *arcs),
        events=tuple(sorted({*definition.events, *events})),
    )


def without_arcs(definition: Definition, source: str, event: str) -> Definition:
    """Without the transitions of a state on an event."""
    kept = tuple(one for one in definition.transitions if one.source != source or event not in one.events)
    return attrs.evolve(definition, transitions=kept)


def with_step(definition: Definition, name: str, **change: Any) -> Definition:
    """With one of its steps changed."""
    changed = tuple(attrs.evolve(one, **change) if one.name == name else one for one in definition.steps)
    return attrs.evolve(definition, steps=changed)


def with_state(definition: Definition, name: str, **change: Any) -> Definition:
    """With one of its states changed."""
    changed = tuple(attrs.evolve(one, **change) if one.name == name else one for one in definition.states)
    return attrs.evolve(definition, states=changed)


def with_waiver(definition: Definition, code: str, at: str = "", reason: str = "it is meant so") -> Definition:
    """With a waiver."""
    return attrs.evolve(definition, waivers=(*definition.waivers, Waiver(code=code, at=at, reason=reason)))


def only(definition: Definition) -> Finding:
    """The one thing that is found."""
    report = check(definition)
    assert len(report.findings) == 1, str(report)[:2000]
    return report.findings[0]
