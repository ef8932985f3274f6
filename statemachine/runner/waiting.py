"""Waiting: for the first of several things, and by whom for what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


class NotRecovered(Exception):
    """What the last owner left of a run is not yet known: whatever is asked of it waits. Nobody outside sees it."""


async def first_of(*work: Awaitable[Any]) -> None:
    """Come back when the first is done; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def forget(kept: dict[str, set[T]], run: str, one: T) -> None:
    """Take one out, and the set with it once that is empty."""
    there = kept.get(run, set())
    there.discard(one)
    if not there:
        kept.pop(run, None)
