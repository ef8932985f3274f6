"""Deaths in this process: at which point a runner dies, and a runner that can.

A runner that dies here leaves what a killed process leaves: what was committed, and nothing else. No part of it handles
the death as a failure, nothing more is committed, its journal's lock is free.
"""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - a schedule is drawn from a seed that it tells, never from the system's chance
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from statemachine.runner import Runner

T = TypeVar("T")
CrashPlan = Callable[[str], bool]
"""Asked at each point that is passed (see `statemachine.testing.points`): does the runner die here?"""


class Crashed(BaseException):
    """The runner has died at a point. Not an `Exception`, so that nothing takes it for a step's failure."""


class crash_at:  # noqa: N801 - it is used as a word
    """Die when a point is passed for the n-th time, once.

    Args:
        point: Its name, as `before succeeded` or `after step hold`; see `journal_points` and `step_points`.
        nth: Which passing of it, from 1.
    """

    def __init__(self, point: str, nth: int = 1) -> None:
        self.point = point
        self.nth = nth
        self._left = nth

    def __call__(self, point: str) -> bool:
        """See `CrashPlan`."""
        if point != self.point:
            return False
        self._left -= 1
        return self._left == 0

    def __repr__(self) -> str:
        return f"crash_at({self.point!r}, nth={self.nth})"


class CrashSchedule:
    """Die at points that a seed chooses.

    Args:
        seed: Of its chance; the same seed dies at the same passings.
        chance: How likely each passing is, 0 to 1.
        most: How often at most. A step that was running at three deaths becomes an incident, as it should.
    """

    def __init__(self, seed: int, *, chance: float = 0.1, most: int = 2) -> None:
        self.seed = seed
        self.chance = chance
        self.most = most
        self.died: list[str] = []
        """The points where it struck."""
        self._random = random.Random(seed)  # noqa: S311 - reproducible on purpose

    def __call__(self, point: str) -> bool:
        """See `CrashPlan`."""
        dies = len(self.died) < self.most and self._random.random() < self.chance
        if dies:
            self.died.append(point)
        return dies

    def __repr__(self) -> str:
        return f"CrashSchedule(seed={self.seed}, chance={self.chance}, most={self.most})"


class MortalRunner(Runner):
    """A runner that can die: `die` is called at the point, `bury` by whoever starts the next one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._death = asyncio.Event()
        self._dying = threading.Lock()
        self.dead = False

    def die(self, point: str) -> None:
        """From now on it does nothing more. Raises Crashed."""
        with self._dying:
            self.dead = True
            loop = self._loop
        if self._body is not None:
            self._body.abandon()
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._death.set)
        raise Crashed(point)

    def _hand_over(self, work: Coroutine[Any, Any, T]) -> T:
        return super()._hand_over(self._or_die(work))

    async def _or_die(self, work: Coroutine[Any, Any, T]) -> T:
        """What is asked of it, unless it dies first: nobody would ever answer then."""
        asked, death = asyncio.ensure_future(work), asyncio.ensure_future(self._death.wait())
        try:
            await asyncio.wait({asked, death}, return_when=asyncio.FIRST_COMPLETED)
            if not self.dead:
                return await asked
        finally:
            death.cancel()
            asked.cancel()
        message = "while it was asked for something"
        raise Crashed(message)

    def bury(self) -> None:
        """Give up its thread and its loop, without a word to the journal."""
        self._off_sigterm()
        self._stop_loop()
        self._unmake()

    def _unmake(self) -> None:
        body = self._body
        ending = None if body is None else body._ending  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- see `die`
        super()._unmake()
        if self.dead and ending is not None and ending.done() and not ending.cancelled():
            ending.exception()  # that it died on the way is known
