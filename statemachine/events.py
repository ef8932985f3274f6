"""What passes between a workflow and the world: events, and what functions may ask for (call, connection, outbox)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

import attrs
import msgspec

from statemachine.scope import Scope


class Event(msgspec.Struct, frozen=True):
    """A typed message to a run. Derive with `frozen=True`.

    Its stored name is the class's own name, or the `tag=` it is given (`class Approve(Event, frozen=True,
    tag="approve")`), so that the class may be renamed; names it had stand in `__was__`.
    """

    __was__: ClassVar[tuple[str, ...]] = ()


def event_name(kind: type[Event]) -> str:
    """The stored name of an event type."""
    tag = kind.__struct_config__.tag
    return tag if isinstance(tag, str) else kind.__name__


@attrs.frozen
class Call:
    """What a step or an undo may know of its own attempt; the defaults are for tests.

    Attributes:
        key: The idempotency key: the same over attempts and restarts, and no other visit's.
        run: The run's id.
        attempt: Counted from 1.
        undoes: In an undo, the key that its step had.
        deadline: Until when this attempt may take, UTC.
    """

    key: str = "test"
    run: str = "test"
    attempt: int = 1
    undoes: str = ""
    deadline: datetime | None = None


class Connection(Protocol):
    """What a transactional step gets: the journal's connection, which can execute and cannot end the transaction."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Any:
        """Run one statement; gives a cursor."""
        ...

    def executemany(self, sql: str, parameters: Any, /) -> Any:
        """Run one statement for many rows."""
        ...


class Outbox:
    """What a handler asks for, by a parameter of this type, to raise or send events as part of the same commit."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @property
    def run(self) -> str:
        """The run's id."""
        return self._scope.run

    @property
    def now(self) -> datetime:
        """The time of this transition, UTC. Handlers ask no other clock."""
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

    def raise_event(self, event: Event) -> None:
        """Handle this event in the run itself, before any from outside."""
        self._scope.raise_event(event_name(type(event)), event)

    def send(self, run: str, event: Event, *, id: str | None = None, delay: timedelta | None = None) -> None:
        """Send an event to another run; it arrives once.

        Args:
            run: The other run's id.
            event: The event.
            id: By which the receiver knows a resend; made from this run and transition when not given.
            delay: How long to wait first.
        """
        seconds = 0.0 if delay is None else delay.total_seconds()
        self._scope.send(run, event_name(type(event)), event, id=id, delay=seconds)
