"""Tells a resend of an event from another event that was given the same id.

The journal has the first one whole, so the two are compared as what they say and not as bytes: a field that the type
has gained since, with a default, does not make an old event another one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from persistence import Codec, SeenRecord
from statemachine.definition import Definition
from statemachine.errors import AlreadySent
from statemachine.inputs import Received
from statemachine.runner.hosted import Hosted
from statemachine.runner.mover import Mover
from statemachine.runner.stored import Told, restore

_UNREADABLE = (TypeError, ValueError, msgspec.MsgspecError)


def check_resend(mover: Mover, run: str, name: str | None, value: object, seen: SeenRecord) -> None:
    """Refuse another event under the id of one that was taken. Raises AlreadySent.

    An event that the journal no longer has (its run was pruned or erased) cannot be compared and counts as the same.
    """
    entry = next(iter(mover.journal.entries(run, seen.seq - 1, 1)), None)
    record = mover.record(run)
    if entry is None or entry.event_id != seen.id or record is None or record.erased:
        return
    hosted = mover.workflows.get(record.workflow)
    codec = Codec() if hosted is None else hosted.stored.codec
    told = codec.decode(entry.body, Told).input
    if not isinstance(told, Received):
        return
    first = told.occurrence
    asked = name if name is not None else hosted.names.get(type(value), "") if hosted else ""
    if not same_event(hosted, (first.name, first.value), (asked, value)):
        raise AlreadySent(run, seen.id, first.name, asked or type(value).__qualname__)


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
