"""Signs of life of an attempt: one that gives none for as long as it must not has gone silent, and counts as failed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from statemachine.runner.clock import Alarm, Clock


class StepSilent(TimeoutError):
    """An attempt gave no sign of life for longer than its `heartbeat=`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no sign of life for {seconds:g} s: no call.beat(), call.save() or call.emit()")


class Pulse:
    """See the module.

    Args:
        clock: By which the silence is measured.
        seconds: How long it may last.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._longest = timedelta(seconds=seconds)
        self._last = self._due = clock.now()
        self._silent: Callable[[Exception], object] | None = None
        self._alarm: Alarm | None = None

    def beat(self) -> None:
        """It lives. From any thread."""
        self._last = self._clock.now()

    def watch(self, silent: Callable[[Exception], object]) -> None:
        """Look from now on whether it lives, and say when it has gone silent."""
        self._silent = silent
        self.beat()
        self._wait(self._last + self._longest)

    def _look(self) -> None:
        now, due = self._clock.now(), self._last + self._longest
        if self._silent is None:
            return
        if due > now:
            self._wait(due)
        elif now - self._due >= self._longest:
            # The look itself is late: the clock was set, or all stood still. What is heard counts from now.
            self._wait(now + self._longest)
        else:
            self._silent(StepSilent(self._seconds))

    def _wait(self, due: datetime) -> None:
        self._due = due
        self._alarm = self._clock.call_at(due, self._look)

    def stop(self) -> None:
        """It has ended."""
        self._silent = None
        if self._alarm is not None:
            self._alarm.cancel()
