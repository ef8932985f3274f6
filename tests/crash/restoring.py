"""A payer in a process of its own, to be backed up under load and killed: `python -m tests.crash.restoring FOLDER`.

Its receiver is a database of its own that knows every key, and counts how often each was given to it.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

import attrs

from statemachine import Call, Event, Runner, State, Workflow, evolve, on, step

RUNS = 40


@attrs.frozen
class Payout:
    amount: int
    paid: bool = False


class Confirm(Event, frozen=True):
    pass


class Receiver:
    """What a bank is that is asked twice under one key: it answers, and pays once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS effect (key TEXT PRIMARY KEY, times INTEGER NOT NULL)")
        connection.close()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30)

    def take(self, key: str) -> None:
        """Do it, unless it was done under this key."""
        with self._open() as connection:
            connection.execute(
                "INSERT INTO effect VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET times = times + 1", (key,)
            )
        connection.close()

    def times(self) -> dict[str, int]:
        """How often each key was given."""
        connection = self._open()
        try:
            return dict(connection.execute("SELECT key, times FROM effect").fetchall())
        finally:
            connection.close()


class Paying(Workflow[Payout], name="paying"):
    """Reserve, pay, tell once, done."""

    receiver: Receiver

    reserving = State(initial=True)
    paying = State()
    telling = State()
    told = State(final=True)
    undone = State(final=True, compensate=True)

    @step(reserving, to=paying, timeout=60)
    def reserve(self, payout: Payout, call: Call) -> Payout:
        self.receiver.take(call.key)
        time.sleep(0.02)
        return payout

    @reserve.undo
    def free(self, payout: Payout, call: Call) -> None:
        self.receiver.take(f"undo of {call.undoes}")

    @step(paying, to=telling, pivot=True)
    def pay(self, payout: Payout, call: Call) -> Payout:
        self.receiver.take(call.key)
        time.sleep(0.02)
        return evolve(payout, paid=True)

    @step(telling, to=told, once=True)
    def tell(self, payout: Payout, call: Call) -> Payout:
        self.receiver.take(call.key)
        time.sleep(0.02)
        return payout

    confirm = on(Confirm, source=reserving, to=paying)


def main(folder: Path) -> None:
    """Start many runs, and more, until somebody kills this."""
    with Runner(folder / "app.db", [Paying(Receiver(folder / "receiver.db"))], threads=4) as runner:
        for n in range(10_000):
            runner.start(Paying, Payout(n), id=f"p-{n}")
            if n == RUNS:
                print("loaded", flush=True)
            if n > RUNS:
                time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
