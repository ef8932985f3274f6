"""The transitions a workflow is written with: on an event, after a time, eventless, when regions are done.

Nothing here does anything: each declaration keeps what was written, and `compiling` reads it when the class is made.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Generic, TypeAlias, TypeVar, overload

import attrs

from statemachine.events import Event, Moment, Outbox
from statemachine.states import (
    Arms,
    D,
    E,
    Guard,
    GuardMethod,
    Nested,
    Quiet,
    QuietArms,
    QuietMethod,
    Sources,
    Target,
    Targets,
    W,
    note,
    place,
)

F = TypeVar("F", bound=Callable[..., Any])
Delay: TypeAlias = float | timedelta
When: TypeAlias = timedelta | datetime | float
Deadline: TypeAlias = Callable[[D], When] | Callable[[D, Moment], When]
DeadlineMethod: TypeAlias = Callable[[W, D], When] | Callable[[W, D, Moment], When]


@attrs.define(eq=False)
class Declared:
    """A transition as written. `kind` says what triggers it."""

    kind: str
    source: tuple[Target, ...]
    to: Any
    when: Callable[..., bool] | None
    place: str
    event: type[Event] | None = None
    internal: bool = False
    delay: Any = None
    handler: Callable[..., Any] | None = None


class Written:
    """A declared transition, as a value."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        note(declared)

    def _take(self, handler: F) -> F:
        self.declared.handler = handler
        noted: list[Declared] = vars(handler).setdefault("__transitions__", [])
        noted.insert(0, self.declared)  # decorators are applied from the bottom, and read from the top
        return handler


class Transition(Written):
    """A declared transition; as a decorator, it takes a handler `(self, data) -> data`."""

    @overload
    def __call__(self, handler: Callable[[W, D], D]) -> Callable[[W, D], D]: ...
    @overload
    def __call__(self, handler: Callable[[W, D, Outbox], D]) -> Callable[[W, D, Outbox], D]: ...
    def __call__(self, handler: Any) -> Any:
        """Give it a handler."""
        return self._take(handler)


class TransitionOver(Written, Generic[D]):
    """A declared transition whose guards look at data of type D; as a decorator, it takes a handler of such data."""

    @overload
    def __call__(self, handler: Callable[[W, D], D]) -> Callable[[W, D], D]: ...
    @overload
    def __call__(self, handler: Callable[[W, D, Outbox], D]) -> Callable[[W, D, Outbox], D]: ...
    def __call__(self, handler: Any) -> Any:
        """Give it a handler."""
        return self._take(handler)


class EventTransition(Written, Generic[E]):
    """A declared transition on an event; as a decorator, it takes a handler `(self, data, event) -> data`."""

    @overload
    def __call__(self, handler: Callable[[W, D, E], D]) -> Callable[[W, D, E], D]: ...
    @overload
    def __call__(self, handler: Callable[[W, D, E, Outbox], D]) -> Callable[[W, D, E, Outbox], D]: ...
    def __call__(self, handler: Any) -> Any:
        """Give it a handler."""
        return self._take(handler)


class EventTransitionOver(Written, Generic[D, E]):
    """A declared transition on an event whose guards look at data of type D."""

    @overload
    def __call__(self, handler: Callable[[W, D, E], D]) -> Callable[[W, D, E], D]: ...
    @overload
    def __call__(self, handler: Callable[[W, D, E, Outbox], D]) -> Callable[[W, D, E, Outbox], D]: ...
    def __call__(self, handler: Any) -> Any:
        """Give it a handler."""
        return self._take(handler)


