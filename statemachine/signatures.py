"""Reads the functions of a workflow when its class is compiled: what they ask for, and whether their types fit.

What a type checker cannot see (a handler over another data type than the workflow's) is found here, at import. What is
not annotated is taken on trust, by its place: data first, then the event. The shapes that the core calls are made here
too, so that nothing is looked up while a run moves.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from statemachine.calls import Call
from statemachine.definition import Function, unscoped
from statemachine.errors import BrokenFunction
from statemachine.events import Moment, Outbox
from statemachine.steps import seconds
from statemachine.storable import say

Bound = Callable[[Any], Function]
"""Gives a function, as the core or a host calls it, for one workflow object."""
Core = Callable[[Any, Any, Any], Any]
"""`(data, occurrence, scope)`."""


class _Unread(str):
    """An annotation that cannot be resolved, as it was written."""

    __slots__ = ()


@attrs.frozen
class Read:
    """A function with its parameters, `self` left out of a method's."""

    function: Callable[..., Any]
    name: str
    method: bool
    parameters: tuple[str, ...]
    hints: Mapping[str, Any]
    place: str

    @property
    def asynchronous(self) -> bool:
        """Whether it is an `async def`."""
        return inspect.iscoroutinefunction(self.function)


@attrs.frozen
class Reader:
    """Reads the functions of one workflow. Its methods raise BrokenFunction.

    Attributes:
        workflow: The class's name, for messages.
        data: Its data type.
        names: What annotations may name besides the globals of their module.
        methods: Ids of the functions in the class's body.
    """

    workflow: str
    data: Any
    names: Mapping[str, Any]
    methods: frozenset[int]

    def guard(self, function: Callable[..., Any], event: Any) -> Bound:
        """`(data)` or `(data, event)` -> bool; a function or a method, with a `Moment` where it asks for one."""
        read = self._pure(function, method=id(function) in self.methods)
        shape = self._shape(read, event, Moment)
        self._returns(read, bool)
        return _bound(read, lambda call: _adapted(call, shape))

    def handler(self, function: Callable[..., Any], event: Any) -> Bound:
        """`(self, data)` or `(self, data, event)` -> data, with an `Outbox` where it asks for one."""
        read = self._pure(function, method=True)
        shape = self._shape(read, event, Outbox)
        self._returns(read, self.data)
        return _bound(read, lambda call: _adapted(call, shape))

    def fold(self, function: Callable[..., Any], result: Any) -> Bound:
        """`(data, result)` -> data."""
        read = self._pure(function, method=id(function) in self.methods)
        shape = self._shape(read, result, Outbox)
        if "event" not in shape:
            raise self.broken(read, "a fold takes (data, result) and returns data")
        self._returns(read, self.data)
        return _bound(read, lambda call: _adapted(call, shape))

    def delay(self, function: Callable[..., Any]) -> Bound:
        """`(data)` -> timedelta, seconds or UTC datetime."""
        read = self._pure(function, method=id(function) in self.methods)
        shape = self._shape(read, None, Moment)
        self._returns(read, timedelta | datetime | float)
        return _bound(read, lambda call: _delay(_adapted(call, shape)))

    def each(self, function: Callable[..., Any]) -> Bound:
        """`(data)` -> the items that a step is done for."""
        read = self._pure(function, method=id(function) in self.methods)
        shape = self._shape(read, None, Moment)
        if shape != ("data",):
            raise self.broken(read, "it takes (data), as nothing else says what the items of a visit are")
        return _bound(read, lambda call: _adapted(call, shape))

    def key(self, function: Callable[..., Any], item: Any) -> Bound:
        """`(data)`, or `(data, item)` where a step has items, -> what its result depends on; a function or a method."""
        read = self._pure(function, method=id(function) in self.methods)
        shape = self._shape(read, item, Moment)
        if shape != (("data",) if item is None else ("data", "event")):
            takes = "(data)" if item is None else "(data, item)"
            raise self.broken(read, f"a key takes {takes}: a result that depends on more must not be taken for it")
        if self._hint(read, "return") in {None, type(None)}:
            raise self.broken(read, "a key returns what the result depends on; this returns None, which caches nothing")
        return _bound(read, lambda call: _adapted(call, shape))

    def step(self, function: Callable[..., Any], *, transactional: bool, returns: Any, item: Any = None) -> Bound:
        """`(self, data[, connection][, item][, call])` as the host calls it, without self and with the call.

        Args:
            function: The step or undo, sync or async.
            transactional: Whether it is given a connection.
            returns: What it has to return.
            item: The type of the item that it is given; None: it is given none.
        """
        read = self._read(function, method=True)
        second = "connection" if transactional else "item" if item is not None else ""
        given = ("data", second) if second else ("data",)
        usual = f"(self, data, {second})" if second else "(self, data)"
        with_call = len(read.parameters) == len(given) + 1
        if not with_call and len(read.parameters) != len(given):
            raise self.broken(read, f"it takes {usual}, with a Call after that if it asks for one")
        if transactional and read.asynchronous:
            raise self.broken(read, "a transactional step is sync, since it runs inside the commit; drop async")
        self._takes(read, read.parameters[0], self.data)
        if transactional:
            self._connects(read)
        if item is not None:
            self._takes(read, read.parameters[1], item)
        if with_call and typing.get_origin(self._hint(read, read.parameters[-1])) is not Call:
            self._takes(read, read.parameters[-1], Call)
        self._returns(read, returns)
        if with_call:
            return _bound(read, lambda call: call)
        return _bound(read, _without_call)

    def saves(self, function: Callable[..., Any]) -> Any:
        """What a step says that it saves, as `Call[X]`; None when it does not say."""
        read = self._read(function, method=True)
        for name in read.parameters:
            given = self._hint(read, name)
            if typing.get_origin(given) is Call:
                return typing.get_args(given)[0]
        return None

    def takes_call(self, function: Callable[..., Any]) -> bool:
        """Whether a step asks for its call."""
        read = self._read(function, method=True)
        hints = [self._hint(read, name) for name in read.parameters]
        return any(hint is Call or typing.get_origin(hint) is Call for hint in hints)

    def result(self, function: Callable[..., Any]) -> Any:
        """What a step says that it returns; Any when it does not say."""
        return self._hint(self._read(function, method=True), "return")

    def item(self, function: Callable[..., Any]) -> Any:
        """What a step says that it takes as its item; Any when it does not say."""
        read = self._read(function, method=True)
        return self._hint(read, read.parameters[1]) if len(read.parameters) > 1 else Any

    def items(self, each: Callable[..., Any]) -> Any:
        """What a function says that it returns a sequence of; Any when it does not say."""
        read = self._read(each, method=id(each) in self.methods)
        hint = self._hint(read, "return")
        plain = typing.get_origin(hint) or hint
        if hint is not Any and not (isinstance(plain, type) and issubclass(plain, Sequence)):
            raise self.broken(read, f"it returns {say(hint)}, where a sequence of items is expected")
        inner = typing.get_args(hint)
        return inner[0] if len(inner) == 1 or (len(inner) == 2 and inner[1] is Ellipsis) else Any

    def taken(self, fold: Callable[..., Any]) -> Any:
        """What a fold says that it takes as the result; Any when it does not say."""
        read = self._read(fold, method=id(fold) in self.methods)
        return self._hint(read, read.parameters[1]) if len(read.parameters) > 1 else Any

    # Reading.

    def _read(self, function: Callable[..., Any], *, method: bool) -> Read:
        if not isinstance(function, types.FunctionType | types.MethodType):
            reason = f"{function!r} is not a function; a definition names its functions, so write it with def"
            raise BrokenFunction(self.workflow, None, reason)
        plain = inspect.unwrap(function)
        name = function.__qualname__.rpartition("<locals>.")[2]
        place = f"{plain.__code__.co_filename}:{plain.__code__.co_firstlineno}"
        read = Read(function, name, method, (), _hints(plain, self.names), place)
        parameters = list(inspect.signature(function).parameters.values())
        if method and not parameters:
            raise self.broken(read, "it is a method, so it takes self first")
        wrong = [p.name for p in parameters if p.kind not in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
        if wrong:
            raise self.broken(read, f"{', '.join(wrong)} cannot be given: parameters are positional, each with a name")
        return attrs.evolve(read, parameters=tuple(p.name for p in parameters[method:]))

    def _pure(self, function: Callable[..., Any], *, method: bool) -> Read:
        read = self._read(function, method=method)
        if read.asynchronous or inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise self.broken(read, "guards and handlers are pure and never async; what has effects is a step")
        return read

    def _shape(self, read: Read, event: Any, asked: type[Moment]) -> tuple[str, ...]:
        """What to give for each parameter: data, event, or the moment (or outbox) it asks for by its annotation."""
        shape: list[str] = []
        for name in read.parameters:
            hint = self._hint(read, name)
            if isinstance(hint, type) and issubclass(hint, Moment):
                if not issubclass(asked, hint):
                    raise self.broken(read, "a guard or delay only reads: annotate Moment instead of Outbox")
                shape.append("outbox" if hint is Outbox else "moment")
            elif "data" not in shape:
                self._takes(read, name, self.data)
                shape.append("data")
            else:
                if "event" not in shape:
                    self._takes(read, name, event)
                shape.append("event")
        if "data" not in shape or len(set(shape)) != len(shape) or (event is None and "event" in shape):
            usual = "(data)" if event is None else "(data) or (data, event)"
            raise self.broken(read, f"it takes {usual}, and {asked.__name__} if it asks for one")
        return tuple(shape)

    def _hint(self, read: Read, name: str) -> Any:
        hint = read.hints.get(name, Any)
        if isinstance(hint, _Unread):
            raise self.broken(
                read, f"its annotation {str(hint)!r} cannot be read; import it at run time, not for checkers only"
            )
        return hint

    def _takes(self, read: Read, name: str, expected: Any) -> None:
        given = self._hint(read, name)
        if expected is not None and not _fits(expected, given):
            raise self.broken(read, f"it takes {name!r} as {say(given)}, where {say(expected)} is given")

    def _returns(self, read: Read, expected: Any) -> None:
        given = self._hint(read, "return")
        if typing.get_origin(given) in {Coroutine, Awaitable} and not read.asynchronous:
            raise self.broken(read, f"it returns {say(given)} without being async; write async def")
        if not _fits(given, expected):
            raise self.broken(read, f"it returns {say(given)}, where {say(expected)} is expected")

    def _connects(self, read: Read) -> None:
        given = read.hints.get(read.parameters[1], Any)
        if isinstance(given, type) and (given is Call or given is self.data):
            raise self.broken(read, f"it takes {read.parameters[1]!r} as {say(given)}, where the connection is given")

    def broken(self, read: Read, reason: str) -> BrokenFunction:
        """The error for this function."""
        return BrokenFunction(self.workflow, None, f"{read.name}: {reason}", read.place)


def _hints(function: Callable[..., Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Annotations as types; one that cannot be resolved is kept as its text, and refused where it is needed."""
    found: dict[str, Any] = {}
    for name, value in inspect.get_annotations(function).items():
        holder = types.SimpleNamespace(__annotations__={name: value})
        try:
            found.update(typing.get_type_hints(holder, function.__globals__, dict(names)))
        except (NameError, AttributeError, TypeError, SyntaxError):
            found[name] = _Unread(value)
    return found


def _fits(given: Any, wanted: Any) -> bool:
    """Whether a value of type `given` may stand where `wanted` is annotated; unsure is yes."""
    if given is Any or wanted is Any or wanted is object or given == wanted or isinstance(wanted, typing.TypeVar):
        return True
    if given in {typing.NoReturn, typing.Never}:
        return True
    options = typing.get_args(wanted) if _is_union(wanted) else ()
    if options:
        return any(_fits(given, option) for option in options)
    if _is_union(given):
        return all(_fits(option, wanted) for option in typing.get_args(given))
    if getattr(wanted, "_is_protocol", False) or (given is int and wanted is float):
        return True
    plain, around = typing.get_origin(given) or given, typing.get_origin(wanted) or wanted
    if plain is not given and around is not wanted:
        return plain is around and typing.get_args(given) == typing.get_args(wanted)
    return isinstance(plain, type) and isinstance(around, type) and issubclass(plain, around)


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in {typing.Union, types.UnionType}


def _bound(read: Read, adapt: Callable[[Callable[..., Any]], Function]) -> Bound:
    function = read.function
    if read.method:
        return lambda owner: adapt(types.MethodType(function, owner))
    call = adapt(function)
    return lambda _owner: call


def _adapted(function: Callable[..., Any], shape: tuple[str, ...]) -> Core:
    """The function as the core calls it: `(data, occurrence, scope)`."""
    if shape == ("data",):
        return unscoped(lambda data, _occurrence, _scope: function(data))
    if shape == ("data", "event"):
        return unscoped(lambda data, occurrence, _scope: function(data, occurrence.value))
    if shape == ("data", "event", "outbox"):
        return lambda data, occurrence, scope: function(data, occurrence.value, Outbox(scope))
    givers = [_GIVERS[what] for what in shape]
    return lambda data, occurrence, scope: function(*[give(data, occurrence, scope) for give in givers])


_GIVERS: dict[str, Core] = {
    "data": lambda data, _occurrence, _scope: data,
    "event": lambda _data, occurrence, _scope: occurrence.value,
    "moment": lambda _data, _occurrence, scope: Moment(scope),
    "outbox": lambda _data, _occurrence, scope: Outbox(scope),
}


def _delay(function: Core) -> Core:
    def delay(data: Any, occurrence: Any, scope: Any) -> float | datetime:
        given = function(data, occurrence, scope)
        return given if isinstance(given, datetime) else seconds(given)

    return delay


def _without_call(function: Callable[..., Any]) -> Function:
    if inspect.iscoroutinefunction(function):

        async def attempt(*given: Any) -> Any:
            return await function(*given[:-1])

        return attempt

    def work(*given: Any) -> Any:
        return function(*given[:-1])

    return work
