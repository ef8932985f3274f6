"""Which attempts stand in line, durably: so that no death is counted for what had not begun.

Nothing is written for an attempt that begins at once. Of one that has to wait there is a note in the journal, and
nobody waits for that: without it, the attempt counts as running, which is the safe side. Before it begins, the note is
taken back, and it begins only when that is committed. So what has a note has not begun.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from persistence import Change
from statemachine.errors import RunHeld
from statemachine.runner.mover import Mover, Plan, Request
from statemachine.runner.noted import note


@attrs.define(eq=False)
class Place:
    """That of one attempt, which may have to wait.

    Attributes:
        mover: What knows of notes.
        tell: Has something recorded that nobody waits for.
        ask: Has something recorded.
        run: Its run.
        visit: Its visit.
        step: Its step.
    """

    mover: Mover
    tell: Callable[[Request], None]
    ask: Callable[[Request], Awaitable[object]]
    run: str
    visit: int
    step: str
    over: bool = False
    """It begins, or never will: what was not noted by now is not to be."""
    _told: bool = False

    def wait(self) -> None:
        """It has to wait."""
        if not self._told:
            self._told = True
            self.tell(Waits(self.run, self))

    async def leave(self) -> None:
        """It is about to begin. Raises JournalError and RunnerClosed."""
        self.over = True
        if self._told or self.mover.noted.has(self.run, self.visit):
            await self.ask(Begins(self.run, self.visit))


@attrs.frozen(eq=False)
class Waits:
    """Note that an attempt waits, if it still does. What was running at a death stays what it is."""

    run: str
    place: Place

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        try:
            loaded = mover.find(self.run)
        except RunHeld:
            return
        visit = self.place.visit
        if loaded is None or self.place.over or visit in mover.crashed.get(self.run, ()):
            return
        if any(one.visit == visit for one in loaded.snapshot.pending):
            mover.noted.add(loaded.snapshot, visit)
            plan.changes.append(Change(begun=(note(loaded.snapshot, visit, self.place.step, mover.epoch),)))


@attrs.frozen(eq=False)
class Begins:
    """Take back that an attempt waits."""

    run: str
    visit: int

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        if self.visit in mover.crashed.get(self.run, ()):
            return  # there never was one
        mover.noted.drop(self.run, self.visit)
        plan.changes.append(Change(ended=((self.run, self.visit),)))
