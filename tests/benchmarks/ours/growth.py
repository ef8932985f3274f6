"""What a transition adds to the file, and what is written for it, with data of some size that it does not change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from statemachine import Runner
from tests.benchmarks.ours.files import about, journal, settle
from tests.benchmarks.ours.work import Counted, Tick, Waiting


def growth(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Bytes for a transition, by a run whose data is a text of `size` and a number; each event changes the number."""
    path = journal(asked)
    with Runner(path, [Waiting()]) as runner:
        runner.start(Waiting, Counted(0, "x" * asked["size"]), id="grows").send(Tick())
    settle(path)
    before = path.stat().st_size
    with Runner(path, [Waiting()]) as runner:
        begun = _written()
        for _ in range(asked["times"]):
            runner.send("grows", Tick())
        written = _written() - begun
    settle(path)
    grown = path.stat().st_size - before
    return {"bytes": grown / asked["times"], "written": written / asked["times"], **about(path)}


def _written() -> int:
    """Bytes this process has handed to the system for writing."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("wchar")).split()[1])
