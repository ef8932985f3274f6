"""Results that were recorded for runs to come: found by their key, within bounds, the oldest out."""

from __future__ import annotations

import sqlite3

from persistence.records import CachedRecord, ShelfRecord

TABLE = """
CREATE TABLE statemachine_cache (                -- results of steps, for other runs to take
    shelf TEXT NOT NULL,                         -- whose bounds it counts for
    key TEXT NOT NULL,                           -- hash of what it was computed from, and by what
    number INTEGER NOT NULL,                     -- grows within its shelf
    below INTEGER NOT NULL,                      -- bytes that were put on its shelf before it
    run TEXT NOT NULL,
    visit INTEGER NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    value BLOB NOT NULL,                         -- JSON
    UNIQUE (shelf, key),
    UNIQUE (shelf, number)
)
"""
INDEX = "CREATE INDEX statemachine_cache_run ON statemachine_cache (run)"
UNTIL = "CREATE INDEX statemachine_cache_until ON statemachine_cache (until)"

_LAST = "SELECT number, below + length(value) FROM statemachine_cache WHERE shelf = ? ORDER BY number DESC LIMIT 1"

_KEEP = """
INSERT OR REPLACE INTO statemachine_cache (shelf, key, number, below, run, visit, at, until, value)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_TOO_MANY = "DELETE FROM statemachine_cache WHERE shelf = ? AND number <= ?"

# The first that has no more than so many bytes from itself on; only those in front of it are read.
_TOO_LARGE = """
DELETE FROM statemachine_cache WHERE shelf = ?1 AND number < COALESCE(
    (SELECT number FROM statemachine_cache WHERE shelf = ?1 AND below >= ?2 ORDER BY number LIMIT 1),
    9223372036854775807)
"""

_FIND = "SELECT run, visit, at, until, value FROM statemachine_cache WHERE shelf = ? AND key = ?"

_SHELVES = """
SELECT shelf, COUNT(*), SUM(length(value)), MIN(at) FROM statemachine_cache GROUP BY shelf ORDER BY shelf
"""

KEPT = "SELECT COUNT(*), COALESCE(SUM(length(value)), 0) FROM statemachine_cache"


def keep(cursor: sqlite3.Cursor, cached: CachedRecord) -> None:
    """Put a result on its shelf, inside the caller's transaction, and take the oldest off it that are too many."""
    number, below = cursor.execute(_LAST, (cached.shelf,)).fetchone() or (0, 0)
    number += 1
    place = (cached.shelf, cached.key, number, below, cached.run, cached.visit, cached.at, cached.until, cached.value)
    cursor.execute(_KEEP, place)
    cursor.execute(_TOO_MANY, (cached.shelf, number - cached.most))
    cursor.execute(_TOO_LARGE, (cached.shelf, below + len(cached.value) - cached.size))


def find(connection: sqlite3.Connection, shelf: str, key: str) -> CachedRecord | None:
    """See `Journal.cached`."""
    row = connection.execute(_FIND, (shelf, key)).fetchone()
    if row is None:
        return None
    return CachedRecord(shelf=shelf, key=key, run=row[0], visit=row[1], at=row[2], until=row[3], value=row[4])


def shelves(connection: sqlite3.Connection) -> list[ShelfRecord]:
    """See `Journal.shelves`."""
    return [
        ShelfRecord(shelf=shelf, results=results, size=size, oldest=oldest)
        for shelf, results, size, oldest in connection.execute(_SHELVES).fetchall()
    ]
