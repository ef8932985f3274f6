"""The steps a workflow is written with: work with effects, transactions of the application's own, and their undos."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

import attrs

from statemachine.events import Call, Connection
from statemachine.retry import Retry
from statemachine.states import Arms, State, Target, place

D = TypeVar("D")
R = TypeVar("R")
P = ParamSpec("P")

DEFAULT_TIMEOUT = 300.0
"""Seconds that one attempt of a step may take."""
ONCE = Retry()


@attrs.define(eq=False, kw_only=True)
class Work:
    """A step as written."""

    state: Target
    to: Arms
    error: Mapping[type[Exception], Target]
    failed: Target | None
    retry: Retry
    timeout: float
    overall: float | None
    pivot: bool
    once: bool
    transactional: bool
    into: Callable[..., Any] | None
    effect: bool
    place: str
    function: Callable[..., Any] | None = None
    undo: Callable[..., Any] | None = None
    undo_retry: Retry = ONCE
    undo_timeout: float = DEFAULT_TIMEOUT


class Step(Generic[D, P, R]):
    """A declared step. On a workflow object it is the plain method, so a test calls it directly."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.__doc__ = getattr(work.function, "__doc__", None)

    @overload
    def __get__(self, instance: None, owner: type) -> Step[D, P, R]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[Concatenate[D, P], R]: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        """The method itself, bound."""
        if instance is None or self.work.function is None:
            return self
        return self.work.function.__get__(instance, owner)

    @overload
    def undo(self, function: Callable[[Any, D], Awaitable[None] | None], /) -> Callable[..., Any]: ...
    @overload
    def undo(self, function: Callable[[Any, D, Call], Awaitable[None] | None], /) -> Callable[..., Any]: ...
    @overload
    def undo(self, /, *, retry: Retry = ..., timeout: float | timedelta = ...) -> _Undo[D]: ...
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
        return _Undo[D](self.work) if function is None else _Undo[D](self.work)(function)


class _Undo(Generic[D]):
    def __init__(self, work: Work) -> None:
        self._work = work

    @overload
    def __call__(self, function: Callable[[Any, D], Awaitable[None] | None], /) -> Callable[..., Any]: ...
    @overload
    def __call__(self, function: Callable[[Any, D, Call], Awaitable[None] | None], /) -> Callable[..., Any]: ...
    def __call__(self, function: Any, /) -> Any:
        self._work.undo = function
        return function


class Transaction(Step[D, P, R]):
    """A declared transactional step."""

    @overload  # type: ignore[override]
    def undo(self, function: Callable[[Any, D, Connection], None], /) -> Callable[..., Any]: ...
    @overload
    def undo(self, function: Callable[[Any, D, Connection, Call], None], /) -> Callable[..., Any]: ...
    def undo(self, function: Any, /) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Declare how it is undone, in the same way: `(self, data, connection)`, in the commit that records it."""
        return _Undo[D](self.work)(function)


class _StepOf:
    """Takes the step's method; the data type is the method's own."""

    def __init__(self, work: Work) -> None:
        self._work = work

    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, D, P], Coroutine[Any, Any, D]]
    ) -> Step[D, P, Coroutine[Any, Any, D]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Any, D, P], D]) -> Step[D, P, D]: ...
    def __call__(self, function: Any) -> Any:
        self._work.function = function
        return Step[Any, ..., Any](self._work)


class _FoldedStepOf(Generic[D, R]):
    """Takes the method of a step whose result is folded into the data."""

    def __init__(self, work: Work) -> None:
        self._work = work

    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, D, P], Coroutine[Any, Any, R]]
    ) -> Step[D, P, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Any, D, P], R]) -> Step[D, P, R]: ...
    def __call__(self, function: Any) -> Any:
        self._work.function = function
        return Step[Any, ..., Any](self._work)


class _TransactionOf:
    """Takes the method of a transactional step."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def __call__(
        self, function: Callable[Concatenate[Any, D, Connection, P], D]
    ) -> Transaction[D, Concatenate[Connection, P], D]:
        self._work.function = function
        return Transaction(self._work)


