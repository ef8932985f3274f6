"""Random definitions: nested and parallel states, history, guards, eventless transitions, timers and steps."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import strategies as st

from statemachine.definition import Definition, StateSpec, StepSpec, TimerSpec, TransitionSpec
from statemachine.retry import Retry

EVENTS = ("A", "B")
DEEPEST = 3


@attrs.define
class _Drawing:
    """A definition while it is drawn. `draw` is hypothesis's."""

    draw: Any
    states: list[StateSpec] = attrs.field(factory=list[StateSpec])
    transitions: list[TransitionSpec] = attrs.field(factory=list[TransitionSpec])
    steps: list[StepSpec] = attrs.field(factory=list[StepSpec])
    timers: list[TimerSpec] = attrs.field(factory=list[TimerSpec])

    def chance(self, of: int) -> bool:
        """True once in `of` times, and what hypothesis shrinks away."""
        return bool(self.draw(st.integers(1, of)) == of)

    def below(self, parent: str | None, depth: int, *, regions: bool = False) -> list[str]:
        """Draw the states of a compound (or the regions of a parallel state); gives their names."""
        names = [f"{parent}.{n}" if parent else f"s{n}" for n in range(self.draw(st.integers(2, 3)))]
        for number, name in enumerate(names):
            last = number == len(names) - 1
            kinds = ["atomic"] if depth == DEEPEST else ["atomic", "compound", "parallel"]
            kind = "compound" if regions and depth < DEEPEST else self.draw(st.sampled_from(kinds))
            if last and not regions and self.chance(2):
                kind = "final"
            self.state(name, parent, kind, depth)
        return names

    def state(self, name: str, parent: str | None, kind: Any, depth: int) -> None:
        """Draw one state with what is in it."""
        at = len(self.states)
        self.states.append(StateSpec(name=name, parent=parent, kind=kind))
        if kind not in {"compound", "parallel"}:
            return
        inside = self.below(name, depth + 1, regions=kind == "parallel")
        if kind == "compound":
            first = self.draw(st.sampled_from(inside))
            self.states[at] = attrs.evolve(self.states[at], initial=TransitionSpec(source=name, targets=(first,)))
        if self.chance(3):
            targets = tuple(inside) if kind == "parallel" else (self.draw(st.sampled_from(inside)),)
            memory = f"{name}.memory"
            default = TransitionSpec(source=memory, targets=targets)
            deep = self.chance(2)
            self.states.append(StateSpec(name=memory, parent=name, kind="history", deep=deep, default=default))

    def arc(self, source: str, event: str) -> None:
        """Draw one transition. What needs no event goes on in document order only, so that most of it ends."""
        names = [one.name for one in self.states]
        by_itself = not event or event.startswith("done.state.")
        if by_itself:
            later = names[names.index(source) + 1 :]
            names = [one.name for one in self.states if one.kind != "history" and one.name in later]
            if not names:
                return
        targets = () if not by_itself and self.chance(6) else (self.draw(st.sampled_from(names)),)
        guard = f"g{len(self.transitions)}" if self.chance(2) else None
        events = (event,) if event else ()
        internal = self.chance(3)
        self.transitions.append(
            TransitionSpec(source=source, events=events, targets=targets, guard=guard, internal=internal)
        )

    def work(self, state: StateSpec) -> None:
        """Draw a timer or a step for a state, or nothing."""
        if self.chance(5):
            event = f"after.{state.name}"
            self.timers.append(TimerSpec(state=state.name, event=event, delay=60.0))
            self.arc(state.name, event)
        if state.kind == "atomic" and self.chance(5):
            errors = ("Busy",) if self.chance(2) else ()
            pivot = self.chance(3)
            step = StepSpec(
                name=f"step_{state.name}",
                state=state.name,
                function="step",
                retry=Retry(),
                timeout=60.0,
                pivot=pivot,
                failed=not pivot and self.chance(2),
                errors=errors,
            )
            self.steps.append(step)
            self.arc(state.name, step.succeeded_event)
            if errors:
                self.arc(state.name, step.error_event(0))
            if step.failed:
                self.arc(state.name, step.failed_event)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """A definition whose guards have a name each; its functions are for the test to give."""
    drawing = _Drawing(draw)
    top = drawing.below(None, 1)
    drawing.state("end", None, "final", 1)
    sources = [one for one in drawing.states if one.kind not in {"final", "history"}]
    for source in sources:
        drawing.work(source)
    for _ in range(draw(st.integers(3, 12))):
        source = draw(st.sampled_from(sources))
        done = [f"done.state.{source.name}"] if source.kind in {"compound", "parallel"} else []
        drawing.arc(source.name, draw(st.sampled_from([*EVENTS, *EVENTS, "", *done])))
    return Definition(
        name="drawn",
        states=tuple(drawing.states),
        initial=TransitionSpec(source="", targets=(top[0],)),
        transitions=tuple(drawing.transitions),
        steps=tuple(drawing.steps),
        timers=tuple(drawing.timers),
        events=EVENTS,
    )
