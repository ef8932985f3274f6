"""Reads an exported event log with pm4py, in an environment of its own, and compares it with what was exported.

python mined.py LOG.xes EXPECTED.json
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any


def mined(log: str) -> dict[str, list[str]]:
    """Case -> the names of its events in order, as pm4py has them."""
    import pm4py  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports] -- not beside us: it is large

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame: Any = pm4py.read_xes(log, variant="iterparse")
    found: dict[str, list[str]] = {}
    for case, name in zip(frame["case:concept:name"], frame["concept:name"], strict=True):
        found.setdefault(case, []).append(name)
    return found


def main(log: str, expected: str) -> None:
    """Compare; the exit status says how it went."""
    wanted: dict[str, list[str]] = json.loads(Path(expected).read_text(encoding="utf-8"))
    found = mined(log)
    if found != wanted:
        sys.exit(f"pm4py reads another log than was exported: {len(found)} cases, not {len(wanted)}")
    print(f"pm4py reads {len(found)} cases and {sum(map(len, found.values()))} events, as exported")


if __name__ == "__main__":
    main(*sys.argv[1:])
