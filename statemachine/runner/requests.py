"""What is asked of the mover.

Start a run, send it an event, tell it what happened, a verb of its operator, a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs
import msgspec

from persistence import AnswerRecord, Change, EntryRecord, ItemRecord, MessageRecord, RunRecord, opened
from statemachine.errors import (
    AlreadyStarted,
    BeingUndone,
    NotAccepted,
    NotStored,
    RefusedVerb,
    RunHeld,
    RunOver,
    StateMachineError,
    UndeclaredEvent,
)
from statemachine.inputs import Begin, Cancel, Input, Kill, Pause, Received, Resolve, Resume, Succeeded, Undone
from statemachine.runner import halting
from statemachine.runner.caching import keep
from statemachine.runner.clock import from_micros, to_micros
from statemachine.runner.erasing import ERASE, Erasing
from statemachine.runner.halting import HoldingBack, Releasing
from statemachine.runner.hosted import Hosted
from statemachine.runner.loaded import Loaded
from statemachine.runner.mover import Mover, Plan
from statemachine.runner.operations import PruneBody, Pruning
from statemachine.runner.recording import NOBODY, Asked
from statemachine.runner.resends import check_resend
from statemachine.runner.shelves import Keep
from statemachine.runner.stored import digest
from statemachine.snapshot import Occurrence, Snapshot
from statemachine.transition import accepted_events, refusal, start, transition

EVENTS = ("event", "sent")
"""Kinds of messages."""
DEFERRED = 1000
"""How many events may wait deferred in one run; more are refused to whoever sends them."""


@attrs.frozen(eq=False)
class Starting:
    """Start a run, or find it started with the same input before."""

    run: str
    hosted: Hosted
    data: Any
    tags: Mapping[str, str]
    asked: Asked = NOBODY
    priority: int = 0

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        told = digest(self.hosted.stored.codec.canonical(self.data))
        there = mover.record(self.run)
        if there is not None:
            if mover.workflows.get(there.workflow) is not self.hosted or _another(there, told):
                raise AlreadyStarted(self.run, there.workflow, self.hosted.definition.name)
            if self.asked.message:
                plan.changes.append(_answered(self.asked, "accepted"))
            return
        now = mover.clock.now()
        asked = self.asked
        begin = Begin(self.data, mover.clock.nonce(), asked.actor, asked.reason, asked.trace, self.priority)
        outcome = start(self.hosted.definition, self.run, begin, now)
        mover.note(plan, self._unborn(now, told, outcome.snapshot), begin, outcome, self.asked)

    def _unborn(self, now: datetime, told: bytes, snapshot: Snapshot[Any]) -> Loaded:
        """What stands before the first transition: a record that says that there must be none."""
        definition = self.hosted.definition
        record = RunRecord(
            run=self.run,
            workflow=definition.name,
            version=definition.version,
            definition=definition.hash,
            status="running",
            states=(),
            seq=-1,
            started=to_micros(now),
            updated=to_micros(now),
            input=told,
            tags=dict(self.tags),
        )
        return Loaded(record, msgspec.structs.replace(snapshot, data=None), self.hosted)


@attrs.frozen(eq=False)
class Sending:
    """Send an event. Answers "accepted" or "deferred"; a resend gets the first answer, another event is refused."""

    run: str
    name: str | None
    value: Any
    asked: Asked
    at: int | None = None
    """When it was acknowledged, µs; None: it is, when it commits."""
    permit: int = -1
    """It waited for a release, and may go in front of all else unless something was held since: see `Holds.added`."""

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        if self.asked.remember:
            if not mover.first(self.run, self.asked.event_id):
                plan.again = True
                return
            seen = mover.journal.seen(self.run, self.asked.event_id)
            if seen is not None:
                check_resend(mover, self.run, self.name, self.value, seen)
                plan.answer = seen.verdict
                if self.asked.message:
                    plan.changes.append(_answered(self.asked, seen.verdict))
                return
        loaded = mover.load(self.run, plan)
        if self.permit != mover.holds.added and not loaded.record.over:
            mover.holds.check(self.run, loaded.hosted.definition)
        occurrence = self._occurrence(mover, loaded.hosted)
        loaded = mover.overdue(plan, loaded, to_micros(occurrence.at) if occurrence.at else 0)
        self._room(loaded)
        told = Received(occurrence, queued=self.at is not None)
        after, outcome = mover.tell(plan, loaded, told, self.asked)
        plan.answer = outcome.verdict
        if outcome.verdict not in {"accepted", "deferred"}:
            raise self._refusal(after, occurrence.name, outcome.verdict)

    def _occurrence(self, mover: Mover, hosted: Hosted) -> Occurrence:
        name = self.name if self.name is not None else hosted.event_name(self.value)
        if name not in hosted.definition.events and not hosted.definition.descriptors:
            name = hosted.definition.event_names.get(name, name)
            if name not in hosted.definition.events:
                raise UndeclaredEvent(hosted.definition.name, name, hosted.definition.events)
        value = self.value
        if isinstance(value, msgspec.Raw):
            kind = hosted.definition.code.events.get(name, Any)
            try:
                value = hosted.stored.codec.decode(bytes(value), kind)
            except msgspec.MsgspecError as error:
                raise NotStored(self.run, f"event {name}", str(error)) from error
        hosted.stored.event(self.run, name, value)
        at = mover.clock.now() if self.at is None else from_micros(self.at)
        asked = self.asked
        return Occurrence(
            name, value, id=asked.event_id, actor=asked.actor, reason=asked.reason, at=at, trace=asked.trace
        )

    def _room(self, loaded: Loaded) -> None:
        if len(loaded.snapshot.deferred) >= DEFERRED:
            message = f"{DEFERRED} events wait in it already"
            raise RefusedVerb(self.run, "send an event to", message)

    def _refusal(self, loaded: Loaded, name: str, verdict: str) -> StateMachineError:
        snapshot = loaded.snapshot
        if verdict == "over":
            return RunOver(self.run, snapshot.status, snapshot.states, name)
        if verdict == "undoing":
            return BeingUndone(self.run, name)
        definition = loaded.hosted.definition
        accepted = accepted_events(definition, snapshot)
        return NotAccepted(self.run, snapshot.states, name, accepted, refusal(definition, snapshot, name))


class Telling(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Tell a run what the runner knows: an outcome, a timer, a stop. Answers the verdict.

    `items` is what has come of items by that, for the same commit.
    """

    run: str
    told: Input
    items: tuple[ItemRecord, ...] = ()
    keep: Keep | None = None
    """Where the result of a step that succeeded is kept for other runs."""

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        loaded, outcome = mover.tell(plan, mover.load(self.run, plan), self.told, NOBODY)
        plan.answer = outcome.verdict
        if self.keep is not None and isinstance(self.told, Succeeded) and outcome.verdict == "accepted":
            keep(plan, loaded, self.told, self.keep)
        if self.items:
            last = plan.changes.pop() if plan.answer == "accepted" else Change()
            plan.changes.append(msgspec.structs.replace(last, items=self.items) if isinstance(last, Change) else last)


