"""Moves runs: for a batch of requests, loads each run, works out its transitions, and commits them all together.

Plain synchronous code without a thread or a loop of its own; `writer` decides where it runs. One transition is one
`Change`: the consumed event, its dedupe id, the snapshot, the journal entry, timers and messages to other runs are all
in it.

What is in memory is only ever a copy of what is committed: a batch works on drafts, and a commit that failed, or of
which nobody knows, throws away both.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs
import msgspec

from persistence import (
    AnswerRecord,
    Change,
    CommitUnknown,
    EntryRecord,
    Journal,
    RunRecord,
    SeenRecord,
    Stale,
)
from statemachine.errors import NoSuchRun, NotStored, RunHeld, TooLarge
from statemachine.inputs import Adopt, Elapsed, Input, Received
from statemachine.macrostep import failure_of
from statemachine.runner.clock import Clock
from statemachine.runner.hosted import Hosted, Workflows
from statemachine.runner.recording import NOBODY, Asked, entry_of, messages_of, record_of
from statemachine.snapshot import Failure, Snapshot
from statemachine.transition import Outcome, transition

REMEMBERED = 2048
"""How many runs are kept decoded between their transitions."""
Work = Callable[[Any], Change]
NOT_GIVEN = "its workflow was not given to this runner"


@attrs.frozen(eq=False)
class Loaded:
    """A run as it was last committed, or as a draft of this batch has it."""

    record: RunRecord
    snapshot: Snapshot[Any]
    hosted: Hosted


@attrs.frozen(eq=False)
class Moved:
    """A transition that was committed, for whoever performs its commands."""

    loaded: Loaded
    outcome: Outcome
    entry: EntryRecord


@attrs.define(eq=False)
class Plan:
    """What a request comes to: changes to commit, and what to answer when they are."""

    answer: Any = None
    changes: list[Change | Work] = attrs.field(factory=list[Change | Work])
    moved: list[Moved] = attrs.field(factory=list[Moved])
    again: bool = False
    """Nothing can be said yet: ask again in the next batch."""


@attrs.frozen(eq=False)
class Reply:
    """What became of a request: an answer and the transitions made, or an error; or it must be asked again."""

    answer: Any = None
    error: BaseException | None = None
    moved: Sequence[Moved] = ()
    again: bool = False


class Request(Protocol):
    """Something asked of the mover."""

    @property
    def run(self) -> str:
        """The run it is about; empty when it is about none."""
        ...

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """Fill in the plan. Raises what the asker shall see."""
        ...


class Mover:
    """See the module."""

    def __init__(self, journal: Journal, workflows: Workflows, clock: Clock) -> None:
        self.journal = journal
        self.workflows = workflows
        self.clock = clock
        self.epoch = 0
        self.crashed: set[tuple[str, int]] = set()
        """Visits with an attempt record, which their next outcome ends."""
        self._cache: OrderedDict[str, Loaded] = OrderedDict()
        self._drafts: dict[str, Loaded] = {}
        self._seen: set[tuple[str, str]] = set()

    def move(self, requests: Sequence[Request]) -> list[Reply]:
        """Plan all requests, commit them together, and say what became of each.

        Raises:
            JournalError: Nothing was written; nothing was forgotten either, the same requests may be made again.
        """
        self._drafts.clear()
        self._seen.clear()
        plans = self._plan_all(requests)
        changes = [change for plan in plans if isinstance(plan, Plan) for change in plan.changes]
        failures: list[Exception | None] = []
        if changes:
            failures = self._commit(changes)
        return self._replies(plans, failures)

    def _plan_all(self, requests: Sequence[Request]) -> list[Plan | BaseException]:
        plans: list[Plan | BaseException] = []
        undecided: set[str] = set()
        for request in requests:
            plan = Plan()
            if request.run in undecided:
                plan.again = True
                plans.append(plan)
                continue
            before = self._drafts.get(request.run)
            try:
                request.plan(self, plan)
            except Exception as error:  # noqa: BLE001 -- it belongs to whoever asked
                if before is None:
                    self._drafts.pop(request.run, None)
                else:
                    self._drafts[request.run] = before
                plans.append(error)
                continue
            if plan.changes and not isinstance(plan.changes[-1], Change):
                undecided.add(request.run)
            plans.append(plan)
        return plans

    def _commit(self, changes: list[Change | Work]) -> list[Exception | None]:
        try:
            failures = self.journal.commit(self.epoch, changes)
        except CommitUnknown:
            self.forget()
            if not self._happened(changes):
                raise
            return [None] * len(changes)
        except BaseException:
            self.forget()
            raise
        return failures

    def _happened(self, changes: list[Change | Work]) -> bool:
        """Whether a commit of unknown outcome happened: it is all or nothing, so one run's number tells."""
        for change in reversed(changes):
            if isinstance(change, Change) and change.run is not None:
                record = self.journal.run(change.run.run)
                return record is not None and record.seq >= change.run.seq
        return False

    def _replies(self, plans: list[Plan | BaseException], failures: list[Exception | None]) -> list[Reply]:
        replies: list[Reply] = []
        position = 0
        broken: set[str] = set()
        for plan in plans:
            if isinstance(plan, BaseException):
                replies.append(Reply(error=plan))
                continue
            mine = failures[position : position + len(plan.changes)]
            position += len(plan.changes)
            error = next((failure for failure in mine if failure is not None), None)
            if error is not None:
                broken.update(moved.loaded.record.run for moved in plan.moved)
                again = isinstance(error, Stale)
                replies.append(Reply(again=True) if again else Reply(error=error))
            else:
                replies.append(Reply(answer=plan.answer, moved=plan.moved, again=plan.again))
                for moved in plan.moved:
                    self._keep(moved.loaded)
        for run in broken:
            self._cache.pop(run, None)
        return replies

    def _keep(self, loaded: Loaded) -> None:
        self._cache[loaded.record.run] = loaded
        self._cache.move_to_end(loaded.record.run)
        if len(self._cache) > REMEMBERED:
            self._cache.popitem(last=False)

    def forget(self) -> None:
        """Throw away what is in memory; the journal has it."""
        self._cache.clear()
        self._drafts.clear()

    # What requests plan with.

    def first(self, run: str, event_id: str) -> bool:
        """Whether no earlier request of this batch carries the same event id."""
        if (run, event_id) in self._seen:
            return False
        self._seen.add((run, event_id))
        return True

    def find(self, run: str) -> Loaded | None:
        """The run as the requests before this one leave it; None when there is none.

        Raises:
            RunHeld: No workflow here can move it.
        """
        loaded = self._drafts.get(run) or self._cache.get(run)
        if loaded is not None:
            return loaded
        record = self.journal.run(run)
        if record is None:
            return None
        hosted = self.workflows.get(record.workflow)
        if hosted is None:
            raise RunHeld(run, record.workflow, record.held or NOT_GIVEN)
        if record.held and not record.over:
            raise RunHeld(run, record.workflow, record.held)
        try:
            snapshot = hosted.stored.thaw(record.snapshot)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise RunHeld(
                run, record.workflow, f"its data does not fit this version of {record.workflow}: {error}"
            ) from error
        loaded = Loaded(record, snapshot, hosted)
        if not record.over and record.definition == hosted.definition.hash:
            self._keep(loaded)
        return loaded

    def load(self, run: str, plan: Plan) -> Loaded:
        """The run, ready to be moved: if it was made under another hash, the plan adopts it first.

        Raises:
            NoSuchRun: There is none.
            RunHeld: No workflow here can move it.
        """
        loaded = self.find(run)
        if loaded is None:
            raise NoSuchRun(run, self.journal.name)
        if loaded.record.over or loaded.snapshot.definition == loaded.hosted.definition.hash:
            return loaded
        return self._adopt(loaded, plan)

    def _adopt(self, loaded: Loaded, plan: Plan) -> Loaded:
        snapshot, misfit = loaded.hosted.adopted(loaded.snapshot)
        if snapshot is None:
            raise RunHeld(loaded.record.run, loaded.record.workflow, misfit)
        raw = loaded.hosted.stored.freeze(snapshot, None)
        told = Adopt(snapshot.definition, loaded.snapshot.definition, msgspec.Raw(raw))
        return self.note(plan, loaded, told, Outcome(snapshot, (), "accepted"), NOBODY)

    def overdue(self, plan: Plan, loaded: Loaded, at: int) -> Loaded:
        """Take the timers that were due by `at` (µs), so that an event accepted after them finds them done."""
        while not loaded.snapshot.paused and loaded.record.due is not None and loaded.record.due <= at:
            timer = min(loaded.snapshot.timers, key=lambda timer: timer.due)
            loaded = self.tell(plan, loaded, Elapsed(timer.number), NOBODY)[0]
        return loaded

    def tell(self, plan: Plan, loaded: Loaded, told: Input, asked: Asked) -> tuple[Loaded, Outcome]:
        """Work out an input and add the change to the plan, unless nothing happened.

        What the handling gave and cannot be stored becomes an incident, where nobody waits to hear of it.
        """
        now = self.clock.now()
        definition = loaded.hosted.definition
        outcome = transition(definition, loaded.snapshot, told, now)
        if outcome.verdict not in {"accepted", "deferred"}:
            return loaded, outcome
        try:
            return self.note(plan, loaded, told, outcome, asked), outcome
        except (NotStored, TooLarge) as error:
            if isinstance(told, Received) and not told.queued:
                raise
            failure = failure_of(error)
            outcome = transition(definition, loaded.snapshot, told, now, refused=failure)
            return self.note(plan, loaded, told, outcome, asked, refused=failure), outcome

    def note(
        self,
        plan: Plan,
        loaded: Loaded,
        told: Input,
        outcome: Outcome,
        asked: Asked,
        *,
        refused: Failure | None = None,
    ) -> Loaded:
        """Add a transition to the plan."""
        change, moved = self.change(loaded, told, outcome, asked, refused)
        plan.changes.append(change)
        plan.moved.append(moved)
        self._drafts[moved.loaded.record.run] = moved.loaded
        return moved.loaded

    def change(
        self, loaded: Loaded, told: Input, outcome: Outcome, asked: Asked, refused: Failure | None = None
    ) -> tuple[Change, Moved]:
        """A transition as one change to the journal."""
        before = loaded.record
        hosted = loaded.hosted
        snapshot = outcome.snapshot
        record = record_of(before, hosted, snapshot, hosted.stored.freeze(snapshot, loaded.snapshot))
        entry = entry_of(record, told, loaded.snapshot, hosted.stored.told(told, refused), asked)
        ended = tuple(
            (run, visit)
            for run, visit in self.crashed
            if run == record.run and all(pending.visit != visit for pending in snapshot.pending)
        )
        change = Change(
            run=record,
            expected=before.seq,
            entries=(entry,),
            seen=(SeenRecord(run=record.run, id=asked.event_id, seq=record.seq, verdict=outcome.verdict),)
            if asked.remember
            else (),
            answers=(AnswerRecord(number=asked.message, verdict=outcome.verdict),) if asked.message else (),
            messages=messages_of(outcome.commands, record, hosted),
            ended=ended,
        )
        return change, Moved(Loaded(record, snapshot, hosted), outcome, entry)
