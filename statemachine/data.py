"""The fields of a run's data: which two values differ in, and a new value with some of them replaced.

Data is an attrs class, a dataclass or a `msgspec.Struct` (a definition built from data may use a dict). What can be
asked of a type is looked up once; only fields that its constructor takes count, since the others follow from them.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import attrs
import msgspec

from statemachine.errors import NotData, OtherData, UnknownField

D = TypeVar("D")


@attrs.frozen(eq=False)
class _Shape:
    names: tuple[str, ...]
    known: frozenset[str]
    replace: Callable[[Any, Mapping[str, Any]], Any]


_SHAPES: dict[type, _Shape] = {}


def is_data(kind: type) -> bool:
    """Whether a type has fields that can be asked for: attrs, dataclass or Struct."""
    return attrs.has(kind) or dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct)


def fields(data: object) -> tuple[str, ...]:
    """Names of the fields of a data type, or of the type of a value, in their order.

    Raises:
        NotData: It is not an attrs class, a dataclass or a Struct.
    """
    if isinstance(data, dict):
        return tuple(cast("dict[str, Any]", data))
    return _shape(data if isinstance(data, type) else type(data)).names


def changed(base: object, result: object) -> dict[str, Any]:
    """The fields in which `result` differs from `base`, with their values in `result`.

    Raises:
        OtherData: They are not of one type.
    """
    if result is base:
        return {}
    kind: type[Any] = type(base)
    if type(result) is not kind:
        raise OtherData(kind, type(result))
    if kind is dict:
        old, new = cast("dict[str, Any]", base), cast("dict[str, Any]", result)
        return {name: value for name, value in new.items() if name not in old or not _same(old[name], value)}
    found: dict[str, Any] = {}
    for name in _shape(kind).names:
        value = getattr(result, name)
        if not _same(getattr(base, name), value):
            found[name] = value
    return found


def overlay(data: D, fields: Mapping[str, Any]) -> D:
    """`data` with some fields replaced.

    Raises:
        UnknownField: A name is not one of its fields.
    """
    if not fields:
        return data
    kind: type[Any] = type(data)
    if kind is dict:
        return cast("D", {**cast("dict[str, Any]", data), **fields})
    shape = _shape(kind)
    if not shape.known.issuperset(fields):
        raise _unknown(kind, shape.names, fields)
    return shape.replace(data, fields)  # type: ignore[no-any-return]


def evolve(data: D, /, **changes: Any) -> D:
    """`data` with some fields replaced; works alike for attrs classes, dataclasses and Structs.

    >>> import attrs
    >>> @attrs.frozen
    ... class Loan:
    ...     amount: int
    ...     paid: bool = False
    >>> evolve(Loan(5_000), paid=True)
    Loan(amount=5000, paid=True)

    Raises:
        UnknownField: A name is not one of its fields.
    """
    return overlay(data, changes)


def _same(one: object, other: object) -> bool:
    """Equal and of one type: 1, 1.0 and True are different values once they are stored."""
    return one is other or (type(one) is type(other) and bool(one == other))


def _shape(kind: type) -> _Shape:
    shape = _SHAPES.get(kind)
    if shape is None:
        shape = _SHAPES[kind] = _look_up(kind)
    return shape


def _look_up(kind: type[Any]) -> _Shape:
    if issubclass(kind, msgspec.Struct):
        return _Shape(kind.__struct_fields__, frozenset(kind.__struct_fields__), _replace_struct)
    if attrs.has(kind):
        aliases = {field.name: field.alias or field.name for field in attrs.fields(kind) if field.init}
    elif dataclasses.is_dataclass(kind):
        aliases = {field.name: field.name for field in dataclasses.fields(kind) if field.init}
    else:
        raise NotData(kind)
    return _Shape(tuple(aliases), frozenset(aliases), _replacer(kind, tuple(aliases.items())))


def _replace_struct(data: Any, fields: Mapping[str, Any]) -> Any:
    return msgspec.structs.replace(data, **fields)


def _replacer(kind: type, aliases: tuple[tuple[str, str], ...]) -> Callable[[Any, Mapping[str, Any]], Any]:
    def replace(data: Any, fields: Mapping[str, Any]) -> Any:
        return kind(**{alias: fields[name] if name in fields else getattr(data, name) for name, alias in aliases})

    return replace


def _unknown(kind: type, names: tuple[str, ...], fields: Mapping[str, Any]) -> UnknownField:
    name = next(name for name in fields if name not in names)
    return UnknownField(kind, name, names, next(iter(difflib.get_close_matches(name, names, 1)), None))
