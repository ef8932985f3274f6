"""What stands behind the call of an attempt that runs here: its step saves, gives out and lives, on the loop or not."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any

import attrs

from persistence import Change, SavedRecord
from statemachine.calls import Call, Done
from statemachine.commands import RunStep, Undo
from statemachine.errors import CannotSave, RunnerClosed
from statemachine.runner.children import Child
from statemachine.runner.clock import Clock, to_micros
from statemachine.runner.hosted import Hosted
from statemachine.runner.mover import Mover, Plan
from statemachine.runner.output import Emitted, Outputs
from statemachine.runner.piping import Task, Unreturned
from statemachine.runner.pulse import Pulse
from statemachine.runner.requests import Reading
from statemachine.runner.stored import UNSAID
from statemachine.runner.writer import Writer

_CLOSES = "it closes while a step saves"
_OF_ITEMS = "a step that is done for each of many items saves nothing while it works"


class Heard:
    """What gives out and lives, and saves nothing: a transactional step, one of many items, an undo.

    Args:
        outputs: Whom it tells what it gives out.
        run: The run's id.
        command: The attempt.
        why: Why it saves nothing.
        pulse: What it must give signs of life to.
    """

    saved: Any = None
    emitted: Sequence[Any] = ()

    def __init__(
        self, outputs: Outputs, run: str, command: RunStep | Undo, why: str = "", pulse: Pulse | None = None
    ) -> None:
        self._outputs = outputs
        self._run = run
        self._command = command
        self._why = why
        self.pulse = pulse

    def beat(self) -> None:
        """See `Call.beat`."""
        if self.pulse is not None:
            self.pulse.beat()

    def emit(self, value: Any) -> None:
        """See `Call.emit`."""
        self.beat()
        command = self._command
        self._outputs.tell(Emitted(self._run, command.step, command.visit, command.attempt, value))

    def perform(self, function: Callable[..., Any], data: Any, call: Call[Any]) -> Any:
        """Here."""
        return function(data, call)

    def kill(self) -> None:
        """End its process, where it has one of its own."""

    def save(self, value: Any) -> Awaitable[None]:  # noqa: ARG002 -- nothing is saved, whatever it is
        """See `Call.save`."""
        raise CannotSave(self._run, self._command.step, self._why)


class Progress(Heard):
    """What saves, too. Made on the loop.

    Args:
        backing: Where what it says goes.
        hosted: The workflow.
        run: The run's id.
        command: The attempt.
        saved: What attempts before it have saved last.
        pulse: What it must give signs of life to.
    """

    def __init__(
        self, backing: Backing, hosted: Hosted, run: str, command: RunStep, *, saved: Any, pulse: Pulse | None
    ) -> None:
        super().__init__(backing.outputs, run, command, pulse=pulse)
        self._writer = backing.writer
        self._hosted = hosted
        self._loop = asyncio.get_running_loop()
        self._asked: _Asked | None = None
        self._spec = hosted.steps[command.step].spec
        self._starting = threading.Lock()
        self._child: Child | None = None
        self._killed = False
        self.saved = saved

    def save(self, value: Any) -> Awaitable[None]:
        """See `Call.save`. In a thread it blocks."""
        self.beat()
        step = self._command.step
        if self._asked is not None and not self._asked.awaited:
            raise CannotSave(self._run, step, "what it saved before was not awaited; write `await call.save(…)`")
        raw = self._hosted.stored.saved(self._run, step, value)
        work = self._save(raw, value)
        try:
            saving = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # its loop is closed
            work.close()
            raise RunnerClosed(_CLOSES) from None
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            _wait_for(saving)
            return Done()
        self._asked = _Asked(saving)
        return self._asked

    def perform(self, function: Callable[..., Any], data: Any, call: Call[Any]) -> Any:
        """In a process of its own, if it is to have one. In a thread; its result is typed again."""
        spec, stored, code = self._spec, self._hosted.stored, self._hosted.definition.code
        if not spec.process:
            return function(data, call)
        task = Task(
            maker=spec.process,
            definition=self._hosted.definition.hash,
            step=spec.name,
            data=stored.codec.encode(data),
            saved=None if self.saved is None else stored.codec.encode(self.saved),
            key=call.key,
            run=call.run,
            attempt=call.attempt,
            deadline=call.deadline,
        )
        with self._starting:
            child = self._child = Child(task, killed=self._killed)
        returned = child.run(self)
        kind = code.data if spec.into is None else code.results[spec.name]
        return returned if isinstance(returned, Unreturned) else stored.codec.decode(returned, kind)

    def kill(self) -> None:
        """End its process, where it has one of its own."""
        with self._starting:
            self._killed = True
            child = self._child
        if child is not None:
            child.kill()

    def save_raw(self, raw: bytes) -> None:
        """A save of the step's process."""
        step = self._command.step
        kind = self._hosted.definition.code.saves.get(step)
        self.save(None if kind is None else self._hosted.stored.codec.decode(raw, kind))

    async def _save(self, raw: bytes, value: Any) -> None:
        command = self._command
        request = Saving(run=self._run, step=command.step, visit=command.visit, attempt=command.attempt, value=raw)
        await self._writer.ask(request, must=True)
        self.saved = value
        self.beat()


@attrs.frozen(eq=False)
class Backing:
    """What stands behind calls, for whoever performs steps."""

    writer: Writer
    clock: Clock
    outputs: Outputs

    async def of(self, hosted: Hosted, run: str, command: RunStep) -> Heard:
        """Behind an attempt of a step. Raises NotStored when what was saved cannot be read."""
        step = command.step
        spec = hosted.steps[step].spec
        if spec.kind == "transactional":
            return Heard(self.outputs, run, command, "a transactional step saves nothing while it works")
        saves = step in hosted.definition.code.saves
        if not saves and not spec.process:
            return Heard(self.outputs, run, command, UNSAID, self._pulse(hosted, command))
        saved = None
        if saves:
            reading = Reading(lambda mover: mover.saves.read(hosted, run, command.visit, step), run)
            saved = await self.writer.ask(reading, must=True)
        return Progress(self, hosted, run, command, saved=saved, pulse=self._pulse(hosted, command))

    def of_item(self, hosted: Hosted, run: str, command: RunStep) -> Heard:
        """Behind an attempt for one of many items."""
        pulse = self._pulse(hosted, command)
        return Heard(self.outputs, run, command, _OF_ITEMS, pulse)

    def of_undo(self, run: str, command: Undo) -> Heard:
        """Behind an attempt of an undo."""
        return Heard(self.outputs, run, command, "an undo saves nothing while it works")

    def _pulse(self, hosted: Hosted, command: RunStep) -> Pulse | None:
        heartbeat = hosted.steps[command.step].spec.heartbeat
        return None if heartbeat is None else Pulse(self.clock, heartbeat)


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
        self._saving.add_done_callback(_known)
        self.awaited = False

    def __await__(self) -> Generator[Any, None, None]:
        """Come back when it is durable."""
        self.awaited = True
        return self._saving.__await__()


def _known(saving: asyncio.Future[None]) -> None:
    """Whoever does not await it does not hear of its failure: the loop need not, either."""
    if not saving.cancelled():
        saving.exception()


def _wait_for(saving: concurrent.futures.Future[None]) -> None:
    try:
        saving.result()
    except concurrent.futures.CancelledError:
        raise RunnerClosed(_CLOSES) from None
