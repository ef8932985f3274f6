"""What a journal says and does when SQLite or the disk fails it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from persistence import Busy, CommitUnknown, Damaged, Query, SQLiteJournal, Unwritable
from persistence.contract import LEASE, a_message, a_run, start, step
from persistence.records import LiveGroup
from persistence.sqlite.trouble import meaning

Fault = Callable[[sqlite3.Connection, str], None]


class Faulty(sqlite3.Connection):
    """A connection on which a test decides what happens before a statement is executed."""

    faults: list[Fault] = []  # noqa: RUF012 - one list for all on purpose: the journal opens the connections

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(FaultyCursor)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return self.cursor().execute(sql, parameters)  # type: ignore[no-any-return]


class FaultyCursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = (), /) -> FaultyCursor:
        for fault in Faulty.faults:
            fault(self.connection, sql)
        super().execute(sql, parameters)
        return self


def error(code: int, text: str = "made up") -> sqlite3.OperationalError:
    """An error as SQLite gives it."""
    made = sqlite3.OperationalError(text)
    made.sqlite_errorcode = code
    return made


def fail(statement: str, code: int, *, after: bool = False, rolls_back: bool = False) -> Fault:
    """Before (or after) a statement that begins so, once, an error; it may end the transaction as some do."""

    def fault(connection: sqlite3.Connection, sql: str) -> None:
        if not sql.lstrip().startswith(statement) or (statement == "COMMIT" and not connection.in_transaction):
            return
        Faulty.faults.clear()
        if after:
            sqlite3.Connection.execute(connection, sql)
        if rolls_back:
            sqlite3.Connection.cursor(connection).execute("ROLLBACK")
        raise error(code)

    return fault


@pytest.fixture(name="journal")
def _journal(path: Path) -> Iterator[SQLiteJournal]:
    def connect(name: str) -> sqlite3.Connection:
        return sqlite3.connect(name, factory=Faulty, check_same_thread=False)

    Faulty.faults.clear()
    with closing(SQLiteJournal(path, connect=connect, busy_timeout=0.05)) as journal:
        yield journal
    Faulty.faults.clear()


@pytest.fixture(name="epoch")
def _epoch(journal: SQLiteJournal) -> int:
    return journal.claim("ada", LEASE)


@pytest.mark.parametrize("rolls_back", [True, False])
@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_READONLY])
@pytest.mark.parametrize("changes", [1, 3])
def test_a_disk_that_fails_within_a_batch_leaves_nothing_of_it(
    journal: SQLiteJournal, epoch: int, changes: int, code: int, *, rolls_back: bool
) -> None:
    """Whether SQLite has rolled back by itself or not; and the journal goes on afterwards."""
    batch = [start(f"r{n}") for n in range(changes)]
    Faulty.faults.append(fail("INSERT INTO statemachine_entry", code, rolls_back=rolls_back))
    with pytest.raises(Unwritable, match=r"app\.db"):
        journal.commit(epoch, batch)
    assert journal.count(Query()) == 0
    assert journal.commit(epoch, batch) == [None] * changes


def test_a_full_disk_is_survived(journal: SQLiteJournal, epoch: int) -> None:
    """SQLite's own limit of pages stands for the disk's."""
    writer = journal._writer
    assert writer is not None
    (pages,) = writer.connection.execute("PRAGMA page_count").fetchone()
    writer.connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for n in range(1000):
            journal.commit(epoch, [start(f"r{n}", snapshot=b"x" * 3000), start(f"s{n}")])

    with pytest.raises(Unwritable, match="goes on by itself"):
        fill()
    count = journal.count(Query())
    assert count % 2 == 0
    with pytest.raises(Unwritable):
        journal.commit(epoch, [start("big", snapshot=b"x" * 100_000)])
    writer.connection.execute(f"PRAGMA max_page_count = {pages * 100}")
    assert journal.commit(epoch, [start("big", snapshot=b"x" * 100_000)]) == [None]
    assert journal.count(Query()) == count + 1


@pytest.mark.parametrize("happened", [True, False])
def test_a_commit_that_fails_is_unknown_until_it_is_read(journal: SQLiteJournal, epoch: int, *, happened: bool) -> None:
    """The seq of the runs tells; here both cases are made."""
    Faulty.faults.append(fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=happened, rolls_back=not happened))
    with pytest.raises(CommitUnknown, match="read the runs' seq"):
        journal.commit(epoch, [start()])
    assert journal.run("r") == (a_run() if happened else None)
    with journal._readers.connection() as connection:
        # One more commit was made, over whatever the failed one may have left in the log.
        assert connection.execute("SELECT settled FROM statemachine_owner").fetchone() == (1,)
    assert journal.commit(epoch, [step() if happened else start()]) == [None]


def test_a_disk_that_fails_altogether_is_unknown_too(journal: SQLiteJournal, epoch: int) -> None:
    """Neither the commit nor what follows it can be written."""

    def fault(connection: sqlite3.Connection, sql: str) -> None:
        if sql == "COMMIT":
            sqlite3.Connection.cursor(connection, sqlite3.Cursor).execute("ROLLBACK")
        if sql in {"COMMIT", "ROLLBACK"} or "settled" in sql:
            raise error(sqlite3.SQLITE_IOERR)

    Faulty.faults.append(fault)
    with pytest.raises(CommitUnknown):
        journal.commit(epoch, [start()])
    Faulty.faults.clear()
    assert journal.run("r") is None
    assert journal.commit(epoch, [start()]) == [None]


def test_a_commit_that_was_declined_is_known(journal: SQLiteJournal, epoch: int) -> None:
    """Locked out before it wrote, SQLite keeps the transaction open; it is rolled back, and nothing is unknown."""
    Faulty.faults.append(fail("COMMIT", sqlite3.SQLITE_BUSY))
    with pytest.raises(Busy):
        journal.commit(epoch, [start()])
    assert journal.run("r") is None
    assert journal.commit(epoch, [start()]) == [None]


@pytest.mark.parametrize("changes", [1, 2])
def test_an_error_of_no_known_meaning_is_the_changes_own(journal: SQLiteJournal, epoch: int, changes: int) -> None:
    """The others are written."""
    Faulty.faults.append(fail("INSERT INTO statemachine_entry", sqlite3.SQLITE_TOOBIG))
    failures = journal.commit(epoch, [start(f"r{n}") for n in range(changes)])
    assert isinstance(failures[0], sqlite3.OperationalError)
    assert failures[1:] == [None] * (changes - 1)
    assert journal.count(Query()) == changes - 1


def test_a_statement_that_ends_the_transaction_makes_each_go_alone(journal: SQLiteJournal, epoch: int) -> None:
    """An error of no known meaning that voids the batch costs only the change that met it."""
    Faulty.faults.append(fail("INSERT INTO statemachine_entry", sqlite3.SQLITE_INTERRUPT, rolls_back=True))
    assert journal.commit(epoch, [start("a"), start("b")]) == [None, None]


def test_trouble_after_some_were_committed_alone_is_unknown(journal: SQLiteJournal, epoch: int) -> None:
    """What was written cannot be told from what was not, but by reading."""
    tries: list[int] = []

    def fault(connection: sqlite3.Connection, sql: str) -> None:
        if "INSERT INTO statemachine_entry" in sql:
            tries.append(1)
            if len(tries) == 1:
                sqlite3.Connection.cursor(connection, sqlite3.Cursor).execute("ROLLBACK")
                raise error(sqlite3.SQLITE_INTERRUPT)
            if len(tries) == 3:
                raise error(sqlite3.SQLITE_FULL)

    Faulty.faults.append(fault)
    with pytest.raises(CommitUnknown, match="1 of 2 changes were decided"):
        journal.commit(epoch, [start("a"), start("b")])
    assert [run.run for run in journal.runs(Query())] == ["a"]


def test_trouble_before_any_was_committed_alone_is_known(journal: SQLiteJournal, epoch: int) -> None:
    """Nothing was written, and that is said."""
    tries: list[int] = []

    def fault(connection: sqlite3.Connection, sql: str) -> None:
        if "INSERT INTO statemachine_entry" in sql:
            tries.append(1)
            if len(tries) == 1:
                sqlite3.Connection.cursor(connection, sqlite3.Cursor).execute("ROLLBACK")
                raise error(sqlite3.SQLITE_INTERRUPT)
            raise error(sqlite3.SQLITE_FULL)

    Faulty.faults.append(fault)
    with pytest.raises(Unwritable):
        journal.commit(epoch, [start("a"), start("b")])
    assert journal.runs(Query()) == []


def test_a_locked_database_is_busy(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """After the busy timeout; nothing was written, by owner or client."""
    group = LiveGroup(workflow="loan", definition="d1", states=("review",), runs=1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for use in (
            lambda: journal.commit(epoch, [start()]),
            lambda: journal.put(a_message()),
            lambda: journal.hold(epoch, group, "why"),
        ):
            with pytest.raises(Busy, match="keeps the database locked"):
                use()
        assert journal.run("r") is None
        other.execute("ROLLBACK")
    assert journal.commit(epoch, [start()]) == [None]
    assert journal.put(a_message()).number == 1


def test_a_hold_that_fails_holds_nothing(journal: SQLiteJournal, epoch: int) -> None:
    """It is a commit like any other."""
    journal.commit(epoch, [start()])
    Faulty.faults.append(fail("UPDATE statemachine_run SET held", sqlite3.SQLITE_IOERR))
    with pytest.raises(Unwritable):
        journal.hold(epoch, journal.live()[0], "why")
    assert journal.runs(Query(held=True)) == []


def test_a_claim_that_fails_owns_nothing(journal: SQLiteJournal) -> None:
    """The lock is free again."""
    Faulty.faults.append(fail("UPDATE statemachine_owner", sqlite3.SQLITE_FULL))
    with pytest.raises(Unwritable):
        journal.claim("ada", LEASE)
    assert journal.owner() is None
    assert journal.claim("ada", LEASE) == 1


def test_a_file_that_others_keep_from_wal_mode_is_busy(path: Path) -> None:
    """A new journal waits for as long as it was told, and says what to do."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Busy, match=r"app\.db"):
            SQLiteJournal(path, adopt=True, busy_timeout=0.02)
        other.execute("ROLLBACK")
        other.execute("BEGIN")
        other.execute("SELECT * FROM t").fetchall()
        with pytest.raises(Busy, match="WAL mode"):
            SQLiteJournal(path, adopt=True, busy_timeout=0.02)


