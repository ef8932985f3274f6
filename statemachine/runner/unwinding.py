"""Undoes a step that was done for each of many items: one by one, the last first, each undo recorded by itself.

What is undone is what was done, and what may have been: an item that failed for good, one that waits to be tried again,
and the few of which the journal says nothing but that may have been begun (`FanRecord.most`).
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import msgspec

from persistence import FanRecord, ItemRecord, JournalError
from statemachine.calls import Call
from statemachine.commands import Undo, item_key
from statemachine.definition import UndoSpec
from statemachine.errors import RunnerClosed
from statemachine.inputs import UndoFailed, Undone
from statemachine.runner import fans
from statemachine.runner.attempts import Attempt, failure_told
from statemachine.runner.clock import to_micros
from statemachine.runner.fans import Marks, Pages
from statemachine.runner.hosted import Hosted, Work
from statemachine.runner.logs import fields
from statemachine.runner.noting import Noting, item_of
from statemachine.runner.requests import Reading
from statemachine.runner.tools import Job, Tools
from statemachine.snapshot import Failure, Snapshot

log = logging.getLogger("statemachine")


class Unwinding:
    """See the module."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def back(self, hosted: Hosted, snapshot: Snapshot[Any], command: Undo, attempt: Attempt) -> None:
        """Undo what is left to undo of a visit, and tell the run what came of it."""
        ask = self._tools.writer.ask
        run, visit = snapshot.run, command.visit
        left = snapshot.undoing.left if snapshot.undoing is not None else ()
        attempt.began = self._tools.clock.now()
        try:
            fan: FanRecord | None = await ask(Reading(lambda mover: mover.journal.fan(run, visit)), must=True)
            job = Job(hosted=hosted, snapshot=snapshot, command=command, attempt=attempt)
            if fan is None or job.step.undo is None or job.step.spec.undo is None:
                self._tools.tell(attempt, run, Undone(visit))
                return
            there = fan
            found = await ask(Reading(lambda mover: fans.to_undo(mover.journal, there, left)), must=True)
            await _Unwound(self._tools, job, fan, *found).run(job.step.undo, job.step.spec.undo)
        except (RunnerClosed, JournalError):
            return
        except Exception as error:
            log.exception("The undo of items ended in an error of the runner")
            told = UndoFailed(visit, failure_told(error), final=True, attempt=command.attempt)
            self._tools.tell(attempt, run, told)


class _Unwound:
    """One go over the items of a visit that are to be undone."""

    def __init__(self, tools: Tools, job: Job, fan: FanRecord, numbers: list[int], marks: Marks) -> None:
        self._tools = tools
        self._job = job
        self._run = job.snapshot.run
        self._fan = fan
        self._numbers = numbers
        self._marks = marks
        self._undoes = job.command.undoes if isinstance(job.command, Undo) else ""
        self._pages = Pages(job.hosted, fan)
        self._data = job.hosted.undo_data(job.snapshot)

    async def run(self, work: Work, undo: UndoSpec) -> None:
        visit = self._fan.visit
        while self._numbers:
            item = await item_of(self._pages, self._tools.writer, self._numbers[-1])
            step = self._job.step.spec
            await self._tools.room(step, work, self._job.attempt)
            if self._tools.put_back(self._job.hosted, self._run, visit, "", self._job.attempt):
                self._tools.leave_room(step, work)
                return
            number = self._numbers.pop()
            error = await self._undo(number, item, work, undo)
            if error is not None:
                self._fail(number, error, undo)
                await self._tools.thread_over(self._job.attempt, self._run, visit)
                return
            record = self._record(number, fans.DONE, self._before(number) + 1)
            wanted = await self._tools.writer.ask(Noting(run=self._run, visit=visit, items=(record,)), must=True)
            self._tools.recorded(self._job.snapshot, f"{item_key(self._undoes, number)}:undo", record)
            if not wanted:
                return  # it was killed, or is paused
        self._tools.tell(self._job.attempt, self._run, Undone(visit))

    def _before(self, number: int) -> int:
        """How often the undo of an item was attempted before, since a person has looked at it."""
        there = self._marks.open.get(number)
        return 0 if there is None or self._job.command.attempt == 1 else there.attempts

    async def _undo(self, number: int, item: Any, work: Work, undo: UndoSpec) -> Exception | None:
        """What the undo of an item raised."""
        step, attempt, tools = self._job.step.spec, self._job.attempt, self._tools
        key = item_key(self._undoes, number)
        command = Undo(step.name, self._fan.visit, self._before(number) + 1, f"{key}:undo", key)
        work = tools.begins(self._job.snapshot, command, work)
        deadline = tools.clock.now() + timedelta(seconds=undo.timeout)
        call = Call[Any](
            key=command.key,
            run=self._run,
            attempt=command.attempt,
            undoes=key,
            deadline=deadline,
            behind=tools.backing.of_undo(self._run, command),
        )
        try:
            await tools.perform(attempt, work, undo.timeout, deadline, self._data, item, call)
        except Exception as error:  # noqa: BLE001 -- whatever an undo raises is recorded whole
            return error
        return None

    def _fail(self, number: int, error: Exception, undo: UndoSpec) -> None:
        step, attempts = self._job.step.spec.name, self._before(number) + 1
        log.warning(
            "Undo of item %d of step %s of run %s failed at attempt %d: %s",
            number,
            step,
            self._run,
            attempts,
            type(error).__qualname__,
            extra=fields(self._job.hosted.definition.name, self._run, step, attempts),
        )
        failure = failure_told(error)
        told = UndoFailed(
            self._fan.visit,
            msgspec.structs.replace(failure, message=f"item {number}: {failure.message}"),
            self._tools.clock.chance(),
            final=isinstance(error, undo.retry.never),
            item=number,
            attempt=attempts,
        )
        record = self._record(number, fans.WAITING, attempts, failure)
        self._tools.tell(self._job.attempt, self._run, told, (record,))

    def _record(self, number: int, state: str, attempts: int, failure: Failure | None = None) -> ItemRecord:
        before = self._marks.open.get(number)
        return ItemRecord(
            run=self._run,
            visit=self._fan.visit,
            number=number,
            back=True,
            state=state,
            attempts=attempts,
            crashes=0 if before is None else before.crashes,
            at=to_micros(self._tools.clock.now()),
            body=b"null" if failure is None else msgspec.json.encode(failure),
        )
