"""What a workflow is written with: states, events, steps, transitions and timers, as references and never as strings.

Nothing here does anything: each declaration keeps what was written, and `compiling` reads it when the class is made.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

import attrs
import msgspec

from statemachine.retry import Retry
from statemachine.scope import Scope

D = TypeVar("D")
R = TypeVar("R")
E = TypeVar("E", bound="Event")
P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TIMEOUT = 300.0
"""Seconds that one attempt of a step may take."""
ONCE = Retry()


class Event(msgspec.Struct, frozen=True):
    """A typed message to a run. Derive with `frozen=True`.

    Its stored name is the class's own name, or the `tag=` it is given (`class Approve(Event, frozen=True, tag="approve")`), so
    that the class may be renamed; names it had stand in `__was__`.
    """

    __was__: ClassVar[tuple[str, ...]] = ()


def event_name(kind: type[Event]) -> str:
    """The stored name of an event type."""
    tag = kind.__struct_config__.tag
    return tag if isinstance(tag, str) else kind.__name__


@attrs.frozen
class Call:
    """What a step or an undo may know of its own attempt; the defaults are for tests.

    Attributes:
        key: The idempotency key: the same over attempts and restarts, and no other visit's.
        run: The run's id.
        attempt: Counted from 1.
        undoes: In an undo, the key that its step had.
        deadline: Until when this attempt may take, UTC.
    """

    key: str = "test"
    run: str = "test"
    attempt: int = 1
    undoes: str = ""
    deadline: datetime | None = None


class Connection(Protocol):
    """What a transactional step gets: the journal's connection, which can execute and cannot end the transaction."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Any:
        """Run one statement; gives a cursor."""
        ...

    def executemany(self, sql: str, parameters: Any, /) -> Any:
        """Run one statement for many rows."""
        ...


class Outbox:
    """What a handler asks for, by a parameter of this type, to raise an event or send one as part of the same commit."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @property
    def run(self) -> str:
        """The run's id."""
        return self._scope.run

    @property
    def now(self) -> datetime:
        """The time of this transition, UTC. Handlers ask no other clock."""
        return self._scope.now

    @property
    def event_id(self) -> str:
        """The id of the event being handled; empty when it is none."""
        occurrence = self._scope.occurrence
        return occurrence.id if occurrence else ""

    @property
    def actor(self) -> str | None:
        """Who sent the event."""
        occurrence = self._scope.occurrence
        return occurrence.actor if occurrence else None

    @property
    def reason(self) -> str | None:
        """Why it was sent."""
        occurrence = self._scope.occurrence
        return occurrence.reason if occurrence else None

    def raise_event(self, event: Event) -> None:
        """Handle this event in the run itself, before any from outside."""
        self._scope.raise_event(event_name(type(event)), event)

    def send(self, run: str, event: Event, *, id: str | None = None, delay: timedelta | None = None) -> None:
        """Send an event to another run; it arrives once.

        Args:
            run: The other run's id.
            event: The event.
            id: By which the receiver knows a resend; made from this run and transition when not given.
            delay: How long to wait first.
        """
        seconds = 0.0 if delay is None else delay.total_seconds()
        self._scope.send(run, event_name(type(event)), event, id=id, delay=seconds)


Guard = Callable[[Any], bool] | Callable[[Any, Any], bool]


class State:
    """A state in which nothing is nested.

    Args:
        initial: Entered first when its workflow or compound is entered.
        final: Nothing leaves it. At the top level the run is complete; in a compound, that is done.
        compensate: Arriving here undoes what was done. Top-level final states only.
        defer: Events of these types wait, durably, while it is active and nothing takes them.
        waits_for: The role of the person it waits for.
        was: Names it had.
    """

    def __init__(
        self,
        *,
        initial: bool = False,
        final: bool = False,
        compensate: bool = False,
        defer: tuple[type[Event], ...] = (),
        waits_for: str | None = None,
        was: tuple[str, ...] = (),
    ) -> None:
        self.initial = initial
        self.final = final
        self.compensate = compensate
        self.defer = defer
        self.waits_for = waits_for
        self.was = was
        self.name = ""
        self.place = place()

    def __repr__(self) -> str:
        return f"<State {self.name}>"

    def when(self, guard: Guard) -> Arm:
        """This state as a target, if the guard holds."""
        return Arm(self, guard)


class History(State):
    """Where its compound was when it was last left.

    Args:
        default: Where to go when it was never left.
        deep: The leaf states, not only the children.
        was: Names it had.
    """

    def __init__(self, default: Target, *, deep: bool = False, was: tuple[str, ...] = ()) -> None:
        super().__init__(was=was)
        self.default = default
        self.deep = deep


class _Nested:
    """What `Compound` and `Parallel` share: options given in the class line."""

    initial: ClassVar[bool] = False
    defer: ClassVar[tuple[type[Event], ...]] = ()
    waits_for: ClassVar[str | None] = None
    was: ClassVar[tuple[str, ...]] = ()
    path: ClassVar[str] = ""
    parallel: ClassVar[bool] = False

    def __init_subclass__(
        cls,
        *,
        initial: bool = False,
        defer: tuple[type[Event], ...] = (),
        waits_for: str | None = None,
        was: tuple[str, ...] = (),
    ) -> None:
        super().__init_subclass__()
        cls.initial = initial
        cls.defer = defer
        cls.waits_for = waits_for
        cls.was = was

    @classmethod
    def when(cls, guard: Guard) -> Arm:
        """This state as a target, if the guard holds."""
        return Arm(cls, guard)


