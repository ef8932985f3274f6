"""What a journal keeps, as records of plain columns and bytes.

It knows no workflow: whoever writes gives meaning to the bytes.

Times are whole microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

MessageKind = Literal["start", "event", "sent", "command"]
"""An event is `sent` by another run's commit, or put by anyone else."""
REFUSALS = frozenset(("refused", "failed"))
"""Verdicts after which nothing of a message is kept in mind: its id may be put again, as a new message."""


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A run as it is now: its columns for finding it, and its snapshot.

    `started`, `input` and `tags` are written when the run is started, and never again.
    """

    run: str
    workflow: str
    version: int
    definition: str
    """Hash of the definition the snapshot was made under."""
    status: str
    states: tuple[str, ...]
    seq: int
    """Number of transitions so far; the n-th commit of a run carries n."""
    over: bool = False
    busy: bool = False
    """It has work that a runner must take up at once when it starts (a step to attempt, an undo to go on with)."""
    due: int | None = None
    """The earliest deadline; None when no timer is set."""
    incidents: int = 0
    """How many incidents are open."""
    paused: bool = False
    held: str = ""
    """Why no runner moves it for now; empty when nothing holds it."""
    started: int
    updated: int
    input: bytes
    """Digest of what it was started with; empty of a run that was erased."""
    tags: Mapping[str, str] = {}
    snapshot: bytes = b""
    """Empty in listings, and of a run that was erased."""

    @property
    def erased(self) -> bool:
        """Whether its payloads were blanked."""
        return not self.input


class EntryRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of a run's journal: an accepted input and where it led."""

    run: str
    seq: int
    """Its number in the run's journal; each is written once."""
    at: int
    kind: str
    """The kind of input: start, event, timer, succeeded, failed, …"""
    name: str = ""
    """Event or step, where there is one."""
    event_id: str = ""
    actor: str | None = None
    reason: str | None = None
    definition: str
    states: tuple[str, ...]
    """The active leaves after it."""
    body: bytes
    """The input, whole: with the definition, enough to compute the next snapshot again."""
    number: int = 0
    """Its place among the entries of all runs; given by `Journal.log`."""


class SeenRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event id that was accepted by a run, and the verdict a resend gets."""

    run: str
    id: str
    seq: int
    verdict: str
    digest: bytes = b""
    """Tells another event under this id from a resend; empty where nothing can: it was erased, or is of an old file."""


class MessageRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message on its way to a run: put by a client, or by another run's commit.

    `(run, id, kind)` is put once, unless it was refused. Of what runs send, each is put: it must not be lost to another
    message that took its id before, and whether it is a resend tells its receiver.
    """

    run: str
    id: str
    kind: MessageKind
    name: str
    body: bytes
    at: int
    actor: str | None = None
    reason: str | None = None
    number: int = 0
    """Given by the journal; the order of arrival."""
    trace: str | None = None
    """Where it comes from, as W3C `traceparent`, where its sender says so."""
    verdict: str = ""
    """Empty while it waits; then what became of it, for its sender. The first one stands."""
    answer: bytes = b""


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A step's attempt that was begun and has not ended; after a crash, what was running."""

    run: str
    visit: int
    step: str
    epoch: int
    """The ownership under which it was begun last."""
    crashes: int = 0
    """How many owners died while it ran."""


class HoldRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Work that a person holds back: what it names is not begun until it is released."""

    workflow: str
    """Empty for every workflow."""
    step: str = ""
    """One step of it; empty for all of the workflow."""
    reason: str | None = None
    actor: str | None = None
    at: int
    """Since when. Moved on, where it must be, to the last move of any run that is busy then: what a run has come to
    later than this, it has come to under the hold."""


class CachedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A step's result, for other runs to take: what it was computed from is in its key."""

    shelf: str
    """Whose it is; bounds are those of a shelf."""
    key: str
    run: str
    visit: int
    at: int
    """When it was recorded."""
    until: int
    """When it is of no use any more, by the bounds it was put there with."""
    value: bytes
    most: int = 0
    """How many results its shelf keeps when it is put there; 0 as it is found."""
    size: int = 0
    """How many bytes of results."""


class ShelfRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept for other runs of one kind of result."""

    shelf: str
    results: int
    size: int
    """Bytes."""
    oldest: int
    """When the oldest of them was recorded."""


class SavedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a step has saved of its progress, for its next attempt: the last of a visit, and only that."""

    run: str
    visit: int
    at: int
    value: bytes


class FanRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is done once for each of many items: how many, of which visit of which run."""

    run: str
    visit: int
    step: str
    total: int
    most: int
    """How many of them may have been begun without a word in the journal: those with the lowest numbers."""


class GivenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Some items of a visit, as they were given when it began; pages of one visit follow on each other."""

    run: str
    visit: int
    first: int
    """Number of its first item, from 0."""
    items: bytes


class ItemRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the work on one item. The last one of its `(run, visit, back, number)` stands."""

    run: str
    visit: int
    number: int
    """Of the item, from 0."""
    back: bool = False
    """It is about undoing the work on it."""
    state: str
    attempts: int = 0
    crashes: int = 0
    """How many owners died while it may have been worked on."""
    due: int | None = None
    """When it is to be tried again."""
    at: int
    body: bytes = b""
    """Empty where it was not asked for."""


class FanCount(msgspec.Struct, frozen=True, kw_only=True):
    """How far a fan-out is."""

    fan: FanRecord
    forward: Mapping[str, int]
    """State -> how many of its items are in it."""
    back: Mapping[str, int]
    """Likewise, of the undos of its items."""


class NoticeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a run that a person is to be told of, until it was."""

    run: str
    kind: str
    at: int
    body: bytes
    number: int = 0
    """Given by the journal; the order in which they were written."""


class AnswerRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The verdict on message `number`."""

    number: int
    verdict: str
    answer: bytes = b""


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One transition, all or nothing. `expected` is the run's `seq` before it; -1: the run must not exist yet.

    A change with `run` None only answers messages, notes attempts, items or deliveries, saves progress, or holds and
    releases work.
    """

    run: RunRecord | None = None
    expected: int = -1
    erased: bool = False
    """Blank what is kept of the run so far: snapshot, input and tags; bodies and reasons of its entries and messages,
    answers; its results for other runs, what its steps saved, and the items of its fan-outs are removed."""
    entries: tuple[EntryRecord, ...] = ()
    seen: tuple[SeenRecord, ...] = ()
    answers: tuple[AnswerRecord, ...] = ()
    messages: tuple[MessageRecord, ...] = ()
    begun: tuple[AttemptRecord, ...] = ()
    ended: tuple[tuple[str, int], ...] = ()
    """`(run, visit)` of attempts that are over."""
    holds: tuple[HoldRecord, ...] = ()
    """One that is there already keeps its `at`."""
    cached: tuple[CachedRecord, ...] = ()
    """A key that is there already gets the new result. The oldest of a shelf go, counted as they were put there: so
    that a key which was put there twice counts twice until its first time would be out."""
    released: tuple[tuple[str, str], ...] = ()
    """`(workflow, step)` of holds that end; harmless where there is none."""
    saved: tuple[SavedRecord, ...] = ()
    """Each in place of what its visit had saved before."""
    dropped: tuple[tuple[str, int], ...] = ()
    """`(run, visit)` of what was saved and is needed no more."""
    fans: tuple[FanRecord, ...] = ()
    """Each replaces what was there of its `(run, visit)`."""
    given: tuple[GivenRecord, ...] = ()
    items: tuple[ItemRecord, ...] = ()
    notices: tuple[NoticeRecord, ...] = ()
    delivered: tuple[int, ...] = ()
    """Numbers of notices that somebody was told of; harmless where there is none."""
    wanted: tuple[str, ...] | None = None
    """Which kinds of notices are to be written from now on; None: as before."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to list; every condition given must hold. The newest start first.

    `after` is the last run of the page before.
    """

    workflow: str | None = None
    status: str | None = None
    state: str | None = None
    """A leaf, or a compound by its dotted name: runs that are within it."""
    tags: Mapping[str, str] = {}
    incident: bool | None = None
    held: bool | None = None
    paused: bool | None = None
    started_before: int | None = None
    started_after: int | None = None
    updated_before: int | None = None
    limit: int = 50
    after: str | None = None


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """How much a prune has removed, or would remove."""

    runs: int = 0
    entries: int = 0
    messages: int = 0
    remembered: int = 0
    """Event ids that outlive their runs."""
    forgotten: int = 0
    """Event ids whose time is over, too."""
    cached: int = 0
    """Results for other runs that were too old."""
    items: int = 0
    """Outcomes of the items that steps were done for, one by one."""


class LiveGroup(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs that are not over share a workflow, a definition and a set of active states."""

    workflow: str
    definition: str
    states: tuple[str, ...]
    """Empty for runs whose states cannot be read: the journal is damaged there."""
    runs: int
    stood: int = 0
    """When the one that has stood still longest was moved last: microseconds since 1970 UTC."""
