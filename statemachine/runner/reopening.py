"""What follows a release: what was queued meanwhile is taken in its order, then deadlines, then work is begun again.

Until the queue is empty the mover takes nothing else of what is released, so nothing overtakes it. That a release is
committed is what counts: after a death in the midst of this the next owner, who knows of no hold, takes the queue first
as well.
"""

from __future__ import annotations

import asyncio

from statemachine.runner.deadlines import DeadlineWatch
from statemachine.runner.halting import GoingOn, Opening
from statemachine.runner.inbox import Inbox
from statemachine.runner.steps import Steps
from statemachine.runner.writer import Writer

AT_ONCE = 256
"""Runs whose work is asked for again at once."""


class Reopening:
    """See the module."""

    def __init__(self, writer: Writer, inbox: Inbox, steps: Steps, deadlines: DeadlineWatch) -> None:
        self._writer = writer
        self._inbox = inbox
        self._steps = steps
        self._deadlines = deadlines
        self._wanted = asyncio.Event()

    def want(self) -> None:
        """A release was committed, or a hold was not."""
        self._wanted.set()

    async def watch(self) -> None:
        """Follow each release, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.reopen()

    async def reopen(self) -> None:
        """Take what was queued, and begin again what is held back no more."""
        await self._inbox.drain(Opening())
        await self._deadlines.look()
        runs = self._steps.kept.freed()
        for start in range(0, len(runs), AT_ONCE):
            await asyncio.gather(*(self._writer.ask(GoingOn(run), must=True) for run in runs[start : start + AT_ONCE]))
