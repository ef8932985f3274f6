"""Ten steps that do nothing, a thousand runs at once."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.rows import Family, Row, Size, at_least, spread
from tests.benchmarks.turns import OURS, Answers, Call, peer


def family(size: Size) -> Family:
    """Ours, the bare loop at its best batch, DBOS twice."""
    runs = size.of(1000, 20)
    return Family(
        name="concurrent",
        title=f"The same, {runs:,} runs at once, FULL",
        note=(
            "Ours on the async face, `gather` of all starts and of all results. The bare loop writes the same rows,"
            " the steps of all runs in turn, in batches of 10 to 10,000 transitions a commit; the best of these "
            "counts. DBOS starts all with `start_workflow` and waits for each handle; its pool of threads is as "
            "shipped, without a bound. With so many at once the disk hardly counts: what is left is Python, a "
            "transition planned, checked, encoded and handed out at a time, against a loop that has all rows ready."
        ),
        repeats=size.of(2, 1),
        calls={
            "ours": Call(OURS, {"measure": "concurrent", "runs": runs}),
            "bare": Call(OURS, {"measure": "bare concurrent", "runs": runs}),
            "DBOS as shipped": Call(peer("dbos"), {"measure": "concurrent", "runs": runs, "wal": False}),
            "DBOS with WAL": Call(peer("dbos"), {"measure": "concurrent", "runs": runs, "wal": True}),
        },
        where=Call(OURS, {"measure": "where", "work": "concurrent", "times": size.of(300, 5)}),
        rows=lambda answers: list(_rows(answers, runs)),
    )


def _rows(answers: Answers, runs: int) -> Iterator[Row]:
    ours, bare = answers.of("ours", "rate"), answers.of("bare", "rate")
    what, mine = f"{runs:,} at once", spread(ours, " runs/s")
    batch = f"bare sqlite3 loop, {answers.said('bare', 'batch'):,} a commit"
    yield Row(what, mine, batch, spread(bare, " runs/s"), **at_least(ours.over(bare), 0.25, 0.5))
    shipped, wal = answers.of("DBOS as shipped", "rate"), answers.of("DBOS with WAL", "rate")
    yield Row(what, mine, "DBOS as shipped", spread(shipped, " runs/s"), **at_least(ours.over(shipped), 50, 100))
    yield Row(what, mine, "DBOS with WAL", spread(wal, " runs/s"), spread(ours.over(wal), " ×"))
