"""Performs steps and undos: attempts them, times them out, cancels them, and tells the run what came of it.

Async steps run on the runner's loop; sync ones run in a bounded pool of threads; transactional ones in the
writer's commit. Of one visit, at most one attempt runs here at a time, and its undo never beside it: a thread that
outlives its timeout is waited for before anything else is tried for that visit.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from persistence import ItemRecord, JournalError
from statemachine.calls import Call
from statemachine.commands import CancelStep, RunStep, Undo
from statemachine.definition import StepSpec
from statemachine.errors import NotStored, RefusedVerb, RunnerClosed
from statemachine.inputs import Failed, Stopped, Succeeded, UndoFailed, Undone
from statemachine.runner.attempts import (
    Attempt,
    Attempting,
    Raised,
    after_it,
    called,
    failure_told,
    in_turn,
    undoing,
)
from statemachine.runner.caching import Looking, Results
from statemachine.runner.carrying import Carrier
from statemachine.runner.clock import Clock
from statemachine.runner.failing import failed
from statemachine.runner.holds import HeldBack, Holds, Kept
from statemachine.runner.hosted import Hosted, Work
from statemachine.runner.items import Items
from statemachine.runner.line import Line, Lines
from statemachine.runner.logs import fields
from statemachine.runner.observing import Guarded
from statemachine.runner.outcomes import outcome_of
from statemachine.runner.output import Outputs
from statemachine.runner.performing import Performing
from statemachine.runner.progress import Backing
from statemachine.runner.requests import Telling, Transacting
from statemachine.runner.standing import Place
from statemachine.runner.tools import Tools
from statemachine.runner.unwinding import Unwinding
from statemachine.runner.writer import Writer
from statemachine.snapshot import Snapshot

log = logging.getLogger("statemachine")
FAREWELL = 5.0
"""Seconds that a cancelled step is given to end when the runner closes."""
FIRST = sys.maxsize
"""The priority of an undo: what is to be given back waits for nobody."""

Ended = Succeeded | Failed | Undone | UndoFailed


class Steps:
    """See the module."""

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        threads: int,
        lines: Lines,
        outputs: Outputs,
        *,
        holds: Holds,
        results: Results,
        observer: Guarded | None = None,
    ) -> None:
        self._writer = writer
        self._lines = lines
        self._clock = clock
        self._results = results
        self._observer = observer
        self._performing = Performing(clock, threads)
        self._backing = Backing(writer, clock, outputs)
        self._carrier = Carrier(clock)
        self.kept = Kept(holds)
        self._running: dict[tuple[str, int], Attempt] = {}
        self._waiting: list[Callable[[], None]] | None = None
        tools = Tools(
            writer=writer,
            clock=clock,
            perform=self._performing.call,
            backing=self._backing,
            tell=self._tell,
            room=self._performing.room,
            leave_room=self._performing.leave_room,
            patience=self._patience,
            observer=observer,
            held=lambda hosted, step: holds.of(hosted.definition, step) is not None,
            put_back=self._put_back,
            results=results,
            thread_over=self._performing.thread_over,
        )
        self._items, self._unwinding = Items(tools), Unwinding(tools)

    @property
    def idle(self) -> bool:
        """Whether no attempt is under way or held."""
        return not self._running and self._waiting is None

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
        if there is not None and there.number == command.attempt and there.goes_on and not there.undo:
            self._items.look(snapshot.run, command.visit)
            return
        if self.kept.keep(hosted.definition, snapshot.run, command.visit, command.step):
            return
        step = hosted.steps[command.step]
        line = self._lines.of(hosted.definition.name)
        work: Attempting = partial(self._forward, hosted, snapshot, command)
        lane = line.lane(command.step)
        if step.spec.each is not None:
            work = partial(self._items.forward, hosted, snapshot, command, lane)
        elif lane is not None:
            work = partial(in_turn, lane, work)
        if step.looks:
            work = partial(Looking(self._results, hosted, snapshot, command).before, work, self._tell)
        line.join()
        attempt = self._attempt(snapshot.run, command, work, priority=snapshot.priority, line=line)
        writer = self._writer
        if lane is not None or not step.brief or writer.mover.noted.has(snapshot.run, command.visit):
            ask = partial(writer.ask, must=True)
            attempt.place = Place(writer.mover, writer.tell, ask, snapshot.run, command.visit, command.step)
        if attempt.place is None and there is None and self._carrier.takes(step):
            self._carrier.add(step, attempt)
        else:
            attempt.start()

    def undo(self, hosted: Hosted, snapshot: Snapshot[Any], command: Undo, *, alone: bool = False) -> None:
        """Attempt an undo, once no attempt of that step runs here any more."""
        if self._waiting is not None and not alone:
            self._waiting.append(lambda: self.undo(hosted, snapshot, command))
            return
        there = self._running.get((snapshot.run, command.visit))
        if there is not None and there.undo and there.number == command.attempt and there.goes_on:
            return
        if self.kept.keep(hosted.definition, snapshot.run, command.visit, ""):
            return
        each = hosted.steps[command.step].spec.each is not None
        work = partial(self._unwinding.back if each else self._back, hosted, snapshot, command)
        self._attempt(snapshot.run, command, work, priority=FIRST).start()

    def cancel(self, run: str, command: CancelStep) -> None:
        """Cancel an attempt; the run is told when it has ended."""
        self.kept.drop(run, command.visit)
        there = self._running.get((run, command.visit))
        if there is None or there.undo:
            self._writer.tell(Telling(run, Stopped(command.visit)))
        else:
            there.stop()

    async def quiet(self, run: str, visit: int, patience: float) -> None:
        """Come back when no attempt of this visit runs here, or after so many seconds."""
        attempt = self._running.get((run, visit))
        if attempt is not None:
            await attempt.quiet(patience)

    def _attempt(
        self, run: str, command: RunStep | Undo, work: Attempting, *, priority: int, line: Line | None = None
    ) -> Attempt:
        """An attempt that is to be begun, after one of its visit that runs still."""
        visit = command.visit
        before = self._running.get((run, visit))
        if before is not None:
            work = partial(after_it, before, work)
        attempt = self._running[run, visit] = Attempt(
            command.attempt,
            isinstance(command, Undo),
            run,
            visit,
            work,
            self._ended,
            priority=priority,
            line=line,
        )
        return attempt

    def _ended(self, attempt: Attempt) -> None:
        attempt.begin()
        key = attempt.run, attempt.visit
        if self._running.get(key) is attempt:
            del self._running[key]
        if attempt.carried:
            return
        if attempt.task.cancelled():
            if not self._performing.closing and not attempt.told and attempt.stopped:
                self._writer.tell(Telling(attempt.run, Stopped(attempt.visit)))
        elif (error := attempt.task.exception()) is not None:
            log.error("An attempt ended in an error of the runner", exc_info=error)

    def _put_back(self, hosted: Hosted, run: str, visit: int, step: str, attempt: Attempt) -> bool:
        """Keep an attempt whose turn has come from beginning, if it is held."""
        held = self.kept.keep(hosted.definition, run, visit, step)
        if held and self._running.get((run, visit)) is attempt:
            del self._running[run, visit]
        return held

    def _tell(self, attempt: Attempt, run: str, told: Ended, items: tuple[ItemRecord, ...] = ()) -> None:
        attempt.told = True
        if attempt.began is not None:
            told = msgspec.structs.replace(told, took=self._seconds(attempt.began))
        self._writer.tell(Telling(run, told, items, attempt.keep))

    def _begins(self, snapshot: Snapshot[Any], command: RunStep | Undo, work: Work) -> Work:
        """The work of an attempt that begins, as whoever looks on has it done."""
        return work if self._observer is None else self._observer.begins(snapshot, command, self._clock.now(), work)

    def _seconds(self, began: datetime) -> float:
        return round((self._clock.now() - began).total_seconds(), 6)

    # Forward.

    async def _forward(self, hosted: Hosted, snapshot: Snapshot[Any], command: RunStep, attempt: Attempt) -> None:
        hosted_step = hosted.steps[command.step]
        step, work = hosted_step.spec, hosted_step.work
        pending = snapshot.awaited(command.visit)
        base = pending.base if pending.moved else snapshot.data
        told: Succeeded | Failed
        try:
            behind = await self._backing.of(hosted, snapshot.run, command)
        except (JournalError, RunnerClosed):
            return  # the runner has lost its journal, or closes
        except NotStored as error:
            self._tell(attempt, snapshot.run, failed(hosted, snapshot.run, command, error, 0.0, effect=False))
            return
        if not work.later:
            await self._performing.room(step, work, attempt)
        if self._put_back(hosted, snapshot.run, command.visit, step.name, attempt):
            self._performing.leave_room(step, work)
            return
        if attempt.place is not None and not await self._out_of_line(attempt.place, step, work):
            return
        attempt.begin()
        attempt.pulse, attempt.kill = behind.pulse, behind.kill if step.process else None
        work = self._begins(snapshot, command, work)
        timeout, deadline = self._patience(step, pending.since)
        call: Call[Any] = Call(
            key=command.key, run=snapshot.run, attempt=command.attempt, deadline=deadline, behind=behind
        )
        if step.kind == "transactional":
            await self._transact(hosted, snapshot.run, command, attempt, lambda there: work.function(base, there, call))
            return
        try:
            result = await self._performing.call(attempt, work, timeout, deadline, base, call)
        except Exception as error:  # noqa: BLE001 -- whatever a step or undo raises is recorded whole
            told = failed(hosted, snapshot.run, command, error, self._clock.chance())
        else:
            told = outcome_of(hosted, snapshot.run, command, base=base, result=result)
        self._tell(attempt, snapshot.run, told)
        await self._performing.thread_over(attempt, snapshot.run, command.visit)

    async def _out_of_line(self, place: Place, step: StepSpec, work: Work) -> bool:
        """Have it known, if it was noted that it waits, that it begins. False: that cannot be, for the runner ends."""
        try:
            await place.leave()
        except (JournalError, RunnerClosed):
            self._performing.leave_room(step, work)
            return False
        except asyncio.CancelledError:
            self._performing.leave_room(step, work)
            raise
        return True

    async def _in_commit(self, hosted: Hosted, visit: int, request: Transacting, attempt: Attempt) -> None:
        """Have it done in a commit, unless it is held by then."""
        while True:
            try:
                await asyncio.shield(self._writer.ask(request, must=True))
            except HeldBack:
                if self._put_back(hosted, request.run, visit, request.step, attempt):
                    return
            else:
                return

    def _patience(self, step: StepSpec, since: datetime | None) -> tuple[float, datetime]:
        """Seconds this attempt may take, and until when."""
        now = self._clock.now()
        timeout = step.timeout
        if step.overall is not None and since is not None:
            timeout = min(timeout, max(0.0, (since - now).total_seconds() + step.overall))
        return timeout, now + timedelta(seconds=timeout)

    async def _transact(
        self, hosted: Hosted, run: str, command: RunStep, attempt: Attempt, call: Callable[[Any], Any]
    ) -> None:
        step = hosted.steps[command.step].spec

        def work(connection: Any, snapshot: Snapshot[Any]) -> Succeeded:
            pending = next((pending for pending in snapshot.pending if pending.visit == command.visit), None)
            if pending is None or pending.waiting:
                raise RefusedVerb(run, "record the transaction of", "nobody waits for it any more")
            base = pending.base if pending.moved else snapshot.data
            began = self._clock.now()
            told = outcome_of(hosted, run, command, base=base, result=called(call, connection))
            if isinstance(told, Failed):
                raise NotStored(run, f"result of {step.name}", told.failure.message)
            return msgspec.structs.replace(told, took=self._seconds(began))

        try:
            await self._in_commit(hosted, command.visit, Transacting(run, work, step.name), attempt)
        except (RefusedVerb, RunnerClosed):
            return
        except Exception as error:  # noqa: BLE001 -- whatever a step or undo raises is recorded whole
            raised = error.error if isinstance(error, Raised) else error
            self._tell(attempt, run, failed(hosted, run, command, raised, self._clock.chance(), effect=False))

    # Back.

    async def _back(self, hosted: Hosted, snapshot: Snapshot[Any], command: Undo, attempt: Attempt) -> None:
        step, work = hosted.steps[command.step].spec, hosted.steps[command.step].undo
        undo = step.undo
        if undo is None or work is None:
            self._tell(attempt, snapshot.run, Undone(command.visit))
            return
        data = hosted.undo_data(snapshot)
        await self._performing.room(step, work, attempt)
        if self._put_back(hosted, snapshot.run, command.visit, "", attempt):
            self._performing.leave_room(step, work)
            return
        work = self._begins(snapshot, command, work)
        deadline = self._clock.now() + timedelta(seconds=undo.timeout)
        call: Call = Call(
            key=command.key,
            run=snapshot.run,
            attempt=command.attempt,
            undoes=command.undoes,
            deadline=deadline,
            behind=self._backing.of_undo(snapshot.run, command),
        )
        try:
            if step.kind == "transactional":
                request = Transacting(snapshot.run, undoing(command.visit, work.function, data, call))
                await self._in_commit(hosted, command.visit, request, attempt)
                return
            await self._performing.call(attempt, work, undo.timeout, deadline, data, call)
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
                extra=fields(hosted.definition.name, snapshot.run, step.name, command.attempt),
            )
            final = isinstance(error, undo.retry.never)
            told = UndoFailed(command.visit, failure_told(error), self._clock.chance(), final=final)
            self._tell(attempt, snapshot.run, told)
        else:
            self._tell(attempt, snapshot.run, Undone(command.visit))
        await self._performing.thread_over(attempt, snapshot.run, command.visit)

    async def close(self, grace: float) -> None:
        """Let what runs finish for `grace` seconds, then cancel it; a thread that still runs then is left behind."""
        self._waiting = []
        self._lines.close()
        self._items.stop_beginning()
        tasks = {attempt.task for attempt in self._running.values()}
        if tasks and grace > 0:
            await asyncio.wait(tasks, timeout=grace)
        self._performing.closing = True
        left = list(self._running.values())
        for attempt in left:
            attempt.stop()
        if left:
            await asyncio.wait({attempt.task for attempt in left}, timeout=FAREWELL)
        self._performing.close()
