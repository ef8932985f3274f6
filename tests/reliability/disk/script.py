"""A scripted life of a journal, and the ledger of it: what was tried and acknowledged, and what must then be read.

The ledger is the script's own and shares nothing with the database: each commit is a fact, and the facts that hold,
folded into plain dictionaries, are what a journal must say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Literal
from unittest.mock import patch

import attrs
import msgspec

from persistence import (
    AnswerRecord,
    AttemptRecord,
    Change,
    EntryRecord,
    MessageRecord,
    Query,
    RunRecord,
    SeenRecord,
    SQLiteJournal,
)
from persistence.contract import LEASE, a_message, a_run, an_entry
from persistence.sqlite import journal as journal_module

NAME = "app.db"
COMMITS = 18
"""In each of the two lives of the script."""
RUNS = tuple(f"run-{n}" for n in range(6))
Connect = Callable[[str], sqlite3.Connection]
Synchronous = Literal["FULL", "NORMAL"]


@attrs.frozen
class Claimed:
    """A new owner: the epoch grows."""


Fact = Claimed | tuple[Change, ...] | MessageRecord
"""What one commit records."""


@attrs.define
class State:
    """What a journal says, whole."""

    epoch: int = attrs.field(default=0, eq=False)
    """At least: a claim that failed at its commit may have taken a number all the same."""
    runs: dict[str, RunRecord] = attrs.field(factory=dict[str, RunRecord])
    entries: dict[str, tuple[EntryRecord, ...]] = attrs.field(factory=dict[str, tuple[EntryRecord, ...]])
    seen: dict[tuple[str, str], SeenRecord] = attrs.field(factory=dict[tuple[str, str], SeenRecord])
    messages: dict[int, MessageRecord] = attrs.field(factory=dict[int, MessageRecord])
    attempts: dict[tuple[str, int], AttemptRecord] = attrs.field(factory=dict[tuple[str, int], AttemptRecord])

    def after(self, fact: Fact) -> State:
        """What it says once this has been committed, too."""
        state = State(*(getattr(self, one.name) for one in attrs.fields(State)))
        if isinstance(fact, Claimed):
            state.epoch = self.epoch + 1
        elif isinstance(fact, MessageRecord):
            number = len(self.messages) + 1
            state.messages = {**self.messages, number: msgspec.structs.replace(fact, number=number)}
        else:
            for change in fact:
                state._take(change)
        return state

    def _take(self, change: Change) -> None:
        run = change.run
        if run is not None:
            self.runs = {**self.runs, run.run: run}
        for entry in change.entries:
            self.entries = {**self.entries, entry.run: (*self.entries.get(entry.run, ()), entry)}
        for seen in change.seen:
            self.seen = {**self.seen, (seen.run, seen.id): seen}
        for answer in change.answers:
            told = msgspec.structs.replace(self.messages[answer.number], verdict=answer.verdict, answer=answer.answer)
            self.messages = {**self.messages, answer.number: told}
        attempts = {**self.attempts, **{(one.run, one.visit): one for one in change.begun}}
        self.attempts = {key: one for key, one in attempts.items() if key not in change.ended}


def states(facts: Iterable[Fact]) -> list[State]:
    """What a journal says after each number of facts, from none on."""
    said = [State()]
    for fact in facts:
        said.append(said[-1].after(fact))
    return said


def read(journal: SQLiteJournal) -> State:
    """What this journal says, whole, through its own face."""
    found = [journal.run(summary.run) for summary in journal.runs(Query(limit=1000))]
    runs = {record.run: record for record in found if record is not None}
    entries = {run: tuple(journal.entries(run)) for run in runs}
    ids = {(line.run, line.event_id) for lines in entries.values() for line in lines if line.event_id}
    seen = {key: record for key in ids if (record := journal.seen(*key)) is not None}
    messages: dict[int, MessageRecord] = {}
    while (message := journal.message(len(messages) + 1)) is not None:
        messages[message.number] = message
    attempts = {(one.run, one.visit): one for one in journal.attempts()}
    with journal._readers.connection() as connection:
        (epoch,) = connection.execute("SELECT epoch FROM statemachine_owner").fetchone()
    return State(epoch, runs, entries, seen, messages, attempts)


def intact(journal: SQLiteJournal) -> str:
    """What SQLite finds wrong with the file; empty when nothing is."""
    with journal._readers.connection() as connection:
        found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check").fetchall()]
    return "" if found == ["ok"] else "; ".join(found)


class Tried:
    """The ledger: facts in the order in which they were tried, and where in the disk's doing each began and ended."""

    def __init__(self, position: Callable[[], int]) -> None:
        self._position = position
        self.facts: list[Fact] = []
        self.begun: list[int] = []
        self.ended: list[int] = []

    @contextmanager
    def fact(self, fact: Fact) -> Iterator[None]:
        """Something is committed within; that it ends means that it was acknowledged."""
        self.facts.append(fact)
        self.begun.append(self._position())
        yield
        self.ended.append(self._position())

    def bounds(self, position: int) -> tuple[int, int]:
        """How many facts were acknowledged, and how many begun, when so many operations were done."""
        return sum(end <= position for end in self.ended), sum(begin < position for begin in self.begun)


