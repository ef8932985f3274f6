"""Taking a journal over: what the last owner was doing is found, counted and begun again.

An owner leaves a mark in the journal while it works and takes it back when it closes, so a mark that is found says
that it died. Then every step and every undo that had been begun is counted, durably, before it is begun again. One that
was running at two deaths is begun alone, with nothing beside it, so that a third death is its own doing; at the third
it becomes an incident. Nothing of a paused run is counted, for nothing of it was begun since it was paused.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import attrs

from persistence import AttemptRecord, Change, LiveGroup
from statemachine.errors import RunHeld
from statemachine.inputs import Lost, Stopped
from statemachine.runner.mover import Loaded, Mover, Plan

log = logging.getLogger("statemachine")
SUSPECT = 2
"""Deaths after which a step is begun alone."""
GUILTY = 3
"""Deaths after which a step becomes an incident."""
PAGE = 500
_MARK = ""
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


def recover(mover: Mover) -> Recovered:
    """Compare the workflows, count what died, and find what has to go on. Runs in the writer, before anything else."""
    compare(mover)
    known = {(attempt.run, attempt.visit): attempt for attempt in mover.journal.attempts()}
    mark = known.pop((_MARK, 0), None)
    found = Recovered()
    begun: list[AttemptRecord] = []
    for loaded in _busy(mover, found):
        for what in _running(loaded):
            before = known.get((loaded.record.run, what.visit))
            died = mark is not None and mark.step in {EVERYTHING, _name(loaded.record.run, what.visit)}
            died = died and not loaded.snapshot.paused
            counted = before is not None and before.step == what.counted_as
            crashes = (before.crashes if before is not None and counted else 0) + died
            _judge(mover, found, loaded, what, begun, crashes=crashes, died=died)
        found.stopped.extend((loaded.record.run, Stopped(one.visit)) for one in loaded.snapshot.stopping)
        found.going.append(loaded)
    mover.crashed.clear()
    for run, visit in (*known, *((attempt.run, attempt.visit) for attempt in begun)):
        mover.crashed.setdefault(run, set()).add(visit)
    begun.append(_mark(mover, EVERYTHING if not found.alone else _name(*found.alone[0])))
    mover.journal.commit(mover.epoch, [Change(begun=tuple(begun))])
    return found


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


def _busy(mover: Mover, found: Recovered) -> Iterator[Loaded]:
    after = ""
    while page := mover.journal.busy(after, PAGE):
        for run in page:
            try:
                loaded = mover.find(run)
            except RunHeld as error:
                found.held[run] = error.reason
                continue
            if loaded is None:
                continue
            misfit = _unfit(loaded)
            if misfit:
                found.held[run] = misfit
            else:
                yield loaded
        after = page[-1]


def _unfit(loaded: Loaded) -> str:
    """Why a run made under another hash cannot go on here; empty when it can."""
    hosted = loaded.hosted
    return "" if loaded.record.definition == hosted.definition.hash else hosted.adopted(loaded.snapshot)[1]


@attrs.frozen
class _Running:
    """A step, or its undo, that had been begun and has no outcome."""

    step: str
    visit: int
    undo: bool

    @property
    def counted_as(self) -> str:
        """What its attempt record calls it: an undo begins with none of its step's deaths."""
        return f"{self.step}:undo" if self.undo else self.step


def _running(loaded: Loaded) -> Iterator[_Running]:
    snapshot = loaded.snapshot
    for pending in snapshot.pending:
        if not pending.waiting and not pending.incident:
            yield _Running(pending.step, pending.visit, undo=False)
    undoing = snapshot.undoing
    if undoing is not None and not undoing.waiting and not undoing.incident:
        yield _Running(snapshot.undo[-1].step, undoing.visit, undo=True)


def _judge(
    mover: Mover,
    found: Recovered,
    loaded: Loaded,
    what: _Running,
    begun: list[AttemptRecord],
    *,
    crashes: int,
    died: bool,
) -> None:
    run = loaded.record.run
    step = next((step for step in loaded.hosted.definition.steps if step.name == what.step), None)
    lost = Lost(what.step, what.visit, crashes, what.undo)
    if step is not None and step.kind == "at-most-once" and not what.undo:
        found.lost.append((run, lost))
        return
    if died:
        record = AttemptRecord(run=run, visit=what.visit, step=what.counted_as, epoch=mover.epoch, crashes=crashes)
        begun.append(record)
    if loaded.snapshot.paused:
        return
    if crashes >= GUILTY:
        found.lost.append((run, lost))
    elif crashes == SUSPECT:
        found.alone.append((run, what.visit))


@attrs.frozen(eq=False)
class Marking:
    """Say durably what runs from now on; as often as is needed, for the last mark stands."""

    what: str | None
    """One step alone, or `EVERYTHING`; None: nothing, for this owner closes in peace."""
    run: str = ""

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        if self.what is None:
            plan.changes.append(Change(ended=((_MARK, 0),)))
        else:
            plan.changes.append(Change(begun=(_mark(mover, self.what),)))


def alone(run: str, visit: int) -> Marking:
    """What says that one step runs with nothing beside it."""
    return Marking(_name(run, visit))


def _mark(mover: Mover, what: str) -> AttemptRecord:
    return AttemptRecord(run=_MARK, visit=0, step=what, epoch=mover.epoch)


def _name(run: str, visit: int) -> str:
    return f"{visit}:{run}"
