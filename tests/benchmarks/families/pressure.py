"""Memory while ten times more work is asked than can be done."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.benchmarks.rows import Family, Row, Size, spread
from tests.benchmarks.turns import Answers, Call

QUEUES = {"a queue of 100": 100, "a queue without end": 1_000_000}


def family(size: Size) -> Family:
    """A queue that has an end, and one that has none."""
    seconds = size.of(20, 2)
    return Family(
        name="pressure",
        title="Ten times more work than can be done",
        note=(
            "`python -m tests.benchmarks.pressure`: a step takes half a second and 20 of them may run at once; ten "
            f"times as many callers as that keeps busy start runs of 1 KB as fast as they are let, for {seconds} s. "
            "Memory is resident memory, after a tenth of that time and at its end."
        ),
        repeats=1,
        calls={
            name: Call((sys.executable, "-m", "tests.benchmarks.pressure", str(seconds), str(queue)), {}, raw=True)
            for name, queue in QUEUES.items()
        },
        rows=lambda answers: list(_rows(answers)),
    )


def _rows(answers: Answers) -> Iterator[Row]:
    for name in QUEUES:
        flight = spread(answers.of(name, "flight"))
        yield Row(
            f"memory, {name}",
            spread(answers.of(name, "last"), " MB"),
            "the same, at first",
            spread(answers.of(name, "first"), " MB"),
            owed=f"stated; {flight} runs in flight at the end",
        )
