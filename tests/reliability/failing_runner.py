"""A runner above a disk that fails: it says so, tries again without spinning, and goes on once the disk is mended.

The disk fails from some place in the runner's life on, while runs are started, step, and are released; after a while it
is mended, and every run must end as it does undisturbed, with each step's outcome recorded once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from persistence import CommitUnknown, JournalError, SQLiteJournal, Unwritable
from statemachine import Runner
from statemachine.errors import RunnerClosed, StateMachineError
from tests.reliability.disk.script import NAME
from tests.reliability.disk.vfs import Disk, Trouble
from tests.reliability.evidence import Row, Scale, Section, shown
from tests.reliability.other_writers import Parcel, Release, Shipping

PATIENCE = 60.0
RUNS = 4
TROUBLES: tuple[tuple[str, Trouble, frozenset[str]], ...] = (
    ("the disk is full", "full", frozenset(("write",))),
    ("writing gives input/output errors", "io", frozenset(("write", "truncate", "delete"))),
    ("every sync fails", "io", frozenset(("sync",))),
    ("reading gives input/output errors", "io", frozenset(("read", "write"))),
)


class Broken:
    """Fails everything of some kinds from the n-th on, until it has failed so often or so long; then it is mended."""

    def __init__(self, nth: int, trouble: Trouble, kinds: frozenset[str]) -> None:
        self.failures = 0
        self.seen = 0
        self.began = 0.0
        self.stopped = False
        self.mended = threading.Event()
        self._nth = nth
        self._trouble: Trouble = trouble
        self._kinds = kinds

    def __call__(self, kind: str, _file: str) -> Trouble | None:
        if kind not in self._kinds or self.mended.is_set():
            return None
        self.seen += 1
        if self.seen < self._nth:
            return None
        self.began = self.began or time.monotonic()
        self.failures += 1
        return self._trouble


def _insist(ask: Callable[[], object], broken: Broken) -> None:
    """Ask again, as a sender would; the disk is mended after it has said no three times."""
    for refused in range(20):
        try:
            ask()
        except (CommitUnknown, Unwritable) as error:
            if NAME not in str(error):
                raise
            if refused >= 2:
                broken.mended.set()
        else:
            return
    msg = "it does not go on once the disk is mended"
    raise TimeoutError(msg)


def attempt(nth: int, trouble: Trouble, kinds: frozenset[str]) -> tuple[str, Broken]:
    """One life of a runner on a disk that breaks at its n-th doing. What is wrong, empty when nothing is."""
    broken = Broken(nth, trouble, kinds)
    with TemporaryDirectory() as place:
        disk = Disk(Path(place))
        try:
            return _lives(Path(place) / NAME, disk, broken), broken
        except (JournalError, StateMachineError, TimeoutError) as error:
            return f"{type(error).__name__}: {error}", broken
        finally:
            disk.end()


def _lives(path: Path, disk: Disk, broken: Broken) -> str:
    """One life; and another, on the mended disk, if the first could not learn what its last commit did and stopped."""
    for _ in range(2):
        with closing(SQLiteJournal(path, connect=disk.connect, busy_timeout=0.2)) as journal:
            with closing(disk.connect(str(path))) as application:
                application.execute("CREATE TABLE IF NOT EXISTS sent (number INTEGER PRIMARY KEY)")
            try:
                with Runner(journal, [Shipping()]) as runner:
                    disk.meet = broken
                    return _life(runner, broken)
            except RunnerClosed as error:
                if NAME not in str(error) or broken.stopped:
                    raise
                broken.stopped = True
    return "it stopped twice"


def _life(runner: Runner, broken: Broken) -> str:
    timer = threading.Timer(1.0, broken.mended.set)  # where only the runner itself meets it
    timer.start()
    try:
        for number in range(RUNS):
            run = f"run-{number}"
            _insist(partial(runner.start, Shipping, Parcel(1), id=run), broken)
        for number in range(RUNS):
            run = f"run-{number}"
            _await(runner, run, broken)
            _insist(partial(runner.send, run, Release("ada"), id="once"), broken)
        broken.mended.set()
        return _ended(runner)
    finally:
        timer.cancel()
        broken.mended.set()


def _await(runner: Runner, run: str, broken: Broken) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            if runner.get(run).look().state != ("packing",):
                return
        except Unwritable:
            broken.mended.wait(0.05)
        time.sleep(0.005)
    msg = "a run does not go on"
    raise TimeoutError(msg)


def _ended(runner: Runner) -> str:
    for number in range(RUNS):
        run = f"run-{number}"
        result = runner.result(run, timeout=PATIENCE)
        kinds = [line.kind for line in runner.get(run).journal()]
        if result.status != "completed" or kinds != ["start", "succeeded", "event", "succeeded"]:
            return f"{run} is {result.status} after {kinds}"
        if not runner.verify(run).ok:
            return f"{run} does not verify"
    return ""


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    random = Random(seed)
    rows = []
    for what, trouble, kinds in TROUBLES:
        _, counted = attempt(10**9, trouble, kinds)
        every = range(1, counted.seen + 1)
        places = sorted(random.sample(every, min(len(every), 3 if scale == "short" else 60)))
        wrong = []
        failures = stopped = 0
        for nth in shown(what, places):
            found, broken = attempt(nth, trouble, kinds)
            failures += broken.failures
            stopped += broken.stopped
            wrong += [f"at the {nth}th: {found}"] if found else []
        note = (
            wrong[0]
            if wrong
            else f"{failures:,} failures of the disk; {stopped} runners stopped, said why, and were opened again"
        )
        rows.append(Row(what, len(places), len(wrong), note))
    return Section("A runner above a failing disk", seed, tuple(rows), time.monotonic() - began)