@overload
def on(  # pyright: ignore[reportOverlappingOverload] -- without a guard, the data is the handler's own
    event: type[E], *, source: Sources, to: Targets | None = None, when: None = None, internal: bool = False
) -> EventTransition[E]: ...
@overload
def on(
    event: type[E],
    *,
    source: Sources,
    to: Arms[D, E] | None = None,
    when: Guard[D, E] | None = None,
    internal: bool = False,
) -> EventTransitionOver[D, E]: ...
@overload
def on(
    event: type[E],
    *,
    source: Sources,
    to: Arms[D, E] | None = None,
    when: GuardMethod[W, D, E],
    internal: bool = False,
) -> EventTransitionOver[D, E]: ...
def on(event: type[Event], *, source: Sources, to: Any = None, when: Any = None, internal: bool = False) -> Any:
    """A transition on an event; a value, or a decorator of its handler `(self, data, event) -> data`.

    Args:
        event: The event's type.
        source: The state, or several, in which it is accepted; a compound's class for all within it.
        to: The target, or arms in their priority; None stays where it is and leaves nothing.
        when: A guard `(data, event)` or `(data)`, a function or a method; its docstring is the reason of a refusal.
        internal: From a compound to a state within it, without leaving the compound.
    """
    declared = Declared("on", _sources(source), to, when, place(), event=event, internal=internal)
    transition: EventTransition[Any] = EventTransition(declared)
    return transition


@overload
def after(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload] -- as for `on`
    delay: Delay, *, source: Sources, to: Targets | None = None, when: None = None
) -> Transition: ...
@overload
def after(
    delay: Delay | Deadline[D], *, source: Sources, to: QuietArms[D] | None = None, when: Quiet[D] | None = None
) -> TransitionOver[D]: ...
@overload
def after(
    delay: Delay | Deadline[D], *, source: Sources, to: QuietArms[D] | None = None, when: QuietMethod[W, D]
) -> TransitionOver[D]: ...
@overload
def after(
    delay: DeadlineMethod[W, D], *, source: Sources, to: QuietArms[D] | None = None, when: Quiet[D] | None = None
) -> TransitionOver[D]: ...
@overload
def after(
    delay: DeadlineMethod[W, D], *, source: Sources, to: QuietArms[D] | None = None, when: QuietMethod[W, D]
) -> TransitionOver[D]: ...
def after(delay: Any, *, source: Sources, to: Any = None, when: Any = None) -> Any:
    """A transition when a state has been active for a time; a value, or a decorator: `(self, data) -> data`.

    Args:
        delay: How long, in seconds or as a timedelta, or a function or method of the data that says so, or until when
            (UTC).
        source: The state (or several, each with a timer of its own).
        to: The target, or arms in their priority; None stays, so that a handler can do something.
        when: A guard `(data)`.
    """
    return Transition(Declared("after", _sources(source), to, when, place(), delay=delay))


@overload
def always(  # pyright: ignore[reportOverlappingOverload] -- as for `on`
    *, source: Sources, to: Targets | None = None, when: None = None
) -> Transition: ...
@overload
def always(*, source: Sources, to: QuietArms[D] | None = None, when: Quiet[D] | None = None) -> TransitionOver[D]: ...
@overload
def always(*, source: Sources, to: QuietArms[D] | None = None, when: QuietMethod[W, D]) -> TransitionOver[D]: ...
def always(*, source: Sources, to: Any = None, when: Any = None) -> Any:
    """An eventless transition: taken as soon as its guard holds. A value, or a decorator of its handler."""
    return Transition(Declared("always", _sources(source), to, when, place()))


@overload
def joined(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload] -- as for `on`
    source: type[Nested], *, to: Targets, when: None = None
) -> Transition: ...
@overload
def joined(source: type[Nested], *, to: QuietArms[D], when: Quiet[D] | None = None) -> TransitionOver[D]: ...
@overload
def joined(source: type[Nested], *, to: QuietArms[D], when: QuietMethod[W, D]) -> TransitionOver[D]: ...
def joined(source: type[Nested], *, to: Any, when: Any = None) -> Any:
    """A transition when every region of a parallel state (or a compound itself) has reached a final state."""
    return Transition(Declared("joined", (source,), to, when, place()))


def on_entry(*states: Target) -> Transition:
    """Run this handler `(self, data) -> data` whenever one of these states is entered."""
    return Transition(Declared("entry", states, None, None, place()))


def on_exit(*states: Target) -> Transition:
    """Run this handler `(self, data) -> data` whenever one of these states is left."""
    return Transition(Declared("exit", states, None, None, place()))


def _sources(source: Sources) -> tuple[Target, ...]:
    return source if isinstance(source, tuple) else (source,)