@attrs.frozen(eq=False)
class Deadlines:
    """Take the timers of a run that are due by now."""

    run: str

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        loaded = mover.load(self.run, plan)
        if mover.holds.whole(loaded.hosted.definition) is None:
            mover.overdue(plan, loaded, to_micros(mover.clock.now()))


@attrs.frozen(eq=False)
class Commanding:
    """An operator's verb."""

    run: str
    told: Cancel | Kill | Pause | Resume | Resolve
    asked: Asked

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        if isinstance(self.told, Kill):
            try:
                loaded = mover.load(self.run, plan)
            except RunHeld:
                loaded = None
            if loaded is None:
                plan.changes.append(_killed_unread(mover, self.run, self.told, self.asked))
                return
        else:
            loaded = mover.load(self.run, plan)
        mover.tell(plan, loaded, self.told, self.asked)


def _killed_unread(mover: Mover, run: str, told: Kill, asked: Asked) -> Change:
    """Kill a run that no workflow here can read: its snapshot stays as it is, its record says that it is over."""
    record = mover.journal.run(run)
    if record is None or record.over:
        raise RefusedVerb(run, "kill", "it is over")
    now = to_micros(mover.clock.now())
    over = msgspec.structs.replace(
        record, status="killed", over=True, busy=False, due=None, held="", seq=record.seq + 1, updated=now
    )
    entry = EntryRecord(
        run=run,
        seq=over.seq,
        at=now,
        kind="kill",
        actor=asked.actor,
        reason=asked.reason,
        definition=record.definition,
        states=record.states,
        body=msgspec.json.encode({"input": told}),
    )
    answers = (AnswerRecord(number=asked.message, verdict="accepted"),) if asked.message else ()
    dropped = mover.saves.of(run)
    return Change(run=over, expected=record.seq, entries=(entry,), answers=answers, dropped=dropped)


