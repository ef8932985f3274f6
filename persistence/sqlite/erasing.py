"""Erasing a run: its payloads are blanked in one commit, and then made to leave the files, too.

What is blanked is zeroed in its page (`PRAGMA secure_delete`, on every connection of a journal). Until the write-ahead
log starts again it has the pages as they were, and may have them behind its end long after. So, once all of it is
copied into the database, one more commit begins it anew, and SQLite cuts the file off behind that commit
(https://www.sqlite.org/pragma.html#pragma_journal_size_limit). No checkpoint runs meanwhile: see
`persistence.sqlite.wal`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from persistence.sqlite.wal import in_use

BLANKED = (
    "DELETE FROM statemachine_tag WHERE run_id = (SELECT id FROM statemachine_run WHERE run = ?)",
    """
    UPDATE statemachine_entry SET body = x'', reason = NULL
    WHERE run_id = (SELECT id FROM statemachine_run WHERE run = ?)
    """,
    "UPDATE statemachine_inbox SET body = x'', answer = x'', reason = NULL WHERE run = ?",
    "UPDATE statemachine_seen SET digest = x'' WHERE run_id = (SELECT id FROM statemachine_run WHERE run = ?)",
    "UPDATE statemachine_gone SET digest = x'' WHERE run = ?",
    "DELETE FROM statemachine_cache WHERE run = ?",
    "DELETE FROM statemachine_saved WHERE run = ?",
    "DELETE FROM statemachine_notice WHERE run = ?",
    "DELETE FROM statemachine_item WHERE run_id = (SELECT id FROM statemachine_run WHERE run = ?)",
    "DELETE FROM statemachine_given WHERE run_id = (SELECT id FROM statemachine_run WHERE run = ?)",
    "DELETE FROM statemachine_fan WHERE run_id = (SELECT id FROM statemachine_run WHERE run = ?)",
    "UPDATE statemachine_run SET snapshot = x'', input = x'', tags = '{}' WHERE run = ?",
)
"""Every column of bytes, and the texts that people write: each with the run's name."""

PATIENCE = 0.5
"""Seconds to wait for those who read a view from before; those of the journal itself are gone in a moment."""
_LOOK = 0.005


def blank(cursor: sqlite3.Cursor, run: str) -> None:
    """Blank what the tables have of a run, inside the caller's transaction."""
    for statement in BLANKED:
        cursor.execute(statement, (run,))


class Settling(Protocol):
    """What commits, as the owner."""

    connection: sqlite3.Connection

    def settle(self) -> None:
        """A commit that changes nothing."""
        ...


def cut(writer: Settling, log: Path, copy: Callable[[], bool], wait: float) -> bool:
    """Have the write-ahead log begin anew and its file cut off.

    Args:
        writer: The owner's, outside a transaction.
        log: The log's file.
        copy: A checkpoint; whether it has copied all there was.
        wait: Seconds to wait for readers.

    Returns:
        Whether it is done. Not, while somebody reads a view from before.
    """
    deadline = time.monotonic() + wait
    writer.connection.execute("PRAGMA journal_size_limit = 0")
    try:
        while not _anew(writer, log, copy):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK)
        return True
    finally:
        writer.connection.execute("PRAGMA journal_size_limit = -1")


def _anew(writer: Settling, log: Path, copy: Callable[[], bool]) -> bool:
    """Commit, and see whether the log has begun anew since, and has nothing behind its end.

    A client's message that came in between has begun it, too, but has cut nothing off.
    """
    before = _salt(log)
    if not copy():
        return False
    writer.settle()
    return _salt(log) != before and log.stat().st_size <= in_use(log)


def _salt(log: Path) -> bytes:
    """What tells a log from the one that it was written over."""
    with log.open("rb") as file:
        return file.read(24)[16:]
