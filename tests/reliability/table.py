"""The evidence as a document: how it was gathered, and a table for each section."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version

from tests.reliability.evidence import Row, Section

HEAD = """# What was tried, and what was lost

Written by `make reliability`; not by hand. *Tried* counts trials, or what a promise was checked of; *lost* counts those
for which it did not hold, or what it names: something acknowledged was missing, a recorded step ran again, an effect
was done twice where it must not be, or a run ended otherwise than it does undisturbed. What holds is judged by a ledger
outside the database, fsynced line by line. The same trials again: `make reliability SEED={seed}`. A short slice of each
section is part of `make test`.
"""


def document(sections: Sequence[Section], seed: int, day: date) -> str:
    """The whole document, in Markdown."""
    tried, lost = (sum(getattr(row, name) for one in sections for row in one.rows) for name in ("tried", "lost"))
    facts = [
        ("Tried", f"{tried:,}"),
        ("Lost", f"{lost:,}"),
        ("Date", day.isoformat()),
        ("Seed", str(seed)),
        ("Commits", "`synchronous=FULL`, the default"),
        ("Versions", f"{_own()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"),
        ("System", f"{platform.system()} {platform.release()}, {platform.machine()}"),
    ]
    head = [HEAD.format(seed=seed), *_table(("", ""), facts)]
    return "\n".join([*head, *(line for section in sections for line in _section(section))]) + "\n"


def _own() -> str:
    try:
        return f"durable-statemachine {version('durable-statemachine')}"
    except PackageNotFoundError:
        return "durable-statemachine, from its source"


def _section(section: Section) -> list[str]:
    rows = [(row.what, f"{row.tried:,}", f"{row.lost:,} {row.lost_of}".rstrip(), row.note) for row in section.rows]
    total = Row("*in all*", sum(row.tried for row in section.rows), sum(row.lost for row in section.rows))
    rows.append((total.what, f"{total.tried:,}", f"{total.lost:,}", f"{section.seconds:.0f} s"))
    return ["", f"## {section.title}", "", *_table(("what", "tried", "lost", "note"), rows)]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table whose columns are aligned also where nobody renders it; numbers to the right."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (heads, *rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(heads))]
    right = [head in {"tried", "lost"} for head in heads]

    def line(row: Sequence[str]) -> str:
        shown = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        return f"| {' | '.join(shown)} |"

    rule = (f"{'-' * (width - 1)}:" if to_right else "-" * width for width, to_right in zip(widths, right, strict=True))
    return [line(cells[0]), f"| {' | '.join(rule)} |", *(line(row) for row in cells[1:])]
