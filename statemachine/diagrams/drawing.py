"""What a diagram shows of a definition, before any notation: boxes, arrows, and what a run has done of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Literal

import attrs

from statemachine.definition import Definition, StateSpec, StepSpec, TransitionSpec
from statemachine.diagrams.trace import Trace
from statemachine.wording import Wording, manner, span

ArrowKind = Literal["event", "work", "error", "timer", "eventless", "undo"]
WIDTH = 30
"""Characters of a line beside an arrow."""
ENDS = {True: "undone", False: "completed"}


@attrs.frozen(kw_only=True)
class Box:
    """A state.

    Attributes:
        name: Its dotted name.
        label: Its own name.
        kind: As in the definition.
        parent: The state around it.
        lines: What is said beneath its name.
        initial: Whether it is where its surroundings begin.
        pivot: Whether its step is the pivot.
        end: Of an outermost final state: `completed`, or `undone` where it compensates.
        mark: What a run makes of it.
    """

    name: str
    label: str
    kind: str
    parent: str | None
    lines: tuple[str, ...] = ()
    initial: bool = False
    pivot: bool = False
    end: str = ""
    mark: Literal["", "active", "visited"] = ""


@attrs.frozen(kw_only=True)
class Arrow:
    """A transition, or (`undo`) the way back that a step's compensation is."""

    source: str
    target: str
    label: str
    guard: str = ""
    kind: ArrowKind
    taken: bool = False

    def lines(self) -> list[str]:
        """What is written beside it: the event, and the guard in brackets, in lines that are not too long."""
        return [*wrap(self.label, WIDTH), *(wrap(f"[{self.guard}]", WIDTH) if self.guard else ())]


@attrs.frozen
class Drawing:
    """All of it. Boxes are in document order, an outer one before what is in it."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]

    def within(self, parent: str | None) -> list[Box]:
        """The boxes directly in one; of None, the outermost."""
        return [box for box in self.boxes if box.parent == parent]


def draw(definition: Definition, trace: Trace | None = None) -> Drawing:
    """Draw a definition, with what a run has done of it where a trace is given."""
    steps = {step.state: step for step in definition.steps}
    first = set(definition.initial.targets)
    for spec in definition.states:
        first.update(spec.initial.targets if spec.initial else ())
    return Drawing(
        title=f"{definition.name} (version {definition.version})",
        boxes=tuple(_box(spec, steps.get(spec.name), first, trace) for spec in definition.states),
        arrows=(*_arrows(definition, trace), *_undos(definition, trace)),
    )


def _box(spec: StateSpec, step: StepSpec | None, first: set[str], trace: Trace | None) -> Box:
    mark: Literal["", "active", "visited"] = ""
    if trace is not None:
        mark = "active" if spec.name in trace.active else "visited" if spec.name in trace.visited else ""
    return Box(
        name=spec.name,
        label=_label(spec),
        kind=spec.kind,
        parent=spec.parent,
        lines=tuple(_lines(spec, step, trace)),
        initial=spec.name in first,
        pivot=step is not None and step.pivot,
        end=ENDS[spec.compensate] if spec.kind == "final" and spec.parent is None else "",
        mark=mark,
    )


def _label(spec: StateSpec) -> str:
    if spec.kind == "history":
        return "H*" if spec.deep else "H"
    return spec.name.rpartition(".")[2]


def _lines(spec: StateSpec, step: StepSpec | None, trace: Trace | None) -> Iterator[str]:
    if spec.waits_for:
        yield f"waits for {spec.waits_for}"
    if spec.defer:
        yield f"defers {', '.join(spec.defer)}"
    if step is not None:
        tries = f", {step.retry.attempts} attempts" if step.retry.attempts > 1 else ""
        yield f"{step.name} ({span(step.timeout)}{tries})"
        yield from manner(step)
        if step.pivot:
            yield "pivot: nothing is undone after it"
        if trace is not None and step.name in trace.pending:
            yield trace.pending[step.name]


def _arrows(definition: Definition, trace: Trace | None) -> Iterator[Arrow]:
    words = Wording(definition)
    for transition in definition.transitions:
        label = " or ".join(words.event(event) for event in transition.events) or "at once"
        guard = definition.code.refusals.get(transition.guard, transition.guard) if transition.guard else ""
        for target in transition.targets or (transition.source,):
            yield Arrow(
                source=transition.source,
                target=target,
                label=label,
                guard=guard,
                kind=_kind(definition, transition),
                taken=trace is not None and trace.took(transition, target),
            )
    for spec in definition.states:
        if spec.default is not None:
            for target in spec.default.targets:
                yield Arrow(source=spec.name, target=target, label="at first", kind="eventless")


def _kind(definition: Definition, transition: TransitionSpec) -> ArrowKind:
    event = transition.events[0] if transition.events else ""
    if event.startswith(("error.step.", "failed.step.")):
        return "error"
    if event.startswith("done."):
        return "work"
    if any(timer.event == event for timer in definition.timers):
        return "timer"
    return "event" if event else "eventless"


def _undos(definition: Definition, trace: Trace | None) -> Iterator[Arrow]:
    """The way back of each step that can be undone: from where its success leads."""
    for step in definition.steps:
        if step.undo is not None:
            target = _after(definition.transitions, step)
            if target is not None:
                name = step.undo.function.rpartition(".")[2]
                taken = trace is not None and step.name in trace.undone
                yield Arrow(source=target, target=step.state, label=f"undo: {name}", kind="undo", taken=taken)


def _after(transitions: Iterable[TransitionSpec], step: StepSpec) -> str | None:
    """Where the success of a step leads; of several ways the last, which is the one without a guard."""
    ways = [target for one in transitions if step.succeeded_event in one.events for target in one.targets]
    return ways[-1] if ways else None
