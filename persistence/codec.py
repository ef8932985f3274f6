"""Values to bytes and back: JSON through msgspec, so that any SQLite tool can read what a journal keeps."""

from __future__ import annotations

from typing import Any

import msgspec


class Codec:
    """Encodes attrs classes, dataclasses, Structs and plain types, and decodes them by their type.

    A codec of another kind (one that encrypts) has the same two methods.
    """

    def __init__(self) -> None:
        self._decoders: dict[Any, msgspec.json.Decoder[Any]] = {}

    def encode(self, value: object) -> bytes:
        """The value as JSON. Raises TypeError or ValueError when it has none."""
        return msgspec.json.encode(value)

    def decode(self, raw: bytes, kind: Any) -> Any:
        """The value again, as this type. Raises msgspec.DecodeError when it is something else."""
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(kind)
        return decoder.decode(raw)
