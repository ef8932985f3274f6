"""Old files: every journal of the corpus is opened by this build, each of its runs is moved to its end and verified.

What was in the journal before stands in front of what came since, unchanged. The migration itself is cut at each of its
operations on the disk, by the death of the process and by every kind of power loss; what is left is opened again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from persistence import EntryRecord, JournalError, SQLiteJournal
from statemachine import Runner
from tests.reliability.corpus.__main__ import FOLDER
from tests.reliability.corpus.story import Mailing, Office, Post
from tests.reliability.disk.image import LOSSES, Folder, write
from tests.reliability.disk.script import NAME, intact
from tests.reliability.disk.vfs import Disk
from tests.reliability.evidence import Row, Scale, Section, shown

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


def migrated(dump: Path, random: Random, most: int | None) -> Iterator[str]:
    """A migration cut at each of its operations, or at so many. What is wrong with each cut; empty if nothing."""
    with TemporaryDirectory() as place:
        path = Path(place) / NAME
        restore(dump, path)
        before = path.read_bytes()
        disk = Disk(Path(place))
        with closing(SQLiteJournal(path, connect=disk.connect)) as journal:
            wanted = {run: journal.entries(run) for run in ENDS}
        disk.end()
    folder, positions = Folder({NAME: before}), range(len(disk.operations) + 1)
    chosen = set(positions if most is None else random.sample(positions, min(most, len(positions))))
    for position in positions:
        if position:
            folder.perform(disk.operations[position - 1])
        for loss in ("kept", *LOSSES) if position in chosen else ():
            with TemporaryDirectory() as place:
                write(folder.left(loss, random), Path(place) / "left")
                wrong = _opened(Path(place) / "left" / NAME, wanted)
            yield f"operation {position}, {loss}: {wrong}" if wrong else ""


def _opened(path: Path, wanted: dict[str, list[EntryRecord]]) -> str:
    """What is wrong with a file whose migration was cut, once it is opened again."""
    try:
        with closing(SQLiteJournal(path)) as journal:
            changed = [found for run, entries in wanted.items() if (found := _kept(run, entries, journal.entries(run)))]
            return intact(journal) or "; ".join(changed)
    except JournalError as error:
        return f"{type(error).__name__}: {error}"


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    random = Random(seed)
    rows = []
    for dump in corpus():
        with TemporaryDirectory() as place:
            path = Path(place) / "app.db"
            restore(dump, path)
            wrong = moved(path)
        rows.append(Row(f"runs of a journal of schema {dump.stem}", len(ENDS), len(wrong), wrong[0] if wrong else ""))
        if dump != corpus()[-1]:
            cuts = list(shown(dump.stem, migrated(dump, random, None if scale == "full" else 3)))
            bad = [wrong for wrong in cuts if wrong]
            what = f"cuts of the migration from {dump.stem}, at each operation on the disk"
            rows.append(Row(what, len(cuts), len(bad), bad[0] if bad else ""))
    return Section("Old files", seed, tuple(rows), time.monotonic() - began)
