"""The transitions a workflow is written with: on an event, after a time, eventless, when regions are done.

Nothing here does anything: each declaration keeps what was written, and `compiling` reads it when the class is made.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, overload

import attrs

from statemachine.events import Event, Outbox
from statemachine.states import Arms, Guard, Nested, Sources, Target, place

D = TypeVar("D")
E = TypeVar("E", bound=Event)
F = TypeVar("F", bound=Callable[..., Any])


@attrs.define(eq=False)
class Declared:
    """A transition as written. `kind` says what triggers it."""

    kind: str
    source: tuple[Target, ...]
    to: Arms | None
    when: Guard | None
    place: str
    event: type[Event] | None = None
    internal: bool = False
    delay: timedelta | Callable[..., Any] | None = None
    handler: Callable[..., Any] | None = None


class Transition:
    """A declared transition without a handler; as a decorator, it takes one: `(self, data) -> data`."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared

    def __call__(self, handler: F) -> F:
        """Give it a handler."""
        return _attach(handler, self.declared)


class OnTransition(Transition, Generic[E]):
    """A declared transition on an event; as a decorator, it takes a handler `(self, data, event) -> data`."""

    @overload  # type: ignore[override]
    def __call__(self, handler: Callable[[Any, D, E], D]) -> Callable[[Any, D, E], D]: ...
    @overload
    def __call__(self, handler: Callable[[Any, D, E, Outbox], D]) -> Callable[[Any, D, E, Outbox], D]: ...
    def __call__(self, handler: Any) -> Any:
        """Give it a handler."""
        return _attach(handler, self.declared)


def _attach(handler: F, declared: Declared) -> F:
    declared.handler = handler
    noted: list[Declared] = vars(handler).setdefault("__transitions__", [])
    noted.append(declared)
    return handler


def on(
    event: type[E],
    *,
    source: Sources,
    to: Arms | None = None,
    when: Callable[[Any, E], bool] | Callable[[Any], bool] | None = None,
    internal: bool = False,
) -> OnTransition[E]:
    """A transition on an event; a value, or a decorator of its handler `(self, data, event) -> data`.

    Args:
        event: The event's type.
        source: The state, or several, in which it is accepted; a compound's class for all within it.
        to: The target, or arms in their priority; None stays where it is and leaves nothing.
        when: A guard `(data, event)` or `(data)`; its docstring is the reason of a refusal.
        internal: From a compound to a state within it, without leaving the compound.
    """
    return OnTransition(Declared("on", _sources(source), to, when, place(), event=event, internal=internal))


def after(
    delay: timedelta | Callable[[D], timedelta | datetime],
    *,
    source: Sources,
    to: Arms | None = None,
    when: Callable[[D], bool] | None = None,
) -> Transition:
    """A transition when a state has been active for a time; a value, or a decorator of `(self, data) -> data`.

    Args:
        delay: How long, or a function of the data that says so, or says the UTC time.
        source: The state (or several, each with a timer of its own).
        to: The target, or arms in their priority.
        when: A guard `(data)`.
    """
    return Transition(Declared("after", _sources(source), to, when, place(), delay=delay))


def always(*, source: Sources, to: Arms, when: Callable[[Any], bool] | None = None) -> Transition:
    """An eventless transition: taken as soon as its guard holds. A value, or a decorator of its handler."""
    return Transition(Declared("always", _sources(source), to, when, place()))


def joined(source: type[Nested], *, to: Arms, when: Callable[[Any], bool] | None = None) -> Transition:
    """A transition when every region of a parallel state (or a compound itself) has reached a final state."""
    return Transition(Declared("joined", (source,), to, when, place()))


def on_entry(state: Target) -> Callable[[F], F]:
    """Run this handler `(self, data) -> data` whenever the state is entered."""
    return lambda handler: _attach(handler, Declared("entry", (state,), None, None, place(), handler=handler))


def on_exit(state: Target) -> Callable[[F], F]:
    """Run this handler `(self, data) -> data` whenever the state is left."""
    return lambda handler: _attach(handler, Declared("exit", (state,), None, None, place(), handler=handler))


def _sources(source: Sources) -> tuple[Target, ...]:
    return source if isinstance(source, tuple) else (source,)
