"""What stands behind the call of an attempt that runs here: its step saves from the loop or from a thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Generator
from typing import Any

import attrs

from persistence import Change, SavedRecord
from statemachine.calls import Behind, Done
from statemachine.commands import RunStep
from statemachine.errors import CannotSave, RunnerClosed
from statemachine.runner.clock import to_micros
from statemachine.runner.hosted import Hosted
from statemachine.runner.mover import Mover, Plan
from statemachine.runner.requests import Reading
from statemachine.runner.writer import Writer


class Progress:
    """See the module. Made on the loop.

    Args:
        writer: Where what is saved is committed.
        hosted: The workflow.
        run: The run's id.
        command: The attempt.
        saved: What attempts before it have saved last.
    """

    def __init__(self, writer: Writer, hosted: Hosted, run: str, command: RunStep, saved: Any) -> None:
        self._writer = writer
        self._hosted = hosted
        self._run = run
        self._command = command
        self._loop = asyncio.get_running_loop()
        self._asked: _Asked | None = None
        self.saved = saved

    def save(self, value: Any) -> Awaitable[None]:
        """See `Call.save`. In a thread it blocks."""
        step = self._command.step
        if step not in self._hosted.definition.code.saves:
            reason = "it did not say what it saves; annotate its call with the type, as in `call: Call[Epoch]`"
            raise CannotSave(self._run, step, reason)
        if self._asked is not None and not self._asked.awaited:
            raise CannotSave(self._run, step, "what it saved before was not awaited; write `await call.save(…)`")
        raw = self._hosted.stored.saved(self._run, step, value)
        saving = asyncio.run_coroutine_threadsafe(self._save(raw, value), self._loop)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            _wait_for(saving)
            return Done()
        self._asked = _Asked(saving)
        return self._asked

    async def _save(self, raw: bytes, value: Any) -> None:
        command = self._command
        request = Saving(run=self._run, step=command.step, visit=command.visit, attempt=command.attempt, value=raw)
        await self._writer.ask(request, must=True)
        self.saved = value


@attrs.frozen(eq=False, kw_only=True)
class Saving:
    """Keep how far an attempt has come, if its run still waits for it."""

    run: str
    step: str
    visit: int
    attempt: int
    value: bytes

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        snapshot = mover.load(self.run, plan).snapshot
        pending = next((pending for pending in snapshot.pending if pending.visit == self.visit), None)
        if pending is None or pending.waiting or pending.incident or pending.attempt != self.attempt:
            raise CannotSave(self.run, self.step, f"nobody waits for its attempt {self.attempt} any more")
        now = to_micros(mover.clock.now())
        record = SavedRecord(run=self.run, visit=self.visit, at=now, value=self.value)
        plan.changes.append(Change(saved=(record,)))
        mover.saves.note(self.run, self.visit)


class _Asked:
    """A save that an async step awaits."""

    def __init__(self, saving: concurrent.futures.Future[None]) -> None:
        self._saving = asyncio.wrap_future(saving)
        self._saving.add_done_callback(_heard)
        self.awaited = False

    def __await__(self) -> Generator[Any, None, None]:
        """Come back when it is durable."""
        self.awaited = True
        return self._saving.__await__()


class Refusing:
    """What stands behind the call of an undo or a transactional step, which save nothing."""

    saved = None

    def __init__(self, run: str, step: str, what: str) -> None:
        self._run = run
        self._step = step
        self._what = what

    def save(self, value: Any) -> Awaitable[None]:  # noqa: ARG002 -- nothing is saved, whatever it is
        """See `Call.save`."""
        raise CannotSave(self._run, self._step, f"{self._what} saves nothing while it works")


async def behind_call(writer: Writer, hosted: Hosted, run: str, command: RunStep) -> Behind:
    """What stands behind the call of an attempt. Raises NotStored when what was saved cannot be read."""
    step = command.step
    if hosted.steps[step].spec.kind == "transactional":
        return Refusing(run, step, "a transactional step")
    saved = None
    if step in hosted.definition.code.saves:
        reading = Reading(lambda mover: mover.saves.read(hosted, run, command.visit, step), run)
        saved = await writer.ask(reading, must=True)
    return Progress(writer, hosted, run, command, saved)


def _wait_for(saving: concurrent.futures.Future[None]) -> None:
    try:
        saving.result()
    except concurrent.futures.CancelledError:
        why = "it closes while a step saves"
        raise RunnerClosed(why) from None


def _heard(saving: asyncio.Future[None]) -> None:
    """Whoever does not await it does not hear of its failure: the loop need not, either."""
    if not saving.cancelled():
        saving.exception()
