"""Notices of what needs a person: written with the transition that they are about, delivered after it, at least once.

A notice is a row of the journal until a callback has returned for it. One whose callback raises is tried again, later
and later, and holds up no other; what a process that died had delivered and not noted is delivered again.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import attrs
import msgspec

from persistence import Change, NoticeRecord, opened
from statemachine.errors import RunnerClosed
from statemachine.runner.attempts import contained_later
from statemachine.runner.clock import Clock
from statemachine.runner.logs import fields
from statemachine.runner.mover import Mover, Plan
from statemachine.runner.noticing import Notice
from statemachine.runner.requests import Reading
from statemachine.runner.threads import Threads
from statemachine.runner.writer import Writer

log = logging.getLogger("statemachine")
OnNotice = Callable[[Notice], object]
"""Is told, sync or async; what it returns is awaited where it can be."""
PAGE = 64
"""Notices read at once."""
AT_ONCE = 4
"""How many callbacks run at once."""
PATIENCE = 60.0
"""Seconds that an async callback may take, and after which the log tells of a sync one."""
LONGEST = 300
"""Seconds, at most, until a notice is tried again."""


@attrs.frozen(eq=False)
class Delivered:
    """Note that a notice needs not be delivered again."""

    number: int
    run: str = ""

    def plan(self, _mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        plan.changes.append(Change(delivered=(self.number,)))


class Notices:
    """See the module. Runs on the runner's loop.

    Args:
        writer: Whom to ask.
        clock: The runner's.
        callbacks: By kind of notice.
    """

    def __init__(self, writer: Writer, clock: Clock, callbacks: Mapping[str, OnNotice]) -> None:
        self._writer = writer
        self._clock = clock
        self._callbacks = callbacks
        self._threads = Threads(AT_ONCE, "notice")
        self._places = asyncio.Semaphore(AT_ONCE)
        self._woken = asyncio.Event()
        self._woken.set()
        self._seen = 0
        self._failed: dict[int, int] = {}
        """How often the notice of that number has failed."""
        self._due: list[int] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """A notice may have been written."""
        self._woken.set()

    async def watch(self) -> None:
        """Deliver notices until cancelled."""
        while self._callbacks:
            await self._woken.wait()
            self._woken.clear()
            due, self._due = self._due, []
            for number in due:
                await self._begin(await self._read(number - 1, 1), number)
            while page := await self._read(self._seen, PAGE):
                self._seen = page[-1].number
                await self._begin(page)

    async def _read(self, after: int, limit: int) -> list[NoticeRecord]:
        found: list[NoticeRecord] = await self._writer.ask(
            Reading(lambda mover: mover.journal.notices(after, limit)), must=True
        )
        return found

    async def _begin(self, page: list[NoticeRecord], only: int | None = None) -> None:
        for record in page:
            if record.kind in self._callbacks and only in {None, record.number}:
                await self._places.acquire()
                task = asyncio.get_running_loop().create_task(self._deliver(record))
                self._tasks.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._places.release()

    async def _deliver(self, record: NoticeRecord) -> None:
        try:
            notice = msgspec.json.decode(opened(record.body), type=Notice)
            await self._call(self._callbacks[record.kind], notice)
        except Exception as error:  # noqa: BLE001 -- whatever the application raises, the notice is kept
            self._try_again(record, error)
        else:
            self._failed.pop(record.number, None)
            try:
                await self._writer.ask(Delivered(record.number), must=True)
            except RunnerClosed:
                return  # it is delivered again by the next owner

    async def _call(self, callback: OnNotice, notice: Notice) -> None:
        if inspect.iscoroutinefunction(callback):
            answer: Any = callback(notice)
        else:
            await self._threads.room()
            answer = await self._called(self._threads.submit(callback, notice), notice)
        if inspect.isawaitable(answer):
            async with asyncio.timeout(PATIENCE):
                await contained_later(answer)

    async def _called(self, call: asyncio.Future[Any], notice: Notice) -> Any:
        """What a sync callback returns. A thread cannot be cancelled, so one that hangs keeps its place."""
        if not (await asyncio.wait({call}, timeout=PATIENCE))[0]:
            log.warning(
                "A callback has not returned for %d s, and keeps one of %d places: it was told of run %s (%s). "
                "Give what it calls a timeout.",
                PATIENCE,
                AT_ONCE,
                notice.run,
                notice.kind,
                extra=fields(None, notice.run),
            )
        return await call

    def _try_again(self, record: NoticeRecord, error: Exception) -> None:
        failed = self._failed[record.number] = self._failed.get(record.number, 0) + 1
        seconds = min(LONGEST, 2 ** min(failed - 1, 10))
        log.warning(
            "A notice (%s) of run %s could not be delivered at try %d, the next is in %d s: %s",
            record.kind,
            record.run,
            failed,
            seconds,
            type(error).__qualname__,
            extra=fields(None, record.run),
        )
        self._clock.call_at(self._clock.now() + timedelta(seconds=seconds), lambda: self._again(record.number))

    def _again(self, number: int) -> None:
        self._due.append(number)
        self._woken.set()

    async def close(self, grace: float) -> None:
        """Let the callbacks that run finish for `grace` seconds; what does not is delivered again."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in list(self._tasks):
            task.cancel()
        self._threads.close()


def kinds(callbacks: Mapping[str, OnNotice | None]) -> dict[str, OnNotice]:
    """Those that were given."""
    return {kind: callback for kind, callback in callbacks.items() if callback is not None}
