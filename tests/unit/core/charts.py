"""Definitions built from data, for tests of the core: small words for states, transitions, steps and a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from statemachine.definition import (
    Code,
    Definition,
    Function,
    StateSpec,
    StepSpec,
    TimerSpec,
    TransitionSpec,
    UndoSpec,
)
from statemachine.retry import Retry
from statemachine.scope import Scope
from statemachine.snapshot import Occurrence


@attrs.frozen
class Book:
    """The data of most runs here."""

    a: int = 0
    b: int = 0
    c: int = 0
    log: tuple[str, ...] = ()


class DeclinedError(Exception):
    """An error that a step declares: it had no effect."""


def state(name: str, parent: str | None = None, **more: Any) -> StateSpec:
    """An atomic state, unless `more` says otherwise."""
    return StateSpec(name=name, parent=parent, **more)


def compound(name: str, first: str, parent: str | None = None, **more: Any) -> StateSpec:
    """A compound state that begins in `first`."""
    return StateSpec(
        name=name, parent=parent, kind="compound", initial=TransitionSpec(source=name, targets=(first,)), **more
    )


def parallel(name: str, parent: str | None = None, **more: Any) -> StateSpec:
    """A parallel state."""
    return StateSpec(name=name, parent=parent, kind="parallel", **more)


def final(name: str, parent: str | None = None, *, compensate: bool = False, **more: Any) -> StateSpec:
    """A final state."""
    return StateSpec(name=name, parent=parent, kind="final", compensate=compensate, **more)


def go(source: str, event: str, target: str | None = None, *actions: str, **more: Any) -> TransitionSpec:
    """A transition; without a target it is targetless, without an event eventless."""
    return TransitionSpec(
        source=source,
        events=(event,) if event else (),
        targets=(target,) if target else (),
        actions=actions,
        **more,
    )


def step(name: str, state: str, *, undo: Retry | bool = True, retry: Retry | None = None, **more: Any) -> StepSpec:
    """A step with an undo, unless told otherwise."""
    how = UndoSpec(function="undo", retry=Retry(2) if undo is True else undo, timeout=60.0) if undo else None
    return StepSpec(name=name, state=state, function="work", retry=retry or Retry(), timeout=60.0, undo=how, **more)


def noting(word: str) -> Function:
    """An action that writes a word into the book's log."""

    def note(data: Book, _occurrence: Occurrence, _scope: Scope) -> Book:
        return attrs.evolve(data, log=(*data.log, word))

    return note


def setting(**fields: Any) -> Function:
    """An action that sets fields of the book."""

    def write(data: Book, _occurrence: Occurrence, _scope: Scope) -> Book:
        return attrs.evolve(data, **fields)

    return write


def raising(data: Book, occurrence: Occurrence, scope: Scope) -> Book:
    """An action, guard or fold that always raises."""
    message = "a bug"
    raise ZeroDivisionError(message)


def never_called(*_: object) -> None:
    """Stands for a step's function, which the core must not call."""
    message = "the core called a step"
    raise AssertionError(message)


def define(
    states: Iterable[StateSpec],
    transitions: Iterable[TransitionSpec] = (),
    *,
    steps: Iterable[StepSpec] = (),
    timers: Iterable[TimerSpec] = (),
    functions: Mapping[str, Callable[..., Any]] | None = None,
    events: Mapping[str, Any] | None = None,
    results: Mapping[str, Any] | None = None,
    data: Any = Book,
    initial: str | None = None,
    **more: Any,
) -> Definition:
    """A definition whose first state is its initial one. Events are those its transitions and states name."""
    states, transitions, steps = tuple(states), tuple(transitions), tuple(steps)
    named = {event for transition in transitions for event in transition.events} | {
        event for spec in states for event in spec.defer
    }
    declared = {event for event in named if not event.startswith(("done.", "error.", "failed.", "after."))}
    kinds: dict[str, Any] = dict.fromkeys(sorted(declared | set(events or {})), Any)
    kinds.update(events or {})
    code = Code(
        functions={"work": never_called, "undo": never_called, "raise": raising, **(functions or {})},
        data=data,
        events=kinds,
        results=results or {},
        exceptions={"Declined": DeclinedError},
    )
    return Definition(
        name="test",
        states=states,
        initial=TransitionSpec(source="", targets=(initial or states[0].name,)),
        transitions=transitions,
        steps=steps,
        timers=tuple(timers),
        events=tuple(sorted(kinds)),
        hash="h",
        code=code,
        **more,
    )


NAMES = ("one", "two", "three", "four", "five")


def five_steps(*, pivot: str | None = None, failed: str | None = None, retry: Retry | None = None) -> Definition:
    """The saga of the tests: five steps in a row, each undoable (after a pivot none), then `paid`.

    A declared error of any leads to `declined`, which undoes what was done. `failed` names one step whose exhaustion
    leads to `declined` by its own transition.
    """
    before = NAMES[: NAMES.index(pivot)] if pivot else NAMES
    ways = [go(name, f"done.step.{name}", after) for name, after in zip(NAMES, (*NAMES[1:], "paid"), strict=True)]
    ways += [go(name, f"error.step.{name}.0", "declined") for name in NAMES]
    ways += [go(failed, f"failed.step.{failed}", "declined")] if failed else []
    return define(
        [*map(state, NAMES), final("paid"), final("declined", compensate=True)],
        ways,
        steps=[
            step(
                name,
                name,
                undo=name in before,
                retry=retry,
                pivot=name == pivot,
                errors=("Declined",),
                failed=name == failed,
            )
            for name in NAMES
        ],
    )
