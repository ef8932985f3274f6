"""Performs steps and undos: attempts them, times them out, cancels them, and tells the run what came of it.

Async steps are tasks on the runner's loop; sync ones run in a bounded pool of threads; transactional ones in the
writer's commit. Of one visit, at most one attempt runs here at a time, and its undo never beside it: a thread that
outlives its timeout is waited for before anything else is tried for that visit.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import attrs
import msgspec

from statemachine.commands import CancelStep, RunStep, Undo
from statemachine.data import changed
from statemachine.definition import StepSpec
from statemachine.errors import NotStored, RefusedVerb, RunnerClosed
from statemachine.events import Call
from statemachine.inputs import Failed, Stopped, Succeeded, UndoFailed, Undone
from statemachine.runner.attempts import Raised, StepCancelled, StepTimeout, contained, contained_later, failure_told
from statemachine.runner.clock import Clock
from statemachine.runner.hosted import Hosted
from statemachine.runner.requests import Telling, Transacting
from statemachine.runner.threads import Threads
from statemachine.runner.writer import Writer
from statemachine.snapshot import Snapshot

log = logging.getLogger("statemachine")
FAREWELL = 5.0
"""Seconds that a cancelled step is given to end when the runner closes."""
Attempting = Callable[[], Coroutine[Any, Any, None]]


@attrs.define(eq=False)
class _Attempt:
    task: asyncio.Task[None]
    number: int
    undo: bool
    began: datetime | None = None
    thread: asyncio.Future[Any] | None = None
    cancelled: bool = False
    told: bool = False


class Steps:
    """See the module."""

    def __init__(self, writer: Writer, clock: Clock, threads: int) -> None:
        self._writer = writer
        self._clock = clock
        self._threads = Threads(threads)
        self._running: dict[tuple[str, int], _Attempt] = {}
        self._waiting: list[Callable[[], None]] | None = None
        self._closing = False

    def hold(self) -> None:
        """Begin nothing until `release`; what is asked for meanwhile waits."""
        self._waiting = self._waiting or []

    def release(self) -> None:
        """Begin what was asked for since `hold`."""
        waiting, self._waiting = self._waiting, None
        for begin in waiting or ():
            begin()

    def run(self, hosted: Hosted, snapshot: Snapshot[Any], command: RunStep, *, alone: bool = False) -> None:
        """Attempt a step. An attempt of that number that runs already is left to it."""
        if self._waiting is not None and not alone:
            self._waiting.append(lambda: self.run(hosted, snapshot, command))
            return
        there = self._running.get((snapshot.run, command.visit))
        if there is not None and there.number == command.attempt and not there.undo and not there.told:
            return
        work = partial(self._forward, hosted, snapshot, command)
        self._begin(snapshot.run, command.visit, command.attempt, work, undo=False)

    def undo(self, hosted: Hosted, snapshot: Snapshot[Any], command: Undo) -> None:
        """Attempt an undo, once no attempt of that step runs here any more."""
        if self._waiting is not None:
            self._waiting.append(lambda: self.undo(hosted, snapshot, command))
            return
        there = self._running.get((snapshot.run, command.visit))
        if there is not None and there.undo and there.number == command.attempt and not there.told:
            return
        work = partial(self._back, hosted, snapshot, command)
        self._begin(snapshot.run, command.visit, command.attempt, work, undo=True)

    def cancel(self, run: str, command: CancelStep) -> None:
        """Cancel an attempt; the run is told when it has ended."""
        there = self._running.get((run, command.visit))
        if there is None or there.undo:
            self._tell(run, Stopped(command.visit))
        else:
            there.cancelled = True
            there.task.cancel()

    async def quiet(self, run: str, visit: int, patience: float) -> None:
        """Come back when no attempt of this visit runs here, or after so many seconds."""
        attempt = self._running.get((run, visit))
        if attempt is not None:
            await asyncio.wait({attempt.task}, timeout=patience)

    def _begin(self, run: str, visit: int, number: int, work: Attempting, *, undo: bool) -> None:
        before = self._running.get((run, visit))
        attempt = _Attempt(asyncio.get_running_loop().create_task(_after(before, work)), number, undo)
        self._running[(run, visit)] = attempt
        attempt.task.add_done_callback(lambda _: self._ended(run, visit, attempt))

    def _ended(self, run: str, visit: int, attempt: _Attempt) -> None:
        if self._running.get((run, visit)) is attempt:
            del self._running[(run, visit)]
        if attempt.task.cancelled():
            if not self._closing and not attempt.told and attempt.cancelled:
                self._tell(run, Stopped(visit))
        elif (error := attempt.task.exception()) is not None:
            log.error("An attempt ended in an error of the runner", exc_info=error)

    def _tell(self, run: str, told: Succeeded | Failed | Stopped | Undone | UndoFailed) -> None:
        attempt = self._running.get((run, told.visit))
        if attempt is not None and attempt.task is asyncio.current_task():
            attempt.told = True
            if attempt.began is not None and not isinstance(told, Stopped):
                told = msgspec.structs.replace(told, took=self._seconds(attempt.began))
        self._writer.tell(Telling(run, told))

    def _seconds(self, began: datetime) -> float:
        return round((self._clock.now() - began).total_seconds(), 6)

    # Forward.

    async def _forward(self, hosted: Hosted, snapshot: Snapshot[Any], command: RunStep) -> None:
        step = next(step for step in hosted.definition.steps if step.name == command.step)
        pending = next(pending for pending in snapshot.pending if pending.visit == command.visit)
        base = pending.base if pending.moved else snapshot.data
        function = hosted.definition.code.functions[step.function]
        await self._room(step.kind, function)
        timeout, deadline = self._patience(step, pending.since)
        call = Call(key=command.key, run=snapshot.run, attempt=command.attempt, deadline=deadline)
        if step.kind == "transactional":
            await self._transact(
                hosted, snapshot.run, step, command, lambda connection: function(base, connection, call)
            )
            return
        try:
            result = await self._perform(snapshot.run, command.visit, timeout, function, base, call)
        except asyncio.CancelledError as error:
            if _asked_to_stop():
                raise
            self._tell(snapshot.run, self._failure(hosted, snapshot.run, step, command, StepCancelled(error)))
        except Exception as error:  # noqa: BLE001 -- whatever a step or undo raises is recorded whole
            self._tell(snapshot.run, self._failure(hosted, snapshot.run, step, command, error))
        else:
            self._tell(snapshot.run, self._success(hosted, snapshot.run, step, command, base=base, result=result))
        await self._thread_over(snapshot.run, command.visit)

    async def _room(self, kind: str, function: Callable[..., Any]) -> None:
        """Wait until there is a thread for a sync function: its time begins when it does."""
        if kind != "transactional" and not inspect.iscoroutinefunction(function):
            await self._threads.room()

    def _patience(self, step: StepSpec, since: Any) -> tuple[float, Any]:
        """Seconds this attempt may take, and until when."""
        now = self._clock.now()
        timeout = step.timeout
        if step.overall is not None and since is not None:
            timeout = min(timeout, max(0.0, (since - now).total_seconds() + step.overall))
        return timeout, now + timedelta(seconds=timeout)

    async def _perform(
        self, run: str, visit: int, timeout: float, function: Callable[..., Any], *arguments: Any
    ) -> Any:
        """Call a step or an undo and wait for it, for at most `timeout` seconds."""
        self._running[(run, visit)].began = self._clock.now()
        if inspect.iscoroutinefunction(function):
            return await self._timed(contained_later(function(*arguments)), timeout)
        thread = self._running[(run, visit)].thread = self._threads.submit(function, *arguments)
        try:
            return await self._timed(asyncio.shield(thread), timeout)
        except asyncio.CancelledError:
            await self._outlast(thread)
            if not thread.done():
                raise
            return thread.result()

    async def _timed(self, work: Any, timeout: float) -> Any:
        task = asyncio.ensure_future(work)
        until = self._clock.now() + timedelta(seconds=timeout)
        clock = asyncio.ensure_future(self._clock.sleep_until(until))
        try:
            await asyncio.wait({task, clock}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return await task
            task.cancel()
            with suppress(asyncio.CancelledError):
                return await task
            raise StepTimeout(timeout)
        except asyncio.CancelledError:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    return await task
            raise
        finally:
            clock.cancel()

    async def _thread_over(self, run: str, visit: int) -> None:
        """Wait for a thread that has outlived its attempt, so that nothing starts beside it."""
        thread = self._running[(run, visit)].thread
        if thread is not None and not thread.done():
            log.warning(
                "Visit %d of run %s waits for the thread of an attempt that has timed out",
                visit,
                run,
                extra={"workflow": None, "run": run, "step": None, "attempt": None},
            )
            await self._outlast(thread)

    async def _outlast(self, thread: asyncio.Future[Any]) -> None:
        """Wait for the end of a thread, however often one is asked to hurry; not beyond the end of the runner."""
        while not thread.done() and not self._closing:
            with suppress(asyncio.CancelledError):
                await asyncio.wait({thread})

    def _success(
        self, hosted: Hosted, run: str, step: StepSpec, command: RunStep, *, base: Any, result: Any
    ) -> Succeeded | Failed:
        try:
            if step.into is not None:
                hosted.stored.event(run, f"done.step.{step.name}", result)
                return Succeeded(step.name, command.visit, {}, result)
            return Succeeded(step.name, command.visit, changed(base, result))
        except Exception as error:  # noqa: BLE001 -- comparing the user's values may raise anything
            return Failed(step.name, command.visit, failure_told(error), recorded=False)

    def _failure(
        self, hosted: Hosted, run: str, step: StepSpec, command: RunStep, error: Exception, *, effect: bool = True
    ) -> Failed:
        exceptions = hosted.definition.code.exceptions
        arm = next((n for n, name in enumerate(step.errors) if isinstance(error, exceptions[name])), None)
        if arm is None:
            log.warning(
                "Step %s of run %s failed at attempt %d: %s",
                step.name,
                run,
                command.attempt,
                type(error).__qualname__,
                extra=_fields(hosted, run, step.name, command.attempt),
            )
        return Failed(
            step=step.name,
            visit=command.visit,
            failure=failure_told(error),
            chance=self._clock.chance(),
            arm=arm,
            final=isinstance(error, step.retry.never),
            effect=effect,
        )

    async def _transact(
        self, hosted: Hosted, run: str, step: StepSpec, command: RunStep, call: Callable[[Any], Any]
    ) -> None:
        def work(connection: Any, snapshot: Snapshot[Any]) -> Succeeded:
            pending = next((pending for pending in snapshot.pending if pending.visit == command.visit), None)
            if pending is None or pending.waiting:
                raise RefusedVerb(run, "record the transaction of", "nobody waits for it any more")
            base = pending.base if pending.moved else snapshot.data
            began = self._clock.now()
            told = self._success(hosted, run, step, command, base=base, result=_called(call, connection))
            if isinstance(told, Failed):
                raise NotStored(run, f"result of {step.name}", told.failure.message)
            return msgspec.structs.replace(told, took=self._seconds(began))

        try:
            await asyncio.shield(self._writer.ask(Transacting(run, work), must=True))
        except (RefusedVerb, RunnerClosed):
            return
        except Exception as error:  # noqa: BLE001 -- whatever a step or undo raises is recorded whole
            raised = error.error if isinstance(error, Raised) else error
            self._tell(run, self._failure(hosted, run, step, command, raised, effect=False))

    # Back.

    async def _back(self, hosted: Hosted, snapshot: Snapshot[Any], command: Undo) -> None:
        step = next(step for step in hosted.definition.steps if step.name == command.step)
        undo = step.undo
        if undo is None:
            self._tell(snapshot.run, Undone(command.visit))
            return
        data = hosted.undo_data(snapshot)
        function = hosted.definition.code.functions[undo.function]
        await self._room(step.kind, function)
        deadline = self._clock.now() + timedelta(seconds=undo.timeout)
        call = Call(
            key=command.key, run=snapshot.run, attempt=command.attempt, undoes=command.undoes, deadline=deadline
        )
        try:
            if step.kind == "transactional":
                work = _undoing(command.visit, function, data, call)
                await asyncio.shield(self._writer.ask(Transacting(snapshot.run, work), must=True))
                return
            await self._perform(snapshot.run, command.visit, undo.timeout, function, data, call)
        except (RefusedVerb, RunnerClosed):
            return
        except Exception as caught:  # noqa: BLE001 -- whatever a step or undo raises is recorded whole
            error = caught.error if isinstance(caught, Raised) else caught
            log.warning(
                "Undo of step %s of run %s failed at attempt %d: %s",
                step.name,
                snapshot.run,
                command.attempt,
                type(error).__qualname__,
                extra=_fields(hosted, snapshot.run, step.name, command.attempt),
            )
            final = isinstance(error, undo.retry.never)
            self._tell(snapshot.run, UndoFailed(command.visit, failure_told(error), self._clock.chance(), final=final))
        else:
            self._tell(snapshot.run, Undone(command.visit))
        await self._thread_over(snapshot.run, command.visit)

    async def close(self, grace: float) -> None:
        """Let what runs finish for `grace` seconds, then cancel it; a thread that still runs then is left behind."""
        self._waiting = []
        tasks = {attempt.task for attempt in self._running.values()}
        if tasks and grace > 0:
            await asyncio.wait(tasks, timeout=grace)
        self._closing = True
        left = {attempt.task for attempt in self._running.values()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=FAREWELL)
        self._threads.close()


def _asked_to_stop() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _after(before: _Attempt | None, work: Attempting) -> None:
    """Do the work once an earlier attempt of the visit has ended, however it was asked to hurry."""
    cancelled: asyncio.CancelledError | None = None
    while before is not None and not before.task.done():
        try:
            await asyncio.wait({before.task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    await work()


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a transactional step. Raises Raised."""
    try:
        return contained(function, *arguments)
    except Exception as error:
        raise Raised(error) from error


def _undoing(visit: int, function: Callable[..., Any], data: Any, call: Call) -> Callable[[Any, Snapshot[Any]], Undone]:
    def work(connection: Any, _snapshot: Snapshot[Any]) -> Undone:
        _called(function, data, connection, call)
        return Undone(visit)

    return work


def _fields(hosted: Hosted, run: str, step: str, attempt: int) -> dict[str, Any]:
    """Fields of a log record. Never a payload."""
    return {"workflow": hosted.definition.name, "run": run, "step": step, "attempt": attempt}
