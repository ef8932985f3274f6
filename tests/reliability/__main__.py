"""Gathers the evidence: `python -m tests.reliability [--seed N] [--short] [SECTION ...]`.

Prints the table. When all sections were gathered in full, writes it to docs/reliability.md. Exit code 1: something was
lost.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.reliability.evidence import Evidence, Scale
from tests.reliability.sections import SECTIONS
from tests.reliability.table import document

PLACE = Path(__file__).parents[2] / "docs" / "reliability.md"


def name_of(section: Evidence) -> str:
    """A section as it is called on the command line."""
    return section.__name__.rpartition(".")[2]


def main(arguments: list[str] | None = None) -> int:
    """Gather, print, write. Gives the exit code."""
    names = {name_of(section): section for section in SECTIONS}
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", choices=[[], *names], metavar="SECTION", help=", ".join(names))
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="repeats the trials of that seed")
    parser.add_argument("--short", action="store_true", help="the slice that the tests run")
    options = parser.parse_args(arguments)
    scale: Scale = "short" if options.short else "full"
    chosen = options.sections or list(names)
    sys.stderr.write(f"seed {options.seed}\n")
    gathered = []
    for name in chosen:
        section = names[name].gather(scale, options.seed)
        gathered.append(section)
        lost = sum(row.lost for row in section.rows)
        sys.stderr.write(f"{section.title}: lost {lost} ({section.seconds:.0f} s)\n")
    text = document(gathered, options.seed, datetime.now(UTC).date())
    print(text)
    if scale == "full" and not options.sections:
        PLACE.write_text(text, encoding="utf-8")
    return 1 if any(row.lost for section in gathered for row in section.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
