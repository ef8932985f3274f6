"""Folds a run's journal again through the pure core: what each entry told the run, and what came of it.

A run that was adopted by another version of its workflow is folded from there on, since the entries before were made
by a definition that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import msgspec

from persistence import EntryRecord, RunRecord
from statemachine.errors import StateMachineError
from statemachine.inputs import Adopt, Begin, Input
from statemachine.runner.clock import from_micros
from statemachine.runner.fans import ReadItems, with_results
from statemachine.runner.hosted import Hosted
from statemachine.runner.stored import UNSTORABLE
from statemachine.snapshot import Failure, Snapshot
from statemachine.transition import Outcome, start, transition


@attrs.frozen(eq=False)
class Folded:
    """One entry, with what it told the run and what that led to."""

    entry: EntryRecord
    told: Input
    outcome: Outcome


class UnfoldableError(Exception):
    """The journal does not fold: an entry is missing, is not accepted any more, or its handling raises now."""


def fold(hosted: Hosted, record: RunRecord, entries: Iterable[EntryRecord], items: ReadItems) -> Iterator[Folded]:
    """Fold the entries of a run, oldest first, from its start or from where its present definition adopted it.

    Args:
        hosted: Its workflow.
        record: The run as it is.
        entries: Its journal.
        items: Reads what came of items, which stands beside the entries.

    Raises:
        UnfoldableError: The message says which entry, and why.
    """
    if record.erased:
        message = "it was erased: its journal has no payloads any more"
        raise UnfoldableError(message)
    snapshot: Snapshot[Any] | None = None
    for entry in entries:
        if entry.definition != record.definition:
            continue
        try:
            told, refused = hosted.stored.retold(entry.body)
            told = with_results(hosted, told, items)
            failure = msgspec.json.decode(bytes(refused) or b"null", type=Failure | None)
            outcome = _outcome(hosted, snapshot, entry, told, failure)
        except UNSTORABLE as error:
            message = f"entry {entry.seq} ({entry.kind}) cannot be read: {error}"
            raise UnfoldableError(message) from error
        except StateMachineError as error:
            message = f"entry {entry.seq} ({entry.kind}) raises now: {error}"
            raise UnfoldableError(message) from error
        if outcome.verdict not in {"accepted", "deferred"} or outcome.snapshot.seq != entry.seq:
            message = f"entry {entry.seq} ({entry.kind}) is {outcome.verdict} now, as number {outcome.snapshot.seq}"
            raise UnfoldableError(message)
        snapshot = outcome.snapshot
        yield Folded(entry, told, outcome)


def _outcome(
    hosted: Hosted, snapshot: Snapshot[Any] | None, entry: EntryRecord, told: Input, failure: Failure | None
) -> Outcome:
    now = from_micros(entry.at)
    if isinstance(told, Adopt):
        return Outcome(hosted.stored.thaw(bytes(told.snapshot)), (), "accepted")
    if isinstance(told, Begin):
        return start(hosted.definition, entry.run, told, now)
    if snapshot is None:
        message = f"the journal begins with entry {entry.seq} ({entry.kind})"
        raise UnfoldableError(message)
    return transition(hosted.definition, snapshot, told, now, refused=failure)
