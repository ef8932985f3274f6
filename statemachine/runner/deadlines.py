"""Takes deadlines as they pass: in their order, in bounded batches, after what was acknowledged before them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from persistence import JournalError
from statemachine.errors import RunHeld, RunnerClosed
from statemachine.runner.clock import Clock, from_micros, to_micros
from statemachine.runner.inbox import Inbox
from statemachine.runner.logs import fields
from statemachine.runner.mover import Mover
from statemachine.runner.requests import Deadlines, Holding, Reading
from statemachine.runner.writer import Writer

log = logging.getLogger("statemachine")
PAGE = 256
"""Runs with overdue timers taken at once."""
LOOK = 1_000_000
"""Microseconds after which the time is looked at again, for the system's clock may have been set."""


class DeadlineWatch:
    """See the module."""

    def __init__(self, writer: Writer, clock: Clock, inbox: Inbox) -> None:
        self._writer = writer
        self._clock = clock
        self._inbox = inbox
        self._due: int | None = None
        self._due_changed = asyncio.Event()

    async def watch(self) -> None:
        """Take deadlines until cancelled."""
        while True:
            now = to_micros(self._clock.now())
            if self._due is None or self._due > now:
                look = now + LOOK if self._due is None else min(now + LOOK, self._due)
                self._due_changed.clear()
                alarm = self._clock.call_at(from_micros(look), self._due_changed.set)
                try:
                    if to_micros(self._clock.now()) >= now:  # else it was set back meanwhile: the alarm would be late
                        await self._due_changed.wait()
                finally:
                    alarm.cancel()
                continue
            await self._inbox.take()  # an event that was acknowledged before a deadline beats it
            due: list[tuple[int, str]] = await self._writer.ask(Reading(_due(now)), must=True)
            futures = [(run, self._writer.ask(Deadlines(run), must=True)) for _, run in due]
            for run, future in futures:
                try:
                    await future
                except RunHeld as error:
                    await self._writer.ask(Holding(run, error.reason), must=True)
                except (JournalError, RunnerClosed):
                    raise
                except Exception as error:  # one run's deadline must not stop the others
                    log.exception("A deadline of run %s could not be taken", run, extra=fields(None, run))
                    await self._writer.ask(Holding(run, f"its deadline could not be taken: {error}"), must=True)
            self._due = None  # what is committed from here on says so itself
            await self.look()

    async def look(self) -> None:
        """Ask the journal what is due next."""
        self.note(await self._writer.ask(Reading(lambda mover: mover.journal.next_due()), must=True))

    def note(self, due: int | None) -> None:
        """A run has this deadline (µs)."""
        if due is not None and (self._due is None or due < self._due):
            self._due = due
            self._due_changed.set()


def _due(before: int) -> Callable[[Mover], list[tuple[int, str]]]:
    return lambda mover: mover.journal.due(before, PAGE)
