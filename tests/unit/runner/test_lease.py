"""The lease of a runner on a disk that fails: it is said, work goes on, and it is renewed once it can be."""

from __future__ import annotations

import logging
import threading

import pytest

from persistence import MemoryJournal, Unwritable
from statemachine import Runner
from tests.unit.runner.desk import Order, Shop, World


class Unrenewable(MemoryJournal):
    """Cannot be renewed at first."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = 0
        self.renewed = threading.Event()

    def renew(self, epoch: int) -> None:
        """Renew, from the third time on."""
        self.tries += 1
        if self.tries < 3:
            msg = "no room"
            raise Unwritable(msg)
        super().renew(epoch)
        self.renewed.set()


def test_a_lease_that_cannot_be_renewed_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Twice the disk says no; both times are in the log, a run is started all the same, and the third time it goes."""
    journal = Unrenewable()
    with caplog.at_level(logging.WARNING, "statemachine"), Runner(journal, [Shop(World())], lease=0.03) as runner:
        runner.start(Shop, Order("book"), id="o-1")
        assert journal.renewed.wait(10)
        assert runner.owner
        assert runner.get("o-1").look().id == "o-1"
    said = [record.getMessage() for record in caplog.records]
    assert said == 2 * ["The lease on the journal could not be renewed: no room"]
