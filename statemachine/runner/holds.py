"""What a person holds back, as the mover and the steps see it: in memory, and never less than the journal has.

A hold is seen here as soon as it is planned, so that nothing begins beside its commit. A release is seen when what was
queued meanwhile has been taken (`statemachine.runner.reopening`), so that nothing overtakes that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from persistence import HoldRecord, Journal
from statemachine.definition import Definition
from statemachine.errors import RunHeld
from statemachine.runner.clock import to_micros

EVERYTHING = ""
"""The name under which every workflow is held."""


class HeldBack(RunHeld):
    """A person holds back the run's workflow, or the step; it goes on when that is released. Nobody outside sees it."""


class Holds:
    """See the module. Changed where the writer works, and read anywhere."""

    def __init__(self) -> None:
        self.rows: Mapping[tuple[str, str], HoldRecord] = {}
        self.added = 0
        """Grows with every hold."""
        self._undecided: dict[tuple[str, str], HoldRecord] = {}

    def begin(self) -> None:
        """A batch begins: of what was planned before it, the journal knows what became."""
        if self._undecided:
            self._undecided = {}

    def add(self, records: Iterable[HoldRecord]) -> None:
        """They are planned."""
        fresh = {(record.workflow, record.step): record for record in records}
        self._undecided |= fresh
        self.rows = {**self.rows, **fresh}
        self.added += 1

    def load(self, journal: Journal) -> None:
        """See what the journal has, and what is planned in this batch."""
        self.rows = {(record.workflow, record.step): record for record in journal.holds()} | self._undecided

    def whole(self, definition: Definition) -> HoldRecord | None:
        """What holds the workflow as a whole."""
        return self.of(definition, "") if self.rows else None

    def of(self, definition: Definition, step: str) -> HoldRecord | None:
        """What holds this step: alone, or with its workflow, or with everything."""
        return next(self._applying(definition, step), None) if self.rows else None

    def _applying(self, definition: Definition, step: str) -> Iterator[HoldRecord]:
        for workflow in (EVERYTHING, definition.name, *definition.was):
            for one in dict.fromkeys(("", step)):
                found = self.rows.get((workflow, one))
                if found is not None:
                    yield found

    def under(self, definition: Definition, step: str, since: datetime | None) -> bool:
        """Whether a step that is pending since then has not been begun, because it was held all the time."""
        return since is not None and any(to_micros(since) > one.at for one in self._applying(definition, step))

    def check(self, run: str, definition: Definition, step: str = "") -> None:
        """Refuse what has to wait. Raises HeldBack."""
        found = self.of(definition, step)
        if found is not None:
            raise HeldBack(run, definition.name, said(found))


def said(hold: HoldRecord) -> str:
    """A hold as a sentence has it."""
    what = f"step {hold.step} of {hold.workflow}" if hold.step else hold.workflow or "every workflow"
    by = f" by {hold.actor}" if hold.actor else ""
    why = f": {hold.reason}" if hold.reason else ""
    return f"{what} is held back{by}{why}"


class Kept:
    """The attempts that were held back when their turn came. Each takes no more room than its name; the journal has it.

    Used on the runner's loop.
    """

    def __init__(self, holds: Holds) -> None:
        self._holds = holds
        self._visits: dict[str, dict[int, tuple[Definition, str]]] = {}
        """By run, the visits with their workflow and step; an undo has none, for it is held with its workflow only."""

    def keep(self, definition: Definition, run: str, visit: int, step: str) -> bool:
        """Keep an attempt from beginning, if it is held."""
        held = self._holds.of(definition, step) is not None
        if held:
            self._visits.setdefault(run, {})[visit] = (definition, step)
        return held

    def drop(self, run: str, visit: int) -> None:
        """Nobody waits for it any more."""
        visits = self._visits.get(run, {})
        if visits.pop(visit, None) is not None and not visits:
            del self._visits[run]

    def freed(self) -> list[str]:
        """The runs with an attempt that is not held back any more."""
        return [
            run
            for run, visits in self._visits.items()
            if any(self._holds.of(definition, step) is None for definition, step in visits.values())
        ]

    def take(self, run: str) -> set[int]:
        """The visits of a run, from here on in the hands of the caller."""
        return set(self._visits.pop(run, ()))
