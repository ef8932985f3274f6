"""Bad bytes: a file that is cut, flipped, foreign, too new, or that holds a record which makes no sense.

The journal refuses it with an error that names the file, or reads it; a file that was refused as it was opened or read
has not changed by a byte. Where one run alone is damaged, the others go on, and its own error or reason names it.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from persistence import JournalError, SQLiteJournal
from persistence.contract import LEASE, start
from statemachine import Runner
from statemachine.errors import StateMachineError
from tests.reliability.disk.image import write
from tests.reliability.disk.script import NAME, Claimed, State, Tried, held, intact, live, read, states
from tests.reliability.evidence import Row, Scale, Section, shown
from tests.reliability.other_writers import Parcel, Release, Shipping

Files = Mapping[str, bytes]
PATIENCE = 30.0


class Sound:
    """A journal as a script left it: closed, and with the log of its last commits still beside it."""

    def __init__(self, random: Random) -> None:
        with TemporaryDirectory() as place:
            folder = Path(place)
            tried = Tried(lambda: 0)
            live(folder, sqlite3.connect, tried, random, "NORMAL")
            self.closed = {NAME: (folder / NAME).read_bytes()}
            with closing(SQLiteJournal(folder / NAME, synchronous="NORMAL")) as journal:
                epoch = journal.claim("the last", LEASE)
                before = states(tried.facts)[-1]
                self.said = [before, before.after(Claimed())]
                for number in range(12):
                    batch = (start(f"late-{number}"),)
                    journal.commit(epoch, batch)
                    self.said.append(self.said[-1].after(batch))
                self.logged = {name: (folder / name).read_bytes() for name in (NAME, f"{NAME}-wal")}


def judge(files: Files) -> tuple[str, str, State | None]:
    """Open and read damaged files, then write. What is wrong; what became of it; what was read."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "left"
        write(files, folder)
        found: State | None = None
        stage = "refused"
        try:
            with closing(SQLiteJournal(folder / NAME, busy_timeout=0.05)) as journal:
                stage = "refused as it was read"
                found = read(journal)
                whole = intact(journal)
                stage = "refused as it was written"
                journal.commit(journal.claim("the next", LEASE), [start("after")])
        except JournalError as error:
            now = (folder / NAME).read_bytes() if (folder / NAME).exists() else b""
            kept = len(files) > 1 or now == files[NAME] or stage == "refused as it was written"
            return _names(error) if kept else f"{stage} ({error}), and changed", stage, found
        except Exception as error:  # noqa: BLE001 -- any other error is what is looked for
            return f"{type(error).__name__}: {error}", stage, found
        return "", "damaged, and said so by integrity_check" if whole else "read", found


def _names(error: JournalError) -> str:
    return "" if NAME in str(error) else f"{type(error).__name__} does not name the file: {error}"


def _flipped(content: bytes, bits: Iterable[int]) -> Iterable[bytes]:
    for bit in bits:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def _row(what: str, trials: Iterable[Files], judged: Callable[[Files], tuple[str, str, State | None]] = judge) -> Row:
    wrong: list[str] = []
    became: Counter[str] = Counter()
    for files in shown(what, trials):
        found, fate, _ = judged(files)
        became[fate] += 1
        wrong += [found] if found else []
    note = wrong[0] if wrong else ", ".join(f"{number:,} {fate}" for fate, number in became.most_common())
    return Row(what, became.total(), len(wrong), note)


