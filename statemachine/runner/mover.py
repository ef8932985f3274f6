"""Moves runs: for a batch of requests, loads each run, works out its transitions, and commits them all together.

Plain synchronous code without a thread or a loop of its own; `writer` decides where it runs. One transition is one
`Change`: the consumed event, its dedupe id, the snapshot, the journal entry, timers and messages to other runs are all
in it.

What is in memory is only ever a copy of what is committed: a batch works on drafts, and a commit that failed, or of
which nobody knows, throws away both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

import msgspec

from persistence import (
    AnswerRecord,
    Change,
    CommitUnknown,
    EntryRecord,
    Journal,
    JournalError,
    RunRecord,
    Unwritable,
)
from statemachine.errors import NoSuchRun, NotStored, RunHeld, TooLarge
from statemachine.inputs import Adopt, Elapsed, Input, Received
from statemachine.macrostep import failure_of
from statemachine.runner.clock import Clock
from statemachine.runner.holds import Holds
from statemachine.runner.hosted import Workflows
from statemachine.runner.loaded import Loaded
from statemachine.runner.noted import Noted
from statemachine.runner.noticing import notices_of
from statemachine.runner.recording import (
    NOBODY,
    Asked,
    Sender,
    ended_of,
    entry_of,
    first_due,
    messages_of,
    record_of,
    seen_of,
)
from statemachine.runner.remembered import Remembered
from statemachine.runner.saves import Saves
from statemachine.runner.waiting import NotRecovered
from statemachine.snapshot import Failure, Incident, Snapshot
from statemachine.transition import Outcome, transition

Work = Callable[[Any], Change]
NOT_GIVEN = "its workflow was not given to this runner"


class Moved(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A transition that was committed, for whoever performs its commands."""

    loaded: Loaded
    outcome: Outcome
    told: Input
    before: Snapshot[Any]
    entry: EntryRecord
    opened: Sequence[Incident]
    """The incidents that it opened."""


class Plan(msgspec.Struct, eq=False):
    """What a request comes to: changes to commit, and what to answer when they are."""

    answer: Any = None
    changes: list[Change | Work] = []
    moved: list[Moved] = []
    made: Change | None = None
    """What a `Work` among the changes came to."""
    again: bool = False
    """Nothing can be said yet: ask again in the next batch."""
    resumed: Loaded | None = None
    """A run whose work that was held back is to be asked for again."""


