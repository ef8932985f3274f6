"""Which files become journals, what is written into them, and what is not."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from persistence import (
    Closed,
    Damaged,
    Foreign,
    JournalError,
    NewerSchema,
    Query,
    SQLiteJournal,
    Unsuitable,
    Unwritable,
)
from persistence.contract import LEASE, a_message, a_run, an_entry, start, step
from persistence.records import Change
from persistence.sqlite import opening, schema, sql
from persistence.sqlite.sql import MIGRATION_SET, MIGRATIONS

SCHEMA = Path(__file__).with_name("schema.sql")


def ask(path: Path, statement: str) -> list[tuple[object, ...]]:
    """What any SQLite tool would be told."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def make(path: Path, *statements: str) -> None:
    """A database of the application's own."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def schema_of(connection: sqlite3.Connection) -> list[str]:
    """All that a journal makes in a database, as text."""
    statement = "SELECT sql FROM sqlite_master WHERE name LIKE 'statemachine%' AND sql IS NOT NULL ORDER BY name"
    return [text for (text,) in connection.execute(statement)]


# --------------------------------------------------------------------------------------------------------------- schema


def test_a_new_file_becomes_a_journal(path: Path) -> None:
    """In WAL mode, with the migrations recorded where sqlite-utils looks for them."""
    SQLiteJournal(path).close()
    assert ask(path, "PRAGMA journal_mode") == [("wal",)]
    recorded = ask(path, f"SELECT name FROM _sqlite_migrations WHERE migration_set = '{MIGRATION_SET}' ORDER BY id")
    assert tuple(name for (name,) in recorded) == MIGRATIONS


def test_the_names_of_the_migrations_are_those_of_the_set() -> None:
    """They are known without importing sqlite_utils, so they are written twice."""
    with closing(sqlite3.connect(":memory:")) as connection:
        pending = schema.migrations.pending(Database(connection))
    assert tuple(migration.name for migration in pending) == MIGRATIONS


def test_a_migrated_schema_equals_a_fresh_one(path: Path) -> None:
    """Whichever version a file was made by, it has the schema written in schema.sql in the end."""
    expected = SCHEMA.read_text()
    with closing(sqlite3.connect(path)) as connection:
        schema.apply(connection)
        fresh = schema_of(connection)
    assert ";\n\n".join(fresh) + ";\n" == expected
    for stop in MIGRATIONS[1:]:
        older = path.with_name(f"before-{stop}.db")
        with closing(sqlite3.connect(older)) as connection:
            schema.migrations.apply(Database(connection), stop_before=stop)
            assert schema_of(connection) != fresh
        SQLiteJournal(older).close()
        with closing(sqlite3.connect(older)) as connection:
            assert schema_of(connection) == fresh


def test_opening_again_keeps_what_is_there(path: Path) -> None:
    """Nothing is made twice."""
    with closing(SQLiteJournal(path)) as journal:
        journal.commit(journal.claim("ada", LEASE), [start()])
    with closing(SQLiteJournal(str(path))) as journal:
        assert journal.run("r") == a_run()
        assert journal.name == str(path)


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All migrations are one transaction."""

    def fail(_: Database) -> None:
        raise LookupError

    monkeypatch.setattr(schema.migrations._migrations[-1], "fn", fail)
    with pytest.raises(LookupError):
        SQLiteJournal(path)
    assert ask(path, "SELECT * FROM sqlite_master") == []


def test_a_file_of_a_later_version_is_refused(path: Path) -> None:
    """And the message says what to do."""
    SQLiteJournal(path).close()
    make(
        path, f"INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('{MIGRATION_SET}', 'm999', '')"
    )
    with pytest.raises(NewerSchema, match=r"m999.*\n?.*Upgrade"):
        SQLiteJournal(path)


# -------------------------------------------------------------------------------------------------- the user's database


