"""How soon an owner notices what a client puts: `python -m tests.benchmarks.notice [MESSAGES]` prints p50 and p95.

One process owns a file and is otherwise idle; this one is its client. Measured for each message, one after the other:
from just before the put until its accepted verdict is there to be read, put and owner's commit included. The verdict
is looked for every millisecond, so a figure is at most that much too large. Each is put a random while after the last,
so that it does not fall into step with the owner's looks.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from persistence import MessageRecord, SQLiteJournal
from statemachine import Runner
from tests.unit.runner.desk import Note, Order, Shop, World, until

ROOT = Path(__file__).resolve().parents[2]


def serve(file: str) -> None:
    """Own the file, with one run that takes notes, until standard input closes."""
    with Runner(file, [Shop(World())]) as runner:
        until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


def measure(file: Path, messages: int) -> list[float]:
    """Seconds from put to accepted, for each message."""
    journal = SQLiteJournal(file)
    took: list[float] = []
    for n in range(messages):
        time.sleep(random.uniform(0.05, 0.1))
        body = msgspec.json.encode(Note("x"))
        begun = time.perf_counter()
        put = journal.put(MessageRecord(run="o-1", id=f"m-{n}", kind="event", name="Note", body=body, at=1))
        while True:
            told = journal.message(put.number)
            if told is not None and told.verdict:
                break
            time.sleep(0.001)
        took.append(time.perf_counter() - begun)
        if told.verdict != "accepted":
            message = f"message {put.number} was {told.verdict}: {told.answer!r}"
            raise RuntimeError(message)
    journal.close()
    return took


def main(messages: int) -> None:
    """Start the owner, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "journal.db"
        command = [sys.executable, "-m", "tests.benchmarks.notice", "--serve", str(file)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
            try:
                if owner.stdout is None or owner.stdout.readline() != "ready\n":
                    message = "the owner did not start"
                    raise RuntimeError(message)
                took = measure(file, messages)
            finally:
                owner.kill()
    p50, p95 = (statistics.quantiles(took, n=100)[percent - 1] * 1000 for percent in (50, 95))
    worst = max(took) * 1000
    sys.stdout.write(f"put to accepted, {messages} messages: p50 {p50:.1f} ms, p95 {p95:.1f} ms, max {worst:.1f} ms\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 200)