def test_another_file_format_is_damage() -> None:
    """A header that says so has been written over."""
    assert isinstance(meaning(error(sqlite3.SQLITE_ERROR, "unsupported file format"), "x"), Damaged)


def test_only_sqlites_own_errors_have_a_meaning() -> None:
    """Others pass through."""
    assert meaning(ValueError(), "x") is None
    assert meaning(sqlite3.ProgrammingError("a closed database"), "x") is None
    assert meaning(error(sqlite3.SQLITE_ERROR, "no such table: other"), "x") is None


def test_a_database_that_cannot_be_put_into_wal_mode_at_all_says_why(path: Path, journal: SQLiteJournal) -> None:
    """Waiting is for locks only."""
    Faulty.faults.append(fail("PRAGMA journal_mode", sqlite3.SQLITE_IOERR))
    with pytest.raises(Unwritable, match="input/output"):
        SQLiteJournal(path, connect=lambda name: sqlite3.connect(name, factory=Faulty, check_same_thread=False))
    assert journal.owner() is None


def test_a_writer_that_cannot_begin_says_why(journal: SQLiteJournal, epoch: int) -> None:
    """Waiting is for locks only, here too."""
    Faulty.faults.append(fail("BEGIN IMMEDIATE", sqlite3.SQLITE_IOERR))
    with pytest.raises(Unwritable):
        journal.commit(epoch, [start()])
    assert journal.commit(epoch, [start()]) == [None]


