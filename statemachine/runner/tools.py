"""What the performing of steps lends to the performing of many items: threads, time, the way to the journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

import attrs

from persistence import ItemRecord
from statemachine.commands import RunStep, Undo
from statemachine.definition import StepSpec
from statemachine.inputs import Failed, Succeeded, UndoFailed, Undone
from statemachine.runner.attempts import Attempt
from statemachine.runner.caching import Results
from statemachine.runner.clock import Clock
from statemachine.runner.hosted import Hosted, HostedStep, Work
from statemachine.runner.observing import Guarded
from statemachine.runner.progress import Backing
from statemachine.runner.writer import Writer
from statemachine.snapshot import Snapshot


class Performs(Protocol):
    """Calls a step or an undo and waits for it."""

    def __call__(
        self, attempt: Attempt, work: Work, timeout: float, deadline: datetime, /, *arguments: Any
    ) -> Awaitable[Any]:
        """What it returned; raises what it raised."""
        ...


class Tells(Protocol):
    """Tells a run what came of an attempt."""

    def __call__(
        self,
        attempt: Attempt,
        run: str,
        told: Succeeded | Failed | Undone | UndoFailed,
        items: tuple[ItemRecord, ...] = (),
        /,
    ) -> None:
        """With what came of items by that, for the same commit."""
        ...


@attrs.frozen(eq=False, kw_only=True)
class Job:
    """What is asked: a step, or its undo, of a run as it was then, in a place where it may have to wait its turn."""

    hosted: Hosted
    snapshot: Snapshot[Any]
    command: RunStep | Undo
    attempt: Attempt
    lane: Any = None

    @property
    def step(self) -> HostedStep:
        """The step that it is about."""
        return self.hosted.steps[self.command.step]


@attrs.frozen(eq=False, kw_only=True)
class Tools:
    """See the module; `runner.steps` has them."""

    writer: Writer
    clock: Clock
    backing: Backing
    perform: Performs
    tell: Tells
    room: Callable[[StepSpec, Work, Attempt], Awaitable[None]]
    leave_room: Callable[[StepSpec, Work], None]
    patience: Callable[[StepSpec, datetime | None], tuple[float, datetime]]
    observer: Guarded | None
    held: Callable[[Hosted, str], bool]
    """Whether a person holds a step back; with an empty name, its workflow."""
    put_back: Callable[[Hosted, str, int, str, Attempt], bool]
    """Keep a visit until it is not held back any more, if it is."""
    results: Results
    """Those that were recorded for other runs."""
    thread_over: Callable[[Attempt, str, int], Awaitable[None]]

    def begins(self, snapshot: Snapshot[Any], command: RunStep | Undo, work: Work) -> Work:
        """The work of an item that begins, as whoever looks on has it done."""
        return work if self.observer is None else self.observer.begins(snapshot, command, self.clock.now(), work)

    def recorded(self, snapshot: Snapshot[Any], key: str, record: ItemRecord) -> None:
        """Tell whoever looks on what came of an item, once it is committed."""
        if self.observer is not None:
            self.observer.recorded(snapshot, key, record)
