"""Threads for what blocks: a bounded number, each call in one of them, and none that keeps its process from ending.

A pool of the standard library's would not do: the interpreter waits at its end for whatever runs in one, so a call that
never returns would keep a process alive that was told to end.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from statemachine.runner.attempts import contained
from statemachine.runner.turns import Lane, Places, Turns

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Threads:
    """See the module. Used on one loop.

    Args:
        most: How many there are at most.
        name: What they are for, in the names of the threads.
    """

    def __init__(self, most: int, name: str = "step") -> None:
        self._name = name
        self._room = Lane(Turns(), [Places(most)])
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._free = 0
        self._made = 0

    async def room(self, priority: int = 0, waits: Callable[[], None] | None = None) -> None:
        """Wait until a thread is free for the `submit` that has to follow; see `Lane.turn`."""
        await self._room.turn(priority, waits)

    def vacate(self) -> None:
        """The thread that was waited for is not needed."""
        self._room.leave()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Call a function in a thread; `room` was waited for. Cancelling the future does not reach the thread."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        if self._free:
            self._free -= 1
        else:
            self._made += 1
            threading.Thread(target=self._work, name=f"statemachine-{self._name}-{self._made}", daemon=True).start()
        self._jobs.put((loop, done, function, arguments))
        return done

    def _work(self) -> None:
        while (taken := self._jobs.get()) is not None:
            loop, done, function, arguments = taken
            result, failure = None, None
            try:
                result = contained(function, *arguments)
            except Exception as error:  # noqa: BLE001 -- it is the future's, with its traceback into the step
                failure = error
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                loop.call_soon_threadsafe(self._over, done, result, failure)
            del taken, done, function, arguments, result, failure

    def _over(self, done: asyncio.Future[Any], result: Any, failure: Exception | None) -> None:
        self._free += 1
        self._room.leave()
        if done.done():
            return
        if failure is None:
            done.set_result(result)
        else:
            done.set_exception(failure)

    def close(self) -> None:
        """Let each thread end when its step has."""
        for _ in range(self._made):
            self._jobs.put(None)
