"""Where a caller without a loop meets the runner's: what is handed over, and what must not be."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from typing import Any, Protocol, TypeVar

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
