"""What a transactional step can do on the journal's connection, and what it cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from persistence import ConnectionGuarded, Journal, Query, SQLiteJournal, Stale, Unwritable, Work
from persistence.contract import LEASE, a_message, start, step
from persistence.records import Change
from persistence.sqlite.guarded import GuardedConnection

Use = Callable[[GuardedConnection], object]


@pytest.fixture(name="journal")
def _journal(path: Path) -> Iterator[SQLiteJournal]:
    with closing(SQLiteJournal(path, synchronous="NORMAL")) as journal:
        with closing(sqlite3.connect(path)) as own:
            own.execute("CREATE TABLE ledger (loan TEXT PRIMARY KEY, amount INTEGER CHECK (amount > 0))")
            own.commit()
        yield journal


@pytest.fixture(name="epoch")
def _epoch(journal: SQLiteJournal) -> int:
    return journal.claim("ada", LEASE)


def ledger(path: Path) -> list[tuple[str, int]]:
    """The application's rows, as another connection sees them."""
    with closing(sqlite3.connect(path)) as own:
        return own.execute("SELECT loan, amount FROM ledger ORDER BY loan").fetchall()


def work(use: Use, run: str = "w") -> Callable[[GuardedConnection], Change]:
    """A step that uses the connection, then starts a run."""

    def doing(connection: GuardedConnection) -> Change:
        use(connection)
        return start(run)

    return doing


def pay(loan: str, amount: int = 5) -> Use:
    """A use that writes a row of the application's."""
    return lambda connection: connection.execute("INSERT INTO ledger VALUES (?, ?)", (loan, amount))


# ------------------------------------------------------------------------------------------------------------- what can


