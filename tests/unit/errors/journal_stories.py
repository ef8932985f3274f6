"""The stories of `persistence.errors`."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs

from persistence import Codec, Query, SealedCodec, SQLiteJournal, errors
from persistence.contract import LEASE, start
from persistence.contract import step as moved
from statemachine import Client, Connection, Runner, State, Workflow, transaction
from statemachine.snapshot import Failure
from tests.unit.errors.package_stories import in_fork
from tests.unit.errors.telling import Desk, tells
from tests.unit.runner.desk import Order, Shop


def sql(path: Path, *statements: str) -> None:
    """What another program does to a file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@tells(
    errors.Owned,
    "Journal '*app.db' is owned by 'pid *', this very process: a runner that was opened here before has not been ",
    "closed. Close that one, by leaving its `with` block or by its `close()`; where nothing names it any more, as ",
    "in a notebook, restart the process.",
)
def _a_second_runner(desk: Desk) -> None:
    with Runner(desk.path, [Shop(desk.world)]), Runner(desk.path, [Shop(desk.world)]):
        pass


@tells(
    errors.Fenced,
    "Journal '*app.db': epoch 1 was given back. Claim the journal again before writing.",
)
def _an_owner_that_gave_it_back(desk: Desk) -> None:
    with closing(SQLiteJournal(desk.path)) as journal:
        epoch = journal.claim("ada", LEASE)
        journal.release(epoch)
        journal.commit(epoch, [start()])


@tells(
    errors.Stale,
    "Run 'r' is at 2; the change was made for 1.",
)
def _a_change_that_comes_twice(desk: Desk) -> Exception | None:
    with closing(SQLiteJournal(desk.path)) as journal:
        epoch = journal.claim("ada", LEASE)
        journal.commit(epoch, [start(), moved()])
        return journal.commit(epoch, [moved()])[0]


class Torn(sqlite3.Connection):
    """Loses the disk while it commits a run."""

    armed = False

    def cursor(self, factory: Any = None) -> Any:
        """Statements go through it."""
        return super().cursor(TornCursor)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """As a cursor of its own does."""
        return self.cursor().execute(sql, parameters)  # type: ignore[no-any-return]


class TornCursor(sqlite3.Cursor):
    """See `Torn`."""

    def execute(self, sql: str, parameters: Any = (), /) -> TornCursor:
        """Fails at the first commit once the connection is armed."""
        if sql == "COMMIT" and Torn.armed:
            Torn.armed = False
            super().execute("ROLLBACK")
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        super().execute(sql, parameters)
        return self


@tells(
    errors.CommitUnknown,
    "Journal '*app.db': the commit failed (disk I/O error), and whether it happened is unknown. Discard what ",
    "is in memory, and read the runs' seq to learn it.",
)
def _a_disk_that_goes_away_in_a_commit(desk: Desk) -> None:
    def connect(path: str) -> sqlite3.Connection:
        return sqlite3.connect(path, factory=Torn, check_same_thread=False)

    with closing(SQLiteJournal(desk.path, connect=connect)) as journal:
        epoch = journal.claim("ada", LEASE)
        Torn.armed = True
        journal.commit(epoch, [start()])


@tells(
    errors.Unwritable,
    "Journal '*app.db': the file cannot be opened. See that its folder exists and may be written, for the -wal",
    " beside it too. (unable to open database file)",
)
def _a_folder_that_is_not_there(desk: Desk) -> None:
    with Runner(desk.folder / "nowhere" / "app.db", [Shop(desk.world)]):
        pass


