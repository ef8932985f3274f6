"""Values drawn for the types of a workflow's data and events: small, storable, and now and then equal to each other.

Fields with a default keep it: in a run's first data they are what its steps have yet to find out. Whoever needs other
values gives a strategy for the type.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import msgspec
from hypothesis import strategies as st

Drawn = st.SearchStrategy[Any]
_WORDS = ("ada", "grace", "x", "")

_PLAIN: dict[Any, Drawn] = {
    # Equal strings are what four-eyes rules and look-ups are about, so they must come up.
    str: st.sampled_from(_WORDS) | st.text(max_size=8),
    int: st.integers(0, 10) | st.integers(-(2**53), 2**53),
    float: st.floats(0, 1) | st.floats(allow_nan=False, allow_infinity=False),
    bytes: st.binary(max_size=8),
    datetime: st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis wants bounds without zone
    date: st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    timedelta: st.timedeltas(timedelta(0), timedelta(days=400)),
}


def of_type(kind: Any, given: Mapping[Any, Drawn] | None = None) -> Drawn:
    """A strategy for a type.

    Args:
        kind: An attrs class, a dataclass, a Struct, or what their fields are annotated with.
        given: Strategies for types that occur in it, the type itself included.
    """
    given = given or {}
    if kind in given:
        return given[kind]
    if kind in _PLAIN:
        return _PLAIN[kind]
    fields = _required(kind)
    if fields is not None:
        return st.builds(kind, **{name: of_type(hint, given) for name, hint in fields.items()})
    around, inside = typing.get_origin(kind), typing.get_args(kind)
    if around in _AROUND:
        return _AROUND[around](inside, lambda hint: of_type(hint, given))
    return st.from_type(kind)


def _required(kind: Any) -> dict[str, Any] | None:
    """Argument of the constructor -> type, for each field without default; None when it is no class with fields."""
    if not _is_class(kind):
        return None
    if issubclass(kind, msgspec.Struct):
        return {field.name: field.type for field in msgspec.structs.fields(kind) if field.required}
    if attrs.has(kind):
        hints = typing.get_type_hints(kind)
        return {
            field.alias or field.name: hints.get(field.name, Any)
            for field in attrs.fields(kind)
            if field.init and field.default is attrs.NOTHING
        }
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return {
            field.name: hints[field.name]
            for field in dataclasses.fields(kind)
            if field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        }
    return None


def _is_class(kind: Any) -> bool:
    return isinstance(kind, type)


_Of = Callable[[Any], Drawn]


def _tuple(inside: tuple[Any, ...], of: _Of) -> Drawn:
    if len(inside) == 2 and inside[1] is ...:
        return st.lists(of(inside[0]), max_size=3).map(tuple)
    return st.tuples(*(of(hint) for hint in inside))


def _union(inside: tuple[Any, ...], of: _Of) -> Drawn:
    return st.one_of(*(of(hint) for hint in inside))


_AROUND: dict[Any, Callable[[tuple[Any, ...], _Of], Drawn]] = {
    tuple: _tuple,
    list: lambda inside, of: st.lists(of(inside[0]), max_size=3),
    set: lambda inside, of: st.sets(of(inside[0]), max_size=3),
    frozenset: lambda inside, of: st.frozensets(of(inside[0]), max_size=3),
    dict: lambda inside, of: st.dictionaries(of(inside[0]), of(inside[1]), max_size=3),
    Mapping: lambda inside, of: st.dictionaries(of(inside[0]), of(inside[1]), max_size=3),
    typing.Union: _union,
    types.UnionType: _union,
    typing.Annotated: lambda inside, of: of(inside[0]),
}
