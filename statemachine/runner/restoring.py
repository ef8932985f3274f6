"""Going back to a backup: the journal opens held, and the steps whose later outcomes it cannot know are listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import msgspec

from persistence import (
    Change,
    Codec,
    HoldRecord,
    Journal,
    Query,
    RunRecord,
    Sealed,
    SealedCodec,
    SQLiteJournal,
    opened,
    sealed,
)
from persistence import restore as restore_file
from statemachine.definition import Definition, StepKind
from statemachine.runner.clock import Clock, SystemClock, to_micros
from statemachine.runner.holds import EVERYTHING
from statemachine.runner.hosted import Workflows
from statemachine.runner.noted import notes
from statemachine.runner.recovery import MARK
from statemachine.snapshot import Snapshot
from statemachine.turn import step_key
from statemachine.workflow import Workflow

PAGE = 1000


@attrs.frozen
class Uncertain:
    """A step, or an undo, that was asked for and of which the journal has no outcome.

    In a journal that was restored it may have been performed since the backup was made.

    Attributes:
        run: The run's id.
        workflow: The workflow's name.
        step: The step; empty where the run is sealed and no key was given.
        key: What the receiver was given, and will be given again; of an undo, that of what is undone. The items of a
            fan-out have this and a number: `KEY:0`.
        undo: Whether it is an undo.
        attempt: Counted from 1.
        since: When it was asked for first, UTC; None where that was not recorded.
        kind: `at-least-once`: it will be performed again under this key. `at-most-once`: it will not; it becomes an
            incident. `transactional`: it was in the same file, so it was not performed. None: not known here.
        pivot: Whether it is the pivot; None: its workflow was not given.
    """

    run: str
    workflow: str
    step: str
    key: str
    undo: bool
    attempt: int
    since: datetime | None
    kind: StepKind | None
    pivot: bool | None


def restore(
    backup: str | Path,
    to: str | Path,
    workflows: Iterable[Workflow[Any] | Definition] = (),
    *,
    reason: str | None = None,
    actor: str | None = None,
    codec: SealedCodec | None = None,
    clock: Clock | None = None,
) -> tuple[Uncertain, ...]:
    """Make a journal from a backup. It opens held as a whole, under a new epoch: nothing moves before it is released.

    What has happened since the backup is not in it: runs that were started, events that were acknowledged, steps that
    were performed. Once released (`Runner.release(None)`), each run goes on from where the backup has it: a step that
    was performed since is performed again under its old key, which a receiver that knows the key takes for the same.

    Args:
        backup: What `Runner.backup` has made. It stays as it is.
        to: Where to; there must be no such file.
        workflows: The application's, to say of what kind each step is.
        reason: Why; it is shown with the hold.
        actor: Who does it.
        codec: What opens the payloads, where they are sealed.
        clock: Where the time of the hold comes from.

    Returns:
        The steps whose later outcomes the backup cannot know. Look at what their receivers have before you release.

    Raises:
        persistence.JournalError: The backup cannot be used, or there is something at `to`; nothing was made.
    """
    said = reason or f"restored from {Path(backup).name}; see `statemachine uncertain`, then release"
    at = to_micros((clock or SystemClock()).now())
    hold = HoldRecord(workflow=EVERYTHING, reason=said, actor=actor, at=at)

    def held(journal: Journal) -> Change:
        # Its owner had not died when the backup was made: nothing that ran then is to be counted as running at a death.
        # And what stood in line then may have begun since.
        return Change(holds=(hold,), ended=((MARK, 0), *notes(journal.attempts())))

    restore_file(backup, to, held)
    journal = SQLiteJournal(to)
    try:
        known = Workflows(workflows, codec=Codec(), limit=0, verify=False)
        return tuple(uncertain(sealed(journal, codec), known))
    finally:
        journal.close()


def uncertain(journal: Journal, workflows: Workflows) -> Iterator[Uncertain]:
    """The steps and undos that were asked for and have no outcome; by the start of their runs, the newest first."""
    for status in ("running", "undoing"):
        after: str | None = None
        while page := journal.runs(Query(status=status, limit=PAGE, after=after)):
            for one in page:
                record = journal.run(one.run)
                if record is not None and not record.over:
                    yield from _of_run(record, workflows)
            after = page[-1].run


def _of_run(record: RunRecord, workflows: Workflows) -> Iterator[Uncertain]:
    try:
        snapshot = msgspec.json.decode(opened(record.snapshot), type=Snapshot[Any])
    except Sealed:
        yield Uncertain(record.run, record.workflow, "", "", False, 0, None, None, None)
        return
    hosted = workflows.get(record.workflow)
    for step, visit, attempt, since, undo in _asked(snapshot):
        known = hosted.steps.get(step) if hosted is not None else None
        yield Uncertain(
            run=record.run,
            workflow=record.workflow,
            step=step,
            key=step_key(record.run, snapshot.nonce, step, visit),
            undo=undo,
            attempt=attempt,
            since=since,
            kind=None if known is None else known.spec.kind,
            pivot=None if known is None else known.spec.pivot,
        )


def _asked(snapshot: Snapshot[Any]) -> Iterator[tuple[str, int, int, datetime | None, bool]]:
    """What has no outcome: step, visit, attempt, since when, and whether it is an undo."""
    for one in snapshot.pending:
        yield one.step, one.visit, one.attempt, one.since, False
    if snapshot.undoing is not None:
        top = snapshot.undo[-1]
        yield top.step, top.visit, snapshot.undoing.attempt, None, True
