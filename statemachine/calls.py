"""What a step or an undo may know of its own attempt, and tell while it works: progress, signs of life, output."""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable, Generator, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import attrs
import msgspec

if typing.TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarOfOurs

    # Python knows defaults of type variables from 3.13; checkers know them already. `Call` alone saves nothing.
    S_contra = TypeVarOfOurs("S_contra", contravariant=True, default=typing.Never)
else:
    S_contra = TypeVar("S_contra", contravariant=True)


class Behind(Protocol):
    """What stands behind a call: whoever performs the step. It may be asked from any thread."""

    @property
    def saved(self) -> Any:
        """What was saved last for this visit; None when nothing was."""
        ...

    @property
    def emitted(self) -> Sequence[Any]:
        """See `Call.emitted`."""
        ...

    def save(self, value: Any) -> Awaitable[None]:
        """See `Call.save`."""
        ...

    def emit(self, value: Any) -> None:
        """See `Call.emit`; of JSON values."""
        ...

    def beat(self) -> None:
        """See `Call.beat`."""
        ...

    def perform(self, function: Callable[..., Any], data: Any, call: Call[Any]) -> Any:
        """Call a step that is to have a process of its own, there or here."""
        ...


class Done:
    """What is to be awaited and has happened already."""

    def __await__(self) -> Generator[Any, Any, None]:
        """Come back at once."""
        yield from ()


class Alone:
    """Nobody stands behind the call, as in a test: it keeps in memory what it is told."""

    def __init__(self) -> None:
        self.saved: Any = None
        self.emitted: list[Any] = []

    def save(self, value: Any) -> Awaitable[None]:
        """See `Call.save`."""
        self.saved = value
        return Done()

    def emit(self, value: Any) -> None:
        """See `Call.emit`."""
        self.emitted.append(value)

    def beat(self) -> None:
        """See `Call.beat`."""

    def perform(self, function: Callable[..., Any], data: Any, call: Call[Any]) -> Any:
        """Here."""
        return function(data, call)


@attrs.frozen
class Call(Generic[S_contra]):
    """What a step or an undo may know of its own attempt; the defaults are for tests.

    A step that saves its progress says of which type that is: `call: Call[Epoch]`.

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
    _given: S_contra | None = attrs.field(default=None, alias="saved")
    _behind: Behind = attrs.field(factory=Alone, alias="behind", eq=False, repr=False)

    @property
    def saved(self) -> S_contra | None:  # pyright: ignore[reportGeneralTypeIssues] -- a `Call` that is asked for less knows less of it
        """What was saved last, by this attempt or one before it, also by one that a crash has ended; None at first."""
        last: S_contra | None = self._behind.saved
        return self._given if last is None else last

    def save(self, value: S_contra) -> Awaitable[None]:
        """Keep how far the step has come, for its next attempt, in place of what it saved before.

        In a sync step it returns when that is durable; an async one awaits it. What is saved is dropped when the
        outcome of the step is recorded.

        Raises:
            CannotSave: The step did not say what it saves, or nobody waits for this attempt any more.
            NotStored, TooLarge: The value cannot be kept; what was saved before stays.
        """
        return self._behind.save(value)

    def emit(self, value: object) -> None:
        """Give something out (a token, how far it is) to whoever listens now; see `Runner.output`. It is kept nowhere.

        It never waits, and counts as a sign of life. What has fields arrives as a dict, for it is told as JSON values.

        Raises:
            TypeError: It has no JSON.
        """
        self._behind.emit(msgspec.to_builtins(value, str_keys=True))

    def beat(self) -> None:
        """Give a sign of life, where the step has a `heartbeat=`; `save` and `emit` do so, too. It never waits."""
        self._behind.beat()

    @property
    def emitted(self) -> Sequence[Any]:
        """What was given out, as JSON values, where the call was made for a test; empty in a run."""
        return self._behind.emitted


def elsewhere(function: Callable[..., Any]) -> Callable[[Any, Call[Any]], Any]:
    """A step that is called where what stands behind its call has it done."""

    def work(data: Any, call: Call[Any]) -> Any:
        return call._behind.perform(function, data, call)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- its own module

    return work
