"""What declares how a step, or the work on one of many items, is undone; and the types that steps are written in."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, overload

from statemachine.calls import Call
from statemachine.states import D, W

R = TypeVar("R")
"""What a step returns."""
Item = TypeVar("Item")
"""What a step is done for, once for each."""
Awaited: TypeAlias = Coroutine[Any, Any, R]


class Undone(Protocol):
    """A step as written, as far as its undo goes."""

    undo: Callable[..., Any] | None
    other_undo: Callable[..., Any] | None


def take_undo(work: Undone, function: Callable[..., Any]) -> None:
    """Note how a step is undone."""
    if work.undo is None:
        work.undo = function
    else:
        work.other_undo = function


class UndoOf(Generic[D]):
    """Takes the undo of a step."""

    def __init__(self, work: Undone) -> None:
        self._work = work

    @overload
    def __call__(self, function: Callable[[W, D], None], /) -> Callable[[W, D], None]: ...
    @overload
    def __call__(self, function: Callable[[W, D, Call], None], /) -> Callable[[W, D, Call], None]: ...
    @overload
    def __call__(self, function: Callable[[W, D], Awaited[None]], /) -> Callable[[W, D], Awaited[None]]: ...
    @overload
    def __call__(self, function: Callable[[W, D, Call], Awaited[None]], /) -> Callable[[W, D, Call], Awaited[None]]: ...
    def __call__(self, function: Any, /) -> Any:
        """Note it."""
        take_undo(self._work, function)
        return function


class EachUndoOf(Generic[D, Item]):
    """Takes the undo of one item."""

    def __init__(self, work: Undone) -> None:
        self._work = work

    @overload
    def __call__(self, function: Callable[[W, D, Item], None], /) -> Callable[[W, D, Item], None]: ...
    @overload
    def __call__(self, function: Callable[[W, D, Item, Call], None], /) -> Callable[[W, D, Item, Call], None]: ...
    @overload
    def __call__(self, function: Callable[[W, D, Item], Awaited[None]], /) -> Callable[[W, D, Item], Awaited[None]]: ...
    @overload
    def __call__(
        self, function: Callable[[W, D, Item, Call], Awaited[None]], /
    ) -> Callable[[W, D, Item, Call], Awaited[None]]: ...
    def __call__(self, function: Any, /) -> Any:
        """Note it."""
        take_undo(self._work, function)
        return function
