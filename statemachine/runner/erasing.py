"""Erasing a run: what of it is data is blanked, what it was and when stays."""

from __future__ import annotations

import attrs
from msgspec.structs import replace

from persistence import Change, EntryRecord, RunRecord
from statemachine.errors import NoSuchRun, RefusedVerb
from statemachine.runner.clock import to_micros
from statemachine.runner.mover import Mover, Plan
from statemachine.runner.recording import NOBODY, Asked

ERASE = "erase"
"""What a message that asks for it, and the line in the journal, are called."""


@attrs.frozen(eq=False)
class Erasing:
    """Blank the payloads of a run that is over. Once more does no harm.

    A message that asks for it is answered in a commit of its own: afterwards the bytes have left the file.
    """

    run: str
    asked: Asked = NOBODY

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        record = mover.journal.run(self.run)
        if record is None:
            raise NoSuchRun(self.run, mover.journal.name)
        if not record.over:
            raise RefusedVerb(self.run, "erase", f"it is {record.status} and needs its data; cancel or kill it first")
        entry = self._entry(record, to_micros(mover.clock.now()))
        after = replace(record, seq=entry.seq, incidents=0)
        plan.changes.append(Change(run=after, expected=record.seq, erased=True, entries=(entry,)))
        mover.drop(self.run)

    def _entry(self, record: RunRecord, now: int) -> EntryRecord:
        return EntryRecord(
            run=self.run,
            seq=record.seq + 1,
            at=max(now, record.updated),
            kind=ERASE,
            actor=self.asked.actor,
            reason=self.asked.reason,
            definition=record.definition,
            states=record.states,
            body=b"",
        )
