"""Results that other runs have recorded: looked for before an attempt is made, and kept when one has succeeded."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import msgspec

from persistence import CachedRecord, Change, Journal, JournalError
from statemachine.commands import RunStep
from statemachine.inputs import Failed, Succeeded, Taken
from statemachine.runner.attempts import Attempt, Attempting, failure_told
from statemachine.runner.clock import Clock, from_micros, to_micros
from statemachine.runner.hosted import Hosted
from statemachine.runner.loaded import Loaded
from statemachine.runner.logs import fields
from statemachine.runner.mover import Plan
from statemachine.runner.shelves import Keep
from statemachine.runner.stored import UNSTORABLE
from statemachine.snapshot import Snapshot

log = logging.getLogger("statemachine")
Tell = Callable[[Attempt, str, Succeeded | Failed], None]
Io = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Does something with the journal that any thread may do."""


@attrs.frozen
class Found:
    """What was found for an attempt.

    Attributes:
        where: Where its result is kept; None: nowhere.
        record: What was recorded there before; None: nothing that can be taken.
        result: The result in it.
    """

    where: Keep | None = None
    record: CachedRecord | None = None
    result: Any = None


@attrs.frozen
class Results:
    """Where results are looked for.

    Attributes:
        journal: It has them.
        clock: By which they are too old.
        io: How it is read.
    """

    journal: Journal
    clock: Clock
    io: Io

    async def find(self, hosted: Hosted, run: str, command: RunStep, data: Any, item: Any = None) -> Found:
        """Look for the result of an attempt over this data, and item. Raises what the key's function raises."""
        shelf = hosted.steps[command.step].shelf
        where = None if shelf is None else shelf.keep(hosted.stored.codec, data, item)
        if where is None:
            return Found()
        try:
            record = await self._recent(where)
            if record is not None:
                kind = hosted.definition.code.results[command.step]
                return Found(where, record, hosted.stored.codec.decode(record.value, kind))
        except (JournalError, *UNSTORABLE) as error:
            log.warning(
                "A result of step %s that was kept cannot be read: %s",
                command.step,
                error,
                extra=fields(hosted.definition.name, run, command.step, command.attempt),
            )
        return Found(where)

    async def _recent(self, where: Keep) -> CachedRecord | None:
        """The result that is kept there, unless it is too old. Raises JournalError."""
        record: CachedRecord | None = await self.io(lambda: self.journal.cached(where.shelf, where.key))
        too_old = record is not None and record.at + where.oldest < to_micros(self.clock.now())
        return None if too_old else record

    def unkeyed(self, command: RunStep, error: Exception) -> Failed:
        """What an attempt whose key's function raises has failed with."""
        return Failed(command.step, command.visit, failure_told(error), chance=self.clock.chance(), effect=False)


@attrs.frozen
class Looking:
    """A step that is to be attempted, unless its result was recorded before."""

    results: Results
    hosted: Hosted
    snapshot: Snapshot[Any]
    command: RunStep

    async def before(self, work: Attempting, tell: Tell, attempt: Attempt) -> None:
        """Tell the run what was recorded before; else make the attempt, whose result is then kept."""
        command, run = self.command, self.snapshot.run
        try:
            found = await self.results.find(self.hosted, run, command, self.snapshot.base(command.visit))
        except Exception as error:  # noqa: BLE001 -- the key's function is the user's, and its attempt has failed
            tell(attempt, run, self.results.unkeyed(command, error))
            return
        if found.record is None:
            attempt.keep = found.where
            await work(attempt)
        else:
            told = Succeeded(command.step, command.visit, {}, found.result, taken=taken(found.record))
            tell(attempt, run, told)


def taken(record: CachedRecord) -> Taken:
    """Whose result it is."""
    return Taken(record.run, record.visit, from_micros(record.at))


def keep(plan: Plan, loaded: Loaded, told: Succeeded, where: Keep) -> None:
    """Keep a result in the commit of the transition that the plan ends with, if that took it without an incident."""
    change = plan.changes[-1]
    if isinstance(change, Change) and not plan.moved[-1].opened:
        value = loaded.hosted.stored.codec.encode(told.result)
        record = where.record(loaded.record.run, told.visit, loaded.record.updated, value)
        plan.changes[-1] = msgspec.structs.replace(change, cached=(record,))
