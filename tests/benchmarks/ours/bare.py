"""The machine's own limits: one commit on this disk, and the rows of the ten-step workflow written by a plain loop.

The rows are those that the runner would commit, taken from a journal in memory before the clock starts. The loop knows
each row's id and checks nothing: what it costs is SQLite, Python's `execute` and the disk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from persistence import Change, EntryRecord, MemoryJournal, RunRecord, SQLiteJournal
from statemachine import Runner
from tests.benchmarks.ours.files import journal, plain, quantile
from tests.benchmarks.ours.work import Counted, Ten

BATCHES = (1, 10, 100, 1_000, 10_000)

INSERT = """
INSERT INTO statemachine_run (id, version, definition, status, states, seq, over, busy, due, incidents, paused, held,
                              updated, snapshot, run, workflow, started, input, tags)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '{}')
"""
UPDATE = "UPDATE statemachine_run SET version=?, definition=?, states=?, seq=?, updated=?, snapshot=? WHERE id=?"
END = """
UPDATE statemachine_run SET version=?, definition=?, states=?, seq=?, updated=?, snapshot=?, status=?, over=1, busy=0
WHERE id=?
"""
ENTRY = """
INSERT INTO statemachine_entry (run_id, seq, at, kind, name, event_id, actor, reason, definition, states, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
Statement = tuple[str, tuple[Any, ...]]


class Recording(MemoryJournal):
    """A journal in memory that keeps what was committed to it."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[Change] = []

    def commit(self, epoch: int, changes: Sequence[Any]) -> list[Exception | None]:
        """Keep the changes, too."""
        self.changes += [change for change in changes if isinstance(change, Change) and change.run is not None]
        return super().commit(epoch, changes)


def transitions(runs: int) -> list[list[Statement]]:
    """What the runner writes for so many runs of ten steps: the statements of each transition, run after run."""
    recording = Recording()
    asyncio.run(_record(recording, runs))
    ids: dict[str, int] = {}
    found: dict[str, list[list[Statement]]] = {}
    for change in recording.changes:
        run = change.run
        if run is not None:
            number = ids.setdefault(run.run, len(ids) + 1)
            found.setdefault(run.run, []).append([_run(run, number), *_entries(change.entries, number)])
    return [transition for run in found.values() for transition in run]


async def _record(recording: Recording, runs: int) -> None:
    async with Runner(recording, [Ten()]) as runner:
        for number in range(runs):
            run = await runner.start(Ten, Counted(), id=f"run-{number}")
            await run.result()


def _run(run: RunRecord, number: int) -> Statement:
    states = msgspec.json.encode(run.states).decode()
    moved = (run.version, run.definition, states, run.seq, run.updated, run.snapshot)
    if run.seq == 1:
        first = (number, run.version, run.definition, run.status, states, run.seq, run.over, run.busy, run.due)
        rest = (run.incidents, run.paused, run.held, run.updated, run.snapshot)
        return INSERT, (*first, *rest, run.run, run.workflow, run.started, run.input)
    return (END, (*moved, run.status, number)) if run.over else (UPDATE, (*moved, number))


def _entries(entries: Sequence[EntryRecord], number: int) -> Iterator[Statement]:
    for one in entries:
        states = msgspec.json.encode(one.states).decode()
        said = (one.at, one.kind, one.name, one.event_id, one.actor, one.reason)
        yield ENTRY, (number, one.seq, *said, one.definition, states, one.body)


def _write(path: Path, transitions: list[list[Statement]], batch: int) -> float:
    """Seconds to write them all, so many transitions in one commit."""
    SQLiteJournal(path).close()
    connection = plain(path)
    execute = connection.execute
    begun = time.perf_counter()
    for first in range(0, len(transitions), batch):
        execute("BEGIN IMMEDIATE")
        for transition in transitions[first : first + batch]:
            for statement, values in transition:
                execute(statement, values)
        execute("COMMIT")
    seconds = time.perf_counter() - begun
    connection.close()
    return seconds


def commits(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Microseconds of a commit of one row of 400 bytes, WAL and FULL."""
    connection = plain(journal(asked))
    connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    taken: list[float] = []
    for _ in range(asked["times"]):
        begun = time.perf_counter()
        connection.execute("INSERT INTO one (body) VALUES (?)", (b"x" * 400,))
        taken.append((time.perf_counter() - begun) * 1e6)
    connection.close()
    return {"p50": quantile(taken, 0.5), "p99": quantile(taken, 0.99)}


def sequential(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Runs a second, one commit a step."""
    rows = transitions(asked["runs"])
    return {"rate": asked["runs"] / _write(journal(asked), rows, 1)}


def concurrent(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Runs a second at the best of several batches; the steps of all runs in turn, as they would be written."""
    rows = transitions(asked["runs"])
    steps = len(rows) // asked["runs"]
    abreast = [rows[run * steps + step] for step in range(steps) for run in range(asked["runs"])]
    found: dict[str, float] = {}
    for batch in BATCHES:
        if batch == 1 and asked["runs"] > 100:
            continue  # the sequential loop says it, and it takes long
        path = Path(asked["folder"]) / f"batch-{batch}.db"
        found[str(batch)] = asked["runs"] / _write(path, abreast, batch)
    best = max(found, key=found.__getitem__)
    return {"rate": found[best], "batch": int(best)}
