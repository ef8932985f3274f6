"""Reads the Python of a Markdown document as one program, each line where it stands in the document.

A block is run unless `<!-- not run: reason -->` stands right above it. What the reader need not see but the program
needs stands in a comment that begins `<!-- run:` on a line of its own and ends with `-->` on a line of its own.
"""

from __future__ import annotations

import re
from pathlib import Path

FENCE = re.compile(r"^```(\w*)")
NOT_RUN = re.compile(r"^<!-- not run(?:: (?P<reason>.*\S))? -->$")


class UnreasonedError(ValueError):
    """A block is marked as not run, without a reason."""


def program_of(document: str) -> str:
    """The document's Python, with all other lines empty, so that line numbers in a traceback are the document's.

    Raises:
        UnreasonedError: A block is marked `<!-- not run -->` and nothing says why.
    """
    kept: list[str] = []
    inside = ""
    above = ""
    for number, line in enumerate(document.splitlines(), 1):
        opening = FENCE.match(line)
        if inside:
            ends = line == "-->" if inside == "run" else line.startswith("```")
            kept.append("" if ends or inside == "skip" else line)
            inside = "" if ends else inside
            continue
        if opening:
            inside = "run-block" if opening[1] == "python" and not _is_marked(above, number) else "skip"
        elif line == "<!-- run:":
            inside = "run"
        kept.append("")
        above = line or above
    return "\n".join(kept) + "\n"


def _is_marked(above: str, number: int) -> bool:
    mark = NOT_RUN.match(above)
    if mark and not mark["reason"]:
        message = f"line {number}: a block that is not run needs a reason: <!-- not run: why -->"
        raise UnreasonedError(message)
    return mark is not None


def documents(root: Path) -> list[Path]:
    """The project's documents."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
