"""Where attempts of steps wait for their turn, while as many of their step or workflow run as may.

A start waits outside while many attempts of its workflow stand in line, so the line has an end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

Limits = Mapping[tuple[str, str], int]
"""(workflow, step) -> how many attempts run at once; step "" for those of the whole workflow."""


class Line:
    """The attempts of one workflow that have not begun, and the starts that would add to them."""

    def __init__(self, gates: Mapping[str, asyncio.Semaphore], most: int) -> None:
        self._gates = gates
        self._most = most
        self._length = 0
        self._outside: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether a start has to wait."""
        return self._length >= self._most and not self._closed

    def gates(self, step: str) -> tuple[asyncio.Semaphore, ...]:
        """What an attempt has to pass: first its step's, so that nobody who waits there has the workflow's."""
        if not self._gates:
            return ()
        return tuple(self._gates[name] for name in (step, "") if name in self._gates)

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
        limits: How many attempts run at once.
        most: How many attempts of one workflow may stand in line before its starts wait.
    """

    def __init__(self, limits: Limits, most: int) -> None:
        self._limits = limits
        self._most = most
        self._lines: dict[str, Line] = {}

    def of(self, workflow: str) -> Line:
        """The line of one workflow."""
        line = self._lines.get(workflow)
        if line is None:
            mine = {step: asyncio.Semaphore(most) for (name, step), most in self._limits.items() if name == workflow}
            line = self._lines[workflow] = Line(mine, self._most)
        return line

    def close(self) -> None:
        """Nobody waits any more."""
        for line in self._lines.values():
            line.close()