class Compound(_Nested):
    """A state of which one nested state is active. Derive it inside the workflow; options stand in the class line."""


class Parallel(_Nested):
    """A state of which all nested states are active. Derive it inside the workflow; options stand in the class line."""

    parallel: ClassVar[bool] = True


Target = State | type[_Nested]


@attrs.frozen(eq=False)
class Arm:
    """A target with a guard. In a tuple of arms, the first whose guard holds is taken."""

    target: Target
    guard: Guard | None


Arms = Target | Arm | tuple[Target | Arm, ...]
Sources = Target | tuple[Target, ...]


@attrs.define(eq=False)
class Declared:
    """A transition as written. `kind` says what triggers it."""

    kind: str
    source: tuple[Target, ...]
    to: Arms | None
    when: Guard | None
    place: str
    event: type[Event] | None = None
    internal: bool = False
    delay: timedelta | Callable[..., Any] | None = None
    handler: Callable[..., Any] | None = None


class Transition:
    """A declared transition without a handler; as a decorator, it takes one: `(self, data) -> data`."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared

    def __call__(self, handler: F) -> F:
        """Give it a handler."""
        return _attach(handler, self.declared)


class OnTransition(Transition, Generic[E]):
    """A declared transition on an event; as a decorator, it takes a handler `(self, data, event) -> data`."""

    @overload  # type: ignore[override]
    def __call__(self, handler: Callable[[Any, D, E], D]) -> Callable[[Any, D, E], D]: ...
    @overload
    def __call__(self, handler: Callable[[Any, D, E, Outbox], D]) -> Callable[[Any, D, E, Outbox], D]: ...
    def __call__(self, handler: Any) -> Any:
        """Give it a handler."""
        return _attach(handler, self.declared)


def _attach(handler: F, declared: Declared) -> F:
    declared.handler = handler
    noted: list[Declared] = vars(handler).setdefault("__transitions__", [])
    noted.append(declared)
    return handler


def on(
    event: type[E],
    *,
    source: Sources,
    to: Arms | None = None,
    when: Callable[[Any, E], bool] | Callable[[Any], bool] | None = None,
    internal: bool = False,
) -> OnTransition[E]:
    """A transition on an event; a value, or a decorator of its handler `(self, data, event) -> data`.

    Args:
        event: The event's type.
        source: The state, or several, in which it is accepted; a compound's class for all within it.
        to: The target, or arms in their priority; None stays where it is and leaves nothing.
        when: A guard `(data, event)` or `(data)`; its docstring is the reason of a refusal.
        internal: From a compound to a state within it, without leaving the compound.
    """
    return OnTransition(Declared("on", _sources(source), to, when, place(), event=event, internal=internal))


def after(
    delay: timedelta | Callable[[D], timedelta | datetime],
    *,
    source: Sources,
    to: Arms | None = None,
    when: Callable[[D], bool] | None = None,
) -> Transition:
    """A transition when a state has been active for a time; a value, or a decorator of its handler `(self, data) -> data`.

    Args:
        delay: How long, or a function of the data that says so, or says the UTC time.
        source: The state (or several, each with a timer of its own).
        to: The target, or arms in their priority.
        when: A guard `(data)`.
    """
    return Transition(Declared("after", _sources(source), to, when, place(), delay=delay))


def always(*, source: Sources, to: Arms, when: Callable[[Any], bool] | None = None) -> Transition:
    """An eventless transition: taken as soon as its guard holds. A value, or a decorator of its handler."""
    return Transition(Declared("always", _sources(source), to, when, place()))


def joined(source: type[_Nested], *, to: Arms, when: Callable[[Any], bool] | None = None) -> Transition:
    """A transition when every region of a parallel state (or a compound itself) has reached a final state."""
    return Transition(Declared("joined", (source,), to, when, place()))


def on_entry(state: Target) -> Callable[[F], F]:
    """Run this handler `(self, data) -> data` whenever the state is entered."""
    return lambda handler: _attach(handler, Declared("entry", (state,), None, None, place(), handler=handler))


def on_exit(state: Target) -> Callable[[F], F]:
    """Run this handler `(self, data) -> data` whenever the state is left."""
    return lambda handler: _attach(handler, Declared("exit", (state,), None, None, place(), handler=handler))


def _sources(source: Sources) -> tuple[Target, ...]:
    return source if isinstance(source, tuple) else (source,)


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

    It is sync, gets the journal's connection (`Connection`), and holds up every other commit while it runs, so it is short. What it
    raises is rolled back.

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


def place(depth: int = 2) -> str:
    """`file:line` of whoever declares something."""
    frame = sys._getframe(depth)  # noqa: SLF001 -- the documented way to a caller's line
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
