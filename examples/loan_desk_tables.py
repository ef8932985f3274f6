"""The application's own tables, in the database that holds the journal, too."""

from __future__ import annotations

import sqlite3
from pathlib import Path

TABLES = (
    "CREATE TABLE IF NOT EXISTS application (loan TEXT NOT NULL, amount INTEGER NOT NULL, purpose TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS ledger (loan TEXT NOT NULL, amount INTEGER NOT NULL, payment TEXT NOT NULL)",
)
"""Nothing in them is unique, on purpose: what happened twice would stand there twice."""

NEW_APPLICATION = "INSERT INTO application (loan, amount, purpose) VALUES (?, ?, ?)"
BOOK = "INSERT INTO ledger (loan, amount, payment) VALUES (?, ?, ?)"


def connect(path: Path) -> sqlite3.Connection:
    """The application's own connection. The tables are made if they are not there."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # the journal's owner alone does that
    for statement in TABLES:
        connection.execute(statement)
    return connection


def applications(connection: sqlite3.Connection) -> list[str]:
    """The loan of each application, as handed in."""
    return [loan for (loan,) in connection.execute("SELECT loan FROM application ORDER BY rowid")]


def ledger(connection: sqlite3.Connection) -> list[tuple[str, int, str]]:
    """What was booked: loan, amount, the bank's reference."""
    return connection.execute("SELECT loan, amount, payment FROM ledger ORDER BY rowid").fetchall()
