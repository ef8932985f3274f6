"""What SQLite itself lets a transactional step do: the second wall behind `persistence.sqlite.guarded`.

SQLite asks an authorizer about each statement that it prepares (https://www.sqlite.org/c3ref/set_authorizer.html),
which costs nothing when a statement is executed again. It stays installed and says yes to everything but during such a
step, because installing one makes SQLite prepare every statement anew.
"""

from __future__ import annotations

import sqlite3

_PREFIX = "statemachine_"
_BY_NAME = frozenset(
    (
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_VIEW,
        # A temporary one of the same name would stand before ours on this connection.
        sqlite3.SQLITE_CREATE_TEMP_TABLE,
        sqlite3.SQLITE_CREATE_TEMP_VIEW,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_VIEW,
    )
)
_ON_TABLE = frozenset(
    (
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_TRIGGER,
        sqlite3.SQLITE_ALTER_TABLE,
    )
)
_NEVER = frozenset((sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH))
_HARMLESS_PRAGMAS = frozenset(
    (
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "foreign_key_check",
    )
)
_READABLE_PRAGMAS = frozenset(
    ("user_version", "application_id", "foreign_keys", "data_version", "database_list", "defer_foreign_keys")
)


class Guard:
    """The authorizer of one connection, on duty only while a transactional step runs."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.on_duty = False
        connection.set_authorizer(self._ask)

    def _ask(
        self, action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None
    ) -> int:
        if not self.on_duty:
            return sqlite3.SQLITE_OK
        if action in _NEVER:
            return sqlite3.SQLITE_DENY
        if action in _BY_NAME and (first or "").lower().startswith(_PREFIX):
            return sqlite3.SQLITE_DENY
        if action in _ON_TABLE and (second or "").lower().startswith(_PREFIX):
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_PRAGMA and not _allowed_pragma(first or "", second):
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK


def _allowed_pragma(name: str, argument: str | None) -> bool:
    return name.lower() in _HARMLESS_PRAGMAS or (argument is None and name.lower() in _READABLE_PRAGMAS)
