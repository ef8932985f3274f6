"""A process that pays, and what it paid: `python -m tests.crash.payer FILE LEDGER [VERB POINT]`.

It serves until its input closes, and says `ready` when it owns the file. With a verb, `hold` or `release`, it gives
that itself and is killed at the crash point on the way.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import attrs

from persistence import SQLiteJournal
from statemachine import Call, Runner, State, Workflow, step
from statemachine.testing import KillAt, watched


@attrs.frozen
class Invoice:
    amount: int


class Ledger:
    """Whom this process has paid, by key: a line each, on disk before the step returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def pay(self, key: str) -> None:
        """One payment."""
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(f"{key}\n")
            file.flush()
            os.fsync(file.fileno())

    def paid(self) -> list[str]:
        """The keys, in order."""
        return self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []


class Payment(Workflow[Invoice], name="payment"):
    ledger: Ledger

    checking = State(initial=True)
    paying = State()
    paid = State(final=True)

    @step(checking, to=paying)
    async def check(self, invoice: Invoice) -> Invoice:
        return invoice

    @step(paying, to=paid, pivot=True)
    def pay(self, invoice: Invoice, call: Call) -> Invoice:
        self.ledger.pay(call.key)
        return invoice


def main(file: str, ledger: str, verb: str = "", point: str = "") -> None:
    """Serve, or die of a verb."""
    work = Payment(Ledger(Path(ledger)))
    if verb:
        with Runner(watched(SQLiteJournal(file), KillAt(point)), [work]) as runner:
            getattr(runner, verb)(Payment.pay)
        return
    with Runner(file, [work]):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
