"""What a host tells a run: its start, events, timers, outcomes of work, an operator's verbs. Plain data.

Folding a run's inputs over its definition, each with the time it was taken, gives its snapshot again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from statemachine.snapshot import Failure, Occurrence

IncidentVerb = Literal["retry", "skip", "done"]


class Begin(msgspec.Struct, frozen=True, omit_defaults=True, tag="start"):
    """The run's first input."""

    data: Any
    nonce: str
    actor: str | None = None
    reason: str | None = None
    trace: str | None = None
    """Where it comes from, as W3C `traceparent`."""
    priority: int = 0


class Received(msgspec.Struct, frozen=True, tag="event", gc=False):
    """An event from outside, or from another run."""

    occurrence: Occurrence
    queued: bool = False
    """Acknowledged before it was looked at (inbox, another run): an error in its handling becomes an incident."""


class Elapsed(msgspec.Struct, frozen=True, tag="timer", gc=False):
    """The timer with this number is due."""

    timer: int


class Taken(msgspec.Struct, frozen=True):
    """Where a result was recorded before: in which run's visit, and when (UTC)."""

    run: str
    visit: int
    at: datetime


class Succeeded(msgspec.Struct, frozen=True, omit_defaults=True, tag="succeeded", gc=False):
    """A step's attempt returned. `changed` has the fields it set; `result` what it returned, for steps with `into`.

    Of a step that is done for each of many items, `result` is the sequence of what came of them. `items` is how many
    they are, where the host keeps these itself: then a journal of inputs need not have them, too.

    `took`, here and below: how many seconds the attempt ran, where its host has measured it.
    """

    step: str
    visit: int
    changed: dict[str, Any] = {}
    result: Any = None
    took: float | None = None
    items: int | None = None
    taken: Taken | None = None
    """No attempt was made: the result is one that was recorded before."""


class Failed(msgspec.Struct, frozen=True, omit_defaults=True, tag="failed"):
    """A step's attempt raised, timed out, or returned what cannot be recorded.

    `arm` is the index in `StepSpec.errors` of the declared exception that it is. `final` forbids a further attempt
    (`Retry(never=…)`). `recorded` False: the effect happened but its result cannot be stored. `effect` False: known to
    have had no effect (a transactional step was rolled back). Both False: nothing could be begun.

    Of a step that is done for each of many items: `again` (UTC) is when its host wants to go on, since the items that
    are left are tried again then. `item` is the one that has failed.
    """

    step: str
    visit: int
    failure: Failure
    chance: float = 0.0
    arm: int | None = None
    final: bool = False
    recorded: bool = True
    effect: bool = True
    took: float | None = None
    again: datetime | None = None
    item: int | None = None


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """No attempt of this visit runs any more, and none will report."""

    visit: int


class Lost(msgspec.Struct, frozen=True, omit_defaults=True, tag="lost"):
    """A step, or its undo, was found started after a crash and must not simply run again.

    At most once: its effect is unknown. Otherwise it was running at `crashes` crashes in a row; `item` is which of
    many it was done for then.
    """

    step: str
    visit: int
    crashes: int
    undo: bool = False
    item: int | None = None


class Undone(msgspec.Struct, frozen=True, omit_defaults=True, tag="undone"):
    """The undo of this visit returned."""

    visit: int
    took: float | None = None


class UndoFailed(msgspec.Struct, frozen=True, omit_defaults=True, tag="undo-failed"):
    """The undo of this visit raised or timed out.

    Where it is undone item by item: that of `item`, at its attempt number `attempt`.
    """

    visit: int
    failure: Failure
    chance: float = 0.0
    final: bool = False
    took: float | None = None
    item: int | None = None
    attempt: int = 0


class Cancel(msgspec.Struct, frozen=True, omit_defaults=True, tag="cancel"):
    """Undo what was done, then end as cancelled."""

    actor: str | None = None
    reason: str | None = None


class Kill(msgspec.Struct, frozen=True, omit_defaults=True, tag="kill"):
    """End now; undo nothing."""

    actor: str | None = None
    reason: str | None = None


class Pause(msgspec.Struct, frozen=True, omit_defaults=True, tag="pause"):
    """Start nothing new; keep events waiting."""

    actor: str | None = None
    reason: str | None = None


class Resume(msgspec.Struct, frozen=True, omit_defaults=True, tag="resume"):
    """Go on after `Pause`."""

    actor: str | None = None
    reason: str | None = None


class Resolve(msgspec.Struct, frozen=True, omit_defaults=True, tag="resolve"):
    """A person decides an incident."""

    incident: int
    verb: IncidentVerb
    actor: str | None = None
    reason: str | None = None


class Adopt(msgspec.Struct, frozen=True, tag="adopt"):
    """The run goes on under another definition.

    `snapshot` is the run as it was adopted, encoded, and begins a new fold.
    """

    definition: str
    was: str
    snapshot: msgspec.Raw


Input = (
    Begin
    | Received
    | Elapsed
    | Succeeded
    | Failed
    | Stopped
    | Lost
    | Undone
    | UndoFailed
    | Cancel
    | Kill
    | Pause
    | Resume
    | Resolve
    | Adopt
)
