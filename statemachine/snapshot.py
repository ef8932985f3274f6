"""Everything a run is at one point, as one frozen value.

A snapshot is never changed; a transition makes the next one. It holds no function and no open resource, so encoding it
and decoding it again, at any point, gives the same run.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

import msgspec

D = TypeVar("D")

Status = Literal["running", "undoing", "completed", "failed", "cancelled", "killed"]
Ended = Literal["completed", "failed", "cancelled"]
IncidentKind = Literal["step", "pivot", "lost", "crashes", "conflict", "handler", "result", "undo", "held"]

OVER: frozenset[Status] = frozenset(("completed", "failed", "cancelled", "killed"))


class Occurrence(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Something that happened to a run: an event as sent, or one the machine raised itself.

    `kind` is SCXML's `_event.type`: external (sent), internal (raised by a function) or platform (done, error, timers).
    """

    name: str
    value: Any = None
    kind: Literal["external", "internal", "platform"] = "external"
    id: str = ""
    actor: str | None = None
    reason: str | None = None
    at: datetime | None = None
    """When it was accepted, UTC."""
    send_id: str | None = None
    origin: str | None = None
    invoke: str | None = None
    trace: str | None = None
    """Where it comes from, as W3C `traceparent`."""


class Failure(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An exception kept whole, as text."""

    type: str
    message: str
    traceback: str = ""


class Pending(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A step whose outcome is awaited.

    `attempt` counts from 1; while `waiting`, the retry timer runs and no attempt does.
    """

    step: str
    visit: int
    attempt: int = 1
    waiting: bool = False
    since: datetime | None = None
    base: Any = None
    """The data as it was when the visit began; None while the run's data is still that."""
    moved: bool = False
    """Whether `base` is kept because the data has moved on."""
    overwritten: dict[str, str] = {}
    """Field -> who has changed it since the visit began."""
    incident: int = 0
    """Number of the incident this step waits on; 0 for none."""
    each: bool = False
    """Whether it is done for each of many items."""


class Stopping(msgspec.Struct, frozen=True, gc=False):
    """An attempt of a visit that was left; the host has been asked to cancel it and has not yet said that it ended."""

    step: str
    visit: int


class Done(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One entry of the undo stack: a step that was done, or may have been."""

    step: str
    visit: int
    fields: dict[str, Any] = {}
    """The fields that this visit set, laid over the data for its undo."""
    unknown: bool = False
    each: bool = False
    """Whether it was done for each of many items, and is undone so."""


class Undoing(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The undo that is being attempted: always of the top of the stack."""

    visit: int
    attempt: int = 1
    waiting: bool = False
    incident: int = 0
    left: tuple[int, ...] = ()
    """Items whose undo a person has decided."""


TimerKind = Literal["after", "send", "retry", "undo"]


class Timer(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A deadline.

    `visit` is the visit (or, for a delayed send, 0) that set it, so a late one is recognised and dropped.
    """

    number: int
    due: datetime
    kind: TimerKind
    visit: int = 0
    event: str = ""
    value: Any = None
    send_id: str | None = None
    target: str | None = None
    id: str = ""
    """Delayed send only: the id its sender chose for the event; empty for none."""


class Child(msgspec.Struct, frozen=True):
    """A child machine that was invoked and is still alive."""

    id: str
    state: str
    index: int
    """Which of the state's invokes."""


class Incident(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Something that needs a person. `number` is unique in the run."""

    number: int
    kind: IncidentKind
    at: datetime
    message: str
    step: str | None = None
    visit: int = 0
    failure: Failure | None = None
    changed: dict[str, Any] = {}
    """Conflict only: the fields the step set, which are not yet in the data."""
    event: Occurrence | None = None
    """Handler only: the occurrence whose handling raised; `visit` is whose outcome or timer it is, 0 for none."""
    item: int | None = None
    """Which item it is about, where the step is done and undone item by item and one is to blame."""


class Ending(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How the run ends once its undo stack is empty."""

    status: Ended
    failure: Failure | None = None
    actor: str | None = None
    reason: str | None = None


class Snapshot(msgspec.Struct, Generic[D], frozen=True, omit_defaults=True, gc=False):
    """A run at one point. `states` are the active leaves in document order; `visits` has every active state."""

    run: str
    nonce: str
    workflow: str
    definition: str
    """Hash of the definition it was made under."""
    data: D
    now: datetime
    """The time of its last transition, UTC; it never goes back."""
    states: tuple[str, ...] = ()
    status: Status = "running"
    seq: int = 0
    """Number of inputs taken so far."""
    serial: int = 0
    """The last number given to a visit, timer or incident of this run."""
    visits: dict[str, int] = {}
    history: dict[str, tuple[str, ...]] = {}
    pending: tuple[Pending, ...] = ()
    stopping: tuple[Stopping, ...] = ()
    timers: tuple[Timer, ...] = ()
    deferred: tuple[Occurrence, ...] = ()
    undo: tuple[Done, ...] = ()
    undoing: Undoing | None = None
    pivoted: bool = False
    ending: Ending | None = None
    incidents: tuple[Incident, ...] = ()
    children: tuple[Child, ...] = ()
    paused: bool = False
    trace: str | None = None
    """Where its start came from, as W3C `traceparent`."""
    priority: int = 0
    """Of runs whose steps wait for their turn, a higher one goes first."""

    def awaited(self, visit: int) -> Pending:
        """The step of a visit, which is pending."""
        for pending in self.pending:
            if pending.visit == visit:
                return pending
        raise LookupError(visit)

    def base(self, visit: int) -> D:
        """The data as it was when a visit whose step is pending began."""
        pending = self.awaited(visit)
        data: D = pending.base if pending.moved else self.data
        return data

    @property
    def over(self) -> bool:
        """Whether the run has ended, whichever way."""
        return self.status in OVER
