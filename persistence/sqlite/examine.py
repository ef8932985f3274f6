"""The ground a journal's file stands on, as facts for a person: SQLite, settings, schema, others' tables, place."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from persistence.sqlite.caching import KEPT
from persistence.sqlite.opening import NETWORK, file_system, sqlite_version
from persistence.sqlite.sql import MIGRATION_SET, MIGRATIONS
from persistence.sqlite.trouble import Translated
from persistence.sqlite.wal import log_length, wal_reset_race

CAUTION = (
    "commits can be lost when two connections checkpoint at once (mended in 3.51.3): others that write this file "
    "must set PRAGMA wal_autocheckpoint=0"
)


def examine(path: str | os.PathLike[str]) -> dict[str, str]:
    """Look, and change nothing.

    Raises:
        JournalError: The file cannot be read as a database.
    """
    name = os.fspath(path)
    with (
        Translated(name),
        closing(sqlite3.connect(f"{Path(name).absolute().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        version = sqlite_version(connection)
        facts = {
            "file": f"{name}, {Path(name).stat().st_size:,} bytes",
            "write-ahead log": f"{log_length(Path(f'{os.path.realpath(name)}-wal')):,} bytes in use",
            "SQLite": ".".join(map(str, version)),
            "SQLite's WAL-reset race": CAUTION if wal_reset_race(version) else "mended in this version",
            "file system": _place(name),
            "schema": _schema(connection),
            "integrity": _pragma(connection, "quick_check(1)"),
        }
        for setting in ("journal_mode", "page_size", "auto_vacuum", "application_id", "user_version", "freelist_count"):
            facts[setting] = _pragma(connection, setting)
        facts["results kept for other runs"] = _cached(connection)
        facts["the application's tables"] = _others(connection)
    return facts


def _pragma(connection: sqlite3.Connection, name: str) -> str:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return str(value)


def _place(name: str) -> str:
    kind = file_system(os.path.realpath(name), Path("/proc/self/mountinfo")) if sys.platform == "linux" else ""
    return f"{kind}: a network file system, where a journal is not safe" if kind in NETWORK else kind or "unknown"


def _schema(connection: sqlite3.Connection) -> str:
    statement = "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY id"
    try:
        applied = [name for (name,) in connection.execute(statement, (MIGRATION_SET,))]
    except sqlite3.OperationalError:
        return "none: this file has no journal"
    if not set(applied) <= set(MIGRATIONS):
        return f"{applied[-1]}: of a later version of this package"
    missing = [name for name in MIGRATIONS if name not in applied]
    return (
        f"{applied[-1] if applied else 'none'}, to be migrated to {missing[-1]}"
        if missing
        else f"{applied[-1]}, current"
    )


def _cached(connection: sqlite3.Connection) -> str:
    try:
        (results, size) = connection.execute(KEPT).fetchone()
    except sqlite3.OperationalError:
        return "none"
    return f"{results:,}, {size:,} bytes"


def _others(connection: sqlite3.Connection) -> str:
    statement = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    ours = ("statemachine_", "sqlite_", "_sqlite_")
    names = [name for (name,) in connection.execute(statement) if not name.startswith(ours)]
    return ", ".join(names) or "none"
