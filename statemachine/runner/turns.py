"""Whose turn it is: who waits for places and for a pace, the highest priority first, and within one in order.

What an attempt needs is taken all at once when all of it is free, so nobody who waits for one thing holds another. What
runs is never interrupted for the sake of what waits.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import count

from statemachine.runner.clock import Clock


class Places:
    """How many may run at once."""

    def __init__(self, most: int) -> None:
        self._left = most

    @property
    def free(self) -> bool:
        """Whether one more may."""
        return self._left > 0

    def take(self) -> None:
        """One begins."""
        self._left -= 1

    def give(self) -> None:
        """It has ended."""
        self._left += 1


class Pace:
    """How many may begin a second: in no second more, wherever it begins; below one, a single one in 1 / rate seconds.

    Nothing is stored for it: a new owner takes it that as many as may have begun when the journal became its own, so
    both owners together keep the pace, too.

    Args:
        rate: How many a second; above 0.
        clock: The runner's.
        since: When the journal became its owner's, UTC.
    """

    def __init__(self, rate: float, clock: Clock, since: datetime) -> None:
        self._most = max(1, int(rate))
        self._window = timedelta(seconds=self._most / rate)
        self._clock = clock
        self._since = since
        self._began: deque[datetime] = deque()
        self._reserved = 0
        self._alarmed = False

    @property
    def free(self) -> bool:
        """Whether one more may begin."""
        return self._reserved < self._most and self._when() is None

    def _when(self) -> datetime | None:
        """When the next may begin, UTC; None: now."""
        now = self._clock.now()
        self._since = min(self._since, now)  # the system's clock was set back: what was counted counts from here
        if self._began and self._began[-1] > now:
            self._began = deque([now] * len(self._began))
        if now < self._since + self._window:
            return self._since + self._window
        while self._began and self._began[0] + self._window <= now:
            self._began.popleft()
        if self._reserved + len(self._began) < self._most or not self._began:
            return None
        return self._began[0] + self._window

    def reserve(self) -> None:
        """One is about to begin."""
        self._reserved += 1

    def begin(self) -> None:
        """It begins."""
        self._reserved -= 1
        self._began.append(self._clock.now())

    def release(self) -> None:
        """It does not."""
        self._reserved -= 1

    def alarm(self, call: Callable[[], object]) -> None:
        """Call when the next may begin, unless what ends a reservation will say so, or that was asked before."""
        when = self._when()
        if when is None or self._alarmed:
            return

        def ring() -> None:
            self._alarmed = False
            call()

        self._alarmed = True
        self._clock.call_at(when, ring)


class Turn:
    """That of one who waits, until it is over."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.come: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begun = self._over = False

    def take(self) -> None:
        """It has come."""
        for places in self._lane.places:
            places.take()
        for pace in self._lane.paces:
            pace.reserve()
        self.come.set_result(None)

    def begin(self) -> None:
        """Whoever had it begins, which counts for the pace. Harmless when repeated."""
        if not self._begun and not self._over:
            self._begun = True
            for pace in self._lane.paces:
                pace.begin()
            self._lane.go_on()

    def leave(self) -> None:
        """It is over."""
        self._over = True
        for pace in () if self._begun else self._lane.paces:
            pace.release()
        self._lane.leave()


class Lane:
    """Those who wait for the same.

    Args:
        turns: All who wait for some of it.
        places: What each of them takes a place in.
        paces: What each of them keeps.
    """

    def __init__(self, turns: Turns, places: Sequence[Places], paces: Sequence[Pace] = ()) -> None:
        self.places = places
        self.paces = paces
        self._turns = turns
        self._waiting: list[tuple[int, int, Turn]] = []
        turns.lanes.append(self)

    async def turn(self, priority: int, waits: Callable[[], None] | None = None) -> Turn:
        """Wait for a turn, which has to be left. A higher priority goes first. `waits` is called if it has to wait."""
        turn = Turn(self)
        heapq.heappush(self._waiting, (-priority, next(self._turns.order), turn))
        self.go_on()
        if waits is not None and not turn.come.done():
            waits()
        try:
            await turn.come
        except asyncio.CancelledError:
            if not turn.come.cancelled():
                turn.leave()
            raise
        return turn

    def leave(self) -> None:
        """A turn is over."""
        for places in self.places:
            places.give()
        self.go_on()

    def go_on(self) -> None:
        """Give turns to all who may have one."""
        self._turns.go_on()

    def first(self) -> tuple[int, int, Turn] | None:
        """Who is next here; None when nobody waits."""
        while self._waiting and self._waiting[0][2].come.done():
            heapq.heappop(self._waiting)
        return self._waiting[0] if self._waiting else None

    @property
    def free(self) -> bool:
        """Whether who is next here may begin."""
        return all(places.free for places in self.places) and all(pace.free for pace in self.paces)


class Turns:
    """The lanes that have places or a pace in common."""

    def __init__(self) -> None:
        self.lanes: list[Lane] = []
        self.order = count()

    def go_on(self) -> None:
        """Give turns to all who may have one."""
        while next_ones := [one for lane in self.lanes if (one := lane.first()) is not None and lane.free]:
            min(next_ones)[2].take()
        for lane in self.lanes:
            if lane.paces and lane.first() is not None:
                for pace in lane.paces:
                    pace.alarm(self.go_on)
