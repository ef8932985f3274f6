"""Removes what is over and old, from time to time, in small batches between which others have their turn."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import attrs

from persistence import Pruned
from statemachine.runner.clock import Clock, to_micros
from statemachine.runner.holds import EVERYTHING
from statemachine.runner.mover import Mover, Plan
from statemachine.runner.operations import REMEMBER
from statemachine.runner.writer import Writer

BATCH = 200
"""Runs removed in one commit."""
SOONEST, LATEST = timedelta(minutes=1), timedelta(hours=1)
"""Between two looks: a twenty-fourth of what is retained, within these."""


@attrs.frozen(eq=False)
class PruningSome:
    """Remove the oldest runs that were moved last before a time (µs). Answers whether there may be more.

    Nothing is removed while everything is held: a person looks at a journal that was restored.
    """

    before: int
    remember: int
    run: str = ""

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`. It is a commit of its own, before those of the batch it is in."""
        if (EVERYTHING, "") in mover.holds.rows:
            plan.answer = False
            return
        ended = mover.journal.ended(self.before, BATCH + 1)
        more = len(ended) > BATCH
        # Runs that ended in the same microsecond go together.
        before = max(ended[-1], ended[0] + 1) if more else self.before
        pruned: Pruned = mover.journal.prune(mover.epoch, before, self.remember, dry=False)
        mover.forget(over=True)
        plan.answer = more and pruned.runs > 0


class Retention:
    """See the module.

    Args:
        writer: Whom to ask.
        clock: The runner's.
        retain: How long runs that are over are kept.
    """

    def __init__(self, writer: Writer, clock: Clock, retain: timedelta) -> None:
        self._writer = writer
        self._clock = clock
        self._retain = retain

    async def watch(self) -> None:
        """Remove what is too old, until cancelled."""
        pause = min(LATEST, max(SOONEST, self._retain / 24))
        while True:
            await self._prune()
            again = asyncio.Event()
            alarm = self._clock.call_at(self._clock.now() + pause, again.set)
            try:
                await again.wait()
            finally:
                alarm.cancel()

    async def _prune(self) -> None:
        now = self._clock.now()
        request = PruningSome(to_micros(now - self._retain), to_micros(now + REMEMBER))
        more = True
        while more:
            more = await self._writer.ask(request, must=True)


def checked(retain: timedelta | None) -> timedelta | None:
    """How long runs that are over are kept, as it was given. Raises ValueError when it is no time at all."""
    if retain is not None and retain <= timedelta(0):
        message = f"retain={retain}: runs that are over are kept for some time, or for ever (None)"
        raise ValueError(message)
    return retain
