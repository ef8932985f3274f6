"""What a caller sees of runs: plain values, read at one point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs
import msgspec

from persistence import EntryRecord, FanCount, HoldRecord, Journal, RunRecord, SavedRecord, opened
from statemachine.commands import item_key
from statemachine.runner import fans
from statemachine.runner.clock import from_micros
from statemachine.runner.halting import Hold
from statemachine.runner.holds import EVERYTHING
from statemachine.runner.mover import Moved
from statemachine.snapshot import Done, Failure, Incident, Snapshot, Status, Timer
from statemachine.turn import step_key

D = TypeVar("D")


@attrs.frozen
class RunSummary:
    """A run in a listing. Times are UTC."""

    id: str
    workflow: str
    version: int
    status: str
    state: tuple[str, ...]
    """The active leaves, in document order."""
    incidents: int
    paused: bool
    held: str
    """Why no runner moves it; empty when nothing holds it."""
    tags: Mapping[str, str]
    started: datetime
    updated: datetime
    due: datetime | None
    """Its next deadline."""
    erased: bool = False

    @classmethod
    def of(cls, record: RunRecord) -> RunSummary:
        """From a journal's record."""
        return cls(
            id=record.run,
            workflow=record.workflow,
            version=record.version,
            status=record.status,
            state=record.states,
            incidents=record.incidents,
            paused=record.paused,
            held=record.held,
            tags=dict(record.tags),
            started=from_micros(record.started),
            updated=from_micros(record.updated),
            due=None if record.due is None else from_micros(record.due),
            erased=record.erased,
        )


@attrs.frozen
class Progress:
    """How far a step is that is done for each of many items. What it counts was recorded by then.

    Attributes:
        step: The step.
        visit: The visit it belongs to; a state that is entered again has another.
        total: How many items there are.
        done: How many were done.
        taken: How many of these were not attempted, for their result was recorded before (`ItemCache`).
        failed: How many have failed for good.
        again: How many have failed, and are tried again.
        undone: How many were undone.
    """

    step: str
    visit: int
    total: int
    done: int
    failed: int
    again: int
    undone: int
    taken: int = 0

    @classmethod
    def of(cls, count: FanCount) -> Progress:
        """From what the journal counts."""
        forward, fan = count.forward, count.fan
        return cls(
            step=fan.step,
            visit=fan.visit,
            total=fan.total,
            done=sum(forward.get(state, 0) for state in fans.SETTLED),
            failed=sum(forward.get(state, 0) for state in (fans.FAILED, fans.REFUSED, fans.UNRECORDED)),
            again=forward.get(fans.WAITING, 0),
            undone=count.back.get(fans.DONE, 0),
            taken=forward.get(fans.TAKEN, 0),
        )

    def __str__(self) -> str:
        said = [f"{self.done} of {self.total} done"]
        counts = ((self.taken, "taken"), (self.failed, "failed"), (self.again, "tried again"), (self.undone, "undone"))
        return ", ".join([*said, *(f"{number} {word}" for number, word in counts if number)])


@attrs.frozen
class Saved:
    """What a step that goes on has saved last, for its next attempt.

    Attributes:
        step: The step.
        visit: The visit it belongs to.
        at: When it was saved, UTC.
        value: What it is, as JSON values.
    """

    step: str
    visit: int
    at: datetime
    value: Any

    @classmethod
    def of(cls, record: SavedRecord, step: str) -> Saved:
        """From a journal's record. Raises Sealed."""
        whose = f"What step {step} of run {record.run!r} has saved"
        return cls(step, record.visit, from_micros(record.at), msgspec.json.decode(opened(record.value, whose)))


@attrs.frozen
class Beside:
    """What a journal has of a run beside its record: holds, how far its items are, what its steps have saved."""

    holds: Sequence[HoldRecord] = ()
    counts: Sequence[FanCount] = ()
    saved: Sequence[Saved] = ()

    @classmethod
    def read(cls, journal: Journal, snapshot: Snapshot[Any]) -> Beside:
        """Read it. Raises Sealed."""
        pending = {one.visit: one.step for one in snapshot.pending}
        found = {visit: journal.saved(snapshot.run, visit) for visit in pending}
        saved = [Saved.of(record, pending[visit]) for visit, record in found.items() if record is not None]
        return cls(journal.holds(), journal.fans(snapshot.run), saved)


