"""The functions of a workflow under their names: qualified, numbered where two share one, never a module's path."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

from statemachine.cache import Cache, ItemCache
from statemachine.calls import elsewhere
from statemachine.definition import CacheSpec, Function
from statemachine.errors import BrokenStep
from statemachine.signatures import Bound, Reader
from statemachine.steps import Work, seconds
from statemachine.storable import check_type, say


class Functions:
    """What a definition's names stand for. Each method that adds one gives its name, and raises BrokenFunction."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.bound: dict[str, Bound] = {}
        self.refusals: dict[str, str] = {}
        self._names: dict[tuple[str, int], str] = {}
        self._kept: list[Callable[..., Any]] = []

    def guard(self, function: Callable[..., Any], event: Any) -> str:
        """A guard; its docstring is the reason a refusal gives."""
        name = self._add("guard", function, self.reader.guard(function, event))
        said = (function.__doc__ or "").strip().split("\n\n")[0]
        self.refusals[name] = " ".join(said.split()) or name
        return name

    def guards(self, functions: list[Callable[..., Any]], event: Any) -> str | None:
        """One guard that holds when all of these do; None for none."""
        names = [self.guard(function, event) for function in functions]
        if len(names) < 2:
            return names[0] if names else None
        name = " and ".join(names)
        parts = [self.bound[part] for part in names]
        self.bound[name] = lambda owner: _all([part(owner) for part in parts])
        self.refusals[name] = "; ".join(self.refusals[part] for part in names)
        return name

    def handler(self, function: Callable[..., Any], event: Any) -> str:
        """A handler of a transition, an entry or an exit."""
        return self._add("handler", function, self.reader.handler(function, event))

    def delay(self, function: Callable[..., Any]) -> str:
        """A function that says when a timer is due."""
        return self._add("delay", function, self.reader.delay(function))

    def fold(self, function: Callable[..., Any], result: Any) -> str:
        """A function that puts a step's result into the data."""
        return self._add("fold", function, self.reader.fold(function, result))

    def each(self, function: Callable[..., Any]) -> str:
        """A function that says what a step is done for."""
        return self._add("each", function, self.reader.each(function))

    def cache(self, given: Cache[Any] | ItemCache[Any, Any] | None, item: Any) -> CacheSpec | None:
        """A cache, whose key is the function that says what a step's result depends on; for an item, of that type."""
        if given is None:
            return None
        key = self._add("key", given.key, self.reader.key(given.key, item))
        return CacheSpec(key=key, age=seconds(given.age), most=given.most, size=given.size)

    def step(self, function: Callable[..., Any], *, transactional: bool, returns: Any, item: Any = None) -> str:
        """A step, or an undo, which returns None; of an item of that type, if it is not None."""
        read = self.reader.step(function, transactional=transactional, returns=returns, item=item)
        return self._add("step", function, read)

    def saves(self, work: Work) -> Any:
        """The type of what a step saves while it works; None when it says nothing of that. Raises BrokenStep."""
        function = cast("Callable[..., Any]", work.function)
        if work.heartbeat is not None and not self.reader.takes_call(function):
            reason = f"{function.__name__} has a heartbeat= and takes no Call, by which it would give signs of life"
            raise BrokenStep(self.reader.workflow, None, reason, work.place)
        kind = self.reader.saves(function)
        undone = None if work.undo is None else self.reader.saves(work.undo)
        if undone is not None or (kind is not None and (work.transactional or work.each is not None)):
            what = "an undo" if undone is not None else "a transactional step" if work.transactional else "one of many"
            reason = f"{function.__name__}: {what} saves nothing while it works; annotate Call alone"
            raise BrokenStep(self.reader.workflow, None, reason, work.place)
        if kind is not None:
            check_type(self.reader.workflow, kind, f"what {function.__name__} saves")
        return kind

    def process(self, work: Work, cls: type) -> str:
        """Where a process of its own finds the workflow of a step that is to have one; empty for others.

        Raises BrokenStep.
        """
        function = cast("Callable[..., Any]", work.function)
        if work.process is False:
            return ""
        maker: Any = cls if work.process is True else work.process
        reason = ""
        if inspect.iscoroutinefunction(function):
            reason = "is async; one in a process of its own has that for itself, so drop async"
        elif work.each is not None:
            reason = "has each=; give the items of one process as its data"
        elif not callable(maker) or "<" in getattr(maker, "__qualname__", "<"):
            reason = f"another process cannot import {say(maker)}; define it at the top of a module"
        if reason:
            raise BrokenStep(self.reader.workflow, None, f"{function.__name__} has process= and {reason}", work.place)
        name = self._names["step", id(function)]
        bound = self.bound[name]
        self.bound[name] = lambda owner: elsewhere(bound(owner))
        return f"{maker.__module__}:{maker.__qualname__}"

    def _add(self, role: str, function: Callable[..., Any], bound: Bound) -> str:
        known = self._names.get((role, id(function)))
        if known is not None:
            return known
        plain = function.__qualname__.rpartition("<locals>.")[2]
        name, number = plain, 1
        while name in self.bound:
            number += 1
            name = f"{plain}#{number}"
        self.bound[name] = bound
        self._names[(role, id(function))] = name
        self._kept.append(function)  # so that no other function can get its id
        return name


def _all(guards: list[Function]) -> Function:
    first, second = guards

    def holds(data: Any, occurrence: Any, scope: Any) -> bool:
        return bool(first(data, occurrence, scope) and second(data, occurrence, scope))

    return holds
