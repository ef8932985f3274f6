"""The figures of the README are those that the commands have written into the documents, and no others."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    """A document, its line breaks as spaces."""
    return re.sub(r"\s+", " ", (ROOT / name).read_text(encoding="utf-8"))


def test_what_was_tried_is_what_the_evidence_counts() -> None:
    """So many trials, and none of them lost anything."""
    tried, lost = re.findall(r"\| (?:Tried|Lost) \| ([\d,]+) \|", text("docs/reliability.md"))
    assert f"[The table of the last whole run](docs/reliability.md): {tried} trials, {lost} lost." in text("README.md")
    assert lost == "0"


def test_what_is_measured_is_what_the_benchmarks_print() -> None:
    """Each row below the README's heading stands in the benchmarks, word for word."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    quoted = readme.partition("## How fast it is\n")[2].partition("\n## ")[0]
    rows = [line for line in quoted.splitlines() if line.startswith("| ")][1:]
    measured = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8").splitlines()
    assert len(rows) >= 3
    assert [row for row in rows if row not in measured] == []
