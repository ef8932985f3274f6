"""The process that is killed while it stores many documents: `python -m tests.crash.storing JOURNAL LEDGER MANY`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import attrs

from statemachine import Call, Runner, State, Workflow, evolve, step


@attrs.frozen
class Batch:
    many: int
    total: int = 0


def numbers(batch: Batch) -> Sequence[int]:
    """The documents, by number."""
    return range(batch.many)


def summed(batch: Batch, results: Sequence[int]) -> Batch:
    """What came of all."""
    return evolve(batch, total=sum(results))


class Storing(Workflow[Batch], name="storing"):
    ledger: str

    storing = State(initial=True)
    stored = State(final=True)

    @step(storing, each=numbers, limit=8, to=stored, into=summed)
    async def store(self, batch: Batch, number: int, call: Call) -> int:
        with open(self.ledger, "a", encoding="utf-8") as ledger:  # noqa: ASYNC230, PTH123 -- one line, at its end
            ledger.write(f"{os.getpid()} {number} {call.key}\n")
        await asyncio.sleep(0.002)
        return number


def main() -> None:
    """Go on until all are stored."""
    path, ledger, many = sys.argv[1:]
    with Runner(path, [Storing(ledger)]) as runner:
        runner.start(Storing, Batch(int(many)), id="r").result(timeout=300)


if __name__ == "__main__":
    main()
