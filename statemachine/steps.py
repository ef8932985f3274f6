"""The steps a workflow is written with: work with effects, done once or for each of many items, and their undos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, Literal, Self, TypedDict, TypeVar, Unpack, overload

import attrs

from statemachine.cache import Cache, ItemCache
from statemachine.calls import Call
from statemachine.collected import ItemOutcome
from statemachine.definition import Failures
from statemachine.retry import Retry
from statemachine.states import D, QuietArms, State, Targets, W, note, place
from statemachine.undos import Awaited, EachUndoOf, Item, R, UndoOf

F_co = TypeVar("F_co", covariant=True)
"""A step as it is called on a workflow object."""

DEFAULT_TIMEOUT = 300.0
"""Seconds that one attempt of a step may take."""
ONCE = Retry()


@attrs.define(eq=False, kw_only=True)
class Work:
    """A step as written."""

    state: State
    to: Any
    error: Mapping[type[Exception], Any]
    failed: Any
    retry: Retry
    timeout: float = DEFAULT_TIMEOUT
    overall: float | None = None
    heartbeat: float | None = None
    process: bool | Callable[[], Any] = False
    pivot: bool
    once: bool = False
    transactional: bool = False
    into: Callable[..., Any] | None = None
    effect: bool = True
    each: Callable[..., Any] | None = None
    limit: int = 8
    failures: Failures = "stop"
    cache: Cache[Any] | ItemCache[Any, Any] | None = None
    place: str
    function: Callable[..., Any] | None = None
    undo: Callable[..., Any] | None = None
    other_undo: Callable[..., Any] | None = None
    """A second one, which is refused."""
    undo_retry: Retry = ONCE
    undo_timeout: float = DEFAULT_TIMEOUT


class Bindable(Generic[F_co]):
    """A declared step. On a workflow object it is the plain method, so a test calls it directly."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.__doc__ = getattr(work.function, "__doc__", None)

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> F_co: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        """The method itself, bound."""
        if instance is None or self.work.function is None:
            return self
        return self.work.function.__get__(instance, owner)


class Step(Bindable[F_co], Generic[D, F_co]):
    """A declared step over data of type D."""

    @overload
    def undo(self, function: Callable[[W, D], None], /) -> Callable[[W, D], None]: ...
    @overload
    def undo(self, function: Callable[[W, D, Call], None], /) -> Callable[[W, D, Call], None]: ...
    @overload
    def undo(self, function: Callable[[W, D], Awaited[None]], /) -> Callable[[W, D], Awaited[None]]: ...
    @overload
    def undo(self, function: Callable[[W, D, Call], Awaited[None]], /) -> Callable[[W, D, Call], Awaited[None]]: ...
    @overload
    def undo(self, /, *, retry: Retry = ..., timeout: float | timedelta = ...) -> UndoOf[D]: ...
    def undo(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        retry: Retry = ONCE,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
    ) -> Any:
        """Declare how the step is undone: `(self, data)` or `(self, data, call)`, sync or async.

        It gets the data with the fields that this step set laid over it. It must succeed when there is nothing to undo.

        Args:
            function: The undo, when used as a bare decorator.
            retry: How often it is tried, by itself.
            timeout: Seconds for one attempt.
        """
        self.work.undo_retry = retry
        self.work.undo_timeout = seconds(timeout)
        taking = UndoOf[Any](self.work)
        return taking if function is None else taking(function)


class EachStep(Bindable[F_co], Generic[D, Item, F_co]):
    """A declared step over data of type D that is done for each of many items of type Item."""

    @overload
    def undo(self, function: Callable[[W, D, Item], None], /) -> Callable[[W, D, Item], None]: ...
    @overload
    def undo(self, function: Callable[[W, D, Item, Call], None], /) -> Callable[[W, D, Item, Call], None]: ...
    @overload
    def undo(self, function: Callable[[W, D, Item], Awaited[None]], /) -> Callable[[W, D, Item], Awaited[None]]: ...
    @overload
    def undo(
        self, function: Callable[[W, D, Item, Call], Awaited[None]], /
    ) -> Callable[[W, D, Item, Call], Awaited[None]]: ...
    @overload
    def undo(self, /, *, retry: Retry = ..., timeout: float | timedelta = ...) -> EachUndoOf[D, Item]: ...
    def undo(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        retry: Retry = ONCE,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
    ) -> Any:
        """Declare how the work on one item is undone: `(self, data, item)` or `(self, data, item, call)`.

        Items are undone one by one, the last first, each with attempts of its own. See `Step.undo` for the rest.
        """
        self.work.undo_retry = retry
        self.work.undo_timeout = seconds(timeout)
        taking = EachUndoOf[Any, Any](self.work)
        return taking if function is None else taking(function)


