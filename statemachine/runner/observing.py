"""What may look on while a runner works, and why it can do no harm: what it raises is logged, and goes no further."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextvars import copy_context
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeVar

import msgspec

from persistence import ItemRecord
from statemachine.commands import RunStep, Undo
from statemachine.inputs import Begin, Input
from statemachine.runner import fans
from statemachine.runner.clock import from_micros
from statemachine.runner.hosted import Work
from statemachine.runner.mover import Moved
from statemachine.snapshot import Failure, Incident, Snapshot
from statemachine.transition import Outcome

log = logging.getLogger("statemachine")
T = TypeVar("T")
ItemVerdict = Literal["succeeded", "failed", "declared"]
"""`declared`: with an exception that `error=` names."""


class Committed(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A transition that is in the journal.

    Attributes:
        told: What the run was told.
        name: The event, step or timer that this is about; empty where there is none.
        before: The run before it; None at its start.
        outcome: What it led to; `outcome.snapshot` is the run from then on.
        started: When the run was started, UTC.
        opened: The incidents that it opened.
    """

    told: Input
    name: str
    before: Snapshot[Any] | None
    outcome: Outcome
    started: datetime
    opened: Sequence[Incident]

    @property
    def kind(self) -> str:
        """The kind of input: start, event, timer, succeeded, failed and so on."""
        return str(self.told.__struct_config__.tag)

    @classmethod
    def of(cls, moved: Moved, started: datetime) -> Committed:
        """From what the mover says."""
        before = None if isinstance(moved.told, Begin) else moved.before
        return cls(
            told=moved.told,
            name=moved.entry.name,
            before=before,
            outcome=moved.outcome,
            started=started,
            opened=moved.opened,
        )


class Observer:
    """Looks on while a runner works. Derive from it and override what is of interest; each method here does nothing.

    It is told of what is committed, once; what a process that is killed had no time to tell is not told again. Its
    methods are called where the work is done, so they must be quick; what they raise is logged and changes nothing.
    """

    def caller(self) -> str | None:
        """Where a start or an event comes from, as W3C `traceparent`; asked in the context of whoever starts or sends.

        It is journaled with the start or the event. None: from nowhere that is known.
        """
        return None

    def sender(self, run: Snapshot[Any], /) -> str | None:  # noqa: ARG002 -- for who overrides it
        """Likewise for the events that a transition of this run sends to others. The writer's thread may ask."""
        return None

    def begins(self, run: Snapshot[Any], work: RunStep | Undo, at: datetime, /) -> None:
        """An attempt of a step or an undo begins now (UTC).

        Called in the attempt's own context: the context variables that it sets are the function's, in its thread too.
        """

    def recorded(
        self, run: Snapshot[Any], key: str, outcome: ItemVerdict, failure: Failure | None, at: datetime, /
    ) -> None:
        """What came of one of many items, at that time (UTC), was committed apart from any transition.

        `key` is the one that its attempt, or that to undo it, began with. What ends the whole step is told by `moved`
        alone: `Failed.item` and `UndoFailed.item` say whose failure it is; the others were stopped.
        """

    def moved(self, committed: Committed, /) -> None:
        """A transition was committed. Those of one run are told in their order."""

    def wrote(self, seconds: float, waiting: int, /) -> None:
        """Transitions were worked out and committed together, in so many seconds; so many requests wait by now."""


class Guarded:
    """Calls an observer, and contains what it raises."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def caller(self) -> str | None:
        """See `Observer.caller`."""
        return _contained(self._observer.caller)

    def sender(self, run: Snapshot[Any]) -> str | None:
        """See `Observer.sender`."""
        return _contained(self._observer.sender, run)

    def begins(self, run: Snapshot[Any], command: RunStep | Undo, at: datetime, work: Work) -> Work:
        """See `Observer.begins`; the work, for the context that it has set."""
        _contained(self._observer.begins, run, command, at)
        return work if work.later else Work(partial(copy_context().run, work.function), later=False)

    def recorded(self, run: Snapshot[Any], key: str, record: ItemRecord) -> None:
        """See `Observer.recorded`."""
        failure = None if record.state == fans.DONE else msgspec.json.decode(record.body, type=Failure)
        outcome = "succeeded" if failure is None else "declared" if record.state == fans.REFUSED else "failed"
        _contained(self._observer.recorded, run, key, outcome, failure, from_micros(record.at))

    def moved(self, moved: Moved, started: datetime) -> None:
        """See `Observer.moved`."""
        _contained(self._observer.moved, Committed.of(moved, started))

    def wrote(self, seconds: float, waiting: int) -> None:
        """See `Observer.wrote`."""
        _contained(self._observer.wrote, seconds, waiting)


def _contained(call: Callable[..., T], *arguments: Any) -> T | None:
    try:
        return call(*arguments)
    except (Exception, asyncio.CancelledError, SystemExit):
        log.exception("The observer of this runner has failed; its runs go on")
        return None
