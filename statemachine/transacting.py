"""The transactional steps a workflow is written with: the application's own SQL, in the journal's commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, overload

from statemachine.calls import Call
from statemachine.events import Connection
from statemachine.retry import Retry
from statemachine.states import D, QuietArms, State, Targets, W, place
from statemachine.steps import ONCE, Bindable, F_co, Taking, Work
from statemachine.undos import take_undo


class Transaction(Bindable[F_co], Generic[D, F_co]):
    """A declared transactional step over data of type D."""

    @overload
    def undo(self, function: Callable[[W, D, Connection], None], /) -> Callable[[W, D, Connection], None]: ...
    @overload
    def undo(
        self, function: Callable[[W, D, Connection, Call], None], /
    ) -> Callable[[W, D, Connection, Call], None]: ...
    @overload
    def undo(self, /, *, retry: Retry = ...) -> TransactionUndoOf[D]: ...
    def undo(self, function: Callable[..., Any] | None = None, /, *, retry: Retry = ONCE) -> Any:
        """Declare how it is undone, in the same way: `(self, data, connection)`, in the commit that records it."""
        self.work.undo_retry = retry
        taking = TransactionUndoOf[Any](self.work)
        return taking if function is None else taking(function)


class TransactionUndoOf(Generic[D]):
    """Takes the undo of a transactional step."""

    def __init__(self, work: Work) -> None:
        self._work = work

    @overload
    def __call__(self, function: Callable[[W, D, Connection], None], /) -> Callable[[W, D, Connection], None]: ...
    @overload
    def __call__(
        self, function: Callable[[W, D, Connection, Call], None], /
    ) -> Callable[[W, D, Connection, Call], None]: ...
    def __call__(self, function: Any, /) -> Any:
        """Note it."""
        take_undo(self._work, function)
        return function


class TransactionOf(Taking):
    """Takes a transactional step's method; its data is the method's own."""

    made = Transaction

    @overload
    def __call__(self, function: Callable[[W, D, Connection], D]) -> Transaction[D, Callable[[D, Connection], D]]: ...
    @overload
    def __call__(
        self, function: Callable[[W, D, Connection, Call], D]
    ) -> Transaction[D, Callable[[D, Connection, Call], D]]: ...
    def __call__(self, function: Any) -> Any:
        """Note it."""
        return self._take(function)


class TransactionOver(Taking, Generic[D]):
    """Takes a transactional step's method over data of type D."""

    made = Transaction

    @overload
    def __call__(self, function: Callable[[W, D, Connection], D]) -> Transaction[D, Callable[[D, Connection], D]]: ...
    @overload
    def __call__(
        self, function: Callable[[W, D, Connection, Call], D]
    ) -> Transaction[D, Callable[[D, Connection, Call], D]]: ...
    def __call__(self, function: Any) -> Any:
        """Note it."""
        return self._take(function)


@overload
def transaction(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload] -- as for `on`
    state: State,
    *,
    to: Targets,
    error: Mapping[type[Exception], Targets] | None = None,
    failed: Targets | None = None,
    retry: Retry = ...,
    pivot: bool = False,
) -> TransactionOf: ...
@overload
def transaction(
    state: State,
    *,
    to: QuietArms[D],
    error: Mapping[type[Exception], QuietArms[D]] | None = None,
    failed: QuietArms[D] | None = None,
    retry: Retry = ...,
    pivot: bool = False,
) -> TransactionOver[D]: ...
def transaction(
    state: State,
    *,
    to: Any,
    error: Mapping[type[Exception], Any] | None = None,
    failed: Any = None,
    retry: Retry = ONCE,
    pivot: bool = False,
) -> Any:
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
    return TransactionOf(
        Work(
            state=state,
            to=to,
            error=error or {},
            failed=failed,
            retry=retry,
            pivot=pivot,
            transactional=True,
            place=place(),
        )
    )
