"""Checkpoints: when the write-ahead log is long, what it holds is copied into the database, so that it can start again.

Versions of SQLite before 3.51.3 (but for 3.44.6 and 3.50.7) can lose a commit when one connection resets the log at the
moment in which another checkpoints it (https://www.sqlite.org/wal.html#walresetbug). So no connection of a journal
checkpoints by itself; the owner alone does, on a second connection, while its first holds the write lock: then nobody
can commit, and so reset, under it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from persistence.sqlite.connection import begin

LONG = 4 * 1024 * 1024
"""Bytes of log past which it is checkpointed."""

_HEADER = 32
_FRAME_HEADER = 24


def wal_reset_race(version: tuple[int, ...] | None = None) -> bool:
    """Whether this version of SQLite (default: the one that Python links) can lose a commit at a checkpoint.

    An application that writes a journal's file through connections of its own must then set `PRAGMA wal_autocheckpoint
    = 0` on each of them, and leave checkpoints to the journal.

    >>> wal_reset_race((3, 40, 1)), wal_reset_race((3, 44, 6)), wal_reset_race((3, 50, 6)), wal_reset_race((3, 51, 3))
    (True, False, True, False)
    """
    version = version or sqlite3.sqlite_version_info
    if version >= (3, 51, 3):
        return False
    return not any(version[:2] == fixed[:2] and version >= fixed for fixed in ((3, 44, 6), (3, 50, 7)))


def log_length(path: Path) -> int:
    """Bytes of the write-ahead log that are in use. The file itself does not shrink when the log starts again.

    Frames of the present log bear the salt of its header and stand in front
    (https://www.sqlite.org/fileformat2.html#walformat), so their end is found by halving. Reading this file is
    harmless: SQLite's locks are not on it.
    """
    try:
        size = path.stat().st_size
        return size if size <= LONG else in_use(path)
    except OSError:
        return 0


def in_use(path: Path) -> int:
    """The same, however short the file is."""
    size = path.stat().st_size
    with path.open("rb") as log:
        header = log.read(_HEADER)
        frame = _FRAME_HEADER + int.from_bytes(header[8:12], "big")
        low, high = 0, (size - _HEADER) // frame
        while low < high:
            middle = (low + high) // 2
            log.seek(_HEADER + middle * frame + 8)
            low, high = (middle + 1, high) if log.read(8) == header[16:24] else (low, middle)
        return _HEADER + low * frame


def checkpoint(writer: sqlite3.Connection, second: sqlite3.Connection, patience: float) -> bool:
    """Copy what readers allow, and wait for none of them. `writer` is the owner's connection, outside a transaction.

    Returns:
        Whether all was copied.
    """
    begin(writer, patience)
    try:
        busy, frames, copied = second.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    finally:
        writer.execute("ROLLBACK")
    return not busy and frames == copied
