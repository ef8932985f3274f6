"""An account of a run, kept apart from it: what was begun, what must be undone and in which order, what was promised.

It is told what happened, and looks at which steps a snapshot says are awaited. That is all it takes from the core; the
undo stack it works out by itself, and holds the run to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from statemachine.commands import RunStep, Undo
from statemachine.definition import Definition
from statemachine.snapshot import Snapshot

Outcome = Literal["done", "unknown", "harmless"]
"""What is known of a visit's effect: it happened, it may have, it did not."""


class Account:
    """See the module. A visit is a number; `settled` visits are those that nobody waits for any more."""

    def __init__(self, definition: Definition) -> None:
        self._steps = {step.name: step for step in definition.steps}
        self._finals = {spec.name: spec.compensate for spec in definition.states if spec.kind == "final"}
        self.steps: dict[int, str] = {}
        self.settled: set[int] = set()
        self.stack: list[set[int]] = []
        """What to undo, in commit order; visits that one commit left stand together, in no order."""
        self.undone: list[int] = []
        self.given_up: set[int] = set()
        """What a person has decided to leave not undone."""
        self.pivoted = False
        self._keys: dict[int, str] = {}
        self._recorded: set[int] = set()

    def begun(self, command: RunStep) -> None:
        """An attempt is asked for."""
        what = f"step {command.step!r} (visit {command.visit})"
        assert command.visit not in self._recorded, f"{what} runs again, and its outcome is recorded"
        assert self._keys.setdefault(command.visit, command.key) == command.key, f"{what} has got another key"
        keys = set(self._keys.values())
        assert len(keys) == len(self._keys), f"the key of {what} is another visit's, too"
        self.steps[command.visit] = command.step

    def key(self, visit: int) -> str | None:
        """The key of a visit's step; None while no attempt was asked for."""
        return self._keys.get(visit)

    def told(self, snapshot: Snapshot[Any], visit: int, outcome: Outcome) -> None:
        """An outcome was told of a visit, and this is the run since."""
        if visit in self.settled:
            if outcome == "harmless":
                self._drop(visit)
        elif all(pending.visit != visit for pending in snapshot.pending):
            self.settled.add(visit)
            if outcome == "done":
                self._recorded.add(visit)
                if self._steps[self.steps[visit]].pivot:
                    self.pivoted = True
                    self.stack.clear()
            if outcome != "harmless":
                self._push([visit])

    def look(self, snapshot: Snapshot[Any]) -> None:
        """Notice what has been left while it was awaited: its effect is unknown."""
        waiting = {pending.visit for pending in snapshot.pending}
        self.steps.update({pending.visit: pending.step for pending in snapshot.pending})
        left = {visit for visit in self.steps if visit not in self.settled and visit not in waiting}
        self.settled |= left
        self._push(left)
        if snapshot.status == "completed" and snapshot.ending is None:
            self.stack.clear()

    def _push(self, visits: Iterable[int]) -> None:
        undoable = {visit for visit in visits if self._steps[self.steps[visit]].undo is not None}
        if undoable and not self.pivoted:
            self.stack.append(undoable)

    def _drop(self, visit: int) -> None:
        for visits in self.stack:
            visits.discard(visit)
        self.stack = [visits for visits in self.stack if visits]

    def undoing(self, undo: Undo) -> None:
        """An undo is asked for."""
        what = f"step {undo.step!r} (visit {undo.visit})"
        assert not self.pivoted, f"{what} is undone after the pivot"
        assert undo.visit not in self.undone, f"{what} is undone twice"
        assert self.stack, f"{what} is undone, and nothing is to be undone"
        assert undo.visit in self.stack[-1], f"{what} is undone before what was done after it: {self._named()}"

    def undo_recorded(self, visit: int) -> None:
        """An undo has succeeded."""
        self.undone.append(visit)
        self._drop(visit)

    def leave(self, visit: int) -> None:
        """A person has decided that a step stays not undone."""
        self.given_up.add(visit)
        self._drop(visit)

    def ended(self, snapshot: Snapshot[Any]) -> bool:
        """Hold a run that is over to what was done on it. Gives whether all of it was undone."""
        if snapshot.status == "killed":
            return False
        if self.pivoted:
            assert snapshot.status == "completed", f"it passed its pivot and is {snapshot.status}"
        if snapshot.ending is None:
            assert snapshot.status == "completed"
            assert not any(self._finals[state] for state in snapshot.states), "its final state compensates, and did not"
            return False
        assert not self.stack, f"it is over and not undone: {self._named()}"
        return not self.given_up and not self.pivoted

    def _named(self) -> str:
        return ", ".join(f"{self.steps[visit]} (visit {visit})" for visits in self.stack for visit in sorted(visits))
