"""How a run's snapshot and inputs become bytes and come back typed.

Both are JSON through the journal's codec. Values whose type only the workflow knows (an event, the fields a step set)
are decoded in a second pass, with the types the definition carries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

import msgspec
from msgspec import structs

from persistence import Codec
from statemachine.data import fields as fields_of
from statemachine.data import is_data
from statemachine.definition import Definition
from statemachine.errors import CannotSave, NotStored, TooLarge
from statemachine.inputs import Begin, Input, Received, Succeeded
from statemachine.snapshot import Done, Failure, Incident, Occurrence, Pending, Snapshot, Timer
from statemachine.spreading import results_kind

UNSAID = "it did not say what it saves; annotate its call with the type, as in `call: Call[Epoch]`"
"""Why a step cannot save."""
UNSTORABLE = (TypeError, ValueError, OverflowError, msgspec.MsgspecError)
"""What encoding a value and decoding it again may raise."""


_NOT_REFUSED = msgspec.Raw(b"null")


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input as the journal keeps it."""

    input: Input
    refused: msgspec.Raw = msgspec.Raw(b"")
    """Why handling it could not be recorded; see `transition(refused=)`."""


class Stored:
    """Encodes and decodes the runs of one definition.

    Args:
        definition: The definition, with its types.
        codec: The journal's codec.
        limit: The largest size of data, event or result, in bytes.
        verify: Whether data is decoded again and compared before it is committed.
    """

    def __init__(self, definition: Definition, codec: Codec, limit: int, *, verify: bool) -> None:
        self.definition = definition
        self.codec = codec
        self.limit = limit
        self.verify = verify
        kind = definition.code.data
        generic: Any = Snapshot
        self._snapshot = generic[kind]
        self._fields: Mapping[str, Any] = get_type_hints(kind) if isinstance(kind, type) and is_data(kind) else {}

    def data(self, run: str, data: Any) -> None:
        """Refuse data that a run cannot be started with. Raises NotStored, TooLarge."""
        kind = self.definition.code.data
        try:
            raw = self.codec.encode(data)
            again = self.codec.decode(raw, kind) if self.verify else data
        except UNSTORABLE as error:
            raise NotStored(run, f"data of {self.definition.name}", str(error)) from error
        if len(raw) > self.limit:
            raise TooLarge(run, "data", len(raw), self.limit)
        self._compare(run, "data", data, again)

    def freeze(self, snapshot: Snapshot[Any], before: Snapshot[Any] | None) -> bytes:
        """The snapshot as bytes.

        Raises:
            NotStored: Its data does not come back equal.
            TooLarge: Its data is larger than the limit.
        """
        try:
            raw = self.codec.encode(snapshot)
            if before is None or snapshot.data is not before.data:
                self._check_data(snapshot, len(raw))
        except UNSTORABLE as error:
            raise NotStored(snapshot.run, f"data of {self.definition.name}", str(error)) from error
        return raw

    def _check_data(self, snapshot: Snapshot[Any], size: int) -> None:
        """Refuse data that is too large or does not come back; it is no larger than its snapshot of that size."""
        if size <= self.limit and not self.verify:
            return
        raw = self.codec.encode(snapshot.data)
        if len(raw) > self.limit:
            raise TooLarge(snapshot.run, "data", len(raw), self.limit)
        if self.verify:
            self._compare(snapshot.run, "data", snapshot.data, self.codec.decode(raw, self.definition.code.data))

    def thaw(self, raw: bytes) -> Snapshot[Any]:
        """The snapshot again. Raises msgspec.DecodeError when it does not fit the definition's types."""
        snapshot: Snapshot[Any] = self.codec.decode(raw, self._snapshot)
        changes: dict[str, Any] = {}
        if any(pending.moved for pending in snapshot.pending):
            changes["pending"] = tuple(self._pending(pending) for pending in snapshot.pending)
        if any(done.fields for done in snapshot.undo):
            changes["undo"] = tuple(self._done(done) for done in snapshot.undo)
        if any(timer.value is not None for timer in snapshot.timers):
            changes["timers"] = tuple(self._timer(timer) for timer in snapshot.timers)
        if snapshot.deferred:
            changes["deferred"] = tuple(self.occurrence(occurrence) for occurrence in snapshot.deferred)
        if any(incident.changed or incident.event for incident in snapshot.incidents):
            changes["incidents"] = tuple(self._incident(incident) for incident in snapshot.incidents)
        return msgspec.structs.replace(snapshot, **changes) if changes else snapshot

    def event(self, run: str, name: str, value: Any) -> bytes:
        """An event as bytes; one that cannot be stored is refused. Raises NotStored, TooLarge."""
        kind = self._kind(name)
        try:
            raw = self.codec.encode(value)
            again = self.codec.decode(raw, kind) if self.verify and kind is not Any else value
        except UNSTORABLE as error:
            raise NotStored(run, f"event {name}", str(error)) from error
        if len(raw) > self.limit:
            raise TooLarge(run, f"event {name}", len(raw), self.limit)
        self._compare(run, f"event {name}", value, again)
        return raw

    def mark(self, name: str, value: Any) -> bytes:
        """What tells an event from another one that is given its id.

        A field that has its default counts as not there: so an event is the same after its type has gained one.
        """
        if isinstance(value, msgspec.Struct):
            value = {
                one.encode_name: getattr(value, one.name) for one in structs.fields(value) if not _default(one, value)
            }
        return digest(self.codec.canonical([name, value]))

    def items(self, run: str, step: str, items: Sequence[Any]) -> bytes:
        """Some of the items that a step is done for, as bytes. Raises NotStored, TooLarge."""
        many: Any = list
        kind = many[self.definition.code.items.get(step, Any)]
        try:
            raw = self.codec.encode(items)
            again = self.codec.decode(raw, kind) if self.verify else items
            largest = max(len(self.codec.encode(item)) for item in items) if len(raw) > self.limit else 0
        except UNSTORABLE as error:
            raise NotStored(run, f"item of {step}", str(error)) from error
        if largest > self.limit:
            raise TooLarge(run, f"item of {step}", largest, self.limit)
        for item, read in zip(items, again, strict=True):
            self._compare(run, f"item of {step}", item, read)
        return raw

    def saved(self, run: str, step: str, value: Any) -> bytes:
        """What a step saves as bytes. Raises CannotSave, NotStored, TooLarge."""
        if step not in self.definition.code.saves:
            raise CannotSave(run, step, UNSAID)
        what, kind = f"what {step} saves", self.definition.code.saves[step]
        try:
            raw = self.codec.encode(value)
            again = self.codec.decode(raw, kind) if self.verify else value
        except UNSTORABLE as error:
            raise NotStored(run, what, str(error)) from error
        if len(raw) > self.limit:
            raise TooLarge(run, what, len(raw), self.limit)
        self._compare(run, what, value, again)
        return raw

    def told(self, told: Input, refused: object = None) -> bytes:
        """An input as bytes, for the journal. What came of many items stands there already."""
        if isinstance(told, Succeeded) and told.items is not None:
            told = msgspec.structs.replace(told, result=None)
        return self.codec.encode(Told(told, msgspec.Raw(self.codec.encode(refused)) if refused else _NOT_REFUSED))

    def retold(self, raw: bytes) -> tuple[Input, msgspec.Raw]:
        """An input again, typed, and why its handling was refused (JSON; null when it was not)."""
        told = self.codec.decode(raw, Told)
        return self._input(told.input), told.refused

    def occurrence(self, occurrence: Occurrence) -> Occurrence:
        """An occurrence whose value has its type again."""
        kind = self._kind(occurrence.name)
        if kind is Any or occurrence.value is None:
            return occurrence
        return msgspec.structs.replace(occurrence, value=restore(occurrence.value, kind))

    def _kind(self, name: str) -> Any:
        """The type of what an occurrence of this name carries."""
        code = self.definition.code
        if name in code.events:
            return code.events[name]
        if name.startswith(("error.step.", "failed.step.")):
            return Failure
        return code.results.get(name.removeprefix("done.step."), Any)

    def _input(self, told: Input) -> Input:
        if isinstance(told, Begin):
            return msgspec.structs.replace(told, data=restore(told.data, self.definition.code.data))
        if isinstance(told, Received):
            return msgspec.structs.replace(told, occurrence=self.occurrence(told.occurrence))
        if isinstance(told, Succeeded):
            kind = Any if told.items is not None else self._result(told.step)
            return msgspec.structs.replace(told, changed=self._some(told.changed), result=restore(told.result, kind))
        return told

    def _result(self, name: str) -> Any:
        step = next((step for step in self.definition.steps if step.name == name), None)
        kind = self.definition.code.results.get(name, Any)
        return kind if step is None or step.each is None else results_kind(step, kind)

    def _pending(self, pending: Pending) -> Pending:
        return (
            msgspec.structs.replace(pending, base=restore(pending.base, self.definition.code.data))
            if pending.moved
            else pending
        )

    def _done(self, done: Done) -> Done:
        return msgspec.structs.replace(done, fields=self._some(done.fields))

    def _timer(self, timer: Timer) -> Timer:
        kind = self.definition.code.events.get(timer.event)
        return timer if kind is None else msgspec.structs.replace(timer, value=restore(timer.value, kind))

    def _incident(self, incident: Incident) -> Incident:
        event = self.occurrence(incident.event) if incident.event else None
        return msgspec.structs.replace(incident, changed=self._some(incident.changed), event=event)

    def _some(self, values: dict[str, Any]) -> dict[str, Any]:
        return {name: restore(value, self._fields.get(name, Any)) for name, value in values.items()}

    def _compare(self, run: str, what: str, value: Any, again: Any) -> None:
        if value != again:
            kind: type = value.__class__
            different = [
                name
                for name in (fields_of(kind) if is_data(kind) else ())
                if getattr(value, name) != getattr(again, name, None)
            ]
            said = f"field {', '.join(different)} is not equal" if different else "it is not equal"
            raise NotStored(run, what, f"{said} once stored and read again")


def restore(value: Any, kind: Any) -> Any:
    """A value that was decoded without its type, as that type."""
    return value if kind is Any else msgspec.convert(value, kind, str_keys=True)


def _default(field: structs.FieldInfo, value: msgspec.Struct) -> bool:
    if field.default is not msgspec.NODEFAULT:
        return bool(getattr(value, field.name) == field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return bool(getattr(value, field.name) == field.default_factory())
    return False


def digest(raw: bytes) -> bytes:
    """What tells one input of a start from another."""
    return hashlib.sha256(raw).digest()