@attrs.frozen
class RunView(Generic[D]):
    """A run, whole, as it was when it was read."""

    id: str
    workflow: str
    status: Status
    state: tuple[str, ...]
    """The active leaves, in document order."""
    within: tuple[str, ...]
    """All active states, compounds included."""
    data: D
    incidents: tuple[Incident, ...]
    keys: Mapping[int, str]
    """Of each incident about a step, by its number: the key the step was given, to ask its receiver for."""
    undo: tuple[Done, ...]
    """What would be undone, the first to be undone last; of a killed run, what it left."""
    timers: tuple[Timer, ...]
    """Its deadlines, UTC."""
    error: Failure | None
    """Why it failed or is being undone."""
    paused: bool
    held: str
    tags: Mapping[str, str]
    priority: int
    """A higher one goes first where steps wait for their turn."""
    seq: int
    started: datetime
    updated: datetime
    held_back: tuple[Hold, ...] = ()
    """What a person holds back of it: its workflow, or a step that it waits for."""
    progress: tuple[Progress, ...] = ()
    """Of its steps that are done for each of many items, in the order of their visits."""
    saved: tuple[Saved, ...] = ()
    """What its steps that go on have saved of their progress."""
    erased: bool = False
    """Its payloads were blanked: its data is None, and its journal has lines without bodies."""

    @classmethod
    def of(cls, record: RunRecord, snapshot: Snapshot[Any], beside: Beside | None = None) -> RunView[Any]:
        """From a run's record and its snapshot, decoded."""
        beside = beside or Beside()
        names = {EVERYTHING, record.workflow, snapshot.workflow}
        steps = {"", *(pending.step for pending in snapshot.pending)}
        stands = [one for one in beside.holds if one.workflow in names and one.step in steps and not snapshot.over]
        return cls(
            id=record.run,
            workflow=record.workflow,
            status=snapshot.status if record.status != "killed" else "killed",
            state=snapshot.states,
            within=tuple(snapshot.visits),
            data=snapshot.data,
            incidents=snapshot.incidents,
            keys={
                incident.number: _key(snapshot, incident.step, incident)
                for incident in snapshot.incidents
                if incident.step
            },
            undo=snapshot.undo,
            timers=snapshot.timers,
            error=snapshot.ending.failure if snapshot.ending else None,
            paused=snapshot.paused,
            held=record.held,
            tags=dict(record.tags),
            priority=snapshot.priority,
            seq=record.seq,
            started=from_micros(record.started),
            updated=from_micros(record.updated),
            held_back=tuple(map(Hold.of, stands)),
            progress=tuple(map(Progress.of, beside.counts)),
            saved=tuple(beside.saved),
            erased=record.erased,
        )


def _key(snapshot: Snapshot[Any], step: str, incident: Incident) -> str:
    key = step_key(snapshot.run, snapshot.nonce, step, incident.visit)
    return key if incident.item is None else item_key(key, incident.item)


@attrs.frozen
class Result(Generic[D]):
    """How a run ended."""

    status: Status
    state: tuple[str, ...]
    data: D
    error: Failure | None

    @classmethod
    def of(cls, record: RunRecord, snapshot: Snapshot[Any]) -> Result[Any]:
        """From the record and the snapshot of a run that is over."""
        error = snapshot.ending.failure if snapshot.ending else None
        return cls("killed" if record.status == "killed" else snapshot.status, snapshot.states, snapshot.data, error)


@attrs.frozen
class Plain:
    """An event by its name, or data, as JSON values: for tools that know no workflow.

    Whoever owns the journal gives it its type, or refuses it.
    """

    fields: Any
    name: str = ""


@attrs.frozen
class Entry:
    """One line of a run's journal."""

    run: str
    seq: int
    at: datetime
    kind: str
    """start, event, timer, succeeded, failed, undone, cancel, …"""
    name: str
    """Event or step."""
    state: tuple[str, ...]
    """The active leaves after it."""
    event_id: str
    actor: str | None
    reason: str | None
    body: bytes
    """The input as stored: JSON; empty of a run that was erased, and of a line that tells of no input."""
    number: int = 0
    """Its place among the entries of all runs, where those were asked for."""

    @classmethod
    def of(cls, record: EntryRecord) -> Entry:
        """From a journal's record."""
        return cls(
            run=record.run,
            seq=record.seq,
            at=from_micros(record.at),
            kind=record.kind,
            name=record.name,
            state=record.states,
            event_id=record.event_id,
            actor=record.actor,
            reason=record.reason,
            body=record.body,
            number=record.number,
        )


@attrs.frozen
class Transitioned:
    """A transition as it was committed, for live subscribers."""

    run: str
    seq: int
    at: datetime
    kind: str
    name: str
    exited: tuple[str, ...]
    entered: tuple[str, ...]
    state: tuple[str, ...]
    status: Status
    incidents: int

    @classmethod
    def of(cls, moved: Moved) -> Transitioned:
        """From a transition that was just committed."""
        snapshot = moved.outcome.snapshot
        return cls(
            run=snapshot.run,
            seq=snapshot.seq,
            at=snapshot.now,
            kind=moved.entry.kind,
            name=moved.entry.name,
            exited=moved.outcome.exited,
            entered=moved.outcome.entered,
            state=snapshot.states,
            status=snapshot.status,
            incidents=len(snapshot.incidents),
        )


@attrs.frozen
class Receipt:
    """What became of an event.

    `accepted`, `deferred` (it waits in the run) or `queued` (another process will take it).
    """

    run: str
    id: str
    verdict: str
    number: int = 0
    """Its number in the inbox, when it is queued."""
