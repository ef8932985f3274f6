"""Folds a run's journal again through the pure core and compares what comes out with the stored snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from persistence import EntryRecord, RunRecord
from statemachine.runner.fans import ReadItems
from statemachine.runner.folding import Folded, UnfoldableError, fold
from statemachine.runner.hosted import Hosted
from statemachine.runner.stored import UNSTORABLE
from statemachine.snapshot import Snapshot


@attrs.frozen
class Verified:
    """What a fold of a run's journal gave.

    Attributes:
        run: The run's id.
        folded: How many of its inputs were folded.
        since: The entry the fold began with: the first, or the last adoption by a new version of the workflow.
        different: The fields of the snapshot that differ; empty when the journal and the snapshot agree.
        reason: Why the fold could not be made or went another way; empty when it was made.
        erased: It was erased. Nothing is left to fold; its lines were counted, and none of them has a payload.
    """

    run: str
    folded: int
    since: int
    different: tuple[str, ...] = ()
    reason: str = ""
    erased: bool = False

    @property
    def ok(self) -> bool:
        """Whether the journal gives exactly the stored snapshot, or was erased whole."""
        return not self.different and not self.reason


def verify(hosted: Hosted, record: RunRecord, entries: Iterable[EntryRecord], items: ReadItems) -> Verified:
    """Fold all entries of a run, oldest first, and compare. What cannot be read makes the reason, and no error."""
    if record.erased:
        return _verify_erased(record, entries)
    last: Folded | None = None
    since = folded = 0
    try:
        for one in fold(hosted, record, entries, items):
            if one.entry.kind in {"start", "adopt"}:
                since, folded = one.entry.seq, 0
            last, folded = one, folded + 1
    except UnfoldableError as error:
        return Verified(record.run, folded, since, reason=str(error))
    if last is None:
        return Verified(record.run, 0, 0, reason="the journal has no entry of it")
    try:
        stored = hosted.stored.thaw(record.snapshot)
    except UNSTORABLE as error:
        return Verified(record.run, folded, since, reason=f"its snapshot cannot be read: {error}")
    again = last.outcome.snapshot
    different = tuple(
        name for name in Snapshot.__struct_fields__ if not _agree(name, getattr(stored, name), getattr(again, name))
    )
    return Verified(record.run, folded, since, different)


def _verify_erased(record: RunRecord, entries: Iterable[EntryRecord]) -> Verified:
    reason = f"run {record.run!r} was erased, and its snapshot is there" if record.snapshot else ""
    last = 0
    for entry in entries:
        if entry.body:
            reason = reason or f"entry {entry.seq} ({entry.kind}) has a payload, though its run was erased"
        last = entry.seq
    if last != record.seq:
        reason = reason or f"the journal ends with entry {last}, and the run is at {record.seq}"
    return Verified(record.run, 0, record.seq, reason=reason, erased=True)


def _agree(name: str, stored: Any, folded: Any) -> bool:
    """Equal; a definition's hash may differ, since a fold is made with the present one."""
    return bool(name == "definition" or stored == folded)
