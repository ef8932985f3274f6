"""Ten steps that do nothing, one run after another."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.rows import Family, Row, Size, at_least, spread
from tests.benchmarks.turns import OURS, Answers, Call, Sample, peer


def family(size: Size) -> Family:
    """Ours on both faces, the bare loop, DBOS twice, LangGraph."""
    runs, slow = size.of(60, 5), size.of(20, 3)
    return Family(
        name="sequential",
        title="10 steps that do nothing, one run after another, FULL",
        note=(
            "Steps are `async def`. Eleven commits a run: its start and ten outcomes. The bare loop writes the same"
            " rows into the same tables, one commit a step, and encodes, checks and decides nothing. DBOS's "
            "workflow calls one `@DBOS.step` ten times; LangGraph's graph has ten nodes in a row. What "
            "the bare loop reaches over a peer is the most that anything can which commits each step; ours spends the "
            "same time in SQLite, and as much again on planning a transition and handing its step out."
        ),
        repeats=size.of(3, 1),
        calls={
            "ours": Call(OURS, {"measure": "sequential", "runs": runs}),
            "bare": Call(OURS, {"measure": "bare sequential", "runs": runs}),
            "ours, async face": Call(OURS, {"measure": "sequential async", "runs": runs}),
            "DBOS as shipped": Call(peer("dbos"), {"measure": "sequential", "runs": slow, "wal": False}),
            "DBOS with WAL": Call(peer("dbos"), {"measure": "sequential", "runs": slow, "wal": True}),
            "LangGraph": Call(peer("langgraph"), {"measure": "sequential", "runs": slow}),
        },
        where=Call(OURS, {"measure": "where", "work": "sequential", "times": size.of(100, 3)}),
        rows=lambda answers: list(_rows(answers)),
        peers=("ours", "DBOS as shipped", "DBOS with WAL", "LangGraph"),
    )


def _rows(answers: Answers) -> Iterator[Row]:
    ours, bare = answers.of("ours", "rate"), answers.of("bare", "rate")
    face = answers.of("ours, async face", "rate")
    yield Row(
        "one after another, sync face",
        _rate(ours),
        "bare sqlite3 loop",
        _rate(bare),
        **at_least(ours.over(bare), 0.6, 0.8),
    )
    yield Row("the same, async face", _rate(face), "bare sqlite3 loop", _rate(bare), spread(face.over(bare), " ×"))
    for name in ("DBOS as shipped", "LangGraph"):
        theirs = answers.of(name, "rate")
        yield Row(
            "one after another, sync face", _rate(ours), name, _rate(theirs), **at_least(ours.over(theirs), 6, 10)
        )
    wal = answers.of("DBOS with WAL", "rate")
    yield Row("one after another, sync face", _rate(ours), "DBOS with WAL", _rate(wal), spread(ours.over(wal), " ×"))
    for name in ("DBOS as shipped", "LangGraph"):
        theirs = answers.of(name, "rate")
        yield Row("the bare loop itself", _rate(bare), name, _rate(theirs), spread(bare.over(theirs), " ×"))


def _rate(sample: Sample) -> str:
    return spread(sample, " runs/s")
