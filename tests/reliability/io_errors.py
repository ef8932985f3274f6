"""I/O errors: the disk fails SQLite at every write, sync, truncation, deletion, opening and reading of a scripted run.

Once, or from there on until it is mended. What the journal says must be the right error and name the file; what it
refused must not be there, what it acknowledged must; and once the disk is mended the same script goes on to its end.
A sync that failed loses what it should have kept: the disk as a later loss of power leaves it is judged, too. The
shared memory of the log cannot be failed through apsw (see `tests.reliability.disk.vfs`); the lock's file has a
section of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeVar

import attrs

from persistence import Change, CommitUnknown, JournalError, SQLiteJournal, Unwritable
from persistence.contract import LEASE
from tests.reliability.disk.image import Folder, write
from tests.reliability.disk.script import (
    NAME,
    Claimed,
    Moves,
    Tried,
    held,
    intact,
    open_journal,
    read,
    short_log,
    states,
)
from tests.reliability.disk.vfs import Disk, Failing, Trouble
from tests.reliability.evidence import Row, Scale, Section, shown
from tests.reliability.power_loss import judge

T = TypeVar("T")
TITLE = "I/O errors of the database and its log; their shared memory is out of a VFS's reach in apsw, and not tried"
COMMITS = 9
STUBBORN = 3
"""How often the same thing is asked for while the disk stays broken, before it is mended."""


@attrs.frozen
class Fault:
    """A way in which a disk fails, and what of its doing can."""

    what: str
    trouble: Trouble
    kinds: frozenset[str]
    sticky: bool


_WRITING = frozenset(("write", "truncate", "delete", "open"))
_EVERYTHING = _WRITING | {"sync"}
FAULTS = (
    Fault("the disk is full, once", "full", frozenset(("write", "open")), sticky=False),
    Fault("the disk is full, until room is made", "full", frozenset(("write", "open")), sticky=True),
    Fault("a write is cut short, once", "short", frozenset(("write",)), sticky=False),
    Fault("input/output error at writing, once", "io", _WRITING, sticky=False),
    Fault("input/output error at writing, until mended", "io", _WRITING, sticky=True),
    Fault("a sync fails, once", "io", frozenset(("sync",)), sticky=False),
    Fault("every sync fails, until mended", "io", frozenset(("sync",)), sticky=True),
    Fault("input/output error at reading, once", "io", frozenset(("read",)), sticky=False),
    Fault("input/output error at reading, until mended", "io", frozenset(("read",)), sticky=True),
    Fault(
        "input/output error at locking or asking for a length, once", "io", frozenset(("lock", "size")), sticky=False
    ),
    Fault(
        "input/output error at locking or asking for a length, until mended",
        "io",
        frozenset(("lock", "size")),
        sticky=True,
    ),
    Fault("the file system turns read-only, until mended", "read-only", _EVERYTHING, sticky=True),
)


class Wrong(Exception):
    """A promise did not hold; its name says which."""


class Stubborn:
    """Goes through the script of `tests.reliability.disk.script` on a disk that fails, as a runner would.

    It asks again for what was refused; after a commit of unknown outcome it reads what happened.
    """

    def __init__(self, folder: Path, disk: Disk, failing: Failing, random: Random) -> None:
        self._folder = folder
        self._disk = disk
        self._failing = failing
        self._moves = Moves(random, (40, 400))
        self.tried = Tried(lambda: len(disk.operations))
        self.said: list[str] = []
        self.failed_at: list[int] = []

    def live(self, commits: int) -> None:
        """The script, to its end."""
        with short_log():
            for life in range(2):
                journal = self._insist(lambda: open_journal(self._folder, self._disk.connect))
                try:
                    self._own(journal, life, commits // 2)
                finally:
                    journal.close()

    def _own(self, journal: SQLiteJournal, life: int, commits: int) -> None:
        with self.tried.fact(Claimed()):
            epoch = self._insist(lambda: journal.claim(f"owner {life}", LEASE))
        for number in range(commits):
            if number % 4 == 3:
                message = self._moves.message()
                with self.tried.fact(message):
                    self._insist(partial(journal.put, message))
            else:
                batch = self._moves.batch()
                with self.tried.fact(batch):
                    self._commit(journal, epoch, batch)
            self._insist(lambda: journal.tidy(epoch))

    def _commit(self, journal: SQLiteJournal, epoch: int, batch: tuple[Change, ...]) -> None:
        def commit() -> None:
            try:
                failures = journal.commit(epoch, batch)
            except CommitUnknown:
                if not self._insist(lambda: self._happened(journal, batch)):
                    raise
                return
            if failures != [None] * len(batch):
                msg = f"a change that was refused, and made again, failed with {failures}"
                raise Wrong(msg)

        self._insist(commit)

    @staticmethod
    def _happened(journal: SQLiteJournal, batch: tuple[Change, ...]) -> bool:
        """All or nothing: one run's number tells, and all must tell the same."""
        runs = {change.run.run: change.run.seq for change in batch if change.run is not None}
        there = {
            run: (record.seq if (record := journal.run(run)) is not None else 0) == seq for run, seq in runs.items()
        }
        if len(set(there.values())) != 1:
            msg = f"half a commit is there: {there}"
            raise Wrong(msg)
        return all(there.values())

    def _insist(self, ask: Callable[[], T]) -> T:
        """Ask again until it is done; the disk is mended when it has been refused often enough."""
        for refused in range(STUBBORN + 1):
            if refused == STUBBORN:
                self._failing.heal()
            try:
                return ask()
            except (CommitUnknown, Unwritable) as error:
                self._note(error)
            except JournalError as error:
                msg = f"{type(error).__name__} is the wrong error: {error}"
                raise Wrong(msg) from error
        msg = f"it does not go on once the disk is mended: {self.said[-1]}"
        raise Wrong(msg)

    def _note(self, error: JournalError) -> None:
        self.said.append(str(error))
        self.failed_at.append(len(self._disk.operations))
        if NAME not in str(error):
            msg = f"the error does not name the file: {error}"
            raise Wrong(msg)


