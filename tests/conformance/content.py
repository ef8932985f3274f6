"""Executable content as functions of a `Definition`: `(data, occurrence, scope) -> data` for each element.

An error in one of them ends its block (SCXML 4): the core sees to that, or, where something was done before the error
that must stay, `EndBlock` does. An error that SCXML lets an element survive (a condition, a parameter) is only put into
the internal queue.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

from statemachine.scope import EndBlock, Scope
from statemachine.snapshot import Occurrence
from tests.conformance.datamodel import PROCESSOR, Data, Model, ValueIllegalError, inline

Action = Callable[[Data, Occurrence, Scope], Data]
Reaches = Callable[[str, str], bool]
"""`reaches(session, target)`: whether an event from this session can be dispatched to this target now."""

SEND_TYPES = {None, "scxml", PROCESSOR, PROCESSOR.removesuffix("#SCXMLEventProcessor")}
NUMBER = "_sends"
"""Where a session's data counts the ids that were made for its sends."""
_DELAY = re.compile(r"(\d*\.?\d+)(ms|s|m|h|d)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def tag(element: ET.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: ET.Element, *names: str) -> list[ET.Element]:
    """The child elements of these names, in document order."""
    return [child for child in element if tag(child) in names]


def seconds(delay: str) -> float:
    """A CSS2 time in seconds.

    Raises:
        ValueIllegalError: It is none.
    """
    found = _DELAY.fullmatch(delay.strip())
    if found is None:
        msg = f"{delay!r} is not a time such as 1.5s or 200ms"
        raise ValueIllegalError(msg)
    return timedelta(**{_UNITS[found[2]]: float(found[1])}).total_seconds()


class Content:
    """Makes functions of the elements of one document."""

    def __init__(self, model: Model, reaches: Reaches) -> None:
        self._model = model
        self._reaches = reaches
        self._makers: dict[str, Callable[[ET.Element], Iterable[Action]]] = {
            "raise": self._raise,
            "send": self._send,
            "cancel": self._cancel,
            "assign": self._assign,
            "log": self._log,
            "if": self._if,
            "foreach": self._foreach,
            "script": self._script,
        }

    def block(self, element: ET.Element) -> list[Action]:
        """The functions of an element's executable children, in order."""
        return [action for child in element for action in self.element(child)]

    def element(self, element: ET.Element) -> list[Action]:
        """The functions of one executable element."""
        return list(self._makers[tag(element)](element))

    def attribute(self, element: ET.Element, name: str, data: Data, occurrence: Occurrence, scope: Scope) -> Any:
        """An attribute's value, or that of the expression in its twin `<name>expr`; None when neither is there."""
        expression = element.get(f"{name}expr")
        if expression is not None:
            return self._model.value(expression, data, occurrence, scope)
        return element.get(name)

    def payload(self, element: ET.Element, data: Data, occurrence: Occurrence, scope: Scope) -> Any:
        """The data of an event: its `content`, else its parameters."""
        for content in children(element, "content"):
            return self.content(content, data, occurrence, scope)
        return self.parameters(element, data, occurrence, scope)

    def parameters(self, element: ET.Element, data: Data, occurrence: Occurrence, scope: Scope) -> Any:
        """What `namelist` and `param` give (SCXML 5.7); None for nothing.

        A parameter that cannot be evaluated is left out, and an error raised; an illegal name in `namelist` is an error
        of the whole element.
        """
        listed = (element.get("namelist") or "").split()
        values = {name: self._model.value(name, data, occurrence, scope) for name in listed}
        for param in children(element, "param"):
            expression = param.get("expr") or param.get("location") or ""
            try:
                values[param.get("name", "")] = self._model.value(expression, data, occurrence, scope)
            except Exception as error:  # noqa: BLE001 -- an expression may raise anything
                scope.fail("error.execution", str(error))
        return values or None

    def content(self, element: ET.Element, data: Data, occurrence: Occurrence, scope: Scope) -> Any:
        """The value of a `content` element."""
        expression = element.get("expr")
        return inline(element) if expression is None else self._model.value(expression, data, occurrence, scope)

    def _raise(self, element: ET.Element) -> Iterable[Action]:
        name = element.get("event", "")

        def act(data: Data, _occurrence: Occurrence, scope: Scope) -> Data:
            scope.raise_event(name)
            return data

        yield act

    def _log(self, element: ET.Element) -> Iterable[Action]:
        """Evaluates; there is nobody to read it."""
        expression = element.get("expr")

        def act(data: Data, occurrence: Occurrence, scope: Scope) -> Data:
            if expression is not None:
                self._model.value(expression, data, occurrence, scope)
            return data

        yield act

    def _assign(self, element: ET.Element) -> Iterable[Action]:
        location, expression = element.get("location", ""), element.get("expr")

        def act(data: Data, occurrence: Occurrence, scope: Scope) -> Data:
            value = inline(element) if expression is None else self._model.value(expression, data, occurrence, scope)
            return self._model.assign(location, value, data, occurrence, scope)

        yield act

    def _script(self, element: ET.Element) -> Iterable[Action]:
        text = element.text or ""
        yield lambda data, occurrence, scope: self._model.run(text, data, occurrence, scope)

    def _if(self, element: ET.Element) -> Iterable[Action]:
        arms: list[tuple[str | None, list[Action]]] = [(element.get("cond"), [])]
        for child in element:
            if tag(child) in {"elseif", "else"}:
                arms.append((child.get("cond"), []))
            else:
                arms[-1][1].extend(self.element(child))

        def act(data: Data, occurrence: Occurrence, scope: Scope) -> Data:
            for condition, actions in arms:
                if condition is None or self._holds(condition, data, occurrence, scope):
                    return _in_order(actions, data, occurrence, scope)
            return data

        yield act

    def _holds(self, condition: str, data: Data, occurrence: Occurrence, scope: Scope) -> bool:
        """A condition that cannot be evaluated is false, and an error (SCXML 5.9.1)."""
        try:
            return self._model.holds(condition, data, occurrence, scope)
        except Exception as error:  # noqa: BLE001 -- an expression may raise anything
            scope.fail("error.execution", str(error))
            return False

    def _foreach(self, element: ET.Element) -> Iterable[Action]:
        array, item, index = element.get("array", ""), element.get("item", ""), element.get("index")
        actions = self.block(element)

        def act(data: Data, occurrence: Occurrence, scope: Scope) -> Data:
            values = self._model.value(array, data, occurrence, scope)
            if not isinstance(values, list):
                msg = f"{array!r} is not a list"
                raise ValueIllegalError(msg)
            data = self._model.declare(item, data.get(item), data)
            for place, value in enumerate(values):
                data = self._model.declare(item, value, data)
                if index is not None:
                    data = self._model.declare(index, place, data)
                data = _in_order(actions, data, occurrence, scope)
            return data

        yield act

    def _cancel(self, element: ET.Element) -> Iterable[Action]:
        def act(data: Data, occurrence: Occurrence, scope: Scope) -> Data:
            scope.cancel(str(self.attribute(element, "sendid", data, occurrence, scope)))
            return data

        yield act

    def _send(self, element: ET.Element) -> Iterable[Action]:
        location = element.get("idlocation")

        def act(data: Data, occurrence: Occurrence, scope: Scope) -> Data:
            send_id = element.get("id")
            if location is not None:
                data, send_id = _numbered(data)
                data = self._model.assign(location, send_id, data, occurrence, scope)
            try:
                self._dispatch(element, send_id, data, occurrence, scope)
            except Exception as error:
                scope.fail("error.execution", str(error), send_id)
                raise EndBlock(data) from error
            return data

        yield act

    def _dispatch(
        self, element: ET.Element, send_id: str | None, data: Data, occurrence: Occurrence, scope: Scope
    ) -> None:
        name = self.attribute(element, "event", data, occurrence, scope)
        target = self.attribute(element, "target", data, occurrence, scope)
        delay = seconds(self.attribute(element, "delay", data, occurrence, scope) or "0s")
        value = self.payload(element, data, occurrence, scope)
        kind = self.attribute(element, "type", data, occurrence, scope)
        if kind not in SEND_TYPES:
            msg = f"send type {kind!r} is not supported"
            raise ValueIllegalError(msg)
        if target is not None and not str(target).startswith("#_"):
            msg = f"{target!r} is not a target"
            raise ValueIllegalError(msg)
        if not isinstance(name, str) or not name:
            msg = "an event needs a name"
            raise ValueIllegalError(msg)
        if target == "#_internal":
            if delay:
                msg = "the internal queue takes no delayed event"
                raise ValueIllegalError(msg)
            scope.raise_event(name, value)
        elif target is not None and not delay and not self._reaches(scope.run, target):
            scope.fail("error.communication", f"nobody is at {target!r}", send_id)
        else:
            scope.send(target or "", name, value, delay=delay, send_id=send_id)


def _in_order(actions: list[Action], data: Data, occurrence: Occurrence, scope: Scope) -> Data:
    """What nested elements make of the data. An error in one ends the whole block, and keeps what was done before."""
    for action in actions:
        try:
            data = action(data, occurrence, scope)
        except EndBlock:
            raise
        except Exception as error:
            scope.fail("error.execution", str(error))
            raise EndBlock(data) from error
    return data


def _numbered(data: Data) -> tuple[Data, str]:
    """An id that no other send of the session has, and the data that remembers it was given out."""
    number = data.get(NUMBER, 0) + 1
    return {**data, NUMBER: number}, f"send.{number}"