def test_its_rows_and_its_transition_are_one_commit(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """Both are there afterwards."""
    assert journal.commit(epoch, [work(pay("one"))]) == [None]
    assert journal.commit(epoch, [start("a"), work(pay("two"), "v"), start("b")]) == [None] * 3
    assert ledger(path) == [("one", 5), ("two", 5)]
    assert journal.count(Query()) == 4


def test_when_it_fails_its_rows_are_gone(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """Whether it raises, or its change is stale; the others are written."""

    def paid_and_failed(connection: GuardedConnection) -> Change:
        pay("failed")(connection)
        raise LookupError

    def paid_and_stale(connection: GuardedConnection) -> Change:
        pay("stale")(connection)
        return step("nobody")

    failures = journal.commit(epoch, [start("a"), paid_and_failed, work(pay("good")), paid_and_stale])
    assert [type(failure) for failure in failures] == [type(None), LookupError, type(None), Stale]
    assert ledger(path) == [("good", 5)]
    assert [type(failure) for failure in journal.commit(epoch, [paid_and_failed])] == [LookupError]
    assert ledger(path) == [("good", 5)]


def test_a_statement_that_fails_is_its_own_affair(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """It may catch the error and go on."""

    def use(connection: GuardedConnection) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            pay("none", -1)(connection)
        pay("some", 1)(connection)

    assert journal.commit(epoch, [work(use)]) == [None]
    assert ledger(path) == [("some", 1)]


def test_of_many_rows_one_that_fails_fails_the_statement(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """As with sqlite3 itself."""

    def use(connection: GuardedConnection) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            connection.executemany("INSERT INTO ledger VALUES (?, ?)", [("a", 1), ("a", 2)])

    assert journal.commit(epoch, [work(use)]) == [None]
    assert ledger(path) == [("a", 1)]


def test_it_reads_what_it_wrote(journal: SQLiteJournal, epoch: int) -> None:
    """Through cursors with all that a cursor has for reading."""

    def use(connection: GuardedConnection) -> None:
        cursor = connection.executemany("INSERT INTO ledger VALUES (?, ?)", [("a", 1), ("b", 2), ("c", 3)])
        assert cursor.rowcount == 3
        assert connection.in_transaction
        assert connection.total_changes >= 3
        cursor = connection.cursor().execute("SELECT loan, amount FROM ledger ORDER BY loan")
        assert [column[0] for column in cursor.description] == ["loan", "amount"]
        assert cursor.fetchone() == ("a", 1)
        assert cursor.fetchmany(1) == [("b", 2)]
        assert list(cursor) == [("c", 3)]
        assert cursor.connection is connection
        cursor.close()
        connection.row_factory = sqlite3.Row
        row = connection.execute("SELECT amount FROM ledger WHERE loan = :loan", {"loan": "b"}).fetchall()[0]
        assert row["amount"] == 2
        assert connection.execute("INSERT INTO ledger VALUES ('d', 4)").lastrowid == 4
        assert connection.execute("PRAGMA table_info(ledger)").fetchall()
        assert connection.execute("PRAGMA user_version").fetchone()["user_version"] == 0
        assert connection.execute("SELECT COUNT(*) FROM statemachine_overview").fetchone()[0] == 0

    assert journal.commit(epoch, [work(use)]) == [None]


def test_it_may_make_tables(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """SQLite makes them in the transaction, too."""
    assert journal.commit(epoch, [work(lambda own: own.execute("CREATE TABLE other (x)"))]) == [None]
    with closing(sqlite3.connect(path)) as own:
        assert own.execute("SELECT * FROM other").fetchall() == []


def test_a_table_that_it_still_reads_is_its_own_affair(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """SQLite calls the table locked; nobody else has to do with that, and no later commit would go better."""

    def use(connection: GuardedConnection) -> None:
        pay("one", 1)(connection)
        rows = connection.execute("SELECT * FROM ledger UNION ALL SELECT * FROM ledger")
        rows.fetchone()
        connection.execute("DROP TABLE ledger")

    failure, other = journal.commit(epoch, [work(use), start("other")])
    assert isinstance(failure, sqlite3.OperationalError)
    assert "locked" in str(failure)
    assert other is None
    assert ledger(path) == []


def test_the_pulse_tells_of_a_message_that_it_put(journal: SQLiteJournal, epoch: int) -> None:
    """The owner's own commits change it otherwise not, and the message would lie there."""
    before = journal.pulse()
    journal.commit(epoch, [work(lambda connection: journal.put(a_message("from the step"), connection))])
    assert journal.pulse() != before


def test_it_may_put_a_message(journal: SQLiteJournal, epoch: int) -> None:
    """Start another run, say, in the same commit; the guard is up again behind it."""

    def use(connection: GuardedConnection) -> None:
        journal.put(a_message("from the step"), connection)
        with pytest.raises(ConnectionGuarded):
            connection.execute("DELETE FROM statemachine_inbox")

    def put_and_fail(connection: GuardedConnection) -> Change:
        journal.put(a_message("never"), connection)
        raise LookupError

    journal.commit(epoch, [work(use), put_and_fail])
    assert [message.id for message in journal.inbox(0, 10)] == ["from the step"]


# ---------------------------------------------------------------------------------------------------------- what cannot


def set_isolation(connection: Any) -> None:
    """What commits what is pending, in sqlite3."""
    connection.isolation_level = None


def enter(connection: Any) -> None:
    """What commits at its end, in sqlite3."""
    with connection:
        pass


def execute(sql: str, connection: GuardedConnection) -> object:
    """A use that executes one statement."""
    return connection.execute(sql)


FORBIDDEN: dict[str, Use] = {
    "commit": lambda own: own.commit(),
    "rollback": lambda own: own.rollback(),
    "close": lambda own: own.close(),
    "executescript": lambda own: own.executescript("SELECT 1"),
    "cursor executescript": lambda own: getattr(own.cursor(), "executescript")("SELECT 1"),  # noqa: B009 - it is not there
    "context": enter,
    "executemany": lambda own: own.executemany("UPDATE statemachine_run SET seq = ?", [(1,)]),
    "isolation_level": set_isolation,
    "read isolation_level": lambda own: getattr(own, "isolation_level"),  # noqa: B009 - it is not there
    "set_authorizer": lambda own: getattr(own, "set_authorizer")(None),  # noqa: B009 - it is not there
    **{
        sql: partial(execute, sql)
        for sql in (
            "BEGIN",
            "COMMIT",
            "commit",
            "COMMIT--past the first word",
            " ;; /* a */ -- b\n COMMIT",
            "/**/END",
            "ROLLBACK",
            "ROLLBACK TO statemachine_change",
            "ROLLBACK TO/**/statemachine_change",
            "SAVEPOINT mine",
            "RELEASE statemachine_change",
            "ATTACH ':memory:' AS other",
            "DETACH other",
            "VACUUM",
            "PRAGMA synchronous = OFF",
            "PRAGMA user_version = 3",
            "PRAGMA journal_mode = DELETE",
            "PRAGMA wal_checkpoint",
            "PRAGMA writable_schema = ON",
            "INSERT INTO statemachine_seen VALUES (1, 'x', 1, 'y', x'')",
            "UPDATE statemachine_run SET seq = 7",
            "DELETE FROM statemachine_entry",
            "DROP TABLE statemachine_tag",
            "DROP VIEW statemachine_log",
            "ALTER TABLE statemachine_run ADD COLUMN x",
            "CREATE INDEX mine ON statemachine_run (seq)",
            "DROP INDEX statemachine_run_due",
            "CREATE TRIGGER mine AFTER UPDATE ON statemachine_run BEGIN SELECT 1; END",
            "CREATE TABLE Statemachine_mine (x)",
            "CREATE TEMP TABLE statemachine_run (x)",
            "CREATE VIEW statemachine_view AS SELECT 1",
        )
    },
}


@pytest.mark.parametrize("use", FORBIDDEN.values(), ids=list(FORBIDDEN))
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "among others"])
def test_it_cannot_leave_its_transaction(
    journal: SQLiteJournal, epoch: int, path: Path, use: Use, *, alone: bool
) -> None:
    """What it tried is refused, its change fails, its rows are gone; the others are written, the journal goes on."""

    def trying(connection: GuardedConnection) -> Change:
        pay("before")(connection)
        use(connection)
        return start("w")

    failures = journal.commit(epoch, [trying] if alone else [start("a"), trying, start("b")])
    failure = failures[0 if alone else 1]
    assert isinstance(failure, ConnectionGuarded | AttributeError), failure
    assert journal.count(Query()) == (0 if alone else 2)
    assert ledger(path) == []
    assert journal.commit(epoch, [start("after"), work(pay("after"))]) == [None, None]


def test_what_is_refused_may_be_caught_and_is_still_refused(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """The transaction is as it was."""

    def use(connection: GuardedConnection) -> None:
        for forbidden in FORBIDDEN.values():
            with pytest.raises((ConnectionGuarded, AttributeError)):
                forbidden(connection)
        pay("after")(connection)

    assert journal.commit(epoch, [start("a"), work(use)]) == [None, None]
    assert ledger(path) == [("after", 5)]


def test_a_refusal_says_what_to_do(journal: SQLiteJournal, epoch: int) -> None:
    """In words that name the rule."""
    (failure,) = journal.commit(epoch, [work(lambda own: own.commit())])
    assert "may not commit" in str(failure)
    assert "Execute statements and return" in str(failure)


def test_the_connection_ends_with_the_step(journal: SQLiteJournal, epoch: int) -> None:
    """Kept for later, it refuses everything, and a half-read query holds nothing."""
    kept: list[Any] = []

    def use(connection: GuardedConnection) -> None:
        connection.executemany("INSERT INTO ledger VALUES (?, 1)", [(str(n),) for n in range(50)])
        kept.extend((connection, connection.execute("SELECT * FROM ledger")))
        kept[1].fetchone()

    assert journal.commit(epoch, [work(use)]) == [None]
    assert not kept[0].in_transaction
    with pytest.raises(ConnectionGuarded, match="that step has ended"):
        kept[0].execute("SELECT 1")
    with pytest.raises(sqlite3.ProgrammingError):
        kept[1].fetchone()
    journal.tidy(epoch)


@pytest.mark.parametrize("catches", [True, False])
def test_a_statement_that_rolls_everything_back_harms_nobody_else(
    journal: SQLiteJournal, epoch: int, path: Path, *, catches: bool
) -> None:
    """`OR ROLLBACK` ends the transaction of all; the others are then written without it."""

    def use(connection: GuardedConnection) -> None:
        pay("x")(connection)
        try:
            connection.execute("INSERT OR ROLLBACK INTO ledger VALUES ('x', 1)")
        except sqlite3.IntegrityError:
            if not catches:
                raise
        with pytest.raises(ConnectionGuarded, match="was rolled back"):
            pay("y")(connection)

    changes: list[Change | Work] = [start("a"), work(pay("good"), "g"), work(use), start("b")]
    failures = journal.commit(epoch, changes)
    expected = ConnectionGuarded if catches else sqlite3.IntegrityError
    assert [type(failure) for failure in failures] == [type(None), type(None), expected, type(None)]
    assert ledger(path) == [("good", 5)]
    assert journal.count(Query()) == 3
    (failure,) = journal.commit(epoch, [work(use)])
    assert isinstance(failure, expected)


def test_a_deferred_constraint_is_its_own_affair_too(path: Path) -> None:
    """Checked by SQLite at the commit of all, it fails for the step that broke it only."""

    def strict(name: str) -> sqlite3.Connection:
        connection = sqlite3.connect(name, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    with closing(SQLiteJournal(path, connect=strict)) as journal:
        epoch = journal.claim("ada", LEASE)
        with closing(sqlite3.connect(path)) as own:
            own.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
            own.execute("CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
        orphan = work(lambda own: own.execute("INSERT INTO child VALUES (7)"))
        failures = journal.commit(epoch, [start("a"), orphan, start("b")])
        assert [type(failure) for failure in failures] == [type(None), sqlite3.IntegrityError, type(None)]
        assert journal.count(Query()) == 2


def test_trouble_of_another_database_is_not_the_journals(journal: SQLiteJournal, epoch: int, tmp_path: Path) -> None:
    """A step that meets a full disk elsewhere fails alone."""

    def use(_: GuardedConnection) -> None:
        with closing(sqlite3.connect(tmp_path / "small.db")) as other:
            other.execute("PRAGMA max_page_count = 1")
            other.execute("CREATE TABLE t (x)")

    failures = journal.commit(epoch, [start("a"), work(use)])
    assert [type(failure) for failure in failures] == [type(None), sqlite3.OperationalError]


def test_trouble_of_the_journals_database_ends_the_batch(journal: SQLiteJournal, epoch: int, path: Path) -> None:
    """Even if the step looks away, the others would meet it, too; so nothing is written and all are told."""
    journal._writer.connection.execute("PRAGMA max_page_count = 1")  # type: ignore[union-attr]

    def use(connection: GuardedConnection) -> None:
        with pytest.raises(sqlite3.OperationalError, match="full"):
            connection.execute("INSERT INTO ledger VALUES (?, 1)", ("x" * 100_000,))

    with pytest.raises(Unwritable, match="full"):
        journal.commit(epoch, [start("a"), work(use)])
    assert journal.count(Query()) == 0
    journal._writer.connection.execute("PRAGMA max_page_count = 1000000")  # type: ignore[union-attr]
    assert journal.commit(epoch, [start("a")]) == [None]
    assert ledger(path) == []


def test_a_journal_is_a_journal() -> None:
    """The class has all that the protocol asks, as a checker sees it."""
    kind: type[Journal] = SQLiteJournal
    assert kind is SQLiteJournal
