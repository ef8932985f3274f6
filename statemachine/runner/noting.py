"""Reads the items of a visit, and records what came of them, apart from any transition."""

from __future__ import annotations

from typing import Any

import attrs

from persistence import CachedRecord, Change, FanRecord, GivenRecord, ItemRecord
from statemachine.errors import RunHeld
from statemachine.runner.fans import Pages
from statemachine.runner.mover import Mover, Plan
from statemachine.runner.requests import Reading
from statemachine.runner.writer import Writer
from statemachine.snapshot import Snapshot


async def item_of(pages: Pages, writer: Writer, number: int) -> Any:
    """An item, from memory or the journal. Raises Incomplete, or what its decoding raises."""
    there, item = pages.kept(number)
    if there:
        return item
    return await writer.ask(Reading(lambda mover: pages.read(mover.journal, number)), must=True)


@attrs.frozen(eq=False, kw_only=True)
class Noting:
    """Record what came of items, or which there are. Answers whether the run waits for more of that visit now.

    `cached` is kept for other runs only while the run waits for that visit.
    """

    run: str
    visit: int
    fans: tuple[FanRecord, ...] = ()
    given: tuple[GivenRecord, ...] = ()
    items: tuple[ItemRecord, ...] = ()
    cached: tuple[CachedRecord, ...] = ()

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        try:
            loaded = mover.find(self.run)
        except RunHeld:
            loaded = None
        if loaded is not None and loaded.record.erased:  # a thread has outlived it, and what it made is not to be kept
            plan.answer = False
            return
        awaited = loaded is not None and any(one.visit == self.visit for one in loaded.snapshot.pending)
        cached = self.cached if awaited else ()
        plan.changes.append(Change(fans=self.fans, given=self.given, items=self.items, cached=cached))
        plan.answer = loaded is not None and wants(loaded.snapshot, self.visit)


def wants(snapshot: Snapshot[Any], visit: int) -> bool:
    """Whether a run waits for a visit's step, or for its undo, and is not paused."""
    undoing = snapshot.undoing
    return not snapshot.paused and (
        any(pending.visit == visit for pending in snapshot.pending) or (undoing is not None and undoing.visit == visit)
    )
