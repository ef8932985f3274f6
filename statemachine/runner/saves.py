"""What steps have saved of their progress: which visits have something, what it is, and when it is needed no more.

One row for each visit, written over with each save and apart from the run's snapshot. It goes with the transition
after which nobody waits for the step any more.
"""

from __future__ import annotations

from typing import Any

import msgspec

from persistence import Journal, Sealed
from statemachine.errors import NotStored
from statemachine.runner import fans
from statemachine.runner.hosted import Hosted
from statemachine.snapshot import Snapshot


class Saves:
    """The visits that have something saved, in the mind of the owner."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._visits: dict[str, set[int]] = {}

    def find(self) -> None:
        """Learn what the journal has."""
        self._visits.clear()
        for run, visit in self._journal.saves():
            self.note(run, visit)

    def note(self, run: str, visit: int) -> None:
        """Something is, or will be, saved for this visit."""
        self._visits.setdefault(run, set()).add(visit)

    def of(self, run: str) -> tuple[tuple[str, int], ...]:
        """All that a run has saved, as a change drops it."""
        return tuple((run, visit) for visit in sorted(self._visits.get(run, ())))

    def over(self, snapshot: Snapshot[Any]) -> tuple[tuple[str, int], ...]:
        """What a run has saved for steps that nobody waits for any more."""
        if snapshot.run not in self._visits:
            return ()
        waiting = _waiting(snapshot)
        return tuple(saved for saved in self.of(snapshot.run) if saved[1] not in waiting)

    def settle(self, snapshot: Snapshot[Any]) -> None:
        """What was over at this transition is dropped."""
        visits = self._visits.get(snapshot.run)
        if visits is not None:
            visits &= _waiting(snapshot)
            if not visits:
                del self._visits[snapshot.run]

    def read(self, hosted: Hosted, run: str, visit: int, step: str) -> Any:
        """What was saved last; None when nothing was. Raises NotStored when it is of another type."""
        saved = self._journal.saved(run, visit) if visit in self._visits.get(run, ()) else None
        if saved is None:
            return None
        try:
            return hosted.stored.codec.decode(saved.value, hosted.definition.code.saves[step])
        except (Sealed, msgspec.MsgspecError) as error:
            raise NotStored(run, f"what {step} has saved", f"it cannot be read: {error}") from error

    def adopted(self, hosted: Hosted, snapshot: Snapshot[Any]) -> tuple[Snapshot[Any] | None, str]:
        """See `Hosted.adopted`; what the run has saved must fit, too, and its items."""
        adopted, misfit = hosted.adopted(snapshot)
        misfit = misfit or self._misfit(hosted, snapshot) or fans.misfit(self._journal, hosted, snapshot)
        return (None, misfit) if misfit else (adopted, "")

    def _misfit(self, hosted: Hosted, snapshot: Snapshot[Any]) -> str:
        """Why the steps of this definition cannot go on from what a run has saved; empty when they can."""
        for pending in snapshot.pending:
            if pending.visit not in self._visits.get(snapshot.run, ()):
                continue
            if pending.step not in hosted.definition.code.saves:
                return f"step {pending.step} of this version of {hosted.definition.name} saves nothing, and has saved"
            try:
                self.read(hosted, snapshot.run, pending.visit, pending.step)
            except NotStored as error:
                return f"what step {pending.step} has saved does not fit this version of it: {error.__cause__}"
        return ""


def _waiting(snapshot: Snapshot[Any]) -> set[int]:
    return {pending.visit for pending in snapshot.pending}
