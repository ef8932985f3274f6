"""Reads the functions of a workflow when its class is compiled: what they ask for, and whether their types fit.

What a type checker cannot see (a guard over another data type, a handler for another event) is found here, at import.
The shapes the core calls are made here too, so that nothing is looked up while a run moves.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

import attrs

from statemachine.definition import Function
from statemachine.errors import BrokenFunction
from statemachine.events import Call, Connection, Outbox
from statemachine.scope import Scope
from statemachine.snapshot import Occurrence
from statemachine.steps import seconds

Bound = Callable[[Any], Function]
"""Gives a function, as the core or a host calls it, for one workflow object."""


@attrs.frozen
class Reader:
    """Reads the functions of one workflow.

    Attributes:
        workflow: The class's name, for messages.
        data: Its data type.
    """

    workflow: str
    data: Any

    def guard(self, function: Callable[..., Any], event: Any) -> Bound:
        """`(data)` or `(data, event)`, with an `Outbox` where it asks for one."""
        takes = self._read(function, method=False, event=event, result=bool)
        call = _adapted(function, takes)
        return lambda _owner: call

    def handler(self, function: Callable[..., Any], event: Any) -> Bound:
        """`(self, data)` or `(self, data, event)` -> data, with an `Outbox` where it asks for one."""
        takes = self._read(function, method=True, event=event, result=self.data)
        return lambda owner: _adapted(functools.partial(function, owner), takes)

    def fold(self, function: Callable[..., Any]) -> tuple[Bound, Any]:
        """`(data, result)` -> data; and the result's type."""
        hints, parameters = _hints(function), _parameters(function)
        if len(parameters) != 2:
            raise self._broken(function, "a fold takes (data, result) and returns data")
        self._same(function, hints, parameters[0], self.data)
        self._same(function, hints, "return", self.data)
        kind = hints.get(parameters[1], Any)

        def call(data: Any, occurrence: Occurrence, _scope: Scope) -> Any:
            return function(data, occurrence.value)

        return (lambda _owner: call), kind

    def delay(self, function: Callable[..., Any]) -> Bound:
        """`(data)` -> timedelta, seconds or UTC datetime."""
        hints, parameters = _hints(function), _parameters(function)
        if len(parameters) != 1:
            raise self._broken(function, "a delay takes (data) and returns a timedelta or a UTC datetime")
        self._same(function, hints, parameters[0], self.data)

        def call(data: Any, _occurrence: Occurrence, _scope: Scope) -> float | datetime:
            given: Any = function(data)
            return given if isinstance(given, datetime) else seconds(given)

        return lambda _owner: call

    def step(self, function: Callable[..., Any], *, transactional: bool, returns: Any) -> Bound:
        """`(self, data[, connection][, call])`, sync or async, as the host calls it: `(data[, connection], call)`."""
        hints, parameters = _hints(function), _parameters(function)
        usual = (
            "(self, data, connection) or (self, data, connection, call)"
            if transactional
            else "(self, data) or (self, data, call)"
        )
        least = 3 if transactional else 2
        if not least <= len(parameters) <= least + 1:
            raise self._broken(function, f"it takes {usual}")
        asynchronous = inspect.iscoroutinefunction(function)
        if transactional and asynchronous:
            raise self._broken(function, "a transactional step is sync: it runs inside the commit")
        self._same(function, hints, parameters[1], self.data)
        if transactional:
            self._same(function, hints, parameters[2], Connection)
        if len(parameters) == least + 1:
            self._same(function, hints, parameters[least], Call)
            return lambda owner: functools.partial(function, owner)
        if returns is not Any:
            self._same(function, hints, "return", returns)
        if transactional:
            return lambda owner: _transaction_without_call(functools.partial(function, owner))
        if asynchronous:
            return lambda owner: _async_without_call(functools.partial(function, owner))
        return lambda owner: _without_call(functools.partial(function, owner))

    def result(self, function: Callable[..., Any]) -> Any:
        """What a step says that it returns."""
        return _hints(function).get("return", Any)

    def _read(self, function: Callable[..., Any], *, method: bool, event: Any, result: Any) -> _Takes:
        hints, parameters = _hints(function), _parameters(function)
        if inspect.iscoroutinefunction(function):
            raise self._broken(function, "guards and handlers are pure and never async; effects belong into a step")
        if method:
            if not parameters or parameters[0] != "self":
                raise self._broken(function, "a handler is a method: (self, data) or (self, data, event) -> data")
            parameters = parameters[1:]
        elif parameters[:1] == ["self"]:
            raise self._broken(function, "a guard is a plain function: (data) or (data, event) -> bool")
        outboxes = [name for name in parameters if hints.get(name) is Outbox]
        plain = [name for name in parameters if name not in outboxes]
        most = 1 if event is None else 2
        if not 1 <= len(plain) <= most or len(outboxes) > 1 or (outboxes and parameters[-1] != outboxes[0]):
            usual = "(data)" if event is None else "(data) or (data, event)"
            raise self._broken(function, f"it takes {usual}, and an Outbox last if it asks for one")
        self._same(function, hints, plain[0], self.data)
        if len(plain) == 2 and event is not Any:
            self._same(function, hints, plain[1], event)
        self._same(function, hints, "return", result)
        return _Takes(len(plain) - 1, bool(outboxes))

    def _same(self, function: Callable[..., Any], hints: dict[str, Any], name: str, expected: Any) -> None:
        """Refuse an annotation of another type than its place asks for; without one, it is taken on trust."""
        given = hints.get(name, Any)
        if name == "return" and typing.get_origin(given) in {Coroutine, Awaitable}:
            given = typing.get_args(given)[-1]
        if given is Any or expected is Any or given == expected or isinstance(given, typing.TypeVar | str):
            return
        if isinstance(given, type) and isinstance(expected, type) and name != "return" and issubclass(expected, given):
            return
        what = "returns" if name == "return" else f"takes {name!r} as"
        raise self._broken(function, f"it {what} {_say(given)}, where {_say(expected)} is expected")

    def _broken(self, function: Callable[..., Any], reason: str) -> BrokenFunction:
        code = inspect.unwrap(function).__code__ if hasattr(inspect.unwrap(function), "__code__") else None
        where = f"{code.co_filename}:{code.co_firstlineno}" if code else None
        return BrokenFunction(self.workflow, None, f"{getattr(function, '__qualname__', function)}: {reason}", where)


