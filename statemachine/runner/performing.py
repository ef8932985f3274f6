"""Calls steps and undos, async ones on the loop, sync ones in a thread, and waits for them as long as they may take."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime
from typing import Any

from statemachine.definition import StepSpec
from statemachine.runner.attempts import Attempt, StepCancelled, StepExited
from statemachine.runner.children import ChildKilled
from statemachine.runner.clock import Clock
from statemachine.runner.hosted import Work
from statemachine.runner.logs import fields
from statemachine.runner.threads import Threads

log = logging.getLogger("statemachine")


class Performing:
    """See the module.

    Args:
        clock: By which they may take their time.
        threads: How many sync ones run at once.
    """

    def __init__(self, clock: Clock, threads: int) -> None:
        self._clock = clock
        self._threads = Threads(threads)
        self.closing = False
        """Threads are not waited for any more."""

    async def room(self, step: StepSpec, work: Work, attempt: Attempt) -> None:
        """Wait until there is a thread for a sync function: its time begins when it does."""
        if not work.later and step.kind != "transactional":
            # Only of what may be begun at most once does it matter enough to be noted: threads are many and soon free.
            waits = attempt.waits if step.kind == "at-most-once" else None
            await self._threads.room(attempt.priority, waits)

    def leave_room(self, step: StepSpec, work: Work) -> None:
        """It is not called after all."""
        if not work.later and step.kind != "transactional":
            self._threads.vacate()

    async def call(self, attempt: Attempt, work: Work, timeout: float, deadline: datetime, *arguments: Any) -> Any:
        """Call a step or an undo and wait for it, for at most `timeout` seconds: until the deadline.

        Raises:
            StepTimeout: They are over.
            StepSilent: It gave no sign of life for as long as it must not.
            StepCancelled: It was cancelled, and not from here.
            CancelledError: The attempt was asked to stop.
        """
        attempt.began = self._clock.now()
        attempt.timeout, attempt.deadline = timeout, deadline
        attempt.watch(self._clock)
        if attempt.pulse is not None:
            attempt.pulse.watch(attempt.expire)
        try:
            if work.later:
                return await work.function(*arguments)
            attempt.thread = self._threads.submit(work.function, *arguments)
            return await asyncio.shield(attempt.thread)
        except SystemExit as error:
            raise StepExited(error) from error
        except asyncio.CancelledError as error:
            if (attempt.stopped or attempt.kill is not None) and attempt.thread is not None:
                await self._outlast(attempt.thread)
            if attempt.thread is not None and attempt.thread.done():
                with suppress(ChildKilled):  # from here, and why is known
                    return attempt.thread.result()
            if attempt.stopped:
                raise
            raise attempt.expired or StepCancelled(error) from error
        finally:
            attempt.returned()

    async def thread_over(self, attempt: Attempt, run: str, visit: int) -> None:
        """Wait for a thread that has outlived its attempt, so that nothing starts beside it."""
        if attempt.thread is not None and not attempt.thread.done():
            log.warning(
                "Visit %d of run %s waits for the thread of an attempt that has timed out",
                visit,
                run,
                extra=fields(None, run),
            )
            await self._outlast(attempt.thread)

    async def _outlast(self, thread: asyncio.Future[Any]) -> None:
        """Wait for the end of a thread, however often one is asked to hurry; not beyond the end of the runner."""
        while not thread.done() and not self.closing:
            with suppress(asyncio.CancelledError):
                await asyncio.wait({thread})

    def close(self) -> None:
        """Let each thread end when its step has."""
        self._threads.close()