@overload
def step(
    state: State,
    *,
    to: Arms,
    into: None = None,
    error: Mapping[type[Exception], Target] | None = None,
    failed: Target | None = None,
    retry: Retry = ...,
    timeout: float | timedelta = ...,
    overall: float | timedelta | None = None,
    pivot: bool = False,
    once: bool = False,
    effect: bool = True,
) -> _StepOf: ...
@overload
def step(
    state: State,
    *,
    to: Arms,
    into: Callable[[D, R], D],
    error: Mapping[type[Exception], Target] | None = None,
    failed: Target | None = None,
    retry: Retry = ...,
    timeout: float | timedelta = ...,
    overall: float | timedelta | None = None,
    pivot: bool = False,
    once: bool = False,
    effect: bool = True,
) -> _FoldedStepOf[D, R]: ...
def step(
    state: State,
    *,
    to: Arms,
    into: Callable[..., Any] | None = None,
    error: Mapping[type[Exception], Target] | None = None,
    failed: Target | None = None,
    retry: Retry = ONCE,
    timeout: float | timedelta = DEFAULT_TIMEOUT,
    overall: float | timedelta | None = None,
    pivot: bool = False,
    once: bool = False,
    effect: bool = True,
) -> Any:
    """Work with effects, done while a state is active: `(self, data)` or `(self, data, call)` -> data, sync or async.

    It runs at least once; its recorded outcome is exactly once. `call.key` is the same at every attempt.

    Args:
        state: The state, which has no other step.
        to: Where its success leads: a state, or arms in their priority of which the last has no guard.
        into: The step returns something else, which this pure function `(data, result) -> data` folds into the data.
        error: Exceptions known to have had no effect, never tried again, and the states they lead to.
        failed: Where to go when attempts are used up; when not given, the run is undone.
        retry: How often and how far apart it is attempted. One attempt by default.
        timeout: Seconds for one attempt; five minutes by default.
        overall: Seconds from entering the state, over all attempts.
        pivot: After its success nothing is undone any more.
        once: Run it at most once: found started after a crash, it is an incident.
        effect: False says that there is nothing to undo.
    """
    work = Work(
        state=state,
        to=to,
        error=error or {},
        failed=failed,
        retry=retry,
        timeout=seconds(timeout),
        overall=None if overall is None else seconds(overall),
        pivot=pivot,
        once=once,
        transactional=False,
        into=into,
        effect=effect,
        place=place(),
    )
    return _StepOf(work) if into is None else _FoldedStepOf[Any, Any](work)


def transaction(
    state: State,
    *,
    to: Arms,
    error: Mapping[type[Exception], Target] | None = None,
    failed: Target | None = None,
    retry: Retry = ONCE,
    pivot: bool = False,
) -> _TransactionOf:
    """The application's own SQL in the commit that records the step: `(self, data, connection) -> data`, exactly once.

    It is sync, gets the journal's connection (`Connection`), and holds up every other commit while it runs, so it is
    short. What it raises is rolled back.

    Args:
        state: The state, which has no other step.
        to: Where its success leads.
        error: Exceptions that are never tried again, and the states they lead to.
        failed: Where to go when attempts are used up; when not given, the run is undone.
        retry: How often and how far apart it is attempted.
        pivot: After its success nothing is undone any more.
    """
    return _TransactionOf(
        Work(
            state=state,
            to=to,
            error=error or {},
            failed=failed,
            retry=retry,
            timeout=DEFAULT_TIMEOUT,
            overall=None,
            pivot=pivot,
            once=False,
            transactional=True,
            into=None,
            effect=True,
            place=place(),
        )
    )


def seconds(duration: float | timedelta) -> float:
    """A duration in seconds."""
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
