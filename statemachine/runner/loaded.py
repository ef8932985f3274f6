"""A run as it is in memory: its record, and its snapshot with the types of its workflow."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from persistence import RunRecord, Sealed
from statemachine.errors import RunHeld
from statemachine.runner.clock import from_micros
from statemachine.runner.hosted import Hosted
from statemachine.snapshot import Snapshot, Status


class Loaded(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A run as it was last committed, or as a draft of this batch has it."""

    record: RunRecord
    snapshot: Snapshot[Any]
    hosted: Hosted

    @classmethod
    def of(cls, record: RunRecord, hosted: Hosted) -> Loaded:
        """A run as its record has it. Raises RunHeld when its snapshot does not fit this version of the workflow."""
        if record.erased:
            return cls(record, bare(record), hosted)
        try:
            return cls(record, hosted.stored.thaw(record.snapshot), hosted)
        except Sealed as error:
            raise RunHeld(record.run, record.workflow, str(error)) from error
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            reason = f"its data does not fit this version of {record.workflow}: {error}"
            raise RunHeld(record.run, record.workflow, reason) from error


def bare(record: RunRecord) -> Snapshot[Any]:
    """What is left of the snapshot of a run that was erased: where it ended, and no data."""
    return Snapshot(
        run=record.run,
        nonce="",
        workflow=record.workflow,
        definition=record.definition,
        data=None,
        now=from_micros(record.updated),
        states=record.states,
        status=cast("Status", record.status),
        seq=record.seq,
        visits=dict.fromkeys(record.states, 0),
    )
