"""What is not shown: fields that are marked in their types, or whose names say what they are, wherever they occur.

A name that is marked in one type is hidden everywhere: in data, in the bodies of the journal, in what an undo gets. The
text of errors is free, so hidden values of the same run are looked for in it, too.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeGuard

import attrs
import msgspec
from msgspec import inspect

from statemachine.definition import Definition
from statemachine.redacted import MARK

HIDDEN = "•••"
NAMES = (
    r"passw(or)?d",
    r"secret",
    r"token",
    r"api[_-]?key",
    r"private[_-]?key",
    r"credential",
    r"(^|_)iban($|_)",
    r"card[_-]?(number|no)",
    r"(^|_)(cvv|cvc|pin|ssn)($|_)",
)
"""Patterns of names that are hidden without being marked."""
SHORTEST = 4
"""Characters of a value that is looked for in text; a shorter one would be found everywhere."""
WITH_FIELDS = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType, inspect.NamedTupleType)


class Redaction:
    """What to hide of the runs of some workflows.

    Args:
        known: Gives the workflows, whose types are searched for marks; asked once, at the first need.
        patterns: Regular expressions, searched for in names without regard to case, besides `NAMES`.
    """

    def __init__(self, known: Callable[[], Iterable[Definition]], patterns: Iterable[str] = ()) -> None:
        self._known = known
        self._pattern = re.compile("|".join((*NAMES, *patterns)), re.IGNORECASE)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(name for one in self._known() for name in marked(one))

    def hides(self, name: str) -> bool:
        """Whether a field of this name is hidden."""
        return name in self._names or self._pattern.search(name) is not None

    def value(self, value: Any) -> Any:
        """JSON values without what is hidden."""
        return self._walked(value, lambda text: text)

    def whole(self, value: Any, secrets: Iterable[str]) -> Any:
        """The same, with texts in which the hidden values are hidden, too."""
        known = tuple(secrets)
        return self._walked(value, lambda text: hide(text, known))

    def _walked(self, value: Any, text: Callable[[str], str]) -> Any:
        if is_fields(value):
            items = value.items()
            return {
                str(key): HIDDEN if self.hides(str(key)) and _says(item) else self._walked(item, text)
                for key, item in items
            }
        if is_listed(value):
            return [self._walked(item, text) for item in value]
        return text(value) if isinstance(value, str) else value

    def secrets(self, *values: Any) -> frozenset[str]:
        """The hidden values in these, as they might stand in a text."""
        return frozenset(said for value in values for said in self._hidden(value, within=False))

    def _hidden(self, value: Any, *, within: bool) -> Iterator[str]:
        if is_fields(value):
            for key, item in value.items():
                yield from self._hidden(item, within=within or self.hides(str(key)))
        elif is_listed(value):
            for item in value:
                yield from self._hidden(item, within=within)
        elif within and value is not None and not isinstance(value, bool) and len(str(value)) >= SHORTEST:
            yield str(value)


def hide(text: str, secrets: Iterable[str]) -> str:
    """A text in which these values are hidden, the longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def is_fields(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether JSON values have names."""
    return isinstance(value, Mapping)


def is_listed(value: Any) -> TypeGuard[Sequence[Any]]:
    """Whether JSON values stand in a row."""
    return isinstance(value, list | tuple)


def _says(value: Any) -> bool:
    """Whether there is something to hide: that a field is not set may be seen."""
    return value is not None and value != ""


# ------------------------------------------------------------------------------------------------------- marks in types


def marked(definition: Definition) -> set[str]:
    """The stored names of the fields that are marked in a workflow's data, events, results, items and progress."""
    code = definition.code
    found: set[str] = set()
    kinds = (code.events, code.results, code.items, code.saves)
    for kind in (code.data, *(one for named in kinds for one in named.values())):
        try:
            info = inspect.type_info(kind)
        except (TypeError, NameError):  # a definition built from data may have types of its own
            continue
        found.update(_marked(info, set()))
    return found


def _marked(info: Any, seen: set[Any]) -> Iterator[str]:
    if isinstance(info, WITH_FIELDS):
        if info.cls in seen:
            return
        seen.add(info.cls)
        by_metadata = set(_by_metadata(info.cls))
        for field in info.fields:
            if field.name in by_metadata or is_marked(field.type):
                yield field.encode_name
            yield from _marked(field.type, seen)
    elif isinstance(info, msgspec.Struct):
        for name in info.__struct_fields__:
            nested: Any = getattr(info, name)
            for one in nested if is_listed(nested) else (nested,):
                if isinstance(one, inspect.Type):
                    yield from _marked(one, seen)


def is_marked(info: inspect.Type) -> bool:
    """Whether a type is `Redacted[…]`, or may be."""
    if isinstance(info, inspect.UnionType):
        return any(is_marked(one) for one in info.types)
    if not isinstance(info, inspect.Metadata):
        return False
    extra: Any = info.extra  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] -- whatever the type's author said
    return bool(extra and extra.get(MARK)) or is_marked(info.type)


def _by_metadata(kind: type) -> Iterator[str]:
    fields: tuple[Any, ...] = ()
    if attrs.has(kind):
        fields = attrs.fields(kind)
    elif dataclasses.is_dataclass(kind):
        fields = dataclasses.fields(kind)
    return (field.name for field in fields if field.metadata.get(MARK))
