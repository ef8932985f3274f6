"""What a step or an undo may know of its own attempt, and tell while it works: progress, signs of life, output."""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Generator
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import attrs

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

    def save(self, value: Any) -> Awaitable[None]:
        """See `Call.save`."""
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

    def save(self, value: Any) -> Awaitable[None]:
        """See `Call.save`."""
        self.saved = value
        return Done()


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
