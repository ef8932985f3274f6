"""Memory under ten times more work than can be done: `python -m tests.benchmarks.pressure [SECONDS]`.

A workflow's step takes half a second and 20 of them may run at once, so 40 runs a second are the most there can be; ten
times as many callers as that keeps busy start runs as fast as they are let. Printed each second: runs started so far,
runs in flight, and resident memory; with a queue of 100, and with one that has no end.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from persistence import Query
from statemachine import AsyncRunner, Runner, State, Workflow, step
from tests.benchmarks.ours.files import ROOT
from tests.benchmarks.ours.waiting import _resident
from tests.benchmarks.ours.work import Counted

AT_ONCE, TAKES, CALLERS = 20, 0.5, 200
UNBOUNDED = 1_000_000


class Slow(Workflow[Counted], name="slow"):
    """A step that takes a while and something to remember."""

    working = State(initial=True)
    over = State(final=True)

    @step(working, to=over)
    async def work(self, data: Counted) -> Counted:
        await asyncio.sleep(TAKES)
        return data


async def measure(folder: Path, seconds: float, queue: int) -> None:
    """Start runs for so many seconds, and print what became of it."""
    made = itertools.count()
    end = time.perf_counter() + seconds

    async def call(runner: AsyncRunner) -> None:
        while time.perf_counter() < end:
            await runner.start(Slow, Counted(text="x" * 1_000), id=f"run-{next(made)}")

    async with Runner(folder / "journal.db", [Slow()], queue=queue, concurrency={Slow: AT_ONCE}, grace=0) as runner:
        callers = [asyncio.create_task(call(runner)) for _ in range(CALLERS)]
        seen: list[dict[str, float]] = []
        while time.perf_counter() < end:
            await asyncio.sleep(min(1.0, seconds / 10))
            waiting = sum(group.runs for group in runner._body.journal.live())
            passed, started = seconds - (end - time.perf_counter()), runner._body.journal.count(Query())
            print(f"{passed:5.1f} s {started:7,} started {waiting:7,} in flight {_resident():6.1f} MB", flush=True)
            seen.append({"flight": waiting, "memory": _resident()})
        for caller in callers:
            caller.cancel()
        first = seen[len(seen) // 10]["memory"]
        print(json.dumps({"first": first, "last": seen[-1]["memory"], "flight": seen[-1]["flight"]}))


def main(seconds: float) -> None:
    """Measure with the bound and without, each in a process of its own."""
    for queue in (100, UNBOUNDED):
        print(f"queue={queue:,}", flush=True)
        subprocess.run([sys.executable, "-m", __spec__.name, str(seconds), str(queue)], cwd=ROOT, check=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        with tempfile.TemporaryDirectory(dir=ROOT) as there:
            asyncio.run(measure(Path(there), float(sys.argv[1]), int(sys.argv[2])))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