@attrs.frozen(eq=False)
class Transacting:
    """Run a transactional step (or its undo) on the journal's connection, in the commit that records its outcome.

    Its outcome is known only while the commit is made, so no other request of its run stands in the same batch. What
    it raises is the reply's error, and it has left no trace.
    """

    run: str
    work: Callable[[Any, Snapshot[Any]], Succeeded | Undone]
    """Does it: `(connection, the run)`."""
    step: str = ""
    """The step that it is an attempt of; empty for an undo."""

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        loaded = mover.load(self.run, plan)
        mover.holds.check(self.run, loaded.hosted.definition, self.step)

        def do(connection: Any) -> Change:
            told = self.work(connection, loaded.snapshot)
            outcome = transition(loaded.hosted.definition, loaded.snapshot, told, mover.clock.now())
            if outcome.verdict != "accepted":
                raise RefusedVerb(self.run, "record the transaction of", "nobody waits for it any more")
            plan.made, moved = mover.change(loaded, told, outcome, NOBODY)
            plan.moved = [moved]  # it may be called a second time, its first call rolled back
            return plan.made

        plan.changes.append(do)


@attrs.frozen(eq=False)
class Answering:
    """Answer a message that changed nothing."""

    run: str
    message: int
    verdict: str
    text: str

    def plan(self, _mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        answer = AnswerRecord(number=self.message, verdict=self.verdict, answer=self.text.encode())
        plan.changes.append(Change(answers=(answer,)))


@attrs.frozen(eq=False)
class Reading:
    """Read the journal where nothing else does at the same time. Answers what `read` gives."""

    read: Callable[[Mover], Any]
    run: str = ""

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        plan.answer = self.read(mover)


def _another(there: RunRecord, told: bytes) -> bool:
    """Whether a run was started with other data. One that was erased cannot be compared, and counts as the same."""
    return there.input != told and not there.erased


def _answered(asked: Asked, verdict: str) -> Change:
    return Change(answers=(AnswerRecord(number=asked.message, verdict=verdict),))


class StartBody(msgspec.Struct, frozen=True):
    """A start as a message."""

    workflow: str
    data: msgspec.Raw
    tags: dict[str, str] = {}
    priority: int = 0


def from_message(
    mover: Mover, message: MessageRecord, permit: int = -1
) -> Starting | Sending | Commanding | Erasing | Pruning | HoldingBack | Releasing:
    """The request that a message in the inbox stands for.

    Raises:
        UnknownWorkflow: It starts a run of a workflow that is not known here.
        Sealed: It is sealed with a key that was not given here.
    """
    asked = Asked(
        event_id=message.id,
        remember=message.kind in EVENTS,
        actor=message.actor,
        reason=message.reason,
        trace=message.trace,
        message=message.number,
    )
    raw = opened(message.body)
    if message.kind in EVENTS:
        return Sending(message.run, message.name, msgspec.Raw(raw), asked, message.at, permit)
    if message.kind == "start":
        body = msgspec.json.decode(raw, type=StartBody)
        hosted = mover.workflows.named(body.workflow)
        data = hosted.stored.codec.decode(bytes(body.data), hosted.definition.code.data)
        return Starting(message.run, hosted, data, body.tags, asked, body.priority)
    if message.name in halting.VERBS:
        return halting.of_message(message.name, raw, asked)
    if message.name == "prune":
        return Pruning(msgspec.json.decode(raw, type=PruneBody), asked)
    if message.name == ERASE:
        return Erasing(message.run, asked)
    told = msgspec.json.decode(raw, type=Cancel | Kill | Pause | Resume | Resolve)
    return Commanding(message.run, told, asked)


@attrs.frozen(eq=False)
class Holding:
    """Note durably that no workflow here can move this run."""

    run: str
    reason: str

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        record = mover.journal.run(self.run)
        if record is not None and not record.over and record.held != self.reason:
            plan.changes.append(Change(run=msgspec.structs.replace(record, held=self.reason), expected=record.seq))
