"""Starting up where many runs are in flight: each has a step that was running when the last owner was killed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from persistence.codec import Codec
from statemachine import Runner
from statemachine.snapshot import Snapshot
from tests.benchmarks.ours.files import ROOT, expect, settle
from tests.benchmarks.ours.work import Counted, OneStep

MAKER = "import sys; from tests.benchmarks.ours.starting import fly; fly(sys.argv[1], int(sys.argv[2]))"
IN_FLIGHT = """
SELECT id, run, workflow, version, definition, status, states, seq, over, busy, due, incidents, paused, held, started,
       updated, input, tags, snapshot
FROM statemachine_run WHERE busy = 1 AND over = 0 AND held = '' ORDER BY run
"""


def make(asked: Mapping[str, Any]) -> dict[str, Any]:
    """A file with `runs` runs in flight, whose owner was killed."""
    path = asked["made"]
    maker = subprocess.run([sys.executable, "-c", MAKER, path, str(asked["runs"])], cwd=ROOT, check=False)
    expect(maker.returncode, -signal.SIGKILL, "how the owner ended")
    settle(Path(path))
    return {"bytes": Path(path).stat().st_size}


def fly(path: str, runs: int) -> None:
    """Start so many runs whose step takes for ever, and die."""
    asyncio.run(_fly(path, runs))


async def _fly(path: str, runs: int) -> None:
    async with Runner(path, [OneStep(for_ever=True)]) as runner:
        for first in range(0, runs, 1000):
            numbers = range(first, min(runs, first + 1000))
            await asyncio.gather(*[runner.start(OneStep, Counted(), id=f"run-{n:06d}") for n in numbers])
        os.kill(os.getpid(), signal.SIGKILL)


def start(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds from opening the file to the first run's first transition, and megabytes until the last is over."""
    path = _copy(asked)
    before = _peak()
    begun = time.perf_counter()
    with Runner(path, [OneStep(for_ever=False)]) as runner:
        opened = time.perf_counter() - begun
        runner.result("run-000000", 120)
        seconds = time.perf_counter() - begun
        runner.result(f"run-{asked['runs'] - 1:06d}", 300)
        whole, grown = time.perf_counter() - begun, _peak() - before
    return {"seconds": seconds, "opened": opened, "all": whole, "megabytes": grown}


def bare(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds to read the same rows by a plain loop and to decode each snapshot."""
    path = _copy(asked)
    kind: Any = Snapshot
    decode, codec = kind[Counted], Codec()
    before = _peak()
    begun = time.perf_counter()
    with closing(sqlite3.connect(path)) as connection:
        found = [(row, codec.decode(row[-1], decode)) for row in connection.execute(IN_FLIGHT)]
    seconds = time.perf_counter() - begun
    expect(len(found), asked["runs"], "runs in flight")
    return {"seconds": seconds, "megabytes": _peak() - before}


def _copy(asked: Mapping[str, Any]) -> Path:
    copy = Path(asked["folder"]) / "copy.db"
    copy.write_bytes(Path(asked["made"]).read_bytes())
    return copy


def _peak() -> float:
    """Megabytes of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