class Taking:
    """What `step` and `transaction` give: a step without its method."""

    made: type[Bindable[Any]]

    def __init__(self, work: Work) -> None:
        self._work = work
        note(work)

    def _take(self, function: Any) -> Any:
        self._work.function = function
        return self.made(self._work)


class StepOf(Taking):
    """Takes a step's method, which returns the data it is given; its data is the method's own."""

    made = Step

    @overload
    def __call__(self, function: Callable[[W, D], Awaited[D]]) -> Step[D, Callable[[D], Awaited[D]]]: ...
    @overload
    def __call__(
        self, function: Callable[[W, D, Call[Any]], Awaited[D]]
    ) -> Step[D, Callable[[D, Call[Any]], Awaited[D]]]: ...
    @overload
    def __call__(self, function: Callable[[W, D], D]) -> Step[D, Callable[[D], D]]: ...
    @overload
    def __call__(self, function: Callable[[W, D, Call[Any]], D]) -> Step[D, Callable[[D, Call[Any]], D]]: ...
    def __call__(self, function: Any) -> Any:
        """Note it."""
        return self._take(function)


class StepOver(Taking, Generic[D, R]):
    """Takes a step's method over data of type D that returns R, which `into=` folds into the data, or D itself."""

    made = Step

    @overload
    def __call__(self, function: Callable[[W, D], Awaited[R]]) -> Step[D, Callable[[D], Awaited[R]]]: ...
    @overload
    def __call__(
        self, function: Callable[[W, D, Call[Any]], Awaited[R]]
    ) -> Step[D, Callable[[D, Call[Any]], Awaited[R]]]: ...
    @overload
    def __call__(self, function: Callable[[W, D], R]) -> Step[D, Callable[[D], R]]: ...
    @overload
    def __call__(self, function: Callable[[W, D, Call[Any]], R]) -> Step[D, Callable[[D, Call[Any]], R]]: ...
    def __call__(self, function: Any) -> Any:
        """Note it."""
        return self._take(function)


class StepForEach(Taking, Generic[D, Item, R]):
    """Takes a step's method over data of type D and an item of type Item, which returns R."""

    made = EachStep

    @overload
    def __call__(
        self, function: Callable[[W, D, Item], Awaited[R]]
    ) -> EachStep[D, Item, Callable[[D, Item], Awaited[R]]]: ...
    @overload
    def __call__(
        self, function: Callable[[W, D, Item, Call], Awaited[R]]
    ) -> EachStep[D, Item, Callable[[D, Item, Call], Awaited[R]]]: ...
    @overload
    def __call__(self, function: Callable[[W, D, Item], R]) -> EachStep[D, Item, Callable[[D, Item], R]]: ...
    @overload
    def __call__(
        self, function: Callable[[W, D, Item, Call], R]
    ) -> EachStep[D, Item, Callable[[D, Item, Call], R]]: ...
    def __call__(self, function: Any) -> Any:
        """Note it."""
        return self._take(function)


class Options(TypedDict, total=False):
    """What every kind of step may be given besides its targets; `step` explains each."""

    retry: Retry
    timeout: float | timedelta
    overall: float | timedelta | None
    heartbeat: float | timedelta | None
    process: bool | Callable[[], object]
    pivot: bool
    once: bool
    effect: bool