def test_an_owner_waits_for_a_clients_short_write(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """It asks again until the other has committed."""
    asked: list[str] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def soon(_: sqlite3.Connection, sql: str) -> None:
            if sql == "BEGIN IMMEDIATE":
                asked.append(sql)
                if len(asked) == 3:
                    other.execute("COMMIT")

        Faulty.faults.append(soon)
        assert journal.commit(epoch, [start()]) == [None]
    assert len(asked) == 3


def test_a_file_that_another_has_alone_for_a_moment_is_waited_for(path: Path) -> None:
    """Also by the connections that write, as they open: a process that recovers or closes the file has it alone."""
    with closing(SQLiteJournal(path)) as journal:
        alone = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        alone.execute("PRAGMA locking_mode = EXCLUSIVE")
        alone.execute("BEGIN IMMEDIATE")
        alone.execute("COMMIT")
        timer = threading.Timer(0.3, alone.close)
        timer.start()
        assert journal.put(a_message()).number == 1
        timer.join()


def test_a_connection_given_back_after_the_close_is_closed(journal: SQLiteJournal) -> None:
    """A thread that still reads while another closes finishes, and leaves nothing open."""
    with journal._readers.connection() as connection:
        journal.close()
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        connection.execute("SELECT 1")


def test_wal_mode_is_asked_for_again_while_another_makes_it(path: Path, journal: SQLiteJournal) -> None:
    """SQLite refuses at once when two processes do it at the same time."""
    Faulty.faults.append(fail("PRAGMA journal_mode", sqlite3.SQLITE_BUSY))
    with closing(
        SQLiteJournal(path, connect=lambda name: sqlite3.connect(name, factory=Faulty, check_same_thread=False))
    ) as other:
        assert other.name == journal.name
    assert Faulty.faults == []


@pytest.mark.parametrize("statement", ["CREATE TABLE statemachine_run", "UPDATE statemachine_owner"])
def test_a_disk_that_fails_and_rolls_back_by_itself_is_survived(tmp_path: Path, statement: str) -> None:
    """While the schema is made, and while the journal is claimed."""

    def opened() -> SQLiteJournal:
        return SQLiteJournal(
            tmp_path / "new.db", connect=lambda name: sqlite3.connect(name, factory=Faulty, check_same_thread=False)
        )

    def use() -> None:
        with closing(opened()) as journal:
            journal.claim("ada", LEASE)

    Faulty.faults[:] = [fail(statement, sqlite3.SQLITE_FULL, rolls_back=True)]
    with pytest.raises(Unwritable):
        use()
    assert Faulty.faults == []
    with closing(opened()) as journal:
        assert journal.claim("ada", LEASE) == 1


def test_the_pulse_does_not_wait_for_a_commit(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """While one is under way it says what it said; afterwards it tells what happened meanwhile."""
    before = journal.pulse()
    with closing(SQLiteJournal(path)) as client:
        client.put(a_message())
    said: list[int] = []
    with journal._writing:
        thread = threading.Thread(target=lambda: said.append(journal.pulse()))
        thread.start()
        thread.join()
    assert said == [before]
    assert journal.pulse() != before
    assert journal.commit(epoch, []) == []


@pytest.mark.parametrize("happened", [True, False])
def test_a_message_whose_commit_fails_may_be_queued(journal: SQLiteJournal, *, happened: bool) -> None:
    """Its sender is not told that nothing was written; put again under its id it counts once."""
    fault = fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=happened, rolls_back=not happened)
    Faulty.faults.append(fault)
    with pytest.raises(CommitUnknown, match=r"app\.db.*'m' to run 'r'.*same id"):
        journal.put(a_message())
    assert [message.id for message in journal.inbox(0, 10)] == ["m"] * happened
    assert journal.put(a_message()).number == 1
    assert [message.id for message in journal.inbox(0, 10)] == ["m"]


def test_a_message_whose_commit_is_declined_is_not_queued(journal: SQLiteJournal) -> None:
    """Locked out before it wrote, SQLite keeps the transaction open, and it ends with the connection."""
    Faulty.faults.append(fail("COMMIT", sqlite3.SQLITE_BUSY))
    with pytest.raises(Busy):
        journal.put(a_message())
    assert journal.inbox(0, 10) == []
