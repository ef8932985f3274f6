"""Replays a bank's real event log through a workflow of its loan process, one run for each case.

    python -m examples.loan_log LOG.xes[.gz] [--journal FILE] [--json]

With `--journal` every event is durable when it is acknowledged. Killed at any moment and started again with the same
journal, the replay goes on where it was, and its figures are those of one that nobody disturbed. Without it the runs
are kept in memory.

What the process is stands in `loan_log_model`, how the replay survives in `loan_log_replay`, how the file is read in
`xes`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from examples.loan_log_model import LoanCase
from examples.loan_log_replay import Log, Replay, Replayed, replay
from examples.xes import NotReadable
from persistence import JournalError, MemoryJournal
from statemachine import AlreadyStarted, Runner, StateMachineError

WIDTH = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay the log that the command line names; 0 when it came to its end."""
    parser = argparse.ArgumentParser(prog="loan_log", description="Replay a bank's event log as durable workflows.")
    parser.add_argument("log", type=Path, help="an event log in XES, plain or gzipped")
    parser.add_argument("--journal", type=Path, help="keep the runs in this SQLite file, and go on from it")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and no progress")
    options = parser.parse_args(arguments)
    try:
        log = Log.load(options.log)
        figures = asyncio.run(_replay(log, options.journal, Bar(len(log.steps), shown=not options.json)))
    except AlreadyStarted:
        return _failed(f"{options.journal} belongs to the replay of another log. Name another --journal")
    except (NotReadable, JournalError, StateMachineError) as error:
        return _failed(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _failed("stopped. With the same --journal it goes on from here")
    print(json.dumps(figures, ensure_ascii=False) if options.json else table(figures))
    return 0


def _failed(why: str) -> int:
    print(f"loan_log: {why}", file=sys.stderr)
    return 1


async def _replay(log: Log, journal: Path | None, bar: Bar) -> dict[str, Any]:
    begun = time.perf_counter()
    try:
        async with Runner(journal or MemoryJournal(), [LoanCase(), Replay()]) as runner:
            replayed = await replay(runner, log, bar.show)
    finally:
        bar.close()
    return figures_of(log, replayed, time.perf_counter() - begun)


def figures_of(log: Log, replayed: Replayed, seconds: float) -> dict[str, Any]:
    """The figures of a replay. `seconds` and `events_per_second` are this start's; all others are the log's."""
    events, refused = len(log.steps), dict(sorted(replayed.book.refused.items()))
    return {
        "cases": log.cases,
        "events": events,
        "accepted": events - sum(refused.values()),
        "refused": refused,
        "outcomes": dict(replayed.outcomes),
        "resumed_at": replayed.resumed_at,
        "seconds": round(seconds, 3),
        "events_per_second": round((events - replayed.resumed_at) / seconds, 1),
    }


def table(figures: dict[str, Any]) -> str:
    """The figures for a reader."""
    refused, outcomes = figures["refused"], figures["outcomes"]
    rows = [("cases", figures["cases"])]
    rows += [(f"  {name}", count) for name, count in outcomes.items()]
    rows += [("events", figures["events"]), ("  accepted", figures["accepted"]), ("  refused", sum(refused.values()))]
    rows += [(f"    {name}", count) for name, count in refused.items()]
    lines = [f"{name:<40}{count:>10,}" for name, count in rows]
    begun = f", from event {figures['resumed_at']:,} on" if figures["resumed_at"] else ""
    lines.append(f"{figures['seconds']:.1f} s, {figures['events_per_second']:,.0f} events a second{begun}")
    return "\n".join(lines)


@attrs.define
class Bar:
    """A progress bar on standard error, drawn again after every hundred events."""

    total: int
    shown: bool
    drawn: int = 0

    def show(self, done: int) -> None:
        """Draw it, if there is news."""
        if self.shown and (done - self.drawn >= 100 or done == self.total):
            self.drawn = done
            filled = WIDTH * done // self.total
            bar = "█" * filled + "░" * (WIDTH - filled)
            print(f"\r{bar} {done:,} of {self.total:,} events", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave its line."""
        if self.drawn:
            print(file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
