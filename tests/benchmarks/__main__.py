"""Measures ours beside what people would use instead, and writes docs/benchmarks.md.

    make bench
    python -m tests.benchmarks [--quick] [--only FAMILY] [--output FILE]

The peers must be installed in build/bench, which `make bench` does first.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.families import FAMILIES
from tests.benchmarks.report import Measured, document, section
from tests.benchmarks.rows import Size
from tests.benchmarks.turns import OURS, ROOT, Bar, Broken, Call, Sample, in_turn

COMMIT = {"commit": Call(OURS, {"measure": "commit", "times": 200})}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write it where the command line says."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure ours and its peers in turn.")
    parser.add_argument("--quick", action="store_true", help="little of each, to see that it works")
    parser.add_argument(
        "--only", action="append", default=[], metavar="FAMILY", help="print these families, write nothing"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md", help="the page to write")
    options = parser.parse_args(arguments)
    families = [family(Size(quick=options.quick)) for family in FAMILIES]
    chosen = [family for family in families if not options.only or family.name in options.only]
    bar = Bar(sum(len(one.made) + len(one.calls) * one.repeats + 1 for one in chosen))
    load = os.getloadavg()[0]
    measured: list[Measured] = []
    limits: list[tuple[float, float]] = []
    try:
        for one in chosen:
            limit = in_turn("commit", {}, COMMIT, 1, bar)
            limits.append((limit.of("commit", "p50").median, limit.of("commit", "p99").median))
            measured.append(Measured(one, in_turn(one.name, one.made, one.calls, one.repeats, bar)))
    except Broken as error:
        bar.close()
        print(error, file=sys.stderr)
        return 1
    bar.close()
    if options.only:
        print("\n".join(section(one) for one in measured))
        return 0
    fast, slow = (Sample(values) for values in zip(*limits, strict=True))
    page = document(measured, (fast, slow), load, quick=options.quick)
    options.output.write_text(page, encoding="utf-8")
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
