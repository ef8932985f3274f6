"""The attempts of which the journal says that they stand in line, by run; see `runner.standing`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from persistence import AttemptRecord
from statemachine.snapshot import Snapshot

_NOTE = ":waits:"
"""Between the name of its step and the nonce of its run, in the record of an attempt: an id may be used again."""


def note(snapshot: Snapshot[Any], visit: int, step: str, epoch: int) -> AttemptRecord:
    """The record that says it."""
    return AttemptRecord(run=snapshot.run, visit=visit, step=f"{step}{_NOTE}{snapshot.nonce}", epoch=epoch)


def is_note(attempt: AttemptRecord) -> bool:
    """Whether the record of an attempt is such a note."""
    return _NOTE in attempt.step


def notes(attempts: Iterable[AttemptRecord]) -> Iterator[tuple[str, int]]:
    """Run and visit of each note among them."""
    return ((attempt.run, attempt.visit) for attempt in attempts if is_note(attempt))


class Noted:
    """See the module."""

    def __init__(self) -> None:
        self._notes: dict[str, dict[int, str]] = {}

    def load(self, attempts: Iterable[AttemptRecord]) -> None:
        """Take what a journal says when it is taken over."""
        for attempt in attempts:
            if is_note(attempt):
                self._notes.setdefault(attempt.run, {})[attempt.visit] = attempt.step.rpartition(_NOTE)[2]

    def says(self, snapshot: Snapshot[Any], visit: int) -> bool:
        """Whether there is a note on a visit of this very run."""
        return self._notes.get(snapshot.run, {}).get(visit) == snapshot.nonce

    def has(self, run: str, visit: int) -> bool:
        """Whether there may be one."""
        return visit in self._notes.get(run, ())

    def add(self, snapshot: Snapshot[Any], visit: int) -> None:
        """There is one now."""
        self._notes.setdefault(snapshot.run, {})[visit] = snapshot.nonce

    def drop(self, run: str, visit: int) -> None:
        """There is none any more."""
        there = self._notes.get(run, {})
        there.pop(visit, None)
        if not there:
            self._notes.pop(run, None)

    def left(self, snapshot: Snapshot[Any]) -> tuple[tuple[str, int], ...]:
        """Those of visits that a run has left; there are none of these any more."""
        there = self._notes.get(snapshot.run)
        if there is None:
            return ()
        left = there.keys() - {pending.visit for pending in snapshot.pending}
        for visit in left:
            self.drop(snapshot.run, visit)
        return tuple((snapshot.run, visit) for visit in sorted(left))
