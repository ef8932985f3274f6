"""Threads for sync steps: a bounded number, each step in one of them, and none that keeps its process from ending.

A pool of the standard library's would not do: the interpreter waits at its end for whatever runs in one, so a call that
never returns would keep a process alive that was told to end.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from statemachine.runner.attempts import contained

_Job = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Threads:
    """See the module. Used on one loop.

    Args:
        most: How many there are at most.
    """

    def __init__(self, most: int) -> None:
        self._room = asyncio.Semaphore(most)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._free = 0
        self._made = 0

    async def room(self) -> None:
        """Wait until a thread is free for the `submit` that has to follow."""
        await self._room.acquire()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Call a function in a thread; `room` was waited for. Cancelling the future does not reach the thread."""
        job: Future[Any] = Future()
        job.set_running_or_notify_cancel()
        done = asyncio.wrap_future(job)
        done.add_done_callback(self._over)
        if self._free:
            self._free -= 1
        else:
            self._made += 1
            threading.Thread(target=self._work, name=f"statemachine-step-{self._made}", daemon=True).start()
        self._jobs.put((job, function, arguments))
        return done

    def _over(self, _done: asyncio.Future[Any]) -> None:
        self._free += 1
        self._room.release()

    def _work(self) -> None:
        while (taken := self._jobs.get()) is not None:
            job, function, arguments = taken
            try:
                result = contained(function, *arguments)
            except Exception as error:  # noqa: BLE001 -- it is the future's
                job.set_exception(error)
            else:
                job.set_result(result)
            del taken, job, function, arguments

    def close(self) -> None:
        """Let each thread end when its step has."""
        for _ in range(self._made):
            self._jobs.put(None)
