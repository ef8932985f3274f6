"""A day at the loan desk: people come and decide, someone pulls the plug, and a bar shows how far it is."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol

import attrs

from examples.loan_desk_data import Application
from examples.loan_desk_processes import Worker
from examples.loan_desk_remote import Bank
from examples.loan_desk_show import Progress, Tally

PATIENCE = 90.0
"""Seconds without an ending after which the day is given up."""
GLANCE = 0.1
"""Seconds between two looks of the people at their screens."""


class Stuck(Exception):
    """Nothing ends any more. The message names what is under way."""


class People(Protocol):
    """What the people do at each glance."""

    @property
    def under_way(self) -> list[str]:
        """Loans that are neither paid nor given up."""
        ...

    def apply(self, applications: Iterator[tuple[str, Application]]) -> None:
        """Hand in as many as there is room for."""
        ...

    def decide(self) -> int:
        """Decide what waits; gives how many wait."""
        ...

    def operate(self) -> list[str]:
        """See to incidents; gives what was done."""
        ...

    def settle(self) -> list[str]:
        """Outcomes of what has ended since the last glance."""
        ...


@attrs.define
class Day:
    """The applications of one day, and how often the plug is pulled. `tally` is what came of it."""

    applications: list[Application]
    kills: int
    seed: int
    tally: Tally = attrs.field(factory=Tally)

    def pass_by(self, people: People, worker: Worker, bank: Bank) -> None:
        """Let it pass.

        Raises:
            ProcessDied: The worker ended, and nobody had killed it.
            Stuck: Nothing ends any more.
        """
        total, plugs = len(self.applications), self._plugs()
        arriving = ((f"loan-{number:04}", one) for number, one in enumerate(self.applications, start=1))
        progress, away = Progress(total), False
        began = moved = time.monotonic()
        while (done := self.tally.outcomes.total()) < total:
            people.apply(arriving)
            waiting = people.decide()
            for news in people.operate():
                progress.say(news)
            over = people.settle()
            self.tally.outcomes.update(over)
            if plugs and done >= plugs[0]:
                plugs.pop(0)
                self.tally.kills.append(datetime.now(UTC))
                progress.say(f"SIGKILL to the worker, {len(people.under_way)} loans under way; started again")
                worker.restart()
            if bank.state().away is not away:
                away = not away
                progress.say("the bank does not answer any more" if away else "the bank answers again")
            progress.show(done + len(over), self._standing(waiting))
            worker.check()
            moved = time.monotonic() if over else moved
            if time.monotonic() > moved + PATIENCE:
                message = f"No loan has ended for {PATIENCE:.0f} s. Under way: {', '.join(people.under_way)}."
                raise Stuck(message)
            time.sleep(GLANCE)
        progress.end()
        self.tally.seconds = time.monotonic() - began

    def _plugs(self) -> list[int]:
        """After how many endings the worker is killed."""
        chance = random.Random(self.seed)
        return [
            round(len(self.applications) * (kill + chance.uniform(0.3, 1.0)) / (self.kills + 1))
            for kill in range(self.kills)
        ]

    def _standing(self, waiting: int) -> str:
        counts = "  ".join(f"{name} {self.tally.outcomes[name]}" for name in ("paid", "declined", "undone"))
        return f"{counts}  with clerks {waiting}  kills {len(self.tally.kills)}/{self.kills}"
