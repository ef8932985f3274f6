"""Tells a resend of an event from another event that was given the same id.

The journal has the first one whole, so the two are compared as what they say and not as bytes: a field that the type
has gained since, with a default, does not make an old event another one. Of a run that was pruned there is a digest, of
one that was erased the event's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from persistence import Codec, SeenRecord, opened
from statemachine.definition import Definition
from statemachine.errors import AlreadySent
from statemachine.inputs import Received
from statemachine.runner.hosted import Hosted
from statemachine.runner.mover import Mover
from statemachine.runner.stored import Told, restore

_UNREADABLE = (TypeError, ValueError, msgspec.MsgspecError)


def check_resend(mover: Mover, run: str, name: str | None, value: object, seen: SeenRecord) -> None:
    """Refuse another event under the id of one that was taken. Raises AlreadySent.

    Where nothing is left to compare with, it counts as the same; but not in a run that has the name of one that was
    pruned: whether it is a late resend to that one, or is meant for this one, only its sender knows.
    """
    record = mover.record(run)
    if record is None:
        marks = tuple(_marks(mover, name, value)) if seen.digest else ()
        if marks and opened(seen.digest) not in marks:
            raise AlreadySent(run, seen.id, "", name or type(value).__qualname__)
        return
    hosted = mover.workflows.get(record.workflow)
    entry = next(iter(mover.journal.entries(run, seen.seq - 1, 1)), None)
    if entry is None or entry.event_id != seen.id:
        raise AlreadySent(run, seen.id, "", name or type(value).__qualname__)
    if record.erased:
        asked = name or (hosted.names.get(type(value), "") if hosted else "")
        if asked and _called(hosted, asked) != _called(hosted, entry.name):
            raise AlreadySent(run, seen.id, entry.name, asked)
        return
    codec = Codec() if hosted is None else hosted.stored.codec
    told = codec.decode(entry.body, Told).input
    if not isinstance(told, Received):
        return
    first = told.occurrence
    asked = name if name is not None else hosted.names.get(type(value), "") if hosted else ""
    if not same_event(hosted, (first.name, first.value), (asked, value)):
        raise AlreadySent(run, seen.id, first.name, asked or type(value).__qualname__)


def _marks(mover: Mover, name: str | None, value: object) -> Iterator[bytes]:
    """What an event may have been remembered as: by each workflow that knows it, under each name that it had."""
    for hosted in mover.workflows.all:
        definition, codec = hosted.definition, hosted.stored.codec
        now = _now_called(definition, name or hosted.names.get(type(value), ""))
        if now not in definition.events:
            continue
        try:
            read = restore(_plain(codec, value), definition.code.events.get(now, Any))
        except _UNREADABLE:
            continue
        for known in (now, *(old for old, new in definition.event_names.items() if new == now)):
            yield hosted.stored.mark(known, read)


def _called(hosted: Hosted | None, name: str) -> str:
    return name if hosted is None else _now_called(hosted.definition, name)


def same_event(hosted: Hosted | None, first: tuple[str, Any], asked: tuple[str, Any]) -> bool:
    """Whether two events, each by its name and value (`msgspec.Raw`: as a message carries it), say the same."""
    name = first[0]
    if hosted is None:
        return name == asked[0] and _plain(Codec(), first[1]) == _plain(Codec(), asked[1])
    definition, codec = hosted.definition, hosted.stored.codec
    name = _now_called(definition, name)
    if name != _now_called(definition, asked[0]):
        return False
    plain = _plain(codec, first[1]), _plain(codec, asked[1])
    if plain[0] == plain[1]:
        return True
    kind = definition.code.events.get(name, Any)
    try:
        return codec.canonical(restore(plain[0], kind)) == codec.canonical(restore(plain[1], kind))
    except _UNREADABLE:
        return False


def _now_called(definition: Definition, name: str) -> str:
    return name if name in definition.events else definition.event_names.get(name, name)


def _plain(codec: Codec, value: Any) -> Any:
    """A value as JSON has it."""
    raw = bytes(value) if isinstance(value, msgspec.Raw) else codec.encode(value)
    return codec.decode(raw, Any)
