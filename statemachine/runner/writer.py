"""Group commit: takes all requests that are ready, has the mover commit them together, and hands out the replies.

There is no added wait: while one batch commits, the next one gathers. On a loop of the runner's own the commit is made
inline; on an application's loop it is made in a thread, so that an fsync never holds that loop up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import attrs

from persistence import Busy, JournalError, Stale, Unwritable
from statemachine.errors import RefusedVerb, RunnerClosed
from statemachine.runner.loaded import Loaded
from statemachine.runner.mover import Moved, Mover, Reply, Request
from statemachine.runner.observing import Guarded
from statemachine.runner.threads import Threads
from statemachine.runner.waiting import NotRecovered

log = logging.getLogger("statemachine")
T = TypeVar("T")
LARGEST = 512
"""Requests in one commit."""
PATIENCE = 10
"""How often a request is planned again because its run was not where it was read."""
PAUSE = 0.1
"""Seconds until a journal that could not be used is tried again."""
UNTIDY, UNTIDIEST = 200, 5_000
"""Requests after which the journal's housekeeping is done when nothing waits, and when something does all the same."""
NOT_NOW = (Busy, Unwritable)
"""Nothing was written, and it may go another time."""


@attrs.define(eq=False)
class _Waiting:
    request: Request
    future: asyncio.Future[Any] | None
    """None: nobody waits for the answer."""
    must: bool
    stale: int = 0
    """How often its run was not where it was read."""


