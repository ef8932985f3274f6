"""The system's clock is set while a runner looks at it: a deadline comes when the clock shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from persistence import MemoryJournal
from statemachine import Runner
from statemachine.runner.clock import Alarm, SystemClock
from tests.unit.runner.desk import Order, Shop, World, becomes, until


class SetBack(SystemClock):
    """Is set back by an hour at the very moment at which an alarm for the next look is asked for, a few times."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.times = 0

    def now(self) -> datetime:
        """The time that it shows."""
        return super().now() + self.ahead

    def call_at(self, time: datetime, call: Callable[[], object]) -> Alarm:
        """See `Clock`."""
        if self.times:
            self.times -= 1
            self.ahead -= timedelta(hours=1)
        return super().call_at(time, call)


def test_a_clock_that_is_set_back_while_it_is_looked_at_delays_no_deadline(world: World) -> None:
    """The alarm of the look was asked for by the time before; the look comes all the same, within a second."""
    clock = SetBack()
    with Runner(MemoryJournal(), [Shop(world)], clock=clock) as runner:
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        clock.times = 3
        becomes(lambda: not clock.times)
        clock.ahead = timedelta(days=8)
        assert run.result(10).state == ("rejected",)
