"""Where time and chance come from: the only module that asks the system for either."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Alarm(Protocol):
    """A call that a clock was asked to make."""

    def cancel(self) -> None:
        """Do not make it."""
        ...


class Clock(Protocol):
    """What a runner asks of time. `statemachine.testing.VirtualClock` is another."""

    def now(self) -> datetime:
        """The time, UTC."""
        ...

    def call_at(self, time: datetime, call: Callable[[], object]) -> Alarm:
        """Call on the running loop when this clock has reached that time (UTC)."""
        ...

    def chance(self) -> float:
        """A random number from 0 to 1, for the jitter of retries."""
        ...

    def nonce(self) -> str:
        """A name that nobody used before."""
        ...


class SystemClock:
    """The system's time and randomness."""

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)

    def call_at(self, time: datetime, call: Callable[[], object]) -> Alarm:
        """Call on the running loop at that time (UTC)."""
        return asyncio.get_running_loop().call_later((time - self.now()).total_seconds(), call)

    def chance(self) -> float:
        """A random number from 0 to 1."""
        return random.random()

    def nonce(self) -> str:
        """A random name."""
        return secrets.token_hex(6)


def to_micros(time: datetime) -> int:
    """Whole microseconds since 1970-01-01 UTC, as the journal keeps times."""
    return (time - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The UTC time of `to_micros`."""
    return EPOCH + timedelta(microseconds=micros)
