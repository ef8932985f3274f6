"""The tables, made and migrated by one sqlite-utils `Migrations` set.

This module costs an import of sqlite_utils, so it is imported only where a schema is made (see
`persistence.sqlite.opening`, which knows the migrations' names without it). A migration that was ever published is
never changed: a later one changes what it made.

Columns that never change once a run is there (`workflow`, `started`, `input`, `tags`) and those that seldom do are
indexed; the ones that every transition writes are not, so that a transition touches one page of runs and the end of the
entries. The snapshot stands last in its row, so that a listing does not read what of it has spilled over.
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database, Migrations

from persistence.sqlite.caching import INDEX, TABLE, UNTIL
from persistence.sqlite.sql import MIGRATION_SET

migrations = Migrations(MIGRATION_SET)

TABLES = (
    """
    CREATE TABLE statemachine_owner (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        epoch INTEGER NOT NULL,                  -- grows by one with every claim; checked inside every commit
        owner TEXT NOT NULL,
        settled INTEGER NOT NULL                 -- grows when a commit has failed; see SETTLE
    )
    """,
    "INSERT INTO statemachine_owner (one, epoch, owner, settled) VALUES (1, 0, '', 0)",
    """
    CREATE TABLE statemachine_run (
        id INTEGER PRIMARY KEY,
        run TEXT NOT NULL UNIQUE,
        workflow TEXT NOT NULL,
        version INTEGER NOT NULL,
        definition TEXT NOT NULL,
        status TEXT NOT NULL,
        states TEXT NOT NULL,                    -- JSON array of the active leaves
        seq INTEGER NOT NULL,
        over INTEGER NOT NULL,
        busy INTEGER NOT NULL,
        due INTEGER,                             -- microseconds since 1970 UTC, as all times
        incidents INTEGER NOT NULL,
        paused INTEGER NOT NULL,
        held TEXT NOT NULL,
        started INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        input BLOB NOT NULL,
        tags TEXT NOT NULL,                      -- JSON object
        snapshot BLOB NOT NULL                   -- JSON
    )
    """,
    "CREATE INDEX statemachine_run_started ON statemachine_run (started)",
    "CREATE INDEX statemachine_run_workflow ON statemachine_run (workflow, started)",
    "CREATE INDEX statemachine_run_status ON statemachine_run (status, started)",
    "CREATE INDEX statemachine_run_live ON statemachine_run (started) WHERE over = 0",
    """
    CREATE INDEX statemachine_run_due ON statemachine_run (due, run)
    WHERE due IS NOT NULL AND over = 0 AND paused = 0 AND held = ''
    """,
    "CREATE INDEX statemachine_run_busy ON statemachine_run (run) WHERE busy = 1 AND over = 0 AND held = ''",
    "CREATE INDEX statemachine_run_incident ON statemachine_run (started) WHERE incidents > 0",
    "CREATE INDEX statemachine_run_held ON statemachine_run (started) WHERE held <> ''",
    "CREATE INDEX statemachine_run_paused ON statemachine_run (started) WHERE paused = 1",
    """
    CREATE TABLE statemachine_tag (
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        started INTEGER NOT NULL,                -- of the run, so that a page of runs with a tag is one range
        run_id INTEGER NOT NULL,
        PRIMARY KEY (name, value, started, run_id)
    ) WITHOUT ROWID
    """,
    # Entries are appended; a table of its own order and a small index beside it measured a third faster than one
    # clustered by run, because the pages of the entries are written full and once.
    """
    CREATE TABLE statemachine_entry (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        event_id TEXT NOT NULL,
        actor TEXT,
        reason TEXT,
        definition TEXT NOT NULL,
        states TEXT NOT NULL,
        body BLOB NOT NULL,                      -- JSON
        UNIQUE (run_id, seq)
    )
    """,
    """
    CREATE TABLE statemachine_seen (
        run_id INTEGER NOT NULL,
        id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        verdict TEXT NOT NULL,
        PRIMARY KEY (run_id, id)
    ) WITHOUT ROWID
    """,
    # AUTOINCREMENT: a number is never given twice, so "after number n" never misses a message.
    """
    CREATE TABLE statemachine_inbox (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        run TEXT NOT NULL,
        id TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        body BLOB NOT NULL,                      -- JSON
        at INTEGER NOT NULL,
        actor TEXT,
        reason TEXT,
        verdict TEXT NOT NULL DEFAULT '',
        answer BLOB NOT NULL DEFAULT x''
    )
    """,
    """
    CREATE UNIQUE INDEX statemachine_inbox_id ON statemachine_inbox (run, id, kind)
    WHERE verdict <> 'failed' AND verdict <> 'refused'
    """,
    "CREATE INDEX statemachine_inbox_waiting ON statemachine_inbox (number) WHERE verdict = ''",
    """
    CREATE TABLE statemachine_attempt (
        run TEXT NOT NULL,
        visit INTEGER NOT NULL,
        step TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        PRIMARY KEY (run, visit)
    ) WITHOUT ROWID
    """,
)


GONE = """
CREATE TABLE statemachine_gone (                 -- event ids of runs that were pruned
    run TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (run, id)
) WITHOUT ROWID
"""


HOLD = """
CREATE TABLE statemachine_hold (                 -- what a person holds back
    workflow TEXT NOT NULL,                      -- '' for every workflow
    step TEXT NOT NULL,                          -- '' for all of the workflow
    reason TEXT,
    actor TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (workflow, step)
) WITHOUT ROWID
"""

# With the workflow, so that overdue runs of one that is held are passed over without reading their rows.
DUE = """
CREATE INDEX statemachine_run_due ON statemachine_run (due, run, workflow)
WHERE due IS NOT NULL AND over = 0 AND paused = 0 AND held = ''
"""
ITEMS = (
    """
    CREATE TABLE statemachine_fan (                  -- steps that are done once for each of many items
        run_id INTEGER NOT NULL,
        visit INTEGER NOT NULL,
        step TEXT NOT NULL,
        total INTEGER NOT NULL,
        most INTEGER NOT NULL,
        PRIMARY KEY (run_id, visit)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE statemachine_given (                -- their items, many to a row, written when the visit begins
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        visit INTEGER NOT NULL,
        first INTEGER NOT NULL,
        items BLOB NOT NULL,                         -- JSON array
        UNIQUE (run_id, visit, first)
    )
    """,
    # As for entries: a table of its own order and an index beside it, for results come in whatever order.
    """
    CREATE TABLE statemachine_item (                 -- what came of each
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        visit INTEGER NOT NULL,
        back INTEGER NOT NULL,                       -- 1: of its undo
        number INTEGER NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        due INTEGER,
        at INTEGER NOT NULL,
        body BLOB NOT NULL,                          -- JSON
        UNIQUE (run_id, visit, back, number)
    )
    """,
)

SAVED = """
CREATE TABLE statemachine_saved (                -- what a step that goes on has saved of its progress
    run TEXT NOT NULL,
    visit INTEGER NOT NULL,
    at INTEGER NOT NULL,
    value BLOB NOT NULL,                         -- JSON
    UNIQUE (run, visit)
)
"""


NOTICES = (
    # AUTOINCREMENT: "after number n" never misses one.
    """
    CREATE TABLE statemachine_notice (               -- what a person is to be told of, until it was
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        run TEXT NOT NULL,
        kind TEXT NOT NULL,
        at INTEGER NOT NULL,
        body BLOB NOT NULL                           -- JSON
    )
    """,
    "CREATE TABLE statemachine_wanted (kind TEXT PRIMARY KEY) WITHOUT ROWID",
)


# What is over does not move any more, so this costs a run one entry.
ENDED = "CREATE INDEX statemachine_run_ended ON statemachine_run (updated) WHERE over = 1"

# What runs send is put each time: a receiver that knows the id compares.
DIGEST = (
    "ALTER TABLE statemachine_seen ADD COLUMN digest BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE statemachine_gone ADD COLUMN digest BLOB NOT NULL DEFAULT x''",
    "DROP INDEX statemachine_inbox_id",
    """
    CREATE UNIQUE INDEX statemachine_inbox_id ON statemachine_inbox (run, id, kind)
    WHERE verdict <> 'failed' AND verdict <> 'refused' AND kind <> 'sent'
    """,
)


def _iso(column: str) -> str:
    """SQL that writes microseconds since 1970 as ISO 8601 in UTC; NULL stays NULL."""
    return (
        f"strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000000, 'unixepoch') || printf('.%06dZ', {column} % 1000000)"
        f" AS {column.rpartition('.')[2]}"
    )


VIEWS = (
    f"""
    CREATE VIEW statemachine_log AS
    SELECT r.run, r.workflow, e.seq, {_iso("e.at")}, e.kind, e.name, e.event_id, e.actor, e.reason,
           e.states, CAST(e.body AS TEXT) AS body, e.definition
    FROM statemachine_entry AS e JOIN statemachine_run AS r ON r.id = e.run_id
    """,
    f"""
    CREATE VIEW statemachine_overview AS
    SELECT run, workflow, version, status, states, seq, over, busy, {_iso("due")}, incidents, paused, held,
           {_iso("started")}, {_iso("updated")}, tags, definition, CAST(snapshot AS TEXT) AS snapshot
    FROM statemachine_run
    """,
)


@migrations(name="m001_tables")
def _tables(db: Database) -> None:
    for statement in TABLES:
        db.conn.execute(statement)


@migrations(name="m002_views")
def _views(db: Database) -> None:
    for statement in VIEWS:
        db.conn.execute(statement)


@migrations(name="m003_gone")
def _gone(db: Database) -> None:
    db.conn.execute(GONE)


@migrations(name="m004_trace")
def _trace(db: Database) -> None:
    db.conn.execute("ALTER TABLE statemachine_inbox ADD COLUMN trace TEXT")


@migrations(name="m005_hold")
def _hold(db: Database) -> None:
    db.conn.execute(HOLD)
    db.conn.execute("DROP INDEX statemachine_run_due")
    db.conn.execute(DUE)


@migrations(name="m006_cache")
def _cache(db: Database) -> None:
    db.conn.execute(TABLE)
    db.conn.execute(INDEX)


@migrations(name="m007_saved")
def _saved(db: Database) -> None:
    db.conn.execute(SAVED)


@migrations(name="m008_items")
def _items(db: Database) -> None:
    for statement in ITEMS:
        db.conn.execute(statement)


@migrations(name="m009_notice")
def _notice(db: Database) -> None:
    for statement in NOTICES:
        db.conn.execute(statement)


@migrations(name="m010_ended")
def _ended(db: Database) -> None:
    db.conn.execute(ENDED)


@migrations(name="m011_cache_until")
def _cache_until(db: Database) -> None:
    db.conn.execute(UNTIL)


@migrations(name="m012_digest")
def _digest(db: Database) -> None:
    for statement in DIGEST:
        db.conn.execute(statement)


def apply(connection: sqlite3.Connection) -> None:
    """Apply the migrations that the database lacks, inside the caller's transaction."""
    migrations.apply(Database(connection, execute_plugins=False))
