"""Which types can be stored, and where a value that came back differs from the one that was stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time
from typing import Any

import attrs
import msgspec
from msgspec import inspect

ALLOWED = (
    "Allowed are None, bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, UUID, Enum, Literal, "
    "list, tuple, set, frozenset and dict of such, TypedDict, NamedTuple, and attrs classes, dataclasses and "
    "msgspec Structs of such."
)

_KEYS = (
    inspect.AnyType,  # is refused for being any type
    inspect.StrType,
    inspect.IntType,
    inspect.FloatType,
    inspect.DecimalType,
    inspect.BytesType,
    inspect.UUIDType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.TimeType,
    inspect.TimeDeltaType,
    inspect.EnumType,
    inspect.LiteralType,
)

_NESTED = ("item_type", "key_type", "value_type", "type")


def name_of(kind: Any) -> str:
    """A type as a message calls it."""
    return kind.__qualname__ if isinstance(kind, type) else str(kind)


# ---------------------------------------------------------------------------------------------------------------- types


def faults(kind: Any) -> Iterator[str]:
    """What keeps a type, or one within it, from being stored.

    Raises:
        TypeError: msgspec cannot decode it at all.
    """
    yield from _faults(inspect.type_info(kind), name_of(kind), set())


def _faults(info: inspect.Type, path: str, seen: set[Any]) -> Iterator[str]:
    if isinstance(info, inspect.AnyType | inspect.RawType):
        yield f"{path} is of any type, so its values come back as other types. Name the type. {ALLOWED}"
    elif isinstance(info, inspect.CustomType | inspect.ExtType):
        name = name_of(info.cls) if isinstance(info, inspect.CustomType) else "a MessagePack extension"
        yield f"{path} is {name}, which has no fields that could be stored. {ALLOWED}"
    elif isinstance(info, inspect.StructType | inspect.DataclassType):
        yield from _faults_of_class(info, seen)
    elif isinstance(info, inspect.DictType) and not _is_key(info.key_type):
        yield f"{path} has keys that JSON cannot hold. Use str, int or another plain type, or a list of pairs."
    else:
        for nested, suffix in _within(info):
            yield from _faults(nested, f"{path}{suffix}", seen)


def _is_key(info: inspect.Type) -> bool:
    if isinstance(info, inspect.UnionType):
        return all(_is_key(option) for option in info.types)
    return isinstance(info.type if isinstance(info, inspect.Metadata) else info, _KEYS)


def _within(info: inspect.Type) -> Iterator[tuple[inspect.Type, str]]:
    """The types inside a collection, a union or an annotated type."""
    if isinstance(info, inspect.UnionType):
        for option in info.types:
            yield option, ""
    elif isinstance(info, inspect.TypedDictType | inspect.NamedTupleType):
        for field in info.fields:
            yield field.type, f".{field.name}"
    else:
        for name in _NESTED:
            nested = getattr(info, name, None)
            if isinstance(nested, inspect.Type):
                yield nested, "" if name == "type" else "[]"
        for nested in getattr(info, "item_types", ()):
            yield nested, "[]"


def _faults_of_class(info: inspect.StructType | inspect.DataclassType, seen: set[Any]) -> Iterator[str]:
    if info.cls in seen:
        return
    seen.add(info.cls)
    name = name_of(info.cls)
    for field in _fields_of(info.cls):
        if field.name.startswith("_"):
            yield f"{name}.{field.name} is private, so it is not stored. Give it a public name."
        elif not field.init:
            yield f"{name}.{field.name} is not given at construction (init=False). Make it a property, or give it."
    for stored in info.fields:
        yield from _faults(stored.type, f"{name}.{stored.name}", seen)


def _fields_of(kind: type[Any]) -> tuple[Any, ...]:
    if attrs.has(kind):
        return tuple(attrs.fields(kind))
    return dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()


# --------------------------------------------------------------------------------------------------------------- values


_names: dict[type[Any], tuple[str, ...] | None] = {}
"""The fields of classes seen so far; None for those without."""


def _names_of(kind: type[Any]) -> tuple[str, ...] | None:
    if kind not in _names:
        if issubclass(kind, msgspec.Struct):
            _names[kind] = kind.__struct_fields__
        else:
            fields = _fields_of(kind)
            _names[kind] = tuple(field.name for field in fields) if fields or attrs.has(kind) else None
    return _names[kind]


def difference(value: Any, again: Any, path: str) -> str | None:
    """Where two values differ, and how, in one sentence; None when they do not.

    Stricter than `==`: 1 is not 1.0 or True, a subclass of str is not str. More lenient with classes that compare by
    identity: their fields are compared.
    """
    kind = value.__class__
    if kind is not again.__class__:
        return f"{path} is {_say(value)} and comes back as {_say(again)}."
    names = _names_of(kind)
    if names is not None:
        pairs = ((getattr(value, name), getattr(again, name), f"{path}.{name}") for name in names)
        return _first(pairs)
    if issubclass(kind, list | tuple):
        return _of_sequences(value, again, path)
    if issubclass(kind, Mapping):
        return _of_mappings(value, again, path)
    return None if _equal(value, again) else f"{path} is {_say(value)} and comes back as {_say(again)}."


def culprit(value: Any, path: str, has_json: Callable[[Any], bool]) -> tuple[str, str]:
    """Where in a value that has no JSON the part is that has none, and what that part is."""
    for name, part in _parts(value):
        if not has_json(part):
            return culprit(part, f"{path}{name}", has_json)
    return path, _say(value)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    names = _names_of(value.__class__)
    if names is not None:
        yield from ((f".{name}", getattr(value, name)) for name in names)
    elif issubclass(value.__class__, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
    elif issubclass(value.__class__, list | tuple | set | frozenset):
        yield from ((f"[{place}]", part) for place, part in enumerate(value))


def in_order(value: Any, encode: Callable[[Any], bytes]) -> Any:
    """A value with lists for its sets, mappings and classes, their parts in the order of their JSON."""
    kind = value.__class__
    if issubclass(kind, set | frozenset):
        return sorted((in_order(part, encode) for part in value), key=encode)
    if issubclass(kind, Mapping):
        return sorted(([in_order(key, encode), in_order(part, encode)] for key, part in value.items()), key=encode)
    if issubclass(kind, list | tuple) or _names_of(kind) is not None:
        return [in_order(part, encode) for _, part in _parts(value)]
    return value


def _first(pairs: Iterator[tuple[Any, Any, str]]) -> str | None:
    for value, again, path in pairs:
        found = difference(value, again, path)
        if found is not None:
            return found
    return None


def _of_sequences(value: Any, again: Any, path: str) -> str | None:
    if len(value) != len(again):
        return f"{path} has {len(value)} items and comes back with {len(again)}."
    return _first((one, two, f"{path}[{n}]") for n, (one, two) in enumerate(zip(value, again, strict=True)))


def _of_mappings(value: Any, again: Any, path: str) -> str | None:
    if value.keys() != again.keys():
        return f"{path} has the keys {sorted(map(repr, value))} and comes back with {sorted(map(repr, again))}."
    kinds: dict[Any, type] = {key: type(key) for key in value}
    for key in again:
        if kinds[key] is not type(key):
            return f"{path} has a key of type {name_of(kinds[key])} that comes back as {name_of(type(key))}."
    return _first((one, again[key], f"{path}[{key!r}]") for key, one in value.items())


def _equal(value: Any, again: Any) -> bool:
    if isinstance(value, datetime | time):
        return bool(value == again) and value.utcoffset() == again.utcoffset()
    if issubclass(type(value), set | frozenset):
        return _typed(value) == _typed(again)
    return bool(value == again)


def _typed(values: Any) -> set[tuple[type, Any]]:
    return {(type(one), one) for one in values}


def _say(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({name_of(type(value))})"
