"""Group commit: takes all requests that are ready, has the mover commit them together, and hands out the replies.

There is no added wait: while one batch commits, the next one gathers. On a loop of the runner's own the commit is made
inline; on an application's loop it is made in a thread, so that an fsync never holds that loop up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs

from persistence import Busy, Fenced, JournalError, Unwritable
from statemachine.errors import RefusedVerb, RunnerClosed
from statemachine.runner.mover import Moved, Mover, Reply, Request

log = logging.getLogger("statemachine")
LARGEST = 512
"""Requests in one commit."""
PATIENCE = 3
"""How often a request is planned again because its run had moved."""


@attrs.define(eq=False)
class _Waiting:
    request: Request
    future: asyncio.Future[Any]
    must: bool
    tries: int = 0


class Writer:
    """See the module. `perform` is called on the loop for each transition that was committed, in their order."""

    def __init__(
        self, mover: Mover, perform: Callable[[Moved], None], lost: Callable[[BaseException], None], *, inline: bool
    ) -> None:
        self.mover = mover
        self._perform = perform
        self._lost = lost
        self._queue: deque[_Waiting] = deque()
        self._patient: dict[str, list[_Waiting]] = {}
        self._ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread = None if inline else ThreadPoolExecutor(1, thread_name_prefix="statemachine-writer")
        self._closed: str = ""

    def ask(self, request: Request, *, must: bool = False) -> asyncio.Future[Any]:
        """Ask for something; the future has the answer, or what it was refused with.

        Args:
            request: What is asked.
            must: Nobody outside waits to hear that the journal cannot be written now: try again until it can.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_exception(RunnerClosed(self._closed))
        else:
            self._queue.append(_Waiting(request, future, must))
            self._ready.set()
            self._idle.clear()
        if must:
            future.add_done_callback(_seen)
        return future

    async def drained(self) -> None:
        """Come back when nothing is waiting to be committed."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commit batches until cancelled."""
        while True:
            await self._ready.wait()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), LARGEST))]
            if not batch:
                self._ready.clear()
                self._idle.set()
                continue
            await self._commit(batch)
            await asyncio.sleep(0)

    async def _commit(self, batch: list[_Waiting]) -> None:
        requests = [waiting.request for waiting in batch]
        try:
            if self._thread is None:
                replies = self.mover.move(requests)
            else:
                replies = await asyncio.get_running_loop().run_in_executor(self._thread, self.mover.move, requests)
        except Fenced as error:
            self._refuse(batch, error)
            self.close("another process has taken the journal over")
            self._lost(error)
        except (Busy, Unwritable) as error:
            log.warning("The journal cannot be written now: %s", error)
            self._refuse([waiting for waiting in batch if not waiting.must], error)
            self._requeue([waiting for waiting in batch if waiting.must])
            await asyncio.sleep(0.1)
        except JournalError as error:
            self._refuse(batch, error)
            log.exception("A commit failed")
        except Exception as error:
            self._refuse(batch, error)
            log.exception("A batch could not be worked out")
        else:
            self._hand_out(batch, replies)
            await self._tidy()

    def _hand_out(self, batch: list[_Waiting], replies: Sequence[Reply]) -> None:
        again: list[_Waiting] = []
        for waiting, reply in zip(batch, replies, strict=True):
            for moved in reply.moved:
                self._perform(moved)
                self._queue.extend(self._patient.pop(moved.loaded.record.run, ()))
            if reply.again and waiting.tries < PATIENCE + len(batch):
                waiting.tries += 1
                again.append(waiting)
            elif isinstance(reply.error, RefusedVerb) and reply.error.wait:
                self._patient.setdefault(waiting.request.run, []).append(waiting)
            elif waiting.future.done():
                continue
            elif reply.error is not None:
                waiting.future.set_exception(reply.error)
            else:
                waiting.future.set_result(reply.answer)
        self._requeue(again)

    def _requeue(self, waiting: list[_Waiting]) -> None:
        self._queue.extendleft(reversed(waiting))

    def _refuse(self, batch: list[_Waiting], error: BaseException) -> None:
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_exception(error)

    async def _tidy(self) -> None:
        if self._queue:
            return
        try:
            if self._thread is None:
                self.mover.journal.tidy(self.mover.epoch)
            else:
                await asyncio.get_running_loop().run_in_executor(
                    self._thread, self.mover.journal.tidy, self.mover.epoch
                )
        except JournalError as error:
            log.warning("Housekeeping of the journal failed: %s", error)

    def close(self, why: str) -> None:
        """Refuse everything from now on, and what is waiting."""
        self._closed = self._closed or why
        waiting = [*self._queue, *(one for many in self._patient.values() for one in many)]
        self._queue.clear()
        self._patient.clear()
        self._refuse(waiting, RunnerClosed(self._closed))
        self._idle.set()

    def shut(self) -> None:
        """Give up the thread."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)


def _seen(future: asyncio.Future[Any]) -> None:
    """Nobody waits for this answer; what it failed with is told in the log."""
    if not future.cancelled() and (error := future.exception()) is not None and not isinstance(error, RunnerClosed):
        log.error("The runner could not record what happened: %s", error)