@attrs.frozen
class _Takes:
    events: int
    outbox: bool


def _adapted(function: Callable[..., Any], takes: _Takes) -> Function:
    """The function as the core calls it: `(data, occurrence, scope)`."""

    def with_data(data: Any, _occurrence: Occurrence, _scope: Scope) -> Any:
        return function(data)

    def with_event(data: Any, occurrence: Occurrence, _scope: Scope) -> Any:
        return function(data, occurrence.value)

    def with_outbox(data: Any, _occurrence: Occurrence, scope: Scope) -> Any:
        return function(data, Outbox(scope))

    def with_both(data: Any, occurrence: Occurrence, scope: Scope) -> Any:
        return function(data, occurrence.value, Outbox(scope))

    if takes.outbox:
        return with_both if takes.events else with_outbox
    return with_event if takes.events else with_data


def _transaction_without_call(function: Callable[..., Any]) -> Function:
    def call(data: Any, connection: Any, _call: Call) -> Any:
        return function(data, connection)

    return call


def _async_without_call(function: Callable[..., Any]) -> Function:
    async def call(data: Any, _call: Call) -> Any:
        return await function(data)

    return call


def _without_call(function: Callable[..., Any]) -> Function:
    def call(data: Any, _call: Call) -> Any:
        return function(data)

    return call


def _parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations as types; one that cannot be resolved here (a class local to a function) stays its text."""
    plain = inspect.unwrap(function)
    try:
        return typing.get_type_hints(plain)
    except (NameError, TypeError):
        return dict(getattr(plain, "__annotations__", {}))


def _say(kind: Any) -> str:
    return getattr(kind, "__qualname__", None) or str(kind)
