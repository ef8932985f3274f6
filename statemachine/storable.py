"""Which types can be stored and read back equal: refused when a class is compiled, not when a run meets them."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from typing import Any

import attrs
import msgspec

from statemachine.data import is_data
from statemachine.errors import NotStorable

_NO_KEYS = (
    msgspec.inspect.CollectionType,
    msgspec.inspect.TupleType,
    msgspec.inspect.DictType,
    msgspec.inspect.StructType,
    msgspec.inspect.DataclassType,
    msgspec.inspect.NamedTupleType,
    msgspec.inspect.TypedDictType,
    msgspec.inspect.BoolType,
    msgspec.inspect.NoneType,
)
_WITH_FIELDS = (
    msgspec.inspect.StructType,
    msgspec.inspect.DataclassType,
    msgspec.inspect.NamedTupleType,
    msgspec.inspect.TypedDictType,
)
_NESTED = ("item_type", "key_type", "value_type", "type")


def check_data(workflow: str, kind: Any) -> None:
    """Refuse a data type that is mutable, or that `check_type` refuses."""
    if not isinstance(kind, type) or not is_data(kind):
        raise NotStorable(workflow, None, f"data is an attrs class, a dataclass or a msgspec.Struct, not {kind!r}")
    if not is_frozen(kind):
        message = f"{kind.__qualname__} is mutable; data is replaced and never changed, so make it frozen"
        raise NotStorable(workflow, None, message)
    check_type(workflow, kind, "data")


def check_type(workflow: str, kind: Any, what: str) -> None:
    """Refuse a type with `Any`, an undecodable union, a private field or a class that has no fields."""
    try:
        msgspec.json.Decoder(kind)
        info = msgspec.inspect.type_info(kind)
    except (TypeError, NameError) as error:
        raise NotStorable(workflow, None, f"{what} {say(kind)} cannot be decoded: {error}") from error
    for path, reason in _faults(info, say(kind), set()):
        raise NotStorable(workflow, None, f"{what}: {path} {reason}")


def is_frozen(kind: type[Any]) -> bool:
    """Whether values of a class with fields cannot be changed."""
    if issubclass(kind, msgspec.Struct):
        return bool(kind.__struct_config__.frozen)
    if attrs.has(kind):
        return "_frozen_setattrs" in getattr(kind.__setattr__, "__name__", "")
    if dataclasses.is_dataclass(kind):
        return bool(getattr(kind, "__dataclass_params__").frozen)  # noqa: B009 -- dataclass leaves it undeclared
    return False


def _faults(info: msgspec.inspect.Type, path: str, seen: set[Any]) -> Iterator[tuple[str, str]]:
    if isinstance(info, msgspec.inspect.AnyType):
        yield path, "is Any, whose values come back as other types; name the type"
    elif isinstance(info, msgspec.inspect.CustomType):
        yield path, f"is {say(info.cls)}, which cannot be stored; use attrs, a dataclass, a Struct or a plain type"
    elif isinstance(info, msgspec.inspect.UnionType):
        for option in info.types:
            yield from _faults(option, path, seen)
    elif isinstance(info, msgspec.inspect.DictType) and not _is_key(info.key_type):
        yield path, "has keys that JSON cannot hold; use str, int or another plain type, or a tuple of pairs"
    elif isinstance(info, _WITH_FIELDS):
        if info.cls not in seen:
            seen.add(info.cls)
            yield from _private(info.cls)
            for field in info.fields:
                yield from _faults(field.type, f"{say(info.cls)}.{field.name}", seen)
    else:
        nested = [
            getattr(info, name) for name in _NESTED if isinstance(getattr(info, name, None), msgspec.inspect.Type)
        ]
        for one in (*nested, *getattr(info, "item_types", ())):
            yield from _faults(one, path, seen)


def _is_key(info: msgspec.inspect.Type) -> bool:
    options = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    return not any(isinstance(option, _NO_KEYS) for option in options)


def _private(kind: type) -> Iterator[tuple[str, str]]:
    fields: tuple[Any, ...] = ()
    if attrs.has(kind):
        fields = attrs.fields(kind)
    elif dataclasses.is_dataclass(kind):
        fields = dataclasses.fields(kind)
    for field in fields:
        if field.name.startswith("_") or not field.init:
            yield f"{say(kind)}.{field.name}", "is private or not given at construction, so it would not come back"


def say(kind: Any) -> str:
    """A type, as a message names it."""
    around, inner = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(around, type) and around is not types.UnionType and inner:
        return f"{say(around)}[{', '.join('...' if one is Ellipsis else say(one) for one in inner)}]"
    name: str = getattr(kind, "__qualname__", None) or str(kind)
    return name.rpartition("<locals>.")[2]
