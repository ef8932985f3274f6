"""What a runner gives (views, entries, stories), as values that JSON has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from persistence import opened


def to_plain(value: Any) -> Any:
    """A value as JSON holds it; bytes that are JSON are taken for what they say, times stay times."""
    kind: type[Any] = value.__class__
    if attrs.has(kind):
        return {field.name: to_plain(getattr(value, field.name)) for field in attrs.fields(kind)}
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, bytes):
        return msgspec.json.decode(opened(value)) if value else None
    return value
