"""What passes between a workflow and the world: events, and what functions may ask for (connection, moment, outbox)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol, dataclass_transform

import msgspec

from statemachine.scope import Scope


class EventType(msgspec.StructMeta):
    """Type of event types: takes `name=` and `was=` in the class line, besides what a Struct takes."""

    __stored_name__: str
    __former_names__: tuple[str, ...]

    def __new__(  # noqa: PYI034 -- checkers know no Self in a metaclass
        cls,
        typename: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        /,
        *,
        name: str | None = None,
        was: tuple[str, ...] = (),
        **config: Any,
    ) -> EventType:
        """Make an event type.

        Args:
            typename: The class's own name.
            bases: Its bases.
            namespace: Its body.
            name: What it is stored as; the class's own name when not given.
            was: Names it was stored as before.
            config: What a Struct takes.
        """
        kind = super().__new__(cls, typename, bases, namespace, **config)
        kind.__stored_name__ = name or typename
        kind.__former_names__ = was
        return kind


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Event(msgspec.Struct, frozen=True, metaclass=EventType):
    """A typed message to a run. Derive with `frozen=True`.

    Its stored name is the class's own, or the one it is given, so that the class may be renamed; the value itself does
    not carry it.

    >>> class Approve(Event, frozen=True, name="approve", was=("Approved",)):
    ...     by: str
    >>> event_name(Approve)
    'approve'
    """

    __stored_name__: ClassVar[str]
    __former_names__: ClassVar[tuple[str, ...]]


def event_name(kind: type[Event]) -> str:
    """The stored name of an event type."""
    return kind.__stored_name__


def former_names(kind: type[Event]) -> tuple[str, ...]:
    """Names an event type was stored as before."""
    return kind.__former_names__


class Connection(Protocol):
    """What a transactional step gets: the journal's connection, which can execute and cannot end the transaction."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Any:
        """Run one statement; gives a cursor."""
        ...

    def executemany(self, sql: str, parameters: Any, /) -> Any:
        """Run one statement for many rows."""
        ...


class Place:
    """A state, as far as a moment can be asked about it."""

    path: str = ""
    """Its dotted name; set when the workflow is compiled."""


class Moment:
    """The transition that a guard or handler is part of, to be read: asked for by a parameter of this type."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @property
    def run(self) -> str:
        """The run's id."""
        return self._scope.run

    @property
    def now(self) -> datetime:
        """The time of this transition, UTC. Guards and handlers ask no other clock."""
        return self._scope.now

    @property
    def event_id(self) -> str:
        """The id of the event being handled; empty when it is none."""
        occurrence = self._scope.occurrence
        return occurrence.id if occurrence else ""

    @property
    def actor(self) -> str | None:
        """Who sent the event."""
        occurrence = self._scope.occurrence
        return occurrence.actor if occurrence else None

    @property
    def reason(self) -> str | None:
        """Why it was sent."""
        occurrence = self._scope.occurrence
        return occurrence.reason if occurrence else None

    def within(self, state: Place | type[Place]) -> bool:
        """Whether the run is in this state, or in one nested in it."""
        return self._scope.active(state.path)


class Outbox(Moment):
    """What a handler asks for, by a parameter of this type, to raise or send an event as part of the same commit."""

    __slots__ = ()

    def raise_event(self, event: Event) -> None:
        """Handle this event in the run itself, before any from outside.

        One that nothing takes waits if a state defers it, and is an incident if none does.

        Raises:
            UndeclaredEvent: No transition of the workflow takes this type.
        """
        self._scope.raise_event(event_name(type(event)), event)

    def send(self, run: str, event: Event, *, id: str | None = None, delay: timedelta | None = None) -> None:
        """Send an event to another run; it arrives once. One that is delayed is dropped if this run ends before.

        What the other run does not accept is refused there, and stands in its owner's log as a warning that names both
        runs; nobody waits here who could be told. So is another event under an `id` that the other run has taken.

        Args:
            run: The other run's id.
            event: The event.
            id: By which the receiver knows a resend; made from this run and transition when not given.
            delay: How long to wait first.
        """
        seconds = 0.0 if delay is None else delay.total_seconds()
        self._scope.send(run, event_name(type(event)), event, id=id, delay=seconds)
