"""The process that is killed: one transfer, start to end, on a journal; `python -m tests.crash.app FOLDER POINT NTH`.

POINT is where it kills itself, at the NTH time it comes by there: before-effect, after-effect, before-commit,
after-commit, before-acknowledgement; `none` lets it live. What happens outside the journal goes to a ledger,
fsynced line by line: `effect KEY`, `undo KEY`, `acknowledged WHAT`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs

from persistence import Change, SQLiteJournal, Work
from statemachine import (
    Call,
    Connection,
    Event,
    NotAccepted,
    Retry,
    Runner,
    State,
    Workflow,
    evolve,
    on,
    step,
    transaction,
)


@attrs.frozen
class Transfer:
    amount: int
    reserved: bool = False
    booked: bool = False
    sent: bool = False


class Confirm(Event, frozen=True):
    by: str


class Reject(Event, frozen=True):
    by: str


class Points:
    """Counts visits of the chosen point and dies at the chosen one."""

    def __init__(self, point: str, nth: int) -> None:
        self._point = point
        self._left = nth

    def reach(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class Ledger:
    """What happened outside the database."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def note(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())
        os.fsync(self._file)


class TransferMoney(Workflow[Transfer], name="transfer"):
    points: Points
    ledger: Ledger

    reserving = State(initial=True)
    waiting = State()
    booking = State()
    sending = State()
    sent = State(final=True)
    rejected = State(final=True, compensate=True)

    @step(reserving, to=waiting, retry=Retry(3, delay=0.01))
    async def reserve(self, data: Transfer, call: Call) -> Transfer:
        self._effect("effect", call)
        return evolve(data, reserved=True)

    @reserve.undo(retry=Retry(3, delay=0.01))
    async def release(self, data: Transfer, call: Call) -> None:
        self._effect("undo", call)

    confirm = on(Confirm, source=waiting, to=booking)
    reject = on(Reject, source=waiting, to=rejected)

    @transaction(booking, to=sending)
    def book(self, data: Transfer, connection: Connection, call: Call) -> Transfer:
        self.points.reach("before-effect")
        connection.execute("INSERT INTO bookings (key) VALUES (?)", (call.key,))
        self.points.reach("after-effect")
        return evolve(data, booked=True)

    @step(sending, to=sent, pivot=True)
    def send(self, data: Transfer, call: Call) -> Transfer:
        self._effect("effect", call)
        return evolve(data, sent=True)

    def _effect(self, what: str, call: Call) -> None:
        self.points.reach("before-effect")
        self.ledger.note(f"{what} {call.undoes or call.key}")
        self.points.reach("after-effect")


class DyingJournal(SQLiteJournal):
    """A journal that comes by the points around each of its commits."""

    points: Points

    def commit(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        self.points.reach("before-commit")
        outcomes = super().commit(epoch, changes)
        self.points.reach("after-commit")
        return outcomes


class DyingLog(logging.Handler):
    """Transitions are logged after their commit and before anybody is told."""

    def __init__(self, points: Points) -> None:
        super().__init__(logging.DEBUG)
        self._points = points

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.DEBUG:
            self._points.reach("before-acknowledgement")


def main(folder: Path, point: str, nth: int) -> None:
    """Go through both endings once: run "paid" is confirmed, run "undone" is rejected."""
    points = Points(point, nth)
    ledger = Ledger(folder / "ledger")
    logger = logging.getLogger("statemachine")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(DyingLog(points))
    journal = DyingJournal(folder / "journal.db")
    journal.points = points
    with Runner(journal, [TransferMoney(points, ledger)]) as runner:
        for name, event in (("paid", Confirm(by="ada")), ("undone", Reject(by="bob"))):
            run = runner.start(TransferMoney, Transfer(100), id=name)
            ledger.note(f"acknowledged start-{name}")
            while True:
                try:
                    run.send(event, id="decision")
                    break
                except NotAccepted:
                    continue
            ledger.note(f"acknowledged decision-{name}")
            run.result(timeout=20)
    journal.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
