"""A clock that only a test moves: a thirty-day workflow is tested in milliseconds, without a sleep."""

from __future__ import annotations

import asyncio
import heapq
import threading
from datetime import UTC, datetime, timedelta
from itertools import count

_START = datetime(2030, 1, 1, tzinfo=UTC)


class VirtualClock:
    """A `Clock` for runners under test. Time stands still until `advance`; it may be called from any thread.

    ::

        clock = VirtualClock()
        with Runner(MemoryJournal(), [LoanApproval(fake_bank)], clock=clock) as runner:
            run = runner.start(LoanApproval, Loan("ada", 5_000))
            clock.advance(timedelta(days=7))
            assert run.result(timeout=5).state == ("declined",)

    Args:
        start: The first time, UTC.
        chance: What `chance` always gives, 0 to 1: the share of its jitter by which each retry is shortened.
    """

    def __init__(self, start: datetime = _START, *, chance: float = 0.0) -> None:
        self._now = start
        self._chance = chance
        self._lock = threading.Lock()
        self._order = count()
        self._names = count()
        self._sleeping: list[tuple[datetime, int, asyncio.AbstractEventLoop, asyncio.Event]] = []

    def now(self) -> datetime:
        """The time, UTC."""
        return self._now

    def chance(self) -> float:
        """Always the number it was made with."""
        return self._chance

    def nonce(self) -> str:
        """A name that this clock gave to nobody before."""
        return f"n{next(self._names)}"

    async def sleep_until(self, time: datetime) -> None:
        """Come back when the clock has been moved so far."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            if time <= self._now:
                return
            sleeping = (time, next(self._order), loop, woken)
            heapq.heappush(self._sleeping, sleeping)
        try:
            await woken.wait()
        finally:
            self._forget(sleeping)

    def _forget(self, sleeping: tuple[datetime, int, asyncio.AbstractEventLoop, asyncio.Event]) -> None:
        """Whoever was cancelled sleeps no more."""
        with self._lock:
            if sleeping in self._sleeping:
                self._sleeping.remove(sleeping)
                heapq.heapify(self._sleeping)

    def advance(self, duration: timedelta | float) -> None:
        """Move the time on by a duration (seconds, when a number) and wake whoever has slept enough."""
        step = duration if isinstance(duration, timedelta) else timedelta(seconds=duration)
        with self._lock:
            self._now += step
            woken: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
            while self._sleeping and self._sleeping[0][0] <= self._now:
                _, _, loop, event = heapq.heappop(self._sleeping)
                woken.append((loop, event))
        for loop, event in woken:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)