@overload
def step(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload] -- as for `on`
    state: State,
    *,
    to: Targets,
    error: Mapping[type[Exception], Targets] | None = None,
    failed: Targets | None = None,
    **options: Unpack[Options],
) -> StepOf: ...
@overload
def step(
    state: State,
    *,
    to: QuietArms[D],
    error: Mapping[type[Exception], QuietArms[D]] | None = None,
    failed: QuietArms[D] | None = None,
    **options: Unpack[Options],
) -> StepOver[D, D]: ...
@overload
def step(
    state: State,
    *,
    to: QuietArms[D],
    into: Callable[[D, R], D],
    cache: Cache[D] | None = None,
    error: Mapping[type[Exception], QuietArms[D]] | None = None,
    failed: QuietArms[D] | None = None,
    **options: Unpack[Options],
) -> StepOver[D, R]: ...
@overload
def step(
    state: State,
    *,
    each: Callable[[D], Sequence[Item]],
    to: QuietArms[D],
    limit: int = ...,
    failures: Literal["stop"] = ...,
    error: Mapping[type[Exception], QuietArms[D]] | None = None,
    failed: QuietArms[D] | None = None,
    **options: Unpack[Options],
) -> StepForEach[D, Item, None]: ...
@overload
def step(
    state: State,
    *,
    each: Callable[[D], Sequence[Item]],
    to: QuietArms[D],
    into: Callable[[D, Sequence[R]], D],
    cache: ItemCache[D, Item] | None = None,
    limit: int = ...,
    failures: Literal["stop"] = ...,
    error: Mapping[type[Exception], QuietArms[D]] | None = None,
    failed: QuietArms[D] | None = None,
    **options: Unpack[Options],
) -> StepForEach[D, Item, R]: ...
@overload
def step(
    state: State,
    *,
    each: Callable[[D], Sequence[Item]],
    to: QuietArms[D],
    into: Callable[[D, Sequence[ItemOutcome[R]]], D],
    cache: ItemCache[D, Item] | None = None,
    failures: Literal["collect"],
    limit: int = ...,
    **options: Unpack[Options],
) -> StepForEach[D, Item, R]: ...
def step(
    state: State,
    *,
    to: Any,
    into: Callable[..., Any] | None = None,
    cache: Cache[Any] | ItemCache[Any, Any] | None = None,
    error: Mapping[type[Exception], Any] | None = None,
    failed: Any = None,
    retry: Retry = ONCE,
    timeout: float | timedelta = DEFAULT_TIMEOUT,
    overall: float | timedelta | None = None,
    heartbeat: float | timedelta | None = None,
    process: bool | Callable[[], object] = False,
    pivot: bool = False,
    once: bool = False,
    effect: bool = True,
    each: Callable[..., Any] | None = None,
    limit: int = 8,
    failures: Failures = "stop",
) -> Any:
    """Work with effects, done while a state is active: `(self, data)` or `(self, data, call)` -> data, sync or async.

    It runs at least once; its recorded outcome is exactly once. `call.key` is the same at every attempt.

    Args:
        state: The state, which has no other step.
        to: Where its success leads: a state, or arms in their priority of which the last has no guard.
        into: The step returns something else, which this pure function `(data, result) -> data` folds into the data.
        cache: Take a result of it that was recorded before, by any run, instead of an attempt. With `each`, an
            `ItemCache`: the result of an item.
        error: Exceptions known to have had no effect, never tried again, and the states they lead to.
        failed: Where to go when attempts are used up; when not given, the run is undone.
        retry: How often and how far apart it is attempted; one attempt by default.
        timeout: Seconds for one attempt; five minutes by default.
        overall: Seconds from entering the state, over all attempts.
        heartbeat: Seconds without `call.beat()`, `save` or `emit` after which an attempt has failed.
        process: Run it, sync, in a process of its own, which can be killed and may die. True: there the workflow is
            without its collaborators; else what makes the workflow there, a function at the top of a module.
        pivot: After its success nothing is undone any more.
        once: Run it at most once: found started after a crash, it is an incident.
        effect: False says that there is nothing to undo.
        each: A pure function `(data) -> items`. The step is done once for each, `(self, data, item, call)`, with a key
            and a recorded outcome of its own; `retry` and `timeout` are each item's. `into` is given the sequence of
            results, in the order of the items.
        limit: Of how many items attempts are made at once.
        failures: "stop": the first item that fails for good ends the others, and the step has failed. "collect": all
            are done, and `into` is given an `ItemOutcome` of each.
    """
    work = Work(
        state=state,
        to=to,
        error=error or {},
        failed=failed,
        retry=retry,
        timeout=seconds(timeout),
        overall=None if overall is None else seconds(overall),
        heartbeat=None if heartbeat is None else seconds(heartbeat),
        process=process,
        pivot=pivot,
        once=once,
        into=into,
        effect=effect,
        each=each,
        limit=limit,
        failures=failures,
        cache=cache,
        place=place(),
    )
    return StepOf(work) if each is None else StepForEach[Any, Any, Any](work)


def seconds(duration: float | timedelta) -> float:
    """A duration in seconds."""
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
