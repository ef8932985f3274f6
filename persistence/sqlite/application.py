"""What is asked of an application's own connection before a message is put on it: that it will be one commit."""

from __future__ import annotations

import os
import sqlite3
from typing import Any

from persistence.errors import WrongConnection

HOW = (
    "Give the DB-API connection underneath: a sqlite3.Connection itself; of a SQLAlchemy session "
    "session.connection().connection.driver_connection, of a SQLAlchemy connection "
    "connection.connection.driver_connection; of Django django.db.connection."
)


def check(connection: Any, path: str) -> None:
    """Refuse a connection on which a message would not be part of the application's transaction.

    Raises:
        WrongConnection: It has no cursor, leads to another file, or would commit the message at once.
    """
    if not hasattr(connection, "cursor"):
        msg = f"Journal {path!r}: a {type(connection).__qualname__} has no cursor. {HOW}"
        raise WrongConnection(msg)
    driver = _driver(connection)
    if driver is None:
        return  # of a kind that cannot be asked
    found = _file(driver)
    if not (found and os.path.exists(found) and os.path.samefile(found, path)):  # noqa: PTH110, PTH121 -- as SQLite names it
        msg = (
            f"Journal {path!r}: the connection given leads to {found or 'a database in memory'!r}, whose commit is not "
            "the journal's. Keep the journal in the application's own file (adopt=True), or use an outbox."
        )
        raise WrongConnection(msg)
    if not driver.in_transaction and _commits_at_once(driver):
        msg = (
            f"Journal {path!r}: the connection given is in no transaction, so what is put on it would be committed at "
            "once, whatever becomes of your rows. Begin one first (BEGIN; Django: transaction.atomic()), or give none."
        )
        raise WrongConnection(msg)


def _driver(connection: Any) -> sqlite3.Connection | None:
    """The connection of Python's sqlite3 underneath, where it is one."""
    for found in (connection, getattr(connection, "driver_connection", None), getattr(connection, "connection", None)):
        if isinstance(found, sqlite3.Connection):
            return found
    return None


def _file(driver: sqlite3.Connection) -> str:
    cursor = driver.cursor()
    cursor.row_factory = None
    try:
        names = {name: file for _, name, file in cursor.execute("PRAGMA database_list").fetchall()}
    finally:
        cursor.close()
    return str(names.get("main") or "")


def _commits_at_once(driver: sqlite3.Connection) -> bool:
    """In autocommit mode; otherwise the first INSERT begins a transaction (or Python has begun one)."""
    return driver.isolation_level is None and getattr(driver, "autocommit", -1) is not False
