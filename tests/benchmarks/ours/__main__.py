"""Takes one measure and prints what was found as a line of JSON.

python -m tests.benchmarks.ours '{"measure": "sequential", "runs": 50, "folder": "empty"}'
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tests.benchmarks.ours import bare, core, cutting, growth, items, latency, starting, throughput, waiting, where

MEASURES: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "commit": bare.commits,
    "bare sequential": bare.sequential,
    "bare concurrent": bare.concurrent,
    "sequential": throughput.sequential,
    "sequential async": throughput.sequential_async,
    "concurrent": throughput.concurrent,
    "items": items.items,
    "bare items": items.bare,
    "latency": latency.in_process,
    "latency of a client": latency.of_a_client,
    "core": core.core,
    "make flight": starting.make,
    "start": starting.start,
    "bare start": starting.bare,
    "make waiting": waiting.make,
    "waiting": waiting.waiting,
    "growth": growth.growth,
    "cut log": cutting.cut,
    "where": where.where,
}


def main() -> None:
    """Measure what the command line asks for."""
    asked = json.loads(sys.argv[1])
    print(json.dumps(MEASURES[asked["measure"]](asked)))


if __name__ == "__main__":
    main()
