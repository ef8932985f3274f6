"""Old files: every journal of the corpus is opened by this build, each of its runs is moved to its end and verified.

What was in the journal before stands in front of what came since, unchanged.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from persistence import EntryRecord, SQLiteJournal
from statemachine import Runner
from tests.reliability.corpus.__main__ import FOLDER
from tests.reliability.corpus.story import Mailing, Office, Post
from tests.reliability.evidence import Row, Scale, Section

PATIENCE = 60.0
ENDS = {
    "waiting": ("posted",),
    "over": ("posted",),
    "undone": ("torn",),
    "stuck": ("posted",),
    "retried": ("posted",),
    "put": ("posted",),
}
"""Where each run of the story ends."""
NOTES = {"waiting": "by post", "retried": "deferred"}
"""What a message and a deferred event of the old version must have done."""


def corpus() -> list[Path]:
    """The dumps, oldest schema first."""
    return sorted(FOLDER.glob("*.sql"))


def restore(dump: Path, path: Path) -> None:
    """Make the database of a dump."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))


def moved(path: Path) -> list[str]:
    """Move every run of a restored journal to its end. What is wrong, run by run."""
    with closing(SQLiteJournal(path)) as journal:
        before = {run: journal.entries(run) for run in ENDS}
        with Runner(journal, [Mailing(Office())]) as runner:
            wrong = [found for run in ENDS if (found := _move(runner, run))]
        return wrong + [found for run in ENDS if (found := _kept(run, before[run], journal.entries(run)))]


def _move(runner: Runner, run: str) -> str:
    until = time.monotonic() + PATIENCE
    while not (view := runner.get(run).look()).incidents and view.status == "running" and view.state != ("waiting",):
        if time.monotonic() > until:
            return f"{run} does not go on"
        time.sleep(0.01)
    if view.incidents:
        runner.get(run).retry(view.incidents[0].number)
    elif view.status == "running":
        runner.send(run, Post("grace"))
    result = runner.result(run, timeout=PATIENCE)
    if result.state != ENDS[run] or not runner.verify(run).ok:
        return f"{run} ended in {result.state}; verified: {runner.verify(run)}"
    note = runner.get(run).look().data.note
    return "" if note == NOTES.get(run, "") else f"{run} has the note {note!r}"


def _kept(run: str, before: list[EntryRecord], after: list[EntryRecord]) -> str:
    return "" if after[: len(before)] == before else f"the journal of {run} was changed"


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`. There is nothing to draw, and no slice: the corpus is small."""
    began = time.monotonic()
    rows = []
    for dump in corpus():
        with TemporaryDirectory() as place:
            path = Path(place) / "app.db"
            restore(dump, path)
            wrong = moved(path)
        rows.append(Row(f"runs of a journal of schema {dump.stem}", len(ENDS), len(wrong), wrong[0] if wrong else ""))
    return Section("Old files", seed, tuple(rows), time.monotonic() - began)
