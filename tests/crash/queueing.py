"""The process that is killed while payments stand in line: `python -m tests.crash.queueing JOURNAL LEDGER MANY`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import attrs

from statemachine import Runner, State, Workflow, step


@attrs.frozen
class Payment:
    number: int


class Paying(Workflow[Payment], name="paying"):
    ledger: str

    paying = State(initial=True)
    paid = State(final=True)

    @step(paying, to=paid, once=True)
    async def pay(self, payment: Payment) -> Payment:
        with open(self.ledger, "a", encoding="utf-8") as ledger:  # noqa: ASYNC230, PTH123 -- one line, at its end
            ledger.write(f"{os.getpid()} {payment.number}\n")
        await asyncio.sleep(0.002)
        return payment


def main() -> None:
    """Start them all, two at once, and go on until each is paid or needs a person."""
    path, ledger, many = sys.argv[1:]
    with Runner(Path(path), [Paying(ledger)], concurrency={Paying.pay: 2}) as runner:
        for number in range(int(many)):
            runner.start(Paying, Payment(number), id=f"p-{number}")
        for number in range(int(many)):
            if not runner.get(f"p-{number}").incidents:
                runner.get(f"p-{number}").result(timeout=300)


if __name__ == "__main__":
    main()
