"""What runs that only wait cost the others: a file with many of them, each with a deadline a week away."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from statemachine import Runner
from tests.benchmarks.ours.files import expect, journal, quantile, settle
from tests.benchmarks.ours.work import Counted, Tick, Waiting

SEED = "wait-0000000"
NUMBERS = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :last)"
RUNS = f"""
{NUMBERS}
INSERT INTO statemachine_run (id, run, workflow, version, definition, status, states, seq, over, busy, due, incidents,
                              paused, held, started, updated, input, tags, snapshot)
SELECT number.n + 1, printf('wait-%07d', number.n), workflow, version, definition, status, states, seq, over, busy,
       due + number.n, incidents, paused, held, started + number.n, updated, input, tags,
       CAST(replace(CAST(snapshot AS TEXT), :seed, printf('wait-%07d', number.n)) AS BLOB)
FROM number, statemachine_run WHERE run = :seed
"""
ENTRIES = f"""
{NUMBERS}
INSERT INTO statemachine_entry (run_id, seq, at, kind, name, event_id, actor, reason, definition, states, body)
SELECT number.n + 1, seq, at + number.n, kind, name, event_id, actor, reason, definition, states, body
FROM number, statemachine_entry WHERE run_id = 1
"""


def make(asked: Mapping[str, Any]) -> dict[str, Any]:
    """A file with `runs` waiting runs: one is started by a runner, the others are copies of its rows."""
    path = Path(asked["made"])
    with Runner(path, [Waiting()]) as runner:
        runner.start(Waiting, Counted(), id=SEED)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(RUNS, {"last": asked["runs"] - 1, "seed": SEED})
        connection.execute(ENTRIES, {"last": asked["runs"] - 1})
        connection.commit()
    settle(path)
    return {"bytes": path.stat().st_size}


def waiting(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Microseconds of a send on the async face and of a page of 50 runs, and the process's memory in megabytes.

    With `runs`, the events go to waiting runs spread over the whole file, each to another one; without, the file is new
    and as many runs are started in it first.
    """
    return asyncio.run(_measured(asked))


async def _measured(asked: Mapping[str, Any]) -> dict[str, Any]:
    times, runs = asked["times"], asked["runs"]
    async with Runner(journal(asked), [Waiting()]) as runner:
        names = (
            [f"wait-{n * (runs // times):07d}" for n in range(times)] if runs else [f"new-{n}" for n in range(times)]
        )
        if not runs:
            await asyncio.gather(*[runner.start(Waiting, Counted(), id=name) for name in names])
        sends: list[float] = []
        for name in names:
            begun = time.perf_counter()
            await runner.send(name, Tick())
            sends.append((time.perf_counter() - begun) * 1e6)
        pages: list[float] = []
        for _ in range(asked["pages"]):
            begun = time.perf_counter()
            page = await runner.list(workflow=Waiting, limit=50)
            pages.append((time.perf_counter() - begun) * 1e6)
            expect(len(page), min(50, runs or times), "runs on the page")
        memory = _resident()
    return {"p50": quantile(sends, 0.5), "p99": quantile(sends, 0.99), "page": quantile(pages, 0.5), "memory": memory}


def _resident() -> float:
    """Megabytes that are resident now, or have been at most where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
    return pages * resource.getpagesize() / 1024 / 1024
