"""A clock that only a test moves: a thirty-day workflow is tested in milliseconds, without a sleep."""

from __future__ import annotations

import asyncio
import heapq
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

_START = datetime(2030, 1, 1, tzinfo=UTC)
_FEW = 64
"""Alarms that are kept without a look at which of them are cancelled."""


class _Alarm:
    """A call that is to be made on a loop, unless it is cancelled before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
        self._loop = loop
        self._call: Callable[[], object] | None = call

    @property
    def cancelled(self) -> bool:
        return self._call is None

    def cancel(self) -> None:
        self._call = None

    def ring(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._make)

    def _make(self) -> None:
        if self._call is not None:
            self._call()


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
        self._alarms: list[tuple[datetime, int, _Alarm]] = []
        self._most = _FEW

    def now(self) -> datetime:
        """The time, UTC."""
        return self._now

    def chance(self) -> float:
        """Always the number it was made with."""
        return self._chance

    def nonce(self) -> str:
        """A name that this clock gave to nobody before."""
        return f"n{next(self._names)}"

    def call_at(self, time: datetime, call: Callable[[], object]) -> _Alarm:
        """Call on the running loop when the clock has been moved so far."""
        alarm = _Alarm(asyncio.get_running_loop(), call)
        with self._lock:
            if time > self._now:
                self._forget_cancelled()
                heapq.heappush(self._alarms, (time, next(self._order), alarm))
                return alarm
        alarm.ring()
        return alarm

    def _forget_cancelled(self) -> None:
        """Now and then, so that a clock which is seldom moved does not keep what nobody waits for."""
        if len(self._alarms) >= self._most:
            self._alarms = [one for one in self._alarms if not one[2].cancelled]
            heapq.heapify(self._alarms)
            self._most = max(_FEW, 2 * len(self._alarms))

    def advance(self, duration: timedelta | float) -> None:
        """Move the time on by a duration (seconds, when a number) and make the calls that are due by then, in order."""
        step = duration if isinstance(duration, timedelta) else timedelta(seconds=duration)
        with self._lock:
            self._now += step
            due: list[_Alarm] = []
            while self._alarms and self._alarms[0][0] <= self._now:
                due.append(heapq.heappop(self._alarms)[2])
        for alarm in due:
            alarm.ring()
