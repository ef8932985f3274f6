"""The data model of the documents: Python expressions over a dict of values that JSON can hold.

A run's data is `{name: value}`. Each evaluation gets a copy, in which dicts read by attribute too (`_event.data.x`) and
XML is an element; what it leaves behind is made plain again. So nothing but JSON's own values is ever kept, and a
document behaves the same after its snapshot was encoded and decoded.
"""

from __future__ import annotations

import ast
import builtins
import json
import types
from collections.abc import Mapping
from functools import cache
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from statemachine.scope import Scope
from statemachine.snapshot import Occurrence

Data = dict[str, Any]

PROCESSOR = "http://www.w3.org/TR/scxml/#SCXMLEventProcessor"
SHORT = "scxml"
XML = "<xml>"
"""The one key of a dict that stands for an XML element."""
CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
"""A few documents write these as their ECMAScript originals did."""


class ValueIllegalError(Exception):
    """An expression, location or value that the data model does not allow."""


class Fields(dict[str, Any]):
    """A dict whose items can be read and set as attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class ProcessorName(str):
    """The SCXML event processor's name, which is also its short form: the suite has events carry either (C.1)."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return other == SHORT or super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def address(session: str) -> str:
    """Where a session can be reached (SCXML C.1)."""
    return f"#_scxml_{session}"


def seen(value: Any) -> Any:
    """A kept value as expressions see it: a copy."""
    if isinstance(value, dict):
        if value.keys() == {XML}:
            return ET.fromstring(value[XML])
        return Fields({name: seen(inner) for name, inner in value.items()})
    if isinstance(value, list):
        return [seen(inner) for inner in value]
    return ProcessorName(value) if value == PROCESSOR else value


def plain(value: Any) -> Any:
    """A value as it is kept.

    Raises:
        TypeError: JSON cannot hold it.
    """
    return msgspec.to_builtins(value, enc_hook=_kept)


def _kept(value: Any) -> Any:
    if isinstance(value, ProcessorName):
        return str(value)
    if isinstance(value, ET.Element):
        return {XML: ET.tostring(value, encoding="unicode")}
    kind = type(value).__name__
    msg = f"a {kind} cannot be kept; use what JSON can hold"
    raise TypeError(msg)


def inline(element: ET.Element) -> Any:
    """The value written inside an element (SCXML B.2.8): XML, else JSON, else a string with its space normalised."""
    if len(element):
        return plain(element[0])
    return parsed(element.text or "")


def parsed(text: str) -> Any:
    """The value of a text, likewise."""
    words = " ".join(text.split())
    if words.startswith("<"):
        return plain(ET.fromstring(words))
    try:
        return json.loads(words)
    except ValueError:
        return words or None


class Model:
    """Evaluates for one document."""

    def __init__(self, name: str | None) -> None:
        self._name = name

    def names(self, data: Data, occurrence: Occurrence, scope: Scope) -> dict[str, Any]:
        """Everything an expression can name (SCXML 5.10). `_event` is unbound until there was one."""
        here = {"location": address(scope.run)}
        names: dict[str, Any] = {
            "__builtins__": builtins,
            **CONSTANTS,
            "In": scope.active,
            "_sessionid": scope.run,
            "_name": self._name,
            "_ioprocessors": Fields({PROCESSOR: Fields(here), SHORT: Fields(here)}),
            "_x": Fields(),
        }
        if occurrence.name:
            names["_event"] = _event(occurrence)
        names.update((name, seen(value)) for name, value in data.items())
        return names

    def value(self, expression: str, data: Data, occurrence: Occurrence, scope: Scope) -> Any:
        """The value of an expression, as it is kept."""
        return plain(eval(_compiled(expression, "eval"), self.names(data, occurrence, scope)))  # the documents are ours

    def holds(self, expression: str, data: Data, occurrence: Occurrence, scope: Scope) -> bool:
        """The truth of a condition."""
        return bool(eval(_compiled(expression, "eval"), self.names(data, occurrence, scope)))

    def assign(self, location: str, value: Any, data: Data, occurrence: Occurrence, scope: Scope) -> Data:
        """The data with a value put at a location: a declared name, or an item or attribute below one.

        Raises:
            ValueIllegalError: It is no such location.
        """
        target = location.strip()
        root = _root(target)
        if root not in data:
            msg = f"{root!r} is not declared, so nothing can be assigned to {target!r}"
            raise ValueIllegalError(msg)
        names = self.names(data, occurrence, scope)
        names["_assigned"] = seen(value)
        exec(_compiled(f"{target} = _assigned", "exec"), names)
        return {**data, root: plain(names[root])}

    def declare(self, name: str, value: Any, data: Data) -> Data:
        """The data with a name set, declared or not.

        Raises:
            ValueIllegalError: It is no name that a document may use.
        """
        if not name.isidentifier() or _reserved(name):
            msg = f"{name!r} is not a name that can hold a value"
            raise ValueIllegalError(msg)
        return {**data, name: value}

    def run(self, script: str, data: Data, occurrence: Occurrence, scope: Scope) -> Data:
        """The data after a script; what it defines is declared by that, unless it is a module or a function."""
        names = self.names(data, occurrence, scope)
        exec(_compiled(script, "exec"), names)
        return {
            name: plain(value)
            for name, value in names.items()
            if name in data or not (_reserved(name) or isinstance(value, (types.ModuleType, types.FunctionType)))
        }


def _event(occurrence: Occurrence) -> Fields:
    external = occurrence.kind == "external"
    return Fields(
        name=occurrence.name,
        type=occurrence.kind,
        sendid=occurrence.send_id,
        origin=address(occurrence.origin) if occurrence.origin else None,
        origintype=seen(PROCESSOR) if external else None,
        invokeid=occurrence.invoke,
        data=seen(occurrence.value),
    )


def _reserved(name: str) -> bool:
    return name.startswith("_") or name in CONSTANTS or name == "In"


@cache
def _compiled(source: str, mode: str) -> types.CodeType:
    """Compiled when it is evaluated first, so that an error in it is an error of that evaluation."""
    return compile(source.strip(), "<document>", mode)


@cache
def _root(location: str) -> str:
    node: ast.AST = ast.parse(location, mode="eval").body
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    if not isinstance(node, ast.Name):
        msg = f"{location!r} is not a location"
        raise ValueIllegalError(msg)
    return node.id
