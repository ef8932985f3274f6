"""One run whose step is done for each of many items that do nothing; and the same rows written by a plain loop."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from persistence import MemoryJournal, SQLiteJournal
from persistence.sqlite import sql
from persistence.sqlite.rows import item_row
from statemachine import Runner, State, Workflow, evolve, step
from tests.benchmarks.ours.files import about, expect, journal, plain

LIMIT = 64
"""Items at once, hence at most in one commit."""


@attrs.frozen
class Many:
    """How many items, and what came of them."""

    many: int
    total: int = 0


def numbers(data: Many) -> Sequence[int]:
    """The items."""
    return range(data.many)


def summed(data: Many, results: Sequence[int]) -> Many:
    """What came of all of them."""
    return evolve(data, total=sum(results))


class Items(Workflow[Many], name="items"):
    """A step that does nothing, for each of many items."""

    doing = State(initial=True)
    over = State(final=True)

    @step(doing, each=numbers, limit=LIMIT, to=over, into=summed)
    async def nothing(self, _data: Many, number: int) -> int:
        return number


def items(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Items a second: from the start of the run to its end."""
    path, many = journal(asked), asked["items"]
    with Runner(path, [Items()]) as runner:
        runner.start(Items, Many(1), id="first").result(60)
        begun = time.perf_counter()
        result = runner.start(Items, Many(many), id="many").result(600)
        seconds = time.perf_counter() - begun
    expect(result.data.total, many * (many - 1) // 2, "what came of the items")
    return {"rate": many / seconds, **about(path)}


def bare(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Items a second: the rows of their outcomes alone, as many in a commit as are done at once."""
    path, many = journal(asked), asked["items"]
    recording = MemoryJournal()
    with Runner(recording, [Items()]) as runner:
        runner.start(Items, Many(many), id="many").result(600)
    rows = [item_row(1, item) for item in recording.items("many", 1, limit=many)]
    return {"rate": many / _write(path, rows)}


def _write(path: Path, rows: Sequence[tuple[Any, ...]]) -> float:
    SQLiteJournal(path).close()
    connection = plain(path)
    begun = time.perf_counter()
    for first in range(0, len(rows), LIMIT):
        connection.execute("BEGIN IMMEDIATE")
        for row in rows[first : first + LIMIT]:
            connection.execute(sql.PUT_ITEM, row)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - begun
    connection.close()
    return seconds
