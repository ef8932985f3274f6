"""What a journal's database says of fan-outs and their items, as records."""

from __future__ import annotations

import sqlite3

from persistence.records import FanCount, FanRecord, GivenRecord, ItemRecord
from persistence.sqlite import sql


def fan(connection: sqlite3.Connection, run: str, visit: int) -> FanRecord | None:
    """See `Journal.fan`."""
    row = connection.execute(sql.FAN, (run, visit)).fetchone()
    return None if row is None else FanRecord(run=run, visit=visit, step=row[0], total=row[1], most=row[2])


def fans(connection: sqlite3.Connection, run: str) -> list[FanCount]:
    """See `Journal.fans`."""
    return [
        _counted(connection, FanRecord(run=run, visit=visit, step=step, total=total, most=most))
        for visit, step, total, most in connection.execute(sql.FANS, (run,)).fetchall()
    ]


def _counted(connection: sqlite3.Connection, one: FanRecord) -> FanCount:
    states: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for back, state, number in connection.execute(sql.ITEM_STATES, (one.run, one.visit)).fetchall():
        states[back][state] = number
    return FanCount(fan=one, forward=states[0], back=states[1])


def given(connection: sqlite3.Connection, run: str, visit: int, number: int) -> GivenRecord | None:
    """See `Journal.given`."""
    row = connection.execute(sql.GIVEN, (run, visit, number)).fetchone()
    return None if row is None else GivenRecord(run=run, visit=visit, first=row[0], items=row[1])


def items(
    connection: sqlite3.Connection, run: str, visit: int, *, back: bool, after: int, limit: int, bodies: bool
) -> list[ItemRecord]:
    """See `Journal.items`."""
    statement = sql.ITEMS if bodies else sql.ITEMS_WITHOUT_BODIES
    return [
        ItemRecord(
            run=run,
            visit=visit,
            back=back,
            number=number,
            state=state,
            attempts=attempts,
            crashes=crashes,
            due=due,
            at=at,
            body=body,
        )
        for number, state, attempts, crashes, due, at, body in connection.execute(
            statement, (run, visit, back, after, limit)
        ).fetchall()
    ]
