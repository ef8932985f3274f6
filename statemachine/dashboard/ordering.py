"""Puts the fields of data in the order in which its type declares them: what its author wrote first is read first."""

from __future__ import annotations

from typing import Any

from msgspec import inspect

from statemachine.dashboard.redaction import WITH_FIELDS, is_fields, is_listed


def in_order(value: Any, kind: Any) -> Any:
    """JSON values of data of a type, in its order; what the type does not say stays as it is."""
    try:
        return _ordered(value, inspect.type_info(kind))
    except (TypeError, NameError):
        return value


def _ordered(value: Any, info: Any) -> Any:
    if isinstance(info, inspect.Metadata):
        return _ordered(value, info.type)
    if isinstance(info, inspect.UnionType):
        fitting = [one for one in info.types if isinstance(one, WITH_FIELDS)]
        return _ordered(value, fitting[0]) if len(fitting) == 1 else value
    if isinstance(info, WITH_FIELDS) and is_fields(value):
        known = {field.encode_name: field.type for field in info.fields if field.encode_name in value}
        return {name: _ordered(value[name], of) for name, of in known.items()} | {
            name: item for name, item in value.items() if name not in known
        }
    if isinstance(info, inspect.CollectionType | inspect.VarTupleType) and is_listed(value):
        return [_ordered(item, info.item_type) for item in value]
    return value
