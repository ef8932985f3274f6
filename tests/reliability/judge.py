"""What must hold after a death, judged from a ledger and a receiver outside the database."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from persistence import Codec, EntryRecord, Query, RunRecord, SQLiteJournal
from statemachine.inputs import Failed, Lost, Resolve, Succeeded, UndoFailed, Undone
from statemachine.runner.fans import reader
from statemachine.runner.hosted import Workflows
from statemachine.runner.loaded import bare
from statemachine.runner.verify import verify
from statemachine.snapshot import Snapshot
from statemachine.turn import step_key
from statemachine.workflow import Workflow

Key = tuple[str, str]
"""What was executed, and under which forward key: `("do", "r:n1:reserve:2")`."""

LOST = "acknowledged and lost"
AGAIN = "recorded, and executed again"
TOO_OFTEN = "executed more often than begun"
ONCE = "at most once, and executed more often"
TRANSACTIONAL = "written other than once"
RECEIVED = "received other than undisturbed"
ENDED = "ended other than undisturbed"
UNFOLDED = "not what its journal gives"


@attrs.frozen
class Fault:
    """A promise that did not hold, and of what."""

    promise: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


@attrs.frozen
class Kept:
    """What a journal says of a run: its record and snapshot, and its inputs."""

    record: RunRecord
    snapshot: Snapshot[Any]
    entries: list[EntryRecord]
    told: list[Any]
    unfolded: str
    """What `verify` says against it; empty when the journal gives the snapshot."""

    def key(self, visit: int, step: str = "") -> str:
        """The forward key of a visit."""
        name = step or next((one.step for one in self._steps() if one.visit == visit), "?")
        return step_key(self.record.run, self.snapshot.nonce, name, visit)

    def _steps(self) -> Iterator[Any]:
        yield from (told for told in self.told if isinstance(told, Succeeded | Failed))
        yield from self.snapshot.undo
        yield from self.snapshot.pending


@attrs.frozen
class Death:
    """What stood in the journal, and how long the ledger was, when a process had died."""

    line: int
    recorded: frozenset[Key]
    pending: frozenset[Key]


class Judge:
    """Reads the journal of a folder, with the workflows that its runs are of, bound to nothing."""

    def __init__(self, *workflows: Workflow[Any]) -> None:
        self._workflows = Workflows(workflows, codec=Codec(), limit=1 << 20, verify=True)

    def kept(self, folder: Path, *, folded: bool = True) -> dict[str, Kept]:
        """All runs."""
        journal = SQLiteJournal(folder / "journal.db")
        try:
            return {one.run: self._read(journal, one.run, folded=folded) for one in journal.runs(Query(limit=10_000))}
        finally:
            journal.close()

    def _read(self, journal: SQLiteJournal, run: str, *, folded: bool) -> Kept:
        record = journal.run(run)
        assert record is not None
        hosted = self._workflows.named(record.workflow)
        entries = journal.entries(run, limit=100_000)
        if record.erased:
            verified = verify(hosted, record, entries, reader(journal, run))
            return Kept(record, bare(record), entries, [], "" if verified.ok else str(verified))
        told = [hosted.stored.retold(entry.body)[0] for entry in entries]
        unfolded = ""
        if folded:
            verified = verify(hosted, record, entries, reader(journal, run))
            unfolded = "" if verified.ok else str(verified)
        return Kept(record, hosted.stored.thaw(record.snapshot), entries, told, unfolded)

    def death(self, folder: Path, ledger: list[tuple[str, ...]]) -> Death:
        """What is to be remembered of a death for judging what comes after it."""
        kept = self.kept(folder, folded=False).values()
        return Death(
            len(ledger),
            frozenset(key for one in kept for key in recorded(one)),
            frozenset(key for one in kept for key in pending(one)),
        )


def recorded(kept: Kept) -> Iterator[Key]:
    """What is recorded as done or undone, and must not be executed again."""
    for told in kept.told:
        if isinstance(told, Succeeded):
            yield _forward(told.step), kept.key(told.visit, told.step)
        elif isinstance(told, Undone):
            yield "undo", kept.key(told.visit)


def pending(kept: Kept) -> Iterator[Key]:
    """What may be executed when the next process opens the journal."""
    for one in kept.snapshot.pending:
        yield _forward(one.step), kept.key(one.visit, one.step)
    if kept.snapshot.undoing is not None:
        yield "undo", kept.key(kept.snapshot.undoing.visit)


def _forward(step: str) -> str:
    """What an execution of a step is called in the ledger."""
    return "once" if step == "notify" else "do"


def ends(kept: dict[str, Kept]) -> dict[str, tuple[str, tuple[str, ...], Any]]:
    """How each run ended."""
    return {run: (one.record.status, one.record.states, one.snapshot.data) for run, one in kept.items()}


def done(effects: Sequence[Key]) -> Counter[tuple[str, str, str]]:
    """How often the receiver took something of each step of each run, under however many keys."""
    parts = [(what, key.split(":")) for what, key in effects if what != "mended"]
    return Counter((what, names[0], names[2]) for what, names in parts)


def compared(ended: Any, undisturbed: Any, effects: Counter[Any], wanted: Counter[Any]) -> Iterator[Fault]:
    """Where the ends of runs, and what the receiver took, are not those of the same runs when nobody disturbs them."""
    for run in ended.keys() | undisturbed.keys():
        if ended.get(run) != undisturbed.get(run):
            yield Fault(ENDED, f"{run} is {ended.get(run)}, undisturbed {undisturbed.get(run)}")
    for step in effects.keys() | wanted.keys():
        if effects[step] != wanted[step]:
            yield Fault(RECEIVED, f"{' '.join(step)} {effects[step]} times, undisturbed {wanted[step]} times")


def faults(
    folder: Path, kept: dict[str, Kept], ledger: list[tuple[str, ...]], deaths: Sequence[Death], *, booked: bool = True
) -> Iterator[Fault]:
    """Everything that must hold for any workflow and does not. `booked`: it has steps `book` with tables of theirs."""
    yield from (Fault(UNFOLDED, one.unfolded) for one in kept.values() if one.unfolded)
    journal = SQLiteJournal(folder / "journal.db")
    database = sqlite3.connect(folder / "journal.db")
    try:
        gone = {line[1] for line in ledger if line[0] == "pruned"} - kept.keys()
        for words in sorted({line[1:] for line in ledger if line[0] == "acknowledged"}):
            if words[1] not in gone and not _there((journal, database), kept, *words):
                yield Fault(LOST, " ".join(words))
        if booked:
            yield from _booked(database, kept, gone)
    finally:
        database.close()
        journal.close()
    yield from _repeated(ledger, deaths)
    yield from executed_too_often(kept, ledger, deaths)


def _there(
    opened: tuple[SQLiteJournal, sqlite3.Connection], kept: dict[str, Kept], what: str, run: str, more: str = ""
) -> bool:
    """Whether the journal has what was acknowledged; a queued message must have got its verdict, too."""
    journal, database = opened
    if what == "start":
        return run in kept
    if what == "event":
        return journal.seen(run, more) is not None
    if what == "verb":
        return run in kept and any(entry.kind == more for entry in kept[run].entries)
    found = database.execute("SELECT verdict FROM statemachine_inbox WHERE run = ? AND id = ?", (run, more)).fetchall()
    return bool(found) and all(verdict for (verdict,) in found)


def _booked(database: sqlite3.Connection, kept: dict[str, Kept], gone: set[str]) -> Iterator[Fault]:
    """A transactional step has written exactly when it is recorded, and so has its undo; but for pruned runs."""
    for table, outcome in (("booking", Succeeded), ("unbooking", Undone)):
        unsaid = gone | {run for run, one in kept.items() if one.record.erased}  # nothing says what these did
        every = (key for (key,) in database.execute(f"SELECT key FROM {table}"))
        rows = Counter(key for key in every if key.split(":")[0] not in unsaid)
        keys = (one.key(told.visit) for one in kept.values() for told in one.told if isinstance(told, outcome))
        wanted = Counter(key for key in keys if key.split(":")[2] == "book")
        if rows != wanted:
            yield Fault(TRANSACTIONAL, f"{table} has {rows - wanted} too many and {wanted - rows} too few")


def _repeated(ledger: list[tuple[str, ...]], deaths: Sequence[Death]) -> Iterator[Fault]:
    for death in deaths:
        again = {(line[0], line[1]) for line in ledger[death.line :]} & death.recorded
        yield from (Fault(AGAIN, " ".join(key)) for key in again)


def executed_too_often(
    kept: dict[str, Kept], ledger: list[tuple[str, ...]], deaths: Sequence[Death]
) -> Iterator[Fault]:
    """What was executed more often than the journal began it; of what is at most once, what nobody wanted again."""
    begun = Counter(key for death in deaths for key in death.pending)
    wanted: Counter[Key] = Counter()
    for one in kept.values():
        begun.update(_tried_again(one))
        wanted.update(_wanted_again(one))
    for key, times in Counter((line[0], line[1]) for line in ledger if line[0] in {"do", "undo", "once"}).items():
        if times > 1 + begun[key]:
            yield Fault(TOO_OFTEN, f"{' '.join(key)} {times} times, begun {1 + begun[key]} times")
        if key[0] == "once" and times > 1 + wanted[key]:
            yield Fault(ONCE, f"{key[1]} {times} times")


def _wanted_again(kept: Kept) -> Counter[Key]:
    """How often a person had a step at most once begun again, whose receiver had not had it: each time it was lost.

    It was killed after the ledger's line and before its effect; only a person may then say that it is to run again.
    """
    verbs = Counter(told.verb for told in kept.told if isinstance(told, Resolve))
    lost = Counter(kept.key(told.visit, told.step) for told in kept.told if isinstance(told, Lost))
    return Counter({("once", key): min(times, verbs["retry"]) for key, times in lost.items()})


def _tried_again(kept: Kept) -> Iterator[Key]:
    """The keys that the journal has begun again: after an attempt that failed, or because a person wanted it."""
    stopped = [told for told in kept.told if isinstance(told, Failed | Lost)]
    keys = {told.visit: (_forward(told.step), kept.key(told.visit, told.step)) for told in stopped}
    for told in kept.told:
        if isinstance(told, Failed | Lost):
            yield _forward(told.step), kept.key(told.visit, told.step)
        elif isinstance(told, UndoFailed):
            yield "undo", kept.key(told.visit)
        elif isinstance(told, Resolve) and told.verb == "retry":
            yield from keys.values()
