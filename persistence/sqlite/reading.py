"""What a journal's database says, as records. Each function takes a connection and leaves nothing open on it."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from persistence.records import (
    AttemptRecord,
    EntryRecord,
    HoldRecord,
    LiveGroup,
    MessageRecord,
    NoticeRecord,
    Query,
    RunRecord,
    SavedRecord,
    SeenRecord,
)
from persistence.sqlite import sql
from persistence.sqlite.rows import entry_of, message_of, message_row, run_of, states_of

# ----------------------------------------------------------------------------------------------------------------- runs


def run(connection: sqlite3.Connection, run: str) -> RunRecord | None:
    """See `Journal.run`."""
    row = connection.execute(sql.RUN, (run,)).fetchone()
    return None if row is None else run_of(row, row[17])


def runs(connection: sqlite3.Connection, query: Query) -> list[RunRecord]:
    """See `Journal.runs`."""
    source, conditions, values = _where(query)
    if query.after is not None:
        conditions.append("(r.started, r.id) < (SELECT started, id FROM statemachine_run WHERE run = ?)")
        values.append(query.after)
    statement = f"SELECT {sql.RUN_COLUMNS} FROM {source} {_conditions(conditions)} ORDER BY {_order(query)} LIMIT ?"
    return [run_of(row, b"") for row in connection.execute(statement, (*values, query.limit)).fetchall()]


def count(connection: sqlite3.Connection, query: Query) -> int:
    """See `Journal.count`."""
    source, conditions, values = _where(query)
    (number,) = connection.execute(f"SELECT COUNT(*) FROM {source} {_conditions(conditions)}", values).fetchone()
    return int(number)


_CONDITIONS = {
    "workflow": "r.workflow = ?",
    "status": "r.status = ?",
    "started_before": "r.started < ?",
    "started_after": "r.started > ?",
    "updated_before": "r.updated < ?",
}

# Written as the partial indexes have them, so that SQLite sees that they apply.
_FLAGS = {
    "incident": ("r.incidents > 0", "r.incidents <= 0"),
    "held": ("r.held <> ''", "r.held = ''"),
    "paused": ("r.paused = 1", "r.paused = 0"),
}

# The array ["a","b.c"] is read as ,"a","b.c"] in which ,"b." or ,"a" is found; three times as fast as json_each.
_STATE = "(instr(',' || substr(r.states, 2), ?) OR instr(',' || substr(r.states, 2), ?))"

_TAG = """EXISTS (SELECT 1 FROM statemachine_tag AS o
           WHERE o.name = ? AND o.value = ? AND o.started = r.started AND o.run_id = r.id)"""


def _where(query: Query) -> tuple[str, list[str], list[Any]]:
    """Where to look, under which conditions, with which values. The first tag leads.

    Its runs stand together, newest last.
    """
    source = "statemachine_run AS r"
    conditions: list[str] = []
    values: list[Any] = []
    for place, (name, value) in enumerate(query.tags.items()):
        if place == 0:
            source = "statemachine_tag AS t CROSS JOIN statemachine_run AS r ON r.id = t.run_id"
            conditions.append("t.name = ? AND t.value = ?")
        else:
            conditions.append(_TAG)
        values += (name, value)
    for field, condition in _CONDITIONS.items():
        value = getattr(query, field)
        if value is not None:
            conditions.append(condition)
            values.append(value)
    for field, (yes, no) in _FLAGS.items():
        value = getattr(query, field)
        if value is not None:
            conditions.append(yes if value else no)
    if query.state is not None:
        conditions.append(_STATE)
        name = msgspec.json.encode(query.state).decode()
        values += (f",{name}", f",{name[:-1]}.")
    return source, conditions, values


def _conditions(conditions: list[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _order(query: Query) -> str:
    return "t.started DESC, t.run_id DESC" if query.tags else "r.started DESC, r.id DESC"


def live(connection: sqlite3.Connection) -> list[LiveGroup]:
    """See `Journal.live`."""
    return [
        LiveGroup(workflow=workflow, definition=definition, states=_readable(states), runs=number, stood=stood)
        for workflow, definition, states, number, stood in connection.execute(sql.LIVE).fetchall()
    ]


def _readable(states: bytes) -> tuple[str, ...]:
    try:
        return states_of(states)
    except msgspec.DecodeError:
        return ()


# ------------------------------------------------------------------------------------------------- what is known of one


def entries(connection: sqlite3.Connection, run: str, after: int, limit: int) -> list[EntryRecord]:
    """See `Journal.entries`."""
    return [entry_of(row, run) for row in connection.execute(sql.ENTRIES, (run, after, limit)).fetchall()]


def log(connection: sqlite3.Connection, after: int, limit: int) -> list[EntryRecord]:
    """See `Journal.log`."""
    if after < 0:
        rows = connection.execute(sql.LAST_ENTRIES, (limit,)).fetchall()[::-1]
    else:
        rows = connection.execute(sql.LOG, (after, limit)).fetchall()
    return [entry_of(row, row[11], row[10]) for row in rows]


def seen(connection: sqlite3.Connection, run: str, id: str) -> SeenRecord | None:
    """See `Journal.seen`."""
    row = connection.execute(sql.SEEN, (run, id)).fetchone()
    return None if row is None else SeenRecord(run=run, id=id, seq=row[0], verdict=row[1], digest=row[2])


# --------------------------------------------------------------------------------------------------- what is to be done


def due(connection: sqlite3.Connection, before: int, limit: int) -> list[tuple[int, str]]:
    """See `Journal.due`."""
    return connection.execute(sql.DUE, (before, limit)).fetchall()


def next_due(connection: sqlite3.Connection) -> int | None:
    """See `Journal.next_due`."""
    row = connection.execute(sql.NEXT_DUE).fetchone()
    return None if row is None else row[0]


def busy(connection: sqlite3.Connection, after: str, limit: int) -> list[RunRecord]:
    """See `Journal.busy`."""
    return [run_of(row, row[17]) for row in connection.execute(sql.BUSY, (after, limit)).fetchall()]


def attempts(connection: sqlite3.Connection) -> list[AttemptRecord]:
    """See `Journal.attempts`."""
    return [
        AttemptRecord(run=run, visit=visit, step=step, epoch=epoch, crashes=crashes)
        for run, visit, step, epoch, crashes in connection.execute(sql.ATTEMPTS).fetchall()
    ]


def holds(connection: sqlite3.Connection) -> list[HoldRecord]:
    """See `Journal.holds`."""
    return [
        HoldRecord(workflow=workflow, step=step, reason=reason, actor=actor, at=at)
        for workflow, step, reason, actor, at in connection.execute(sql.HOLDS).fetchall()
    ]


def saved(connection: sqlite3.Connection, run: str, visit: int) -> SavedRecord | None:
    """See `Journal.saved`."""
    row = connection.execute(sql.SAVED, (run, visit)).fetchone()
    return None if row is None else SavedRecord(run=run, visit=visit, at=row[0], value=row[1])


def saves(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """See `Journal.saves`."""
    return connection.execute(sql.SAVES).fetchall()


def ended(connection: sqlite3.Connection, before: int, limit: int) -> list[int]:
    """See `Journal.ended`."""
    return [at for (at,) in connection.execute(sql.ENDED, (before, limit)).fetchall()]


def notices(connection: sqlite3.Connection, after: int, limit: int) -> list[NoticeRecord]:
    """See `Journal.notices`."""
    return [
        NoticeRecord(number=number, run=run, kind=kind, at=at, body=body)
        for number, run, kind, at, body in connection.execute(sql.NOTICES, (after, limit)).fetchall()
    ]


def wanted(connection: sqlite3.Connection) -> frozenset[str]:
    """See `Journal.wanted`."""
    return frozenset(kind for (kind,) in connection.execute(sql.WANTED).fetchall())


# ------------------------------------------------------------------------------------------------------------- messages


def inbox(connection: sqlite3.Connection, after: int, limit: int) -> list[MessageRecord]:
    """See `Journal.inbox`."""
    return [message_of(row) for row in connection.execute(sql.INBOX, (after, limit)).fetchall()]


def message(connection: sqlite3.Connection, number: int) -> MessageRecord | None:
    """See `Journal.message`."""
    row = connection.execute(sql.MESSAGE, (number,)).fetchone()
    return None if row is None else message_of(row)


def put(connection: Any, message: MessageRecord) -> MessageRecord:
    """Queue a message on any DB-API connection, in whatever transaction it is.

    The message as it stands, the first of its id.
    """
    cursor = connection.cursor()
    if isinstance(cursor, sqlite3.Cursor):
        cursor.row_factory = None
    cursor.execute(sql.INSERT_MESSAGE, message_row(message))
    cursor.execute(sql.MESSAGE_BY_ID, (message.run, message.id, message.kind))
    row = cursor.fetchone()
    cursor.close()
    return message_of(tuple(row))