def attempt(fault: Fault, nth: int, seed: int) -> tuple[str, Failing]:
    """The script with one fault. What is wrong, empty when nothing is; and how often the disk failed."""
    failing = Failing(nth, fault.trouble, fault.kinds, sticky=fault.sticky)
    with TemporaryDirectory() as place:
        folder = Path(place) / "life"
        folder.mkdir()
        disk = Disk(folder)
        disk.meet = failing
        script = Stubborn(folder, disk, failing, Random(seed))
        try:
            script.live(COMMITS)
            failing.heal()
            wrong = _whole(folder, disk, script) or _after_power_loss(Path(place), disk, script, Random(seed))
        except Wrong as error:
            wrong = str(error)
        finally:
            disk.end()
    return wrong, failing


def _whole(folder: Path, disk: Disk, script: Stubborn) -> str:
    """Everything that was acknowledged is there, and nothing else."""
    said = states(script.tried.facts)
    journal = open_journal(folder, disk.connect)
    try:
        if wrong := intact(journal):
            return wrong
        last = len(script.tried.facts)
        return "" if held(read(journal), said, last, last) is not None else "what is there is not what was committed"
    finally:
        journal.close()


def _after_power_loss(place: Path, disk: Disk, script: Stubborn, random: Random) -> str:
    """The power goes after each error, and at the end: what was acknowledged by then is there."""
    said = states(script.tried.facts)
    folder = Folder()
    done = 0
    for number, position in enumerate([*script.failed_at[:4], len(disk.operations)]):
        for operation in disk.operations[done:position]:
            folder.perform(operation)
        done = position
        left = place / f"left-{number}"
        write(folder.left(random.choice(("dropped", "in part", "torn")), random), left)
        wrong, _ = judge(left, said, *script.tried.bounds(position))
        if wrong:
            return f"power lost after it, at operation {position}: {wrong}"
    return ""


def _places(fault: Fault, seed: int) -> int:
    """How many things can fail so in the script."""
    _, counted = attempt(attrs.evolve(fault, sticky=False), 0, seed)
    return counted.seen


def _row(fault: Fault, scale: Scale, seed: int) -> Row:
    every: Sequence[int] = range(1, _places(fault, seed) + 1)
    places = every if scale == "full" else sorted(Random(seed).sample(every, min(8, len(every))))
    wrong: list[str] = []
    failures = 0
    for nth in shown(fault.what, places):
        found, failing = attempt(fault, nth, seed)
        failures += failing.hits
        if found:
            wrong.append(f"at the {nth}th: {found}")
    note = wrong[0] if wrong else f"{failures:,} failures of the disk"
    return Row(fault.what, len(places), len(wrong), note)


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    rows = tuple(_row(fault, scale, seed) for fault in FAULTS)
    return Section(TITLE, seed, rows, time.monotonic() - began)
