"""docs/benchmarks.md: the table, who was measured at which durability, and on which machine."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs

from tests.benchmarks.rows import Family, Row, spread
from tests.benchmarks.turns import Answers, Sample

HEADER = "| what | ours | against | theirs | ratio | owed | |\n|---|---|---|---|---|---|---|"


@attrs.frozen
class Measured:
    """A family and what its measures printed."""

    family: Family
    answers: Answers

    @property
    def rows(self) -> Sequence[Row]:
        """Its lines of the table."""
        return self.family.rows(self.answers)


def document(measured: Sequence[Measured], commit: Sequence[Sample], load: float, *, quick: bool) -> str:
    """The whole page."""
    begun = "This was a quick run: it shows that the command works, and its figures mean little.\n\n" if quick else ""
    return (
        "# Benchmarks\n\n"
        "Written by `make bench`, which installs each peer into an environment of its own, and runs ours and theirs\n"
        "in turn, in one run, on the same work. A figure is the median of several turns, with the least and the\n"
        "greatest in brackets; a ratio is taken within each turn, and is the median of these. Of rates and of peers\n"
        "it says how many times better ours is; of a limit and its costs, how many times dearer. Absolute figures are\n"
        "this machine's, and mean something only beside its own limit, measured in the same run. Where nothing is\n"
        "owed, the row is there because a reader would ask for it.\n\n"
        f"{begun}{machine(commit, load)}\n{peers(measured)}\n" + "\n".join(section(one) for one in measured)
    )


def section(one: Measured) -> str:
    """A family's part of the page."""
    rows = one.rows
    lines = [
        f"| {row.what} | {row.ours} | {row.against} | {row.theirs} | {row.ratio} | {row.owed} | {row.reached} |"
        for row in rows
    ]
    table = "\n".join((HEADER, *lines)) + "\n\n" if lines else ""
    missing = [f"{name} was not measured: {why}.\n\n" for name, why in one.answers.broken.items()]
    table += "".join(missing) + _where(one.answers.where)
    repeats = one.family.repeats
    turns = f" {repeats} turn{'s' if repeats > 1 else ''}.\n" if lines else "\n"
    return f"## {one.family.title}\n\n{table}{one.family.note}{turns}"


def _where(parts: Mapping[str, float]) -> str:
    """A profile in one paragraph."""
    if not parts:
        return ""
    whole = sum(parts.values())
    said = ", ".join(f"{part} {spent:.0f} µs" for part, spent in parts.items() if spent * 100 > whole)
    return (
        f"Where the time goes (cProfile on one loop, {whole:.0f} µs a transition, its own cost included): {said}.\n\n"
    )


def machine(commit: Sequence[Sample], load: float) -> str:
    """What it ran on."""
    fast, slow = commit
    return (
        "## The machine\n\n"
        f"{os.cpu_count()} cores, {_processor()}; {platform.system()} {platform.release().split('-')[0]}; "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}; load before it began "
        f"{load:.1f}; {datetime.now(UTC):%Y-%m-%d}. One bare commit on its disk (WAL, FULL, a row of 400 bytes), "
        f"measured between the families: p50 {spread(fast, ' µs')}, p99 {spread(slow, ' µs')}.\n"
    )


def peers(measured: Sequence[Measured]) -> str:
    """Who was measured, in which version, at which durability."""
    lines = [
        f"| {name} | {one.answers.said(name, 'version')} | {one.answers.said(name, 'durability')} |"
        for one in measured
        for name in one.family.peers
    ]
    table = "\n".join(dict.fromkeys(lines))  # one is measured in several families
    return f"## Versions and durability\n\n| who | version | durability |\n|---|---|---|\n{table}\n"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
