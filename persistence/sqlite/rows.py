"""Records as rows of the tables, and rows as records."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import index
from typing import Any

import msgspec

from persistence.records import EntryRecord, ItemRecord, MessageRecord, RunRecord

_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)
def states_text(states: tuple[str, ...]) -> str:
    """Active leaves as a column holds them."""
    return _encode(states).decode()


def tags_text(tags: Mapping[str, str]) -> str:
    """Tags as a column holds them."""
    return _encode(dict(tags)).decode() if tags else "{}"


def message_row(message: MessageRecord) -> tuple[Any, ...]:
    """A message's columns in the order of `sql.INSERT_MESSAGE`."""
    return (
        message.run,
        message.id,
        message.kind,
        message.name,
        message.body,
        message.at,
        message.actor,
        message.reason,
        message.trace,
    )


def item_row(run_id: int | None, item: ItemRecord) -> tuple[Any, ...]:
    """What is known of an item, in the order of `sql.PUT_ITEM`."""
    return (
        run_id,
        item.visit,
        item.back,
        item.number,
        item.state,
        item.attempts,
        item.crashes,
        item.due,
        item.at,
        item.body,
    )


states_of = lru_cache(maxsize=4096)(msgspec.json.Decoder(tuple[str, ...]).decode)
"""Active leaves from their column; there are few different ones."""

_tags = msgspec.json.Decoder(dict[str, str]).decode


class Unreadable(ValueError):
    """A row that no journal wrote so; the journal says in which file it is."""


def run_of(row: tuple[Any, ...], snapshot: bytes) -> RunRecord:
    """A run from its columns in the order of `sql.RUN_COLUMNS`. Raises Unreadable."""
    try:
        return _run_of(row, snapshot)
    except (msgspec.DecodeError, TypeError) as error:
        msg = f"the row of run {row[0]!r} cannot be read: {error}"
        raise Unreadable(msg) from error


def _run_of(row: tuple[Any, ...], snapshot: bytes) -> RunRecord:
    return RunRecord(
        run=row[0],
        workflow=row[1],
        version=row[2],
        definition=row[3],
        status=row[4],
        states=states_of(row[5]),
        seq=index(row[6]),
        over=bool(row[7]),
        busy=bool(row[8]),
        due=row[9],
        incidents=row[10],
        paused=bool(row[11]),
        held=row[12],
        started=row[13],
        updated=row[14],
        input=row[15],
        tags=_tags(row[16]),
        snapshot=snapshot,
    )


def message_of(row: tuple[Any, ...]) -> MessageRecord:
    """A message from its columns in the order of `sql.MESSAGE_COLUMNS`."""
    return MessageRecord(
        number=row[0],
        run=row[1],
        id=row[2],
        kind=row[3],
        name=row[4],
        body=row[5],
        at=row[6],
        actor=row[7],
        reason=row[8],
        verdict=row[9],
        answer=row[10],
        trace=row[11],
    )


def entry_of(row: tuple[Any, ...], run: str, number: int = 0) -> EntryRecord:
    """An entry from its columns in the order of `sql.ENTRIES`."""
    return EntryRecord(
        run=run,
        seq=row[0],
        at=row[1],
        kind=row[2],
        name=row[3],
        event_id=row[4],
        actor=row[5],
        reason=row[6],
        definition=row[7],
        states=_states_of_entry(run, row),
        body=row[9],
        number=number,
    )


def _states_of_entry(run: str, row: tuple[Any, ...]) -> tuple[str, ...]:
    try:
        return states_of(row[8])
    except msgspec.DecodeError as error:
        msg = f"entry {row[0]!r} of run {run!r} cannot be read: {error}"
        raise Unreadable(msg) from error
