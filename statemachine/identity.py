"""The hash of a definition: what a run was made under, compared when a new version of a workflow meets old runs.

It covers the structure, the qualified names of guards and handlers, and the schemas of data, events, results and what
steps save. It does not cover bytecode, docstrings, module paths, retries and timeouts: those may change under a run.
"""

from __future__ import annotations

import hashlib
from typing import Any

import attrs
import msgspec

from statemachine.definition import Definition

_TUNING = {
    "cache",
    "code",
    "declared",
    "event_names",
    "hash",
    "heartbeat",
    "limit",
    "overall",
    "process",
    "retry",
    "tables",
    "timeout",
    "version",
    "waits_for",
    "waivers",
    "was",
}
_LATER: dict[str, Any] = {"each": None, "failures": "stop"}
"""What definitions did not have at first, with what leaves a hash as it was then."""


def _counts(field: Any, value: Any) -> bool:
    return field.name not in _TUNING and (field.name not in _LATER or value != _LATER[field.name])


def hash_of(definition: Definition) -> str:
    """16 hexadecimal digits."""
    structure = attrs.asdict(definition, filter=_counts)
    code = definition.code
    types = {
        "data": schema(code.data),
        "events": {name: schema(kind) for name, kind in sorted(code.events.items())},
        "results": {name: schema(kind) for name, kind in sorted(code.results.items())},
    }
    if code.saves:
        types["saves"] = {name: schema(kind) for name, kind in sorted(code.saves.items())}
    if code.items:
        types["items"] = {name: schema(kind) for name, kind in sorted(code.items.items())}
    raw = msgspec.json.encode([structure, types], order="deterministic")
    return hashlib.sha256(raw).hexdigest()[:16]


def schema(kind: Any) -> Any:
    """What a type's values look like once stored: names and types of fields, nothing of classes and docstrings."""
    try:
        return _seen(msgspec.inspect.type_info(kind), {})
    except (TypeError, NameError):
        return str(kind)


def _seen(node: Any, classes: dict[Any, int]) -> Any:
    """A node of msgspec's description as plain data. A class within itself is named by its number."""
    if isinstance(node, msgspec.inspect.EnumType):
        return ["enum", sorted(str(member.value) for member in node.cls)]
    if isinstance(node, msgspec.inspect.Metadata):  # what is said about a type for other readers
        return _seen(node.type, classes)
    if isinstance(node, msgspec.inspect.Field):
        return [node.encode_name, _seen(node.type, classes), node.required]
    if isinstance(node, msgspec.inspect.UnionType):
        return ["union", sorted(str(_seen(option, classes)) for option in node.types)]
    if isinstance(node, msgspec.inspect.Type):
        kind = getattr(node, "cls", None)
        if kind in classes:
            return ["again", classes[kind]]
        if kind is not None:
            classes[kind] = len(classes)
        said = {name: getattr(node, name) for name in node.__struct_fields__ if name != "cls"}
        # What is not said is left out, so that a msgspec that knows of more gives the same hash.
        told = {name: _seen(value, classes) for name, value in said.items() if value is not None and value is not False}
        return [type(node).__name__, told]
    if isinstance(node, tuple):
        return [_seen(one, classes) for one in node]  # pyright: ignore[reportUnknownVariableType]
    return node if isinstance(node, str | int | float | None) else str(node)
