"""What time and messages are tried on: a run that counts, one that takes letters in order, and how they are judged."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import attrs

from statemachine import Event, State, Workflow, after, evolve, on
from statemachine.runner.clock import SystemClock
from tests.reliability.evidence import Row, shown
from tests.reliability.ledger import Ledger
from tests.reliability.lives import side_by_side

OPEN_FOR = timedelta(hours=2)


@attrs.frozen
class Count:
    added: int = 0
    total: int = 0


class Add(Event, frozen=True):
    number: int


class Close(Event, frozen=True):
    pass


class Counting(Workflow[Count], name="counting"):
    """Adds until somebody closes it or its time is up."""

    adding = State(initial=True)
    closed = State(final=True)
    lapsed = State(final=True)

    close = on(Close, source=adding, to=closed)
    lapse = after(OPEN_FOR, source=adding, to=lapsed)

    @on(Add, source=adding)
    def add(self, count: Count, event: Add) -> Count:
        return evolve(count, added=count.added + 1, total=count.total + event.number)


@attrs.frozen
class Read:
    letters: str = ""


class A(Event, frozen=True):
    pass


class B(Event, frozen=True):
    pass


class C(Event, frozen=True):
    pass


class Spelling(Workflow[Read], name="spelling"):
    """Takes A, then B, then C; what comes early waits."""

    nothing = State(initial=True, defer=(B, C))
    a = State(defer=(C,))
    ab = State()
    abc = State(final=True)

    @on(A, source=nothing, to=a)
    def read_a(self, read: Read, event: A) -> Read:
        return evolve(read, letters=f"{read.letters}a")

    @on(B, source=a, to=ab)
    def read_b(self, read: Read, event: B) -> Read:
        return evolve(read, letters=f"{read.letters}b")

    @on(C, source=ab, to=abc)
    def read_c(self, read: Read, event: C) -> Read:
        return evolve(read, letters=f"{read.letters}c")


class JumpingClock(SystemClock):
    """The system's clock as an operator sets it: sleeping is not disturbed by that, as the kernel's is not."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return super().now() + self.ahead


def events_of(file: Path, run: str) -> Counter[str]:
    """How often each event, by its id, is in the journal of a run, read without the library."""
    connection = sqlite3.connect(file)
    try:
        rows = connection.execute(
            "SELECT event_id FROM statemachine_entry JOIN statemachine_run ON statemachine_run.id = run_id "
            "WHERE run = ? AND event_id != ''",
            (run,),
        )
        return Counter(event for (event,) in rows)
    finally:
        connection.close()


def entries(file: Path, kind: str) -> list[tuple[str, int]]:
    """Every entry of a kind in the order of the commits: its run and its time (microseconds)."""
    connection = sqlite3.connect(file)
    try:
        rows = connection.execute(
            "SELECT run, at FROM statemachine_entry JOIN statemachine_run ON statemachine_run.id = run_id "
            "WHERE kind = ? ORDER BY statemachine_entry.id",
            (kind,),
        )
        return list(rows)
    finally:
        connection.close()


def missing(ledger: Ledger, file: Path, run: str) -> list[str]:
    """What the ledger has acknowledged to senders and the journal has not, or has not once."""
    there = events_of(file, run)
    return [event for (of, event) in ledger.lines("acknowledged") if of == run and there[event] != 1]


def each(what: str, times: int, seed: int, trial: Callable[[Path, random.Random], Iterator[str]]) -> Row:
    """A row of trials that are seeded one by one."""

    def one(number: int) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            return list(trial(Path(folder), random.Random(f"{seed} {number}")))

    found: list[str] = []
    lost = 0
    for number, faults in enumerate(shown(what, side_by_side(one, range(times)), times)):
        lost += bool(faults)
        found += [f"trial {number}: {fault}" for fault in faults]
    return Row(what, times, lost, found[0] if found else "")


def whole(what: str, times: int, trial: Callable[[Path], Iterator[str]]) -> Row:
    """A row of one trial in which something happens so many times."""
    with tempfile.TemporaryDirectory() as folder:
        faults = list(trial(Path(folder)))
    return Row(what, times, len(faults), faults[0] if faults else "", "faults")