@tells(
    errors.Busy,
    "Journal '*app.db': somebody else keeps the database locked; nothing was written. Find who holds a ",
    "transaction open so long. (database is locked)",
)
def _another_program_that_keeps_the_lock(desk: Desk) -> None:
    with closing(SQLiteJournal(desk.path, busy_timeout=0.05)) as journal:
        epoch = journal.claim("ada", LEASE)
        with closing(sqlite3.connect(desk.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            journal.commit(epoch, [start()])


@tells(
    errors.Foreign,
    "'*app.db' is a database with tables of its own (book) and no journal. To keep a journal beside them give ",
    "SQLiteJournal(path, adopt=True): the file is put into WAL mode, your tables stay as they are.",
)
def _the_applications_own_database(desk: Desk) -> None:
    sql(desk.path, "CREATE TABLE book (title)")
    with Runner(desk.path, [Shop(desk.world)]):
        pass


@tells(
    errors.NewerSchema,
    "Journal '*app.db' was written by a later version of this package: it has m999. Upgrade durable-",
    "statemachine; an older one must not touch the file.",
)
def _a_file_of_a_later_version(desk: Desk) -> None:
    desk.left()
    sql(
        desk.path,
        "INSERT INTO _sqlite_migrations SELECT max(id) + 1, migration_set, 'm999', '' FROM _sqlite_migrations",
    )
    with Runner(desk.path, [Shop(desk.world)]):
        pass


@tells(
    errors.Unsuitable,
    "A journal in a file needs a path. For one in memory use MemoryJournal.",
)
def _a_runner_on_sqlites_memory(desk: Desk) -> None:
    with Runner(":memory:", [Shop(desk.world)]):
        pass


@tells(
    errors.Damaged,
    "Journal '*app.db': the database is damaged. Keep the file and its -wal, and recover it with `sqlite3 FILE",
    " .recover`. (database disk image is malformed)",
)
def _half_a_file(desk: Desk) -> None:
    with closing(SQLiteJournal(desk.path)) as journal:
        journal.commit(journal.claim("ada", LEASE), [start(f"r{n}", snapshot=b"x" * 3000) for n in range(50)])
    os.truncate(desk.path, desk.path.stat().st_size // 2)
    with closing(SQLiteJournal(desk.path)) as journal:
        journal.runs(Query())


@tells(
    errors.Forked,
    "Journal '*app.db' was opened in process * and is used in its child *. Open the journal in the child only ",
    "(after the fork: gunicorn's post_fork, a pool's initializer), or start children by spawn ",
    "(multiprocessing.get_context('spawn')) and open it in each.",
)
def _a_journal_in_a_forked_child(desk: Desk) -> Failure:
    with closing(SQLiteJournal(desk.path)) as journal:
        return Failure(*in_fork(journal.pulse), "")


@tells(
    errors.Closed,
    "Journal '*app.db' is closed. Open it again.",
)
def _a_journal_that_was_closed(desk: Desk) -> None:
    journal = SQLiteJournal(desk.path)
    journal.close()
    journal.run("o-1")


@tells(
    errors.NoJournal,
    "There is no file '*mistyped.db', and a client makes none. Look at the path; or start the application that owns ",
    "it first, whose runner makes it.",
)
def _a_path_that_was_mistyped(desk: Desk) -> None:
    with Client(desk.path.with_name("mistyped.db")) as client:
        client.list()


@tells(
    errors.Sealed,
    "Run 'o-1' of journal '*app.db' is sealed, and no key given here opens it. Give Runner(codec=...) (or ",
    "--codec) the key that it was sealed with.",
)
def _a_key_that_was_left_out(desk: Desk) -> None:
    backwards = SealedCodec(lambda raw: raw[::-1], lambda raw: raw[::-1])
    with Runner(desk.path, [Shop(desk.world)], codec=backwards) as runner:
        runner.start(Shop, Order("book"), id="o-1")
    with Client(desk.path) as client:
        client.get("o-1").look(plain=True)


@tells(
    errors.WrongConnection,
    "Journal '*app.db': the connection given is in no transaction, so what is put on it would be committed at once, ",
    "whatever becomes of your rows. Begin one first (BEGIN; Django: transaction.atomic()), or give none.",
)
def _a_start_on_a_connection_that_commits_by_itself(desk: Desk) -> None:
    with (
        Runner(desk.path, [Shop(desk.world)]) as runner,
        closing(sqlite3.connect(desk.path, isolation_level=None)) as own,
    ):
        runner.start(Shop, Order("book"), id="o-1", connection=own)


class Ledger(Workflow[Order], name="ledger"):
    """Books an order, and commits by itself."""

    booking = State(initial=True)
    booked = State(final=True)

    @transaction(booking, to=booked, pivot=True)
    def book(self, order: Order, connection: Connection) -> Order:
        """It is not for a step to commit."""
        connection.execute("COMMIT")
        return order


@tells(
    errors.ConnectionGuarded,
    "A transactional step may not execute COMMIT: its work is committed together with its transition, or not ",
    "at all. Execute statements and return; raise to have everything rolled back.",
)
def _a_transaction_that_commits_by_itself(desk: Desk) -> Failure | None:
    with Runner(desk.path, [Ledger()]) as runner:
        result = runner.start(Ledger, Order("book"), id="o-1").result(5)
        return result.error


@attrs.frozen
class Box:
    """Something of a type that nobody names."""

    content: Any


@tells(
    errors.NotStorable,
    "Box.content is of any type, so its values come back as other types. Name the type. Allowed are None, ",
    "bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, UUID, Enum, Literal, list, tuple,",
    " set, frozenset and dict of such, TypedDict, NamedTuple, and attrs classes, dataclasses and msgspec ",
    "Structs of such.",
)
def _a_type_without_a_shape(_desk: Desk) -> None:
    Codec().check_type(Box)
