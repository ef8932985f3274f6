"""Where a caller without a loop meets the runner's: what is handed over, and what must not be."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from statemachine.errors import BlockingCall

T = TypeVar("T")


async def cancel_all() -> None:
    """Cancel what still runs on this loop, and come back when it has ended."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=1)


async def entered(subscription: Any) -> Any:
    """What a subscription gives."""
    return await subscription.__aenter__()


async def left(subscription: Any) -> None:
    """End a subscription."""
    await subscription.__aexit__(None, None, None)


async def next_of(transitions: Any) -> Any:
    """The next transition; None after the last."""
    return await anext(transitions, None)


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