def _files(sound: Sound, scale: Scale, random: Random) -> list[Row]:
    whole = sound.closed[NAME]
    log = sound.logged[f"{NAME}-wal"]
    few = scale == "short"

    def bits(low: int, high: int, number: int) -> list[int]:
        every = range(low * 8, high * 8)
        return sorted(random.sample(every, min(len(every), 15 if few else number)))

    def logged(content: bytes) -> Files:
        return {NAME: sound.logged[NAME], f"{NAME}-wal": content}

    def prefix(files: Files) -> tuple[str, str, State | None]:
        """SQLite takes a frame that fails its checksum for the end of the log: what is read is some earlier state."""
        wrong, fate, found = judge(files)
        if found is None or wrong:
            return wrong, fate, found
        number = held(found, sound.said, 0, len(sound.said) - 1)
        if number is None:
            return "what is there was never committed so", fate, found
        return "", "whole" if number == len(sound.said) - 1 else "shorter by the last commits", found

    def refused(files: Files) -> tuple[str, str, State | None]:
        """It must be, for SQLite would read zeros where the file ends inside a page."""
        wrong, fate, found = judge(files)
        return wrong or ("" if fate == "refused" else "it was not refused"), fate, found

    def begun(files: Files) -> tuple[str, str, State | None]:
        """It must become a new journal: an empty file is an empty SQLite database."""
        wrong, fate, found = judge(files)
        return wrong or ("" if fate == "read" else "it was refused"), fate, found

    inside = [1, *random.sample(range(len(whole) - 4095, len(whole)), 15 if few else 300)]
    lengths = range(1, len(whole), 512 if not few else len(whole) // 12)
    cuts = range(1, len(log), 1024 if not few else len(log) // 12)
    return [
        _row("the file is cut short", [{NAME: whole[:length]} for length in lengths]),
        _row("the file is cut inside its last page, or to one byte", [{NAME: whole[:one]} for one in inside], refused),
        _row("the file has no bytes", [{NAME: b""}], begun),
        _row("a bit of its header is flipped", [{NAME: one} for one in _flipped(whole, bits(0, 100, 800))]),
        _row("a bit of its schema is flipped", [{NAME: one} for one in _flipped(whole, bits(100, 4096, 1000))]),
        _row(
            "a bit of a table or index is flipped",
            [{NAME: one} for one in _flipped(whole, bits(4096, len(whole), 1500))],
        ),
        _row("the write-ahead log is cut short", [logged(log[:length]) for length in cuts], prefix),
        _row(
            "a bit of the write-ahead log is flipped",
            [logged(one) for one in _flipped(log, bits(0, len(log), 800))],
            prefix,
        ),
    ]


def _foreign(sound: Sound, random: Random) -> list[Row]:
    """Files that are no journal, or a later version's: refused by their name, and not touched."""

    def made(*statements: str, of: Files | None = None) -> Files:
        with TemporaryDirectory() as place:
            path = Path(place) / NAME
            if of is not None:
                path.write_bytes(of[NAME])
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                for statement in statements:
                    connection.execute(statement)
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return {NAME: path.read_bytes()}

    def refused(files: Files) -> tuple[str, str, State | None]:
        wrong, fate, found = judge(files)
        return wrong or ("" if fate == "refused" else "it was not refused"), fate, found

    later = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('statemachine', 'm999', '')"
    book = "CREATE TABLE book (title TEXT)"
    return [
        _row("another application's database", [made(book), made(book, "PRAGMA user_version = 7")], refused),
        _row("no database at all", [{NAME: b"Dear diary. " * 500}, {NAME: random.randbytes(9000)}], refused),
        _row("a later version's journal", [made(later, of=sound.closed)], refused),
        _row("tables named like a journal's", [made("CREATE TABLE statemachine_run (x)")], refused),
    ]


DAMAGES: Mapping[str, str] = {
    "its snapshot is not JSON": "UPDATE statemachine_run SET snapshot = x'00ff00' WHERE run = ?",
    "its snapshot is empty": "UPDATE statemachine_run SET snapshot = x'' WHERE run = ?",
    "its snapshot is of another shape": "UPDATE statemachine_run SET snapshot = '[1, 2]' WHERE run = ?",
    "its workflow's class is gone": "UPDATE statemachine_run SET workflow = 'no-longer-here' WHERE run = ?",
    "its states are not JSON": "UPDATE statemachine_run SET states = 'sending' WHERE run = ?",
    "its states are no text": "UPDATE statemachine_run SET states = CAST(x'ff00fe' AS TEXT) WHERE run = ?",
    "its tags are not JSON": "UPDATE statemachine_run SET tags = '{' WHERE run = ?",
    "its number is no number": "UPDATE statemachine_run SET seq = 'many' WHERE run = ?",
    "its entries are gone": (
        "DELETE FROM statemachine_entry WHERE run_id = (SELECT id FROM statemachine_run WHERE run = ?)"
    ),
    "one of its entries is gone": (
        "DELETE FROM statemachine_entry WHERE seq = 1 AND run_id = (SELECT id FROM statemachine_run WHERE run = ?)"
    ),
    "one of its entries is not JSON": (
        "UPDATE statemachine_entry SET body = x'7b' WHERE seq = 1"
        " AND run_id = (SELECT id FROM statemachine_run WHERE run = ?)"
    ),
}


def damaged(statement: str, others: int = 4) -> str:
    """One run of several is damaged. What is wrong with what becomes of all of them, empty when nothing is."""
    with TemporaryDirectory() as place:
        path = Path(place) / NAME
        runs = ["bad", *(f"good-{number}" for number in range(others))]
        with Runner(path, [Shipping()]) as runner:
            for run in runs:
                runner.start(Shipping, Parcel(1), id=run)
            until = time.monotonic() + PATIENCE
            while any(runner.get(run).look().state != ("waiting",) for run in runs):
                if time.monotonic() > until:
                    return "the runs did not come to wait"
                time.sleep(0.005)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE sent (number INTEGER PRIMARY KEY)")
            connection.execute(statement, ("bad",))
            before = _row_of(connection)
        try:
            with Runner(path, [Shipping()]) as runner:
                wrong = _others(runner, runs[1:]) or _said(runner)
        except Exception as error:  # noqa: BLE001 -- whatever stops the runner stops the good runs, too
            return f"the runner does not open: {type(error).__name__}: {error}"
        with closing(sqlite3.connect(path)) as connection:
            return wrong or ("" if _row_of(connection) == before else "the damaged run was overwritten")


def _row_of(connection: sqlite3.Connection) -> tuple[Any, ...]:
    """What of the damaged run must stay for whoever mends it."""
    connection.text_factory = bytes
    statement = "SELECT states, seq, snapshot, tags FROM statemachine_run WHERE run = 'bad'"
    found: tuple[Any, ...] = connection.execute(statement).fetchone()
    return found


def _others(runner: Runner, runs: list[str]) -> str:
    for run in runs:
        runner.send(run, Release("ada"))
        if runner.result(run, timeout=PATIENCE).status != "completed":
            return f"{run} did not go on"
        if not runner.verify(run).ok:
            return f"{run} does not verify"
    found = {summary.id for summary in runner.list(status="completed")}
    return "" if found == set(runs) else f"the list of what is completed is {sorted(found)}"


def _said(runner: Runner) -> str:
    """It is told what is wrong with the damaged run, with its name: by an error, as held, or by `verify`."""
    try:
        if "bad" in {summary.id for summary in runner.list(held=True)}:
            return ""
        verified = runner.verify("bad")
        if not verified.ok:
            return ""
        runner.get("bad").look()
    except (JournalError, StateMachineError) as error:
        return "" if "bad" in str(error) else f"{type(error).__name__} does not name the run: {error}"
    return "nothing is said of the damaged run"


def _damaged_rows() -> list[Row]:
    rows = []
    for what, statement in shown("one run is damaged", DAMAGES.items(), len(DAMAGES)):
        wrong = damaged(statement)
        rows.append(Row(f"one run of five: {what}", 1, int(bool(wrong)), wrong))
    return rows


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    random = Random(seed)
    sound = Sound(random)
    rows = [*_files(sound, scale, random), *_foreign(sound, random), *_damaged_rows()]
    return Section("Bad bytes", seed, tuple(rows), time.monotonic() - began)