class Reply(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What became of a request: an answer or an error, and the transitions made; or it must be asked again.

    `Stale` as the error: its run was not where it was read; asked again, it is read anew.
    """

    answer: Any = None
    error: BaseException | None = None
    moved: Sequence[Moved] = ()
    again: bool = False
    resumed: Loaded | None = None


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
        self.sender: Sender | None = None
        """Says where the events come from that a run sends; see `Observer.sender`."""
        self.crashed: dict[str, set[int]] = {}
        """Visits with an attempt record, by run; their next outcome ends it."""
        self.noted = Noted()
        self.behind: str | None = None
        """The last run that was recovered; those after it that are busy are not moved yet. Set between batches only."""
        self.ahead: set[str] = set()
        """Runs that were moved all the same, for they were new, or not busy."""
        self.holds = Holds()
        self.saves = Saves(journal)
        self.wanted: frozenset[str] = frozenset()
        """Which kinds of notices are written."""
        self._cache = Remembered()
        self._drafts: dict[str, Loaded] = {}
        self._seen: set[tuple[str, str]] = set()

    def move(self, requests: Sequence[Request]) -> list[Reply]:
        """Plan all requests, commit them together, and say what became of each.

        Raises:
            CommitUnknown: Whether anything was written could not be learnt.
            JournalError: Nothing was written. What was in memory is forgotten, and the same requests may be made
                again.
        """
        self._drafts.clear()
        self._seen.clear()
        self.holds.begin()
        plans = self._plan_all(requests)
        failures: list[Exception | None] = []
        changes = [change for _, change in _changes(plans)]
        if changes:
            failures = self._commit(plans, changes)
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
            last = plan.changes[-1] if plan.changes else None
            if last is not None and (not isinstance(last, Change) or last.erased):
                undecided.add(request.run)  # what it comes to is read when that is committed
            plans.append(plan)
        return plans

    def _commit(self, plans: list[Plan | BaseException], changes: Sequence[Change | Work]) -> list[Exception | None]:
        """What each change failed with, in order."""
        try:
            return self.journal.commit(self.epoch, changes)
        except CommitUnknown as unknown:
            self.forget()
            try:
                return [self._found(plan, change, unknown) for plan, change in _changes(plans)]
            except JournalError as error:
                raise unknown from error
        except BaseException:
            self.forget()
            raise

    def _found(self, plan: Plan, change: Change | Work, unknown: CommitUnknown) -> Exception | None:
        """None if a change of a commit that failed is there all the same: its run's number tells, or its first items.

        One without either (an answer) is taken as not there, for it may be made twice.
        """
        made = change if isinstance(change, Change) else plan.made
        if made is not None and made.run is not None:
            there = self.journal.run(made.run.run)
            if there is not None and there.seq >= made.run.seq:
                return None
        if made is not None and made.given:
            first = made.given[0]
            if self.journal.given(first.run, first.visit, first.first) is not None:
                return None
        error = Unwritable(f"{unknown} It did not happen.")
        error.__cause__ = unknown
        return error

    def _replies(self, plans: list[Plan | BaseException], failures: list[Exception | None]) -> list[Reply]:
        replies: list[Reply] = []
        left = iter(failures)
        broken: set[str] = set()
        for plan in plans:
            if isinstance(plan, BaseException):
                replies.append(Reply(None, plan))
                continue
            mine = list(islice(left, len(plan.changes)))
            error, moved = None, plan.moved
            if any(mine):
                error = next(failure for failure in mine if failure is not None)
                # Each transition has its own change, in front of those that have none.
                moved = [moved for moved, failure in zip(plan.moved, mine, strict=False) if failure is None]
                broken.update(moved.loaded.record.run for moved in plan.moved)
            resumed = plan.resumed
            unsure = resumed is not None and resumed.record.run in broken
            replies.append(Reply(plan.answer, error, moved, plan.again or unsure, None if unsure else resumed))
            for one in moved:
                self._cache.keep(one.loaded)
                if self.behind is not None:
                    self.ahead.add(one.loaded.record.run)
                self.saves.settle(one.loaded.snapshot)
        for run in broken:
            self._cache.drop(run)
        return replies

    def forget(self, *, over: bool = False) -> None:
        """Throw away what is in memory, or of that only the runs that are over; the journal has it."""
        if over:
            self._cache.drop_over()
            return
        self._cache.clear()
        self._drafts.clear()

    def drop(self, run: str) -> None:
        """Throw away what is in memory of a run."""
        self._cache.drop(run)
        self._drafts.pop(run, None)

    def kept(self, run: str) -> Loaded | None:
        """The run as it was committed last, where it is in memory. Any thread may ask."""
        return self._cache.get(run)

    # What requests plan with.

    def first(self, run: str, event_id: str) -> bool:
        """Whether no earlier request of this batch carries the same event id."""
        if (run, event_id) in self._seen:
            return False
        self._seen.add((run, event_id))
        return True

    def record(self, run: str) -> RunRecord | None:
        """The run's record as the requests before this one leave it, whether anybody here can move it or not."""
        loaded = self._drafts.get(run) or self._cache.get(run)
        return self.journal.run(run) if loaded is None else loaded.record

    def find(self, run: str) -> Loaded | None:
        """The run as the requests before this one leave it; None when there is none.

        Raises:
            RunHeld: No workflow here can move it.
        """
        loaded = self._drafts.get(run) or self._cache.get(run)
        if loaded is not None:
            return loaded
        record = self.journal.run(run)
        return None if record is None else self.read(record)

    def read(self, record: RunRecord) -> Loaded:
        """A run as its record has it. Raises RunHeld."""
        hosted = self.workflows.get(record.workflow)
        if hosted is None:
            raise RunHeld(record.run, record.workflow, record.held or NOT_GIVEN)
        if record.held and not record.over:
            raise RunHeld(record.run, record.workflow, record.held)
        loaded = Loaded.of(record, hosted)
        if not record.over and record.definition == hosted.definition.hash:
            self._cache.keep(loaded)
        return loaded

    def load(self, run: str, plan: Plan) -> Loaded:
        """The run, ready to be moved: if it was made under another hash, the plan adopts it first.

        Raises:
            NoSuchRun: There is none.
            RunHeld: No workflow here can move it.
            NotRecovered: What the last owner left of it is not yet known.
        """
        loaded = self.find(run)
        if loaded is None:
            raise NoSuchRun(run, self.journal.name)
        if self.behind is not None and self._lags(loaded):
            raise NotRecovered(run)
        if loaded.record.over or loaded.snapshot.definition == loaded.hosted.definition.hash:
            return loaded
        return self._adopt(loaded, plan)

    def _lags(self, loaded: Loaded) -> bool:
        """Whether a run has work of the last owner's that was not yet counted."""
        run, behind = loaded.record.run, self.behind
        left = behind is not None and run > behind and loaded.record.busy
        return left and run not in self.ahead and run not in self._drafts

    def _adopt(self, loaded: Loaded, plan: Plan) -> Loaded:
        snapshot, misfit = self.saves.adopted(loaded.hosted, loaded.snapshot)
        if snapshot is None:
            raise RunHeld(loaded.record.run, loaded.record.workflow, misfit)
        raw = loaded.hosted.stored.freeze(snapshot, None)
        told = Adopt(snapshot.definition, loaded.snapshot.definition, msgspec.Raw(raw))
        return self.note(plan, loaded, told, Outcome(snapshot, (), "accepted"), NOBODY)

    def overdue(self, plan: Plan, loaded: Loaded, at: int) -> Loaded:
        """Take the timers that were due by `at` (µs), so that an event accepted after them finds them done.

        Those that they set in turn are not among them, so this ends.
        """
        last = loaded.snapshot.serial
        while not loaded.snapshot.paused and (timer := first_due(loaded.snapshot, at, last)) is not None:
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
        known = loaded.snapshot.serial
        opened = [incident for incident in snapshot.incidents if incident.number > known] if snapshot.incidents else ()
        change = Change(
            run=record,
            expected=before.seq,
            entries=(entry,),
            seen=seen_of(record, hosted, told, outcome.verdict, asked),
            answers=(AnswerRecord(number=asked.message, verdict=outcome.verdict),) if asked.message else (),
            messages=messages_of(outcome.commands, record, hosted, snapshot, self.sender),
            ended=(*ended_of(snapshot, self.crashed), *self.noted.left(snapshot)),
            dropped=self.saves.over(snapshot),
            notices=notices_of(self.wanted, record, snapshot, opened) if self.wanted else (),
        )
        return change, Moved(Loaded(record, snapshot, hosted), outcome, told, loaded.snapshot, entry, opened)


def _changes(plans: list[Plan | BaseException]) -> Iterator[tuple[Plan, Change | Work]]:
    return ((plan, change) for plan in plans if isinstance(plan, Plan) for change in plan.changes)
