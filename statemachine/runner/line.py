"""Where attempts of steps wait for their turn, while as many of their step or workflow run, or began, as may.

A start waits outside while many attempts of its workflow stand in line, so the line has an end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

import attrs

from statemachine.runner.clock import Clock
from statemachine.runner.turns import Lane, Pace, Places, Turns


@attrs.frozen
class Limits:
    """What bounds attempts, by workflow and step; step "" for all of the workflow.

    Attributes:
        places: How many run at once.
        rates: How many begin a second.
    """

    places: Mapping[tuple[str, str], int]
    rates: Mapping[tuple[str, str], float]


class Line:
    """The attempts of one workflow that have not begun, and the starts that would add to them."""

    def __init__(self, places: Mapping[str, Places], paces: Mapping[str, Pace], most: int) -> None:
        self._places = places
        self._paces = paces
        self._turns = Turns()
        self._lanes: dict[str, Lane | None] = {}
        self._most = most
        self._length = 0
        self._outside: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether a start has to wait."""
        return self._length >= self._most and not self._closed

    def lane(self, step: str) -> Lane | None:
        """Where attempts of a step wait for their turn; None where nothing bounds them."""
        if step not in self._lanes:
            places = [self._places[name] for name in (step, "") if name in self._places]
            paces = [self._paces[name] for name in (step, "") if name in self._paces]
            self._lanes[step] = Lane(self._turns, places, paces) if places or paces else None
        return self._lanes[step]

    def join(self) -> None:
        """An attempt is to be made."""
        self._length += 1

    def leave(self) -> None:
        """It has begun, or never will."""
        self._length -= 1
        self._let_in()

    @asynccontextmanager
    async def starting(self) -> AsyncGenerator[None]:
        """Wait until the line is short enough, and stand in it until the start is committed."""
        while self.full:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._outside.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._let_in()  # whoever was let in and goes away gives the turn on
                raise
        self.join()
        try:
            yield
        finally:
            self.leave()

    def _let_in(self) -> None:
        while self._outside and not self.full:
            turn = self._outside.popleft()
            if not turn.done():
                turn.set_result(None)
                if not self._closed:
                    return

    def close(self) -> None:
        """Nobody waits any more."""
        self._closed = True
        self._let_in()


class Lines:
    """The lines of all workflows.

    Args:
        limits: What bounds attempts.
        most: How many attempts of one workflow may stand in line before its starts wait.
        clock: The runner's, by which a pace is kept.
    """

    def __init__(self, limits: Limits, most: int, clock: Clock) -> None:
        self._limits = limits
        self._most = most
        self._clock = clock
        self._since: datetime = clock.now()
        self._lines: dict[str, Line] = {}

    def own(self) -> None:
        """The journal is this runner's from now on; what its last owner began just before counts for the pace."""
        self._since = self._clock.now()

    def of(self, workflow: str) -> Line:
        """The line of one workflow."""
        line = self._lines.get(workflow)
        if line is None:
            line = self._lines[workflow] = Line(
                {step: Places(most) for (name, step), most in self._limits.places.items() if name == workflow},
                {step: self._pace(rate) for (name, step), rate in self._limits.rates.items() if name == workflow},
                self._most,
            )
        return line

    def _pace(self, rate: float) -> Pace:
        return Pace(rate, self._clock, self._since)

    def close(self) -> None:
        """Nobody waits any more."""
        for line in self._lines.values():
            line.close()