def test_a_database_of_others_is_refused_unless_adopted(path: Path) -> None:
    """Refused, it is as it was, byte for byte; adopted, its tables, its user_version and application_id are its own."""
    make(
        path,
        "CREATE TABLE book (title TEXT)",
        "INSERT INTO book VALUES ('Mort')",
        "PRAGMA user_version = 7",
        "PRAGMA application_id = 77",
    )
    before = path.read_bytes()
    with pytest.raises(Foreign, match=r"book.*adopt=True"):
        SQLiteJournal(path)
    assert path.read_bytes() == before
    with closing(SQLiteJournal(path, adopt=True)) as journal:
        journal.commit(journal.claim("ada", LEASE), [start()])
    assert ask(path, "SELECT * FROM book") == [("Mort",)]
    assert ask(path, "PRAGMA user_version") == [(7,)]
    assert ask(path, "PRAGMA application_id") == [(77,)]
    names = {str(name) for (name,) in ask(path, "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}
    ours = {name for name in names if name.startswith("statemachine_")}
    assert names - ours == {"book", "_sqlite_migrations", "idx__sqlite_migrations_migration_set_name"}
    SQLiteJournal(path).close()  # once adopted, it is a journal


def test_a_database_with_migrations_of_its_own_may_be_adopted(path: Path) -> None:
    """An application that uses sqlite-utils' migrations has the same table; each set keeps its own rows."""
    make(
        path, "CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)"
    )
    make(path, "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('books', 'm001', 'then')")
    with pytest.raises(Foreign):
        SQLiteJournal(path)
    SQLiteJournal(path, adopt=True).close()
    assert ask(path, "SELECT name FROM _sqlite_migrations WHERE migration_set = 'books'") == [("m001",)]


def test_tables_named_like_ours_that_are_not_ours_are_refused(path: Path) -> None:
    """Even when told to adopt."""
    make(path, "CREATE TABLE statemachine_run (x)")
    with pytest.raises(Foreign, match="Rename them"):
        SQLiteJournal(path, adopt=True)


@pytest.mark.parametrize("text", [b"Dear diary, this is no database. " * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused(path: Path, text: bytes) -> None:
    """It is named, and not touched."""
    path.write_bytes(text)
    with pytest.raises(Foreign, match=r"app\.db.*not an SQLite database"):
        SQLiteJournal(path)
    assert path.read_bytes() == text


def test_a_truncated_file_is_damaged(path: Path) -> None:
    """Reading it fails with an error that says what to do, whichever part is gone."""
    with closing(SQLiteJournal(path)) as journal:
        journal.commit(journal.claim("ada", LEASE), [start(f"r{n}", snapshot=b"x" * 3000) for n in range(50)])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size // 2)
    with pytest.raises(Damaged, match=r"app\.db.*recover"), closing(SQLiteJournal(path)) as journal:
        journal.runs(Query())


def test_a_journal_without_its_tables_is_damaged(path: Path) -> None:
    """Somebody dropped one."""
    with closing(SQLiteJournal(path)) as journal:
        make(path, "DROP TABLE statemachine_inbox")
        with pytest.raises(Damaged, match="backup"):
            journal.inbox(0, 1)


@pytest.mark.parametrize("path", [":memory:", ""])
def test_a_journal_needs_a_file(path: str) -> None:
    """For memory there is another journal."""
    with pytest.raises(Unsuitable, match="MemoryJournal"):
        SQLiteJournal(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The journal makes its file, not the way to it."""
    with pytest.raises(Unwritable, match=r"nowhere.*folder exists"):
        SQLiteJournal(tmp_path / "nowhere" / "app.db")


def test_a_read_only_database_cannot_be_a_new_journal(path: Path) -> None:
    """And an existing one can be read through it, and not written."""
    make(path)
    path.touch()

    def read_only(name: str) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{name}?mode=ro", uri=True, check_same_thread=False)

    with pytest.raises(JournalError, match=r"app\.db"):
        SQLiteJournal(path, connect=read_only)
    with closing(SQLiteJournal(path)) as journal:
        journal.commit(journal.claim("ada", LEASE), [start()])
        with closing(SQLiteJournal(path, connect=read_only)) as reader:
            assert reader.run("r") == a_run()
            with pytest.raises(Unwritable, match="read-only"):
                reader.put(a_message())


def test_a_connection_that_cannot_use_wal_is_refused(path: Path) -> None:
    """Such as one to memory, whatever the path says."""
    with pytest.raises(Unsuitable, match="'memory' mode"):
        SQLiteJournal(path, connect=lambda _: sqlite3.connect(":memory:", check_same_thread=False))


def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both versions in the message."""
    monkeypatch.setattr(opening, "OLDEST", (99, 1, 0))
    with pytest.raises(Unsuitable, match=r"needs SQLite 99\.1\.0"):
        SQLiteJournal(path)


# ---------------------------------------------------------------------------------------------------------------- place


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:26 / /srv rw,relatime shared:5 - nfs4 server:/srv rw
31 30 254:1 / /srv/local\\040disk rw - xfs /dev/b rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/var/x.db", "ext4"), ("/srv/x.db", "nfs4"), ("/srvx/x.db", "ext4"), ("/srv/local disk/x.db", "xfs")],
)
def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path, path: str, kind: str) -> None:
    """As the kernel's own table says."""
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    assert opening.file_system(path, table) == kind
    assert opening.file_system(path, tmp_path / "absent") == ""


def test_a_network_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is known as one."""
    monkeypatch.setattr(opening, "file_system", lambda *_: "nfs4")
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(Unsuitable, match=r"nfs4.*local disk"):
        SQLiteJournal(path)


# ---------------------------------------------------------------------------------------------------------- other tools


def test_the_log_is_read_with_any_tool(path: Path) -> None:
    """Plain columns, ISO times, JSON that is text."""
    with closing(SQLiteJournal(path)) as journal:
        line = an_entry(at=1_700_000_000_000_001, name="Approve", event_id="e", actor="ada", states=("a", "b.c"))
        journal.commit(journal.claim("ada", LEASE), [Change(run=a_run(), entries=(line,))])
        (row,) = ask(
            path,
            "SELECT run, workflow, seq, at, kind, name, event_id, actor, reason, states, body FROM statemachine_log",
        )
    assert row[:9] == ("r", "loan", 1, "2023-11-14T22:13:20.000001Z", "event", "Approve", "e", "ada", None)
    assert json.loads(str(row[9])) == ["a", "b.c"]
    assert json.loads(str(row[10])) == {"n": 1}


def test_the_overview_is_read_with_any_tool(path: Path) -> None:
    """A run in one line."""
    with closing(SQLiteJournal(path)) as journal:
        run = a_run(due=60_000_000, started=0, tags={"k": "v"})
        journal.commit(journal.claim("ada", LEASE), [Change(run=run), start("s")])
        row, other = ask(path, "SELECT run, due, started, tags, snapshot FROM statemachine_overview ORDER BY run")
    assert row == ("r", "1970-01-01T00:01:00.000000Z", "1970-01-01T00:00:00.000000Z", '{"k":"v"}', '{"seq":1}')
    assert other[1] is None


def test_the_log_of_one_run_is_found_by_index(path: Path) -> None:
    """A view must not read the whole journal for one run's story."""
    SQLiteJournal(path).close()
    plan = " ".join(
        str(line[3]) for line in ask(path, "EXPLAIN QUERY PLAN SELECT * FROM statemachine_log WHERE run = 'r'")
    )
    assert "SCAN" not in plan


PLANS = [
    Query(),
    Query(workflow="w"),
    Query(status="failed"),
    Query(tags={"k": "v"}),
    Query(incident=True),
    Query(held=True),
    Query(paused=True),
    Query(started_before=1),
    Query(workflow="w", after="r"),
    Query(tags={"k": "v", "l": "w"}, after="r"),
]


@pytest.mark.parametrize("query", PLANS, ids=str)
def test_a_page_is_read_in_the_order_of_an_index(path: Path, query: Query) -> None:
    """No listing sorts, so none loads more than its page."""
    plans: list[str] = []

    def traced(name: str) -> sqlite3.Connection:
        return sqlite3.connect(name, factory=Traced, check_same_thread=False)

    class Traced(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if "LIMIT ?" in sql:
                plans.extend(row[3] for row in super().execute(f"EXPLAIN QUERY PLAN {sql}", parameters))
            return super().execute(sql, parameters)

    with closing(SQLiteJournal(path, connect=traced)) as journal:
        journal.runs(query)
    assert plans
    assert not [line for line in plans if "TEMP B-TREE" in line], plans


def test_holding_and_releasing_write_only_what_changes(path: Path) -> None:
    """Each start compares every group of runs; what is as it should be is not written."""
    with closing(SQLiteJournal(path)) as journal:
        epoch = journal.claim("ada", LEASE)
        journal.commit(epoch, [start(f"r{n}") for n in range(1000)])
        (group,) = journal.live()
        for reason, written in (("", False), ("gone", True), ("gone", False), ("", True), ("", False)):
            before = path.with_name("app.db-wal").stat().st_size
            journal.hold(epoch, group, reason)
            grown = path.with_name("app.db-wal").stat().st_size - before
            assert (grown > 40_000) == written, (reason, grown)
    plan = ask(path, f"EXPLAIN QUERY PLAN {sql.RELEASE.replace('?', 'NULL')}")
    assert "statemachine_run_held" in str(plan)


# -------------------------------------------------------------------------------------------------------------- closing


@pytest.fixture(name="journal")
def _journal(path: Path) -> Iterator[SQLiteJournal]:
    with closing(SQLiteJournal(path)) as journal:
        yield journal


def test_a_closed_journal_says_so(journal: SQLiteJournal) -> None:
    """Whatever it is asked."""
    journal.close()
    for use in (lambda: journal.run("r"), lambda: journal.put(a_message()), lambda: journal.commit(1, [start()])):
        with pytest.raises(Closed, match="Open it again"):
            use()


def test_closing_leaves_one_file(journal: SQLiteJournal, path: Path) -> None:
    """The owner's close copies the log into the database; what is left beside it is the lock's file."""
    epoch = journal.claim("ada", LEASE)
    journal.commit(epoch, [start(), step()])
    journal.close()
    assert {file.name for file in path.parent.iterdir()} == {"app.db", "app.db.owner"}
