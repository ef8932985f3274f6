"""What was erased is not in the files any more: searched for as bytes, in the database and beside it."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from persistence import AnswerRecord, CachedRecord, Change, SQLiteJournal
from persistence.contract import LEASE, a_message, a_run, an_entry, start
from persistence.sqlite.erasing import BLANKED

SECRET = "Ada Lovelace, 12 St James's Square"


def found(path: Path) -> list[str]:
    """The files that have the secret in them."""
    return [file.name for file in sorted(path.parent.iterdir()) if SECRET.encode() in file.read_bytes()]


def erase(journal: SQLiteJournal, epoch: int, run: str) -> None:
    """As the runner has it done."""
    record = journal.run(run)
    assert record is not None
    after = replace(record, seq=record.seq + 1)
    entry = an_entry(run, after.seq, kind="erase", body=b"")
    assert journal.commit(epoch, [Change(run=after, expected=record.seq, erased=True, entries=(entry,))]) == [None]


def live(journal: SQLiteJournal, epoch: int, run: str, chance: random.Random) -> None:
    """A run that moves often, with data that grows and shrinks, in the midst of others; the secret is all over it."""
    text = SECRET.encode()
    assert journal.commit(epoch, [start(run, snapshot=text, input=text, tags={"name": SECRET})]) == [None]
    for seq in range(2, 40):
        body = text * chance.choice((1, 3, 40, 400))
        journal.put(a_message(f"m{seq}", run, body=body, reason=SECRET))
        other = a_run(f"{run}-{seq}", snapshot=bytes(chance.choice((10, 500, 9000))))
        moved = a_run(run, seq, snapshot=text * chance.choice((1, 5, 80, 700)), over=seq == 39)
        kept = CachedRecord(
            shelf="s", key=f"{run}{seq}", run=run, visit=seq, at=1, until=9, value=body, most=9, size=99999
        )
        entry = an_entry(run, seq, body=body, reason=SECRET)
        change = Change(run=moved, expected=seq - 1, entries=(entry,), cached=(kept,))
        assert journal.commit(epoch, [change, Change(run=other)]) == [None, None]
        journal.tidy(epoch)


@pytest.mark.parametrize("seed", range(6))
def test_no_byte_of_it_is_left(journal: SQLiteJournal, path: Path, seed: int) -> None:
    """Neither in a page that was rewritten or freed, nor in the log, nor behind the log's end."""
    chance = random.Random(seed)
    epoch = journal.claim("ada", LEASE)
    for run in ("a", "b"):
        live(journal, epoch, run, chance)
    assert found(path) != []
    erase(journal, epoch, "a")
    erase(journal, epoch, "b")
    assert found(path) == []
    assert journal.run("a-7") is not None
    live(journal, epoch, "c", chance)
    erase(journal, epoch, "c")
    assert found(path) == []


def test_while_somebody_reads_a_view_from_before_the_log_keeps_it(journal: SQLiteJournal, path: Path) -> None:
    """SQLite must; it is gone when its owner looks next after that."""
    epoch = journal.claim("ada", LEASE)
    live(journal, epoch, "a", random.Random(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("PRAGMA wal_autocheckpoint = 0")
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM statemachine_run").fetchone()
        erase(journal, epoch, "a")
        assert found(path) != []
        reader.execute("COMMIT")
    journal.tidy(epoch)
    assert found(path) == []


def test_what_was_pruned_is_gone_as_well(journal: SQLiteJournal, path: Path) -> None:
    """With the next look at the log."""
    epoch = journal.claim("ada", LEASE)
    live(journal, epoch, "a", random.Random(3))
    number = 0
    while page := journal.inbox(number, 100):
        number = page[-1].number
        answers = tuple(AnswerRecord(number=message.number, verdict="accepted") for message in page)
        journal.commit(epoch, [Change(answers=answers)])
    journal.commit(epoch, [start("last")])
    journal.prune(epoch, 10**9, 0, dry=False)
    journal.tidy(epoch)
    assert journal.run("a") is None
    assert found(path) == []


def test_closing_and_opening_again_brings_nothing_back(journal: SQLiteJournal, path: Path) -> None:
    """Whatever the last one to close copies."""
    epoch = journal.claim("ada", LEASE)
    live(journal, epoch, "a", random.Random(2))
    erase(journal, epoch, "a")
    journal.close()
    assert found(path) == []
    with closing(SQLiteJournal(path)) as again:
        record = again.run("a")
        assert record is not None
        assert (record.erased, record.snapshot, len(again.entries("a"))) == (True, b"", 40)


def test_every_column_of_bytes_is_blanked() -> None:
    """A table that comes with payloads is erased, too."""
    schema = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
    table, missing = "", []
    for line in schema.splitlines():
        words = line.split()
        if line.startswith("CREATE TABLE"):
            table = words[2]
        elif len(words) > 1 and words[1] == "BLOB":
            done = [one for one in BLANKED if table in one and (f"{words[0]} = x''" in one or "DELETE" in one)]
            missing += [] if done else [f"{table}.{words[0]}"]
    assert missing == []