class Writer:
    """See the module. `perform` is called on the loop for each transition that was committed, in their order."""

    def __init__(
        self,
        mover: Mover,
        perform: Callable[[Moved], None],
        lost: Callable[[BaseException], None],
        resume: Callable[[Loaded], None],
        *,
        inline: bool,
        observer: Guarded | None = None,
    ) -> None:
        self.mover = mover
        self._perform = perform
        self._lost = lost
        self._resume = resume
        self._observer = observer
        self._queue: deque[_Waiting] = deque()
        self._patient: dict[str, list[_Waiting]] = {}
        self._ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread = None if inline else Threads(1, "writer")
        self._untidy = 0
        self._closed: str = ""

    def ask(self, request: Request, *, must: bool = False) -> asyncio.Future[Any]:
        """Ask for something; the future has the answer, or what it was refused with.

        Args:
            request: What is asked.
            must: Nobody outside waits to hear that the journal cannot be used now: try again until it can.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_exception(RunnerClosed(self._closed))
        else:
            self._put(_Waiting(request, future, must))
        return future

    def tell(self, request: Request) -> None:
        """Have something recorded that nobody waits for, as soon as the journal can be used."""
        if not self._closed:
            self._put(_Waiting(request, None, must=True))

    def tell_first(self, requests: Iterable[Request], free: Callable[[str], bool]) -> None:
        """Have something recorded before everything else; after it, what waits for runs that are free now."""
        runs = [run for run in self._patient if free(run)]
        waiting = [_Waiting(request, None, must=True) for request in requests]
        self._requeue(waiting + [one for run in runs for one in self._patient.pop(run)])
        self._ready.set()
        self._idle.clear()

    def _put(self, waiting: _Waiting) -> None:
        self._queue.append(waiting)
        self._ready.set()
        self._idle.clear()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be committed."""
        return self._idle.is_set()

    async def drained(self, patience: float) -> bool:
        """Whether nothing waits to be committed any more, after so many seconds at most."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), patience)
        return self._idle.is_set()

    async def run(self) -> None:
        """Commit batches until `close`. A batch that is under way then is committed, and its askers hear of it."""
        while not self._closed:
            await self._ready.wait()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), LARGEST))]
            if batch:
                self._untidy += len(batch)
                await self._commit(batch)
                await asyncio.sleep(0)
            elif not self._closed:
                self._ready.clear()
                self._idle.set()
        self._refuse_waiting()

    async def _commit(self, batch: list[_Waiting]) -> None:
        began = None if self._observer is None else self.mover.clock.now()
        try:
            replies = await self._with_journal(self.mover.move, [waiting.request for waiting in batch])
        except NOT_NOW as error:
            log.warning("The journal cannot be written now: %s", error)
            await self._postpone(batch, error)
        except JournalError as error:
            # Fenced, damaged, or nobody knows what is in it: what is in memory here is worth nothing any more.
            _refuse_all(batch, error)
            self._lost(error)
        except Exception as error:
            log.exception("A batch could not be committed")
            await self._postpone(batch, error)
        else:
            if began is not None and self._observer is not None and any(reply.moved for reply in replies):
                self._observer.wrote((self.mover.clock.now() - began).total_seconds(), len(self._queue))
            if self._hand_out(batch, replies):
                await asyncio.sleep(PAUSE)
            else:
                await self._tidy()

    async def _with_journal(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do something with the journal: inline, or in the writer's thread."""
        if self._thread is None:
            return work(*arguments)
        await self._thread.room()
        answer: T = await self._thread.submit(work, *arguments)
        return answer

    async def _postpone(self, batch: list[_Waiting], error: Exception) -> None:
        """Refuse those whose askers wait; the others, in their order, come again before everything else."""
        _refuse_all([waiting for waiting in batch if not waiting.must], error)
        self._requeue([waiting for waiting in batch if waiting.must])
        await asyncio.sleep(PAUSE)

    def _hand_out(self, batch: list[_Waiting], replies: Sequence[Reply]) -> bool:
        """Tell each asker and perform what was committed. Whether the journal could not be used for some."""
        again: list[_Waiting] = []
        troubled = False
        for waiting, reply in zip(batch, replies, strict=True):
            if reply.error is None and not reply.again:
                if waiting.future is not None and not waiting.future.done():
                    waiting.future.set_result(reply.answer)
            elif self._again(waiting, reply):
                again.append(waiting)
                troubled = troubled or isinstance(reply.error, NOT_NOW)
            for moved in reply.moved:
                if self._patient:
                    self._queue.extend(self._patient.pop(moved.loaded.record.run, ()))
                self._perform(moved)
            if reply.resumed is not None:
                self._resume(reply.resumed)
        self._requeue(again)
        return troubled

    def _again(self, waiting: _Waiting, reply: Reply) -> bool:
        """Whether a request has to be made again; if not, it waits for its run to move, or its asker is told."""
        error = reply.error
        if isinstance(error, Stale) and waiting.stale < PATIENCE:
            waiting.stale += 1
            return True
        if error is None or (waiting.must and isinstance(error, NOT_NOW)):
            return True
        if not isinstance(error, NotRecovered) and not (isinstance(error, RefusedVerb) and error.wait):
            _refuse(waiting, error)
        elif waiting.future is None or not waiting.future.done():
            self._patient.setdefault(waiting.request.run, []).append(waiting)
        return False

    def _requeue(self, waiting: list[_Waiting]) -> None:
        self._queue.extendleft(reversed(waiting))

    def _refuse_waiting(self) -> None:
        waiting = [*self._queue, *(one for many in self._patient.values() for one in many)]
        self._queue.clear()
        self._patient.clear()
        _refuse_all(waiting, RunnerClosed(self._closed))

    async def _tidy(self) -> None:
        if self._untidy < (UNTIDIEST if self._queue else UNTIDY):
            return
        self._untidy = 0
        try:
            await self._with_journal(self.mover.journal.tidy, self.mover.epoch)
        except JournalError as error:
            log.warning("Housekeeping of the journal failed: %s", error)

    def close(self, why: str) -> None:
        """Refuse everything from now on, and what is waiting."""
        self._closed = self._closed or why
        self._refuse_waiting()
        self._ready.set()
        self._idle.set()

    def shut(self) -> None:
        """Give up the thread."""
        if self._thread is not None:
            self._thread.close()


def _refuse_all(batch: Iterable[_Waiting], error: BaseException) -> None:
    for waiting in batch:
        _refuse(waiting, error)


def _refuse(waiting: _Waiting, error: BaseException) -> None:
    """Raise it to whoever waits; where nobody does, it is told in the log."""
    if waiting.future is None:
        if not isinstance(error, RunnerClosed):
            log.error(
                "What happened to run %s could not be recorded: %s", waiting.request.run, type(error).__qualname__
            )
    elif not waiting.future.done():
        waiting.future.set_exception(error)
