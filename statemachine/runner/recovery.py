"""Taking a journal over: what the last owner was doing is found, counted and begun again.

An owner leaves a mark in the journal while it works and takes it back when it closes, so a mark that is found says
that it died. Then every step and every undo that had been begun is counted, durably, before it is begun again. One that
was running at two deaths is begun alone, with nothing beside it, so that a third death is its own doing; at the third
it becomes an incident. Nothing of a paused run is counted, for nothing of it was begun since it was paused.

After the first death of those that were running, runs are recovered a page at a time, so that the first go on at once
and what is read ahead is one page. The dead owner's mark stays: dies this one, too, each run of the pages that were
read is counted a second time and each of the others for the first. Until its page has come no run is moved
(`Mover.behind`). Where a step may have to be begun alone, or there is no mark to keep, all are recovered at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime

import attrs
import msgspec

from persistence import AttemptRecord, Change, HoldRecord, ItemRecord, LiveGroup, RunRecord
from statemachine.errors import RunHeld
from statemachine.inputs import Lost, Stopped
from statemachine.runner import suspects
from statemachine.runner.halting import take_queued
from statemachine.runner.holds import Holds
from statemachine.runner.loaded import Loaded
from statemachine.runner.mover import Mover, Plan
from statemachine.runner.noted import is_note

log = logging.getLogger("statemachine")
SUSPECT = suspects.SUSPECT
"""Deaths after which a step is begun alone."""
GUILTY = 3
"""Deaths after which a step becomes an incident."""
FIRST, PAGE = 50, 500
"""Runs on the first page, which is to be begun soon, and at most on a later one: each has twice as many as the last."""
MARK = ""
EVERYTHING = "*"


@attrs.define(eq=False)
class Recovered:
    """What is to be done.

    Runs to go on with, steps to begin alone first, steps that are incidents, attempts that are over.
    """

    going: list[Loaded] = attrs.field(factory=list[Loaded])
    alone: list[tuple[str, int]] = attrs.field(factory=list[tuple[str, int]])
    lost: list[tuple[str, Lost]] = attrs.field(factory=list[tuple[str, Lost]])
    stopped: list[tuple[str, Stopped]] = attrs.field(factory=list[tuple[str, Stopped]])
    held: dict[str, str] = attrs.field(factory=dict[str, str])
    begun: list[AttemptRecord] = attrs.field(factory=list[AttemptRecord])
    """What was running at a death, counted."""
    items: list[ItemRecord] = attrs.field(factory=list[ItemRecord])
    """Likewise, of steps that are done for each of many items."""
    last: str | None = None
    """The last run of the page; None when it was the last page."""


class Recovery:
    """How far a journal is taken over. Made in the writer, before anything else; compares the workflows first."""

    def __init__(self, mover: Mover, wanted: frozenset[str] | None = None) -> None:
        compare(mover)
        mover.saves.find()
        _see_holds(mover)
        _see_wanted(mover, wanted)
        self._holds = Holds()
        self._holds.load(mover.journal)
        attempts = mover.journal.attempts()
        mover.noted.load(attempts)
        counted = (attempt for attempt in attempts if not is_note(attempt))
        self._known = {(attempt.run, attempt.visit): attempt for attempt in counted}
        self._mark = self._known.pop((MARK, 0), None)
        for run, visit in self._known:
            mover.crashed.setdefault(run, set()).add(visit)
        everything = self._mark is not None and self._mark.step == EVERYTHING
        self._at_once = not everything or bool(self._known)
        self.after: str | None = ""
        """The last run that is recovered; None once all are."""
        self._size = FIRST

    def advance(self, found: Recovered) -> None:
        """A page was counted durably."""
        self.after = found.last
        self._size *= 2

    def page(self, mover: Mover, plan: Plan) -> Recovered:
        """What comes next, with its count in the plan."""
        found = Recovered()
        for loaded in self._next(mover, found):
            for what in _running(loaded):
                self._judge(mover, found, loaded, what)
            found.stopped.extend((loaded.record.run, Stopped(one.visit)) for one in loaded.snapshot.stopping)
            found.going.append(loaded)
        mark = _mark(mover, EVERYTHING if not found.alone else _name(*found.alone[0]))
        plan.changes.append(Change(begun=(*found.begun, mark), items=tuple(found.items)))
        return found

    def _next(self, mover: Mover, found: Recovered) -> Iterator[Loaded]:
        after, size = self.after or "", PAGE if self._at_once else min(self._size, PAGE)
        while page := mover.journal.busy(after, size):
            for record in page:
                loaded = None if record.run in mover.ahead else _fitting(mover, record, found)
                if loaded is not None:
                    yield loaded
            after = page[-1].run
            if not self._at_once:
                found.last = after
                return

    def _judge(self, mover: Mover, found: Recovered, loaded: Loaded, what: _Running) -> None:
        run, definition = loaded.record.run, loaded.hosted.definition
        # As a paused run's: what is held is not begun, so the deaths of owners meanwhile are none of its doing.
        held = self._holds.whole(definition) if what.undo else self._holds.of(definition, what.step)
        paused = loaded.snapshot.paused or held is not None
        step = loaded.hosted.steps.get(what.step)
        waited = mover.noted.says(loaded.snapshot, what.visit) and not what.undo  # in line, at every death
        died, crashes = self._deaths(run, what, idle=paused or waited)
        if not what.undo and self._holds.under(definition, what.step, what.since):
            return
        lost = Lost(what.step, what.visit, crashes, what.undo)
        if step is not None and step.spec.kind == "at-most-once" and not what.undo and not waited:
            found.lost.append((run, lost))
            return
        suspicion = None
        if step is not None and step.spec.each is not None:
            suspicion = suspects.of(mover, loaded, what.visit, died=died, undo=what.undo)
        if suspicion is not None:  # not the visit is counted, but its items
            crashes, lost = suspicion.deaths, suspicion.told(lost)
            found.items.extend(suspicion.counted)
        if died:
            counted, deaths = what.counted_as, 0 if suspicion is not None else crashes
            record = AttemptRecord(run=run, visit=what.visit, step=counted, epoch=mover.epoch, crashes=deaths)
            found.begun.append(record)
        if paused:
            return
        if crashes >= GUILTY:
            found.lost.append((run, lost))
        elif crashes == SUSPECT:
            found.alone.append((run, what.visit))

    def _deaths(self, run: str, what: _Running, *, idle: bool) -> tuple[bool, int]:
        """Whether it was running at the last death, and at how many it was."""
        mark = self._mark
        died = mark is not None and mark.step in {EVERYTHING, _name(run, what.visit)} and not idle
        before = self._known.get((run, what.visit))
        counted = before.crashes if before is not None and before.step == what.counted_as else 0
        return died, counted + died


@attrs.frozen(eq=False)
class Recovering:
    """Recover the next page. Answers a `Recovered`."""

    recovery: Recovery
    run: str = ""

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        plan.answer = self.recovery.page(mover, plan)


def _see_wanted(mover: Mover, wanted: frozenset[str] | None) -> None:
    """See which notices are to be written, and keep it: a tool that owns the journal for a moment writes them, too."""
    known = mover.journal.wanted()
    mover.wanted = known if wanted is None else wanted
    if mover.wanted != known:
        mover.journal.commit(mover.epoch, [Change(wanted=tuple(sorted(mover.wanted)))])


def _see_holds(mover: Mover) -> None:
    """See what is held, with what was asked for while nobody owned the journal; say which holds have come to nothing.

    A workflow that was renamed since is held under its new name, too.
    """
    take_queued(mover)
    rows = {(one.workflow, one.step): one for one in mover.journal.holds()}
    renamed: list[HoldRecord] = []
    for (workflow, step), one in rows.items():
        hosted = mover.workflows.get(workflow)
        if hosted is None:
            continue
        if step and step not in hosted.steps:
            log.warning("Step %s of %s is held, and this version has no such step: it holds nothing", step, workflow)
        if (hosted.definition.name, step) not in rows:
            renamed.append(msgspec.structs.replace(one, workflow=hosted.definition.name))
    if renamed:
        mover.journal.commit(mover.epoch, [Change(holds=tuple(renamed))])
    mover.holds.load(mover.journal)


def compare(mover: Mover) -> None:
    """Hold the runs that no workflow here can go on with, and release those that were held and now can (promise 10)."""
    for group in mover.journal.live():
        reason = _misfit(mover, group)
        if reason:
            log.error("%d run(s) of %s in %s are held: %s", group.runs, group.workflow, ", ".join(group.states), reason)
        mover.journal.hold(mover.epoch, group, reason)
    mover.forget()


def _misfit(mover: Mover, group: LiveGroup) -> str:
    hosted = mover.workflows.get(group.workflow)
    if hosted is None:
        return f"workflow {group.workflow!r} was not given to this runner"
    if not group.states:
        return "its active states cannot be read: the journal is damaged there"
    return "" if group.definition == hosted.definition.hash else hosted.misfit(group.states)


def _fitting(mover: Mover, record: RunRecord, found: Recovered) -> Loaded | None:
    """A run that can go on here; one that cannot is held."""
    try:
        loaded = mover.read(record)
    except RunHeld as error:
        found.held[record.run] = error.reason
        return None
    misfit = _unfit(mover, loaded)
    if misfit:
        found.held[record.run] = misfit
        return None
    return loaded


def _unfit(mover: Mover, loaded: Loaded) -> str:
    """Why a run made under another hash cannot go on here; empty when it can."""
    hosted = loaded.hosted
    if loaded.record.definition == hosted.definition.hash:
        return ""
    return mover.saves.adopted(hosted, loaded.snapshot)[1]


@attrs.frozen
class _Running:
    """A step, or its undo, that had been begun and has no outcome."""

    step: str
    visit: int
    undo: bool
    since: datetime | None = None
    """Since when a step is pending."""

    @property
    def counted_as(self) -> str:
        """What its attempt record calls it: an undo begins with none of its step's deaths."""
        return f"{self.step}:undo" if self.undo else self.step


def _running(loaded: Loaded) -> Iterator[_Running]:
    snapshot = loaded.snapshot
    for pending in snapshot.pending:
        if not pending.waiting and not pending.incident:
            yield _Running(pending.step, pending.visit, undo=False, since=pending.since)
    undoing = snapshot.undoing
    if undoing is not None and not undoing.waiting and not undoing.incident:
        yield _Running(snapshot.undo[-1].step, undoing.visit, undo=True)


@attrs.frozen(eq=False)
class Marking:
    """Say durably what runs from now on; as often as is needed, for the last mark stands."""

    what: str | None
    """One step alone, or `EVERYTHING`; None: nothing, for this owner closes in peace."""
    run: str = ""

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        if self.what is None:
            plan.changes.append(Change(ended=((MARK, 0),)))
        else:
            plan.changes.append(Change(begun=(_mark(mover, self.what),)))


def alone(run: str, visit: int) -> Marking:
    """What says that one step runs with nothing beside it."""
    return Marking(_name(run, visit))


def _mark(mover: Mover, what: str) -> AttemptRecord:
    return AttemptRecord(run=MARK, visit=0, step=what, epoch=mover.epoch)


def _name(run: str, visit: int) -> str:
    return f"{visit}:{run}"
