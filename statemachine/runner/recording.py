"""A transition as records: the run's columns, its line in the journal, the messages it sends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import attrs

from persistence import EntryRecord, MessageRecord, RunRecord, SeenRecord
from statemachine.commands import Command, Send
from statemachine.inputs import Elapsed, Failed, Input, Lost, Received, Stopped, Succeeded, UndoFailed, Undone
from statemachine.runner.clock import to_micros
from statemachine.runner.hosted import Hosted
from statemachine.snapshot import Snapshot, Timer

Sender = Callable[[Snapshot[Any]], str | None]
"""Says where what a run sends comes from, as W3C `traceparent`."""


@attrs.frozen(kw_only=True, eq=False)
class Asked:
    """Who asked, and how a resend is known."""

    event_id: str = ""
    remember: bool = False
    actor: str | None = None
    reason: str | None = None
    trace: str | None = None
    """Where it comes from, as W3C `traceparent`."""
    message: int = 0
    """Number of the message in the inbox that it came as; 0 for none."""


NOBODY = Asked()


def record_of(before: RunRecord, hosted: Hosted, snapshot: Snapshot[Any], raw: bytes) -> RunRecord:
    """A run's record after a transition."""
    return RunRecord(
        run=snapshot.run,
        workflow=snapshot.workflow,
        version=hosted.definition.version,
        definition=snapshot.definition,
        status=snapshot.status,
        states=snapshot.states,
        seq=snapshot.seq,
        over=snapshot.over,
        busy=not snapshot.over and _busy(snapshot),
        due=to_micros(min([timer.due for timer in snapshot.timers])) if snapshot.timers else None,
        incidents=len(snapshot.incidents),
        paused=snapshot.paused,
        started=before.started,
        updated=to_micros(snapshot.now),
        input=before.input,
        tags=before.tags,
        snapshot=raw,
    )


def _busy(snapshot: Snapshot[Any]) -> bool:
    """Whether it has work that a runner must take up at once when it starts."""
    for pending in snapshot.pending:
        if not pending.waiting and not pending.incident:
            return True
    undoing = snapshot.undoing
    return bool(snapshot.stopping) or (undoing is not None and not undoing.waiting and not undoing.incident)


def entry_of(record: RunRecord, told: Input, before: Snapshot[Any], body: bytes, asked: Asked) -> EntryRecord:
    """A transition's line in the journal."""
    return EntryRecord(
        run=record.run,
        seq=record.seq,
        at=record.updated,
        kind=str(told.__struct_config__.tag),
        name=_name(told, before),
        event_id=asked.event_id,
        actor=asked.actor,
        reason=asked.reason,
        definition=record.definition,
        states=record.states,
        body=body,
    )


def _name(told: Input, before: Snapshot[Any]) -> str:
    """The event, step or timer that an input is about; of a timer the event it raises, or the step it tries again."""
    if isinstance(told, (Succeeded, Failed, Lost)):
        return told.step
    if isinstance(told, Received):
        return told.occurrence.name
    if isinstance(told, Elapsed):
        timer = next((timer for timer in before.timers if timer.number == told.timer), None)
        return "" if timer is None else timer.event or _step(before, timer.visit)
    return _step(before, told.visit) if isinstance(told, (Stopped, Undone, UndoFailed)) else ""


def _step(snapshot: Snapshot[Any], visit: int) -> str:
    for known in (snapshot.pending, snapshot.stopping, snapshot.undo):
        for one in known:
            if one.visit == visit:
                return one.step
    return ""


def seen_of(record: RunRecord, hosted: Hosted, told: Input, verdict: str, asked: Asked) -> tuple[SeenRecord, ...]:
    """What is remembered of an event that was taken, for the same commit."""
    if not asked.remember or not isinstance(told, Received):
        return ()
    mark = hosted.stored.mark(told.occurrence.name, told.occurrence.value)
    return (SeenRecord(run=record.run, id=asked.event_id, seq=record.seq, verdict=verdict, digest=mark),)


def messages_of(
    commands: Sequence[Command], record: RunRecord, hosted: Hosted, snapshot: Snapshot[Any], sender: Sender | None
) -> tuple[MessageRecord, ...]:
    """The events a transition sends to runs, for the same commit."""
    sends = [command for command in commands if isinstance(command, Send)]
    if not sends:
        return ()
    trace = None if sender is None else sender(snapshot)
    return tuple(
        MessageRecord(
            run=command.to or record.run,
            id=command.id,
            kind="sent",
            name=command.name,
            body=hosted.stored.codec.encode(command.value),
            at=record.updated,
            actor=record.run,
            trace=trace,
        )
        for command in sends
    )


def first_due(snapshot: Snapshot[Any], at: int, last: int) -> Timer | None:
    """The earliest of the timers up to number `last` that were due by `at` (µs)."""
    due = (timer for timer in snapshot.timers if timer.number <= last and to_micros(timer.due) <= at)
    return min(due, key=lambda timer: timer.due, default=None)


def ended_of(snapshot: Snapshot[Any], known: Mapping[str, Collection[int]]) -> tuple[tuple[str, int], ...]:
    """Of the visits with an attempt record, by run, those of this run whose step or undo nobody waits for any more."""
    visits = known.get(snapshot.run)
    if not visits:
        return ()
    waiting = {pending.visit for pending in snapshot.pending}
    if snapshot.undoing is not None:
        waiting.add(snapshot.undoing.visit)
    return tuple((snapshot.run, visit) for visit in visits if visit not in waiting)
