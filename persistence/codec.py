"""Values to bytes and back: JSON through msgspec, so that any SQLite tool can read what a journal keeps."""

from __future__ import annotations

from threading import Lock
from typing import Any, TypeAlias

import msgspec

from persistence.errors import NotStorable
from persistence.sealed import opened
from persistence.types import culprit, difference, faults, in_order, name_of

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"

_REFUSALS = (TypeError, ValueError, OverflowError, RecursionError)
"""What msgspec raises for a value that it cannot encode or decode."""
_READING = Lock()
"""Held while msgspec reads a type. Two threads that make it read one type for the first time at once end in a crash of
the process (seen with 0.22): the second is given what the first has not finished."""


class Codec:
    """Encodes attrs classes, dataclasses, Structs and plain types, and decodes them by their type.

    >>> from decimal import Decimal
    >>> Codec().decode(Codec().encode({"amount": Decimal("5.00")}), dict[str, Decimal])
    {'amount': Decimal('5.00')}
    """

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._decoders: dict[Any, msgspec.json.Decoder[Any]] = {}

    def encode(self, value: object) -> bytes:
        """The value as JSON. Raises TypeError or ValueError when it has none."""
        return self._encode(value)

    def canonical(self, value: object) -> bytes:
        """Bytes that are equal for equal values, in every process; to be hashed, not to be decoded.

        What `encode` gives is not: a set has another order in each process, a dict that of its making.
        """
        try:
            return msgspec.json.encode(value, order="deterministic")
        except TypeError:  # it sorts only what Python can compare
            return self._encode(in_order(value, self._encode))

    def decode(self, raw: bytes, kind: Any) -> Any:
        """The value again, as this type. Raises msgspec.DecodeError when it is something else; Sealed, when sealed."""
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._read(kind)
        try:
            return decoder.decode(raw)
        except msgspec.DecodeError:
            opened(raw)
            raise

    def _read(self, kind: Any) -> msgspec.json.Decoder[Any]:
        with _READING:
            decoder = self._decoders[kind] = msgspec.json.Decoder(kind)
        return decoder

    def encode_checked(self, value: object, kind: Any) -> bytes:
        """The value as JSON that was seen to come back equal.

        Raises:
            NotStorable: It has no JSON, or what comes back differs; the message says where.
        """
        try:
            raw = self.encode(value)
        except _REFUSALS as error:
            where, found = culprit(value, name_of(kind), self._has_json)
            msg = f"{where} is {found} and cannot be stored: {error}. Give it a value of the type it declares."
            raise NotStorable(msg) from error
        try:
            again = self.decode(raw, kind)
        except _REFUSALS as error:
            msg = f"{name_of(kind)} would not come back: {error}. Give its fields values of the types they declare."
            raise NotStorable(msg) from error
        self.same(value, again, kind)
        return raw

    def _has_json(self, value: object) -> bool:
        try:
            self.encode(value)
        except _REFUSALS:
            return False
        return True

    def same(self, value: object, again: object, kind: Any) -> None:
        """Refuse a value that is not what came back of it.

        Raises:
            NotStorable: They differ; the message says where and how.
        """
        found = difference(value, again, name_of(kind))
        if found is not None:
            msg = f"{found} Store what its type can give back: the journal must hold what the run goes on with."
            raise NotStorable(msg)

    def check_type(self, kind: Any) -> None:
        """Refuse a type whose values cannot be stored or would come back as something else.

        Raises:
            NotStorable: The message names the class and the field, and says what is allowed.
        """
        try:
            self._read(kind)
            found = next(faults(kind), None)
        except (TypeError, NameError) as error:
            msg = f"{name_of(kind)} cannot be stored: {error}"
            raise NotStorable(msg) from error
        if found is not None:
            raise NotStorable(found)

    def schema(self, kind: Any) -> str:
        """What a type looks like when stored, as canonical JSON Schema: equal text, equal shape.

        Names of classes and docstrings are left out, since neither is stored.
        """
        return msgspec.json.encode(_bare(msgspec.json.schema(kind)), order="deterministic").decode()


def _bare(node: Json) -> Json:
    """A schema without what only describes. Keys under `properties` are the user's fields, whatever they are called."""
    if isinstance(node, list):
        return [_bare(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept: dict[str, Json] = {}
    for key, value in node.items():
        if key in {"properties", "$defs"} and isinstance(value, dict):
            kept[key] = {name: _bare(one) for name, one in value.items()}
        elif key not in {"description", "title"}:
            kept[key] = value if key == "default" else _bare(value)
    return kept
