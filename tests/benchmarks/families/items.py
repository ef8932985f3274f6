"""Many items that do nothing, in one run."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.rows import Family, Row, Size, at_least, spread
from tests.benchmarks.turns import OURS, Answers, Call, Sample, peer


def family(size: Size) -> Family:
    """Ours, the bare loop, DBOS's queue, LangGraph's `Send`."""
    many, slow = size.of(10_000, 200), size.of(1_000, 50)
    return Family(
        name="items",
        title=f"{many:,} items that do nothing in one run, FULL",
        note=(
            "`step(…, each=, limit=64)` with a result of each item and a fold of all; each outcome is in a commit "
            "before its place is free. The bare loop writes the same rows of outcomes, 64 to a commit, and encodes, "
            f"checks and decides nothing. DBOS enqueues {slow:,} workflows of one step on a queue with "
            f"`worker_concurrency=64, polling_interval_sec=0.05`; LangGraph sends {slow:,} to one node with `Send`, "
            "`max_concurrency=64`."
        ),
        repeats=size.of(3, 1),
        calls={
            "ours": Call(OURS, {"measure": "items", "items": many}),
            "bare": Call(OURS, {"measure": "bare items", "items": many}),
            "DBOS with WAL": Call(peer("dbos"), {"measure": "items", "runs": slow, "wal": True}),
            "LangGraph": Call(peer("langgraph"), {"measure": "items", "runs": slow}),
        },
        rows=lambda answers: list(_rows(answers)),
        peers=("ours", "DBOS with WAL", "LangGraph"),
    )


def _rows(answers: Answers) -> Iterator[Row]:
    ours, bare = answers.of("ours", "rate"), answers.of("bare", "rate")
    yield Row("items", _rate(ours), "bare sqlite3 loop", _rate(bare), spread(ours.over(bare), " ×"))
    for name in ("DBOS with WAL", "LangGraph"):
        theirs = answers.of(name, "rate")
        yield Row("items", _rate(ours), name, _rate(theirs), **at_least(ours.over(theirs), 3, 10))


def _rate(sample: Sample) -> str:
    return spread(sample, " items/s")
