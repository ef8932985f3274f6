"""Where a caller without a loop meets the runner's: what is handed over, and what must not be."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from typing import Any, Generic, Protocol, TypeVar

from statemachine.errors import BlockingCall, RunnerClosed

T = TypeVar("T")


async def cancel_all() -> None:
    """Cancel what still runs on this loop, and come back when it has ended."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=1)


class Wait(Protocol):
    """Hands a coroutine over to the runner's loop and waits for it."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """What the coroutine gives, or what it raises."""
        ...


class Errand(Generic[T]):
    """A coroutine that a thread has done on a loop. It hears of the end at once.

    From `run_coroutine_threadsafe` it would hear of it two turns of the loop later, which is a fifth of what a call
    costs beside its commit.
    """

    def __init__(self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self._work = work
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._found: list[T] = []
        self._failure: BaseException = asyncio.CancelledError()
        """What it ends with where it finds nothing; so it does also if it is cancelled before it begins."""
        self._told = False
        self._over = threading.Lock()
        self._over.acquire()
        loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._do())
        self._task.add_done_callback(self._tell)

    async def _do(self) -> None:
        try:
            self._found.append(await self._work)
        except Exception as error:  # noqa: BLE001 -- it is raised where the coroutine came from
            self._failure = error
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._tell()

    def _tell(self, _task: object = None) -> None:
        if not self._told:
            self._told = True
            self._over.release()

    def result(self) -> T:
        """Wait for the end. What the coroutine gives, or what it raises; CancelledError where the loop ends before."""
        try:
            self._over.acquire()
        except BaseException:  # Ctrl-C: nobody waits for it any more
            self._loop.call_soon_threadsafe(self._give_up)
            raise
        if self._found:
            return self._found.pop()
        try:
            raise self._failure
        finally:
            del self._failure  # its traceback has this frame

    def _give_up(self) -> None:
        if self._task is not None:
            self._task.cancel()


@contextmanager
def followed(wait: Wait, subscription: AbstractAsyncContextManager[AsyncIterator[T]]) -> Generator[Iterator[T]]:
    """A subscription of the async face, for a caller without a loop."""
    told = wait(_entered(subscription))
    try:
        yield _follow(wait, told)
    finally:
        with suppress(RunnerClosed):  # closed meanwhile, and the subscription with it
            wait(_left(subscription))


def _follow(wait: Wait, told: AsyncIterator[T]) -> Iterator[T]:
    while True:
        one = wait(_next_of(told))
        if one is None:
            return
        yield one


async def _entered(subscription: AbstractAsyncContextManager[T]) -> T:
    return await subscription.__aenter__()


async def _left(subscription: AbstractAsyncContextManager[Any]) -> None:
    await subscription.__aexit__(None, None, None)


async def _next_of(told: AsyncIterator[T]) -> T | None:
    return await anext(told, None)


def here(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, in this thread."""
    try:
        work.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        work.close()
    message = "it had to wait"
    raise RuntimeError(message)


def refuse_in_loop(verb: str) -> None:
    """Refuse a blocking call where a loop runs in this thread. Raises BlockingCall."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise BlockingCall(verb)


def leave_process() -> None:
    """End this process as SIGTERM would."""
    raise SystemExit(128 + signal.SIGTERM)