class Moves:
    """What the script commits, drawn by a seed; it knows where each run is."""

    def __init__(self, random: Random, sizes: Sequence[int] = (40, 400, 400, 6000)) -> None:
        self._random = random
        self._sizes = sizes
        self._at: dict[str, RunRecord] = {}
        self._messages = 0
        self._answered = 0

    def batch(self) -> tuple[Change, ...]:
        """One to three changes, the later ones building upon the earlier."""
        return tuple(self._change() for _ in range(self._random.choice((1, 1, 2, 3))))

    def message(self) -> MessageRecord:
        """A client's message."""
        self._messages += 1
        return a_message(f"m{self._messages}", self._random.choice(RUNS), body=self._bytes())

    def _bytes(self) -> bytes:
        """A value, now and then longer than a page."""
        return self._random.randbytes(self._random.choice(self._sizes)).hex().encode()

    def _change(self) -> Change:
        random = self._random
        run = random.choice(RUNS)
        before = self._at.get(run)
        seq = before.seq + 1 if before else 1
        columns: dict[str, Any] = {"started": 1_000 + RUNS.index(run), "tags": {"branch": run[-1]}}
        columns |= {"status": random.choice(("running", "running", "failed")), "due": random.choice((None, 5, 7 + seq))}
        record = a_run(run, seq, snapshot=self._bytes(), incidents=random.choice((0, 0, 1)), **columns)
        self._at[run] = record
        event = f"e{seq}"
        answers: tuple[AnswerRecord, ...] = ()
        if self._answered < self._messages:
            self._answered += 1
            answers = (AnswerRecord(number=self._answered, verdict="accepted", answer=b"x" * seq),)
        return Change(
            run=record,
            expected=before.seq if before else -1,
            entries=(an_entry(run, seq, event_id=event, body=self._bytes()),),
            seen=(SeenRecord(run=run, id=event, seq=seq, verdict="accepted"),),
            answers=answers,
            begun=(AttemptRecord(run=run, visit=seq, step="pay", epoch=1),),
            ended=((run, seq - 1),),
        )


def open_journal(folder: Path, connect: Connect, synchronous: Synchronous = "FULL") -> SQLiteJournal:
    """The journal of a folder."""
    return SQLiteJournal(folder / NAME, connect=connect, synchronous=synchronous, busy_timeout=0.05)


@contextmanager
def short_log() -> Iterator[None]:
    """Every few commits the log is long enough for a checkpoint."""
    with patch.object(journal_module, "LONG", 30_000), patch.object(journal_module, "LOOK_EVERY", 4):
        yield


def live(folder: Path, connect: Connect, tried: Tried, random: Random, synchronous: Synchronous) -> None:
    """The script: a journal is made, owned, written by owner and client, checkpointed, closed and opened again."""
    moves = Moves(random)
    with short_log():
        for life in range(2):
            with closing(open_journal(folder, connect, synchronous)) as journal:
                with tried.fact(Claimed()):
                    epoch = journal.claim(f"owner {life}", LEASE)
                _commit(journal, epoch, moves, tried)


def _commit(journal: SQLiteJournal, epoch: int, moves: Moves, tried: Tried) -> None:
    for number in range(COMMITS):
        if number % 4 == 3:
            message = moves.message()
            with tried.fact(message):
                journal.put(message)
            continue
        batch = moves.batch()
        with tried.fact(batch):
            failures = journal.commit(epoch, batch)
        assert failures == [None] * len(batch)
        # A reader that has begun keeps the checkpoint from copying everything, and the log from starting again.
        if number % 8 == 5:
            with journal._readers.connection() as reader:
                reader.execute("BEGIN")
                reader.execute("SELECT COUNT(*) FROM statemachine_run").fetchone()
                journal.tidy(epoch)
                reader.execute("COMMIT")
        else:
            journal.tidy(epoch)


def held(found: State, said: Sequence[State], low: int, high: int) -> int | None:
    """After how many facts a journal says this; None when it is none from `low` to `high`: something was lost."""
    return next(
        (n for n in range(high, low - 1, -1) if said[n] == found and said[n].epoch <= found.epoch),
        None,
    )
