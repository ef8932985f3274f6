"""Marks fields of data and of events that tools which show them must not show."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

T = TypeVar("T")
MARK = "redacted"

Redacted = Annotated[T, msgspec.Meta(extra={MARK: True})]
"""A field's type, marked: `iban: Redacted[str]`. It is stored as ever; the dashboard shows it to nobody."""


def redacted() -> dict[str, Any]:
    """Metadata that marks a field of an attrs class or a dataclass: `iban: str = attrs.field(metadata=redacted())`.

    >>> redacted()
    {'redacted': True}
    """
    return {MARK: True}
