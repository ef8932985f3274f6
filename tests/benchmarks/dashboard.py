"""How soon the dashboard lists runs: `python -m tests.benchmarks.dashboard [RUNS]` prints milliseconds for each page.

A file with so many runs (100,000), most of them over and some that wait, fail or are undone, is made once; each page is
asked for over HTTP on this machine, several times, and the median and the worst are printed.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import msgspec

from persistence import Change, EntryRecord, RunRecord, SQLiteJournal
from statemachine import Client
from statemachine.dashboard import dashboard
from statemachine.snapshot import Snapshot, Status
from tests.unit.dashboard.serving import serving
from tests.unit.runner.desk import Order, Shop

TIMES = 15
PAGES = (
    "/runs",
    "/runs?status=running",
    "/runs?flag=incident",
    "/runs?workflow=shop&status=failed",
    "/runs?state=waiting",
    "/runs?state=charging",
    "/runs?tag=branch%3Dnorth",
    "/runs?after=run-50000",
    "/runs?after=run-00100",
    "/inbox",
    "/health",
    "/metrics",
    "/api/runs?limit=1000",
)


def changes(runs: int) -> Iterator[Change]:
    """Runs of the shop as its runner leaves them."""
    begun = time.time_ns() // 1000 - runs * 1_000_000
    for number in range(runs):
        status, state, over = _place(number)
        name, at = f"run-{number:05}", begun + number * 1_000_000
        now = msgspec.convert(at / 1e6, datetime, strict=False)
        snapshot = Snapshot(
            run=name,
            nonce="n",
            workflow="shop",
            definition=Shop.definition.hash,
            data=Order("book", reserved=True),
            now=now,
            states=(state,),
            status=status,
            seq=2,
            serial=2,
            visits={state: 2},
        )
        run = RunRecord(
            run=name,
            workflow="shop",
            version=1,
            definition=Shop.definition.hash,
            status=status,
            states=(state,),
            seq=2,
            over=over,
            due=None if over else at + 10**13,
            incidents=int(number % 500 == 0 and not over),
            started=at,
            updated=at,
            input=b"its digest",
            tags={"branch": ("north", "south")[number % 2]},
            snapshot=msgspec.json.encode(snapshot),
        )
        body = msgspec.json.encode({"input": {"type": "stopped", "visit": 1}, "refused": None})
        entries = tuple(
            EntryRecord(run=name, seq=seq, at=at, kind="stopped", definition="d", states=(state,), body=body)
            for seq in (1, 2)
        )
        yield Change(run=run, entries=entries)


def _place(number: int) -> tuple[Status, str, bool]:
    if number % 50 == 0:
        return "running", "waiting", False
    if number % 997 == 0:
        return "undoing", "charging", False
    return ("failed", "charging", True) if number % 11 == 0 else ("completed", "sent", True)


def fill(path: Path, runs: int) -> None:
    """Make the file."""
    journal = SQLiteJournal(path)
    epoch = journal.claim("benchmark", 60)
    batch: list[Change] = []
    for change in changes(runs):
        batch.append(change)
        if len(batch) == 5_000:
            journal.commit(epoch, batch)
            journal.renew(epoch)
            batch = []
    journal.commit(epoch, batch)
    journal.release(epoch)
    journal.close()


def main() -> None:
    """Measure."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.db"
        begun = time.monotonic()
        fill(path, runs)
        print(f"{runs:,} runs, {path.stat().st_size / 2**20:.0f} MiB, made in {time.monotonic() - begun:.0f} s")
        with (
            Client(path, [Shop.definition]) as client,
            serving(dashboard(client)) as address,
            httpx.Client(base_url=address, timeout=60) as visitor,
        ):
            for page in PAGES:
                took: list[float] = []
                for _ in range(TIMES):
                    begun = time.perf_counter()
                    answer = visitor.get(page)
                    took.append((time.perf_counter() - begun) * 1000)
                    assert answer.status_code in {200, 503}, answer.text
                print(f"{page:36} median {statistics.median(took):7.1f} ms   worst {max(took):7.1f} ms")


if __name__ == "__main__":
    main()
