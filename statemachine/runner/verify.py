"""Folds a run's journal again through the pure core and compares what comes out with the stored snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from persistence import EntryRecord, RunRecord
from statemachine.inputs import Adopt, Begin
from statemachine.runner.clock import from_micros
from statemachine.runner.hosted import Hosted
from statemachine.runner.stored import UNSTORABLE
from statemachine.snapshot import Failure, Snapshot
from statemachine.transition import start, transition


@attrs.frozen
class Verified:
    """What a fold of a run's journal gave.

    Attributes:
        run: The run's id.
        folded: How many of its inputs were folded.
        since: The entry the fold began with: the first, or the last adoption by a new version of the workflow.
        different: The fields of the snapshot that differ; empty when the journal and the snapshot agree.
        reason: Why the fold could not be made or went another way; empty when it was made.
    """

    run: str
    folded: int
    since: int
    different: tuple[str, ...] = ()
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether the journal gives exactly the stored snapshot."""
        return not self.different and not self.reason


def verify(hosted: Hosted, record: RunRecord, entries: Iterable[EntryRecord]) -> Verified:
    """Fold all entries of a run, oldest first, and compare. What cannot be read makes the reason, and no error."""
    try:
        return _fold(hosted, record, entries)
    except UNSTORABLE as error:
        return Verified(record.run, 0, 0, reason=f"its journal or its snapshot cannot be read: {error}")


def _fold(hosted: Hosted, record: RunRecord, entries: Iterable[EntryRecord]) -> Verified:
    snapshot: Snapshot[Any] | None = None
    since = folded = 0
    for entry in entries:
        told, refused = hosted.stored.retold(entry.body)
        now = from_micros(entry.at)
        if isinstance(told, Adopt):
            snapshot, since, folded = hosted.stored.thaw(bytes(told.snapshot)), entry.seq, 1
        elif isinstance(told, Begin):
            snapshot, since, folded = start(hosted.definition, record.run, told, now).snapshot, entry.seq, 1
        elif snapshot is None:
            return Verified(record.run, folded, since, reason=f"the journal begins with entry {entry.seq}")
        else:
            failure = msgspec.json.decode(bytes(refused) or b"null", type=Failure | None)
            snapshot = transition(hosted.definition, snapshot, told, now, refused=failure).snapshot
            folded += 1
        if snapshot.seq != entry.seq:
            return Verified(record.run, folded, since, reason=f"entry {entry.seq} ({entry.kind}) changed nothing")
    if snapshot is None:
        return Verified(record.run, 0, 0, reason="the journal has no entry of it")
    stored = hosted.stored.thaw(record.snapshot)
    different = tuple(
        name for name in Snapshot.__struct_fields__ if not _agree(name, getattr(stored, name), getattr(snapshot, name))
    )
    return Verified(record.run, folded, since, different)


def _agree(name: str, stored: Any, folded: Any) -> bool:
    """Equal; a definition's hash may differ, since a fold is made with the present one."""
    return bool(name == "definition" or stored == folded)
