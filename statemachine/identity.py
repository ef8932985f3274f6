"""The hash of a definition: what a run was made under, compared when a new version of a workflow meets old runs.

It covers the structure, the qualified names of guards and handlers, and the schemas of data, events and results. It
does not cover bytecode, docstrings, module paths, retries and timeouts: those may change under a run.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

import attrs
import msgspec

from statemachine.definition import Definition

_TUNING = {
    "code",
    "declared",
    "event_names",
    "hash",
    "overall",
    "retry",
    "tables",
    "timeout",
    "version",
    "waits_for",
    "waivers",
    "was",
}


def hash_of(definition: Definition) -> str:
    """16 hexadecimal digits."""
    structure = attrs.asdict(definition, filter=lambda field, _value: field.name not in _TUNING)
    code = definition.code
    types = {
        "data": schema(code.data),
        "events": {name: schema(kind) for name, kind in sorted(code.events.items())},
        "results": {name: schema(kind) for name, kind in sorted(code.results.items())},
    }
    raw = msgspec.json.encode([structure, types], order="deterministic")
    return hashlib.sha256(raw).hexdigest()[:16]


def schema(kind: Any) -> Any:
    """A type's JSON Schema, or its name where it has none."""
    try:
        return _plain(msgspec.json.schema(kind))
    except (TypeError, RuntimeError):
        return str(kind)


def _plain(node: Any) -> Any:
    """Without descriptions, which come from docstrings."""
    if isinstance(node, dict):
        named = cast("dict[str, Any]", node)
        return {key: _plain(value) for key, value in named.items() if key != "description"}
    if isinstance(node, list):
        return [_plain(value) for value in node]  # pyright: ignore[reportUnknownVariableType]
    return node
