"""Performs steps that are done for each of many items: so many at once, each outcome recorded by itself.

Items are begun in their order, and a place is free again when an outcome is in the journal. So of those of which the
journal says nothing, only the first few can have been begun (`FanRecord.most`), and no word need be written when one
begins. Items whose process died with them are told apart in the same way: see `runner.suspects`.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from persistence import CachedRecord, FanRecord, ItemRecord, JournalError
from statemachine.calls import Call
from statemachine.commands import RunStep, item_key
from statemachine.errors import RunnerClosed
from statemachine.inputs import Failed, Succeeded
from statemachine.runner import fans
from statemachine.runner.attempts import Attempt, Attempting, failure_told, in_turn
from statemachine.runner.caching import taken
from statemachine.runner.clock import from_micros, to_micros
from statemachine.runner.failing import failed
from statemachine.runner.fans import Marks, Pages, Results
from statemachine.runner.hosted import Hosted
from statemachine.runner.noting import Noting, item_of, wants
from statemachine.runner.requests import Reading
from statemachine.runner.shelves import Keep
from statemachine.runner.suspects import SUSPECT
from statemachine.runner.tools import Job, Tools
from statemachine.snapshot import Failure, Snapshot

log = logging.getLogger("statemachine")


class Items:
    """See the module."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._passes: dict[tuple[str, int], Pass] = {}

    async def forward(
        self, hosted: Hosted, snapshot: Snapshot[Any], command: RunStep, lane: Any, attempt: Attempt
    ) -> None:
        """Do what is left to do of a visit, and tell the run what came of it."""
        attempt.begin()
        attempt.began = self._tools.clock.now()
        ask = self._tools.writer.ask
        run, visit = snapshot.run, command.visit
        step = hosted.steps[command.step].spec
        fan: FanRecord | None = await ask(Reading(lambda mover: mover.journal.fan(run, visit)), must=True)
        if fan is None:
            pending = next(pending for pending in snapshot.pending if pending.visit == visit)
            try:
                fan, given = fans.spread(hosted, run, step, visit, pending.base if pending.moved else snapshot.data)
            except Exception as error:  # noqa: BLE001 -- whatever the workflow's function raises is an incident
                told = Failed(step.name, visit, failure_told(error), recorded=False, effect=False)
                self._tools.tell(attempt, run, told)
                return
            await ask(Noting(run=run, visit=visit, fans=(fan,), given=given), must=True)
        elif fan.most < step.limit:
            fan = msgspec.structs.replace(fan, most=step.limit)
            await ask(Noting(run=run, visit=visit, fans=(fan,)), must=True)
        whole = fan
        marks: Marks = await ask(Reading(lambda mover: Marks.of(mover.journal, whole)), must=True)
        job = Job(hosted=hosted, snapshot=snapshot, command=command, attempt=attempt, lane=lane)
        going = self._passes[run, visit] = Pass(self._tools, job, fan, marks)
        try:
            await going.run()
        finally:
            del self._passes[run, visit]

    def look(self, run: str, visit: int) -> None:
        """Have a visit look again whether it may begin more."""
        there = self._passes.get((run, visit))
        if there is not None:
            there.wake.set()

    def stop_beginning(self) -> None:
        """Begin no item any more; what runs, runs on and is recorded."""
        for there in self._passes.values():
            there.closing = True


class Pass:
    """One go over the items of a visit that have no outcome yet."""

    def __init__(self, tools: Tools, job: Job, fan: FanRecord, marks: Marks) -> None:
        self._tools = tools
        self._job = job
        self._run = job.snapshot.run
        self._attempt = job.attempt
        self._fan = fan
        self._step, self._work = job.step.spec, job.step.work
        self._pending = next(pending for pending in job.snapshot.pending if pending.visit == fan.visit)
        self._base = self._pending.base if self._pending.moved else job.snapshot.data
        self._pages = Pages(job.hosted, fan)
        self._running: dict[int, Attempt] = {}
        self._failed: tuple[ItemRecord, Failed] | None = None
        self._broken: Failed | None = None
        """An error of the runner's own, or of what is stored: a person has to see to it."""
        self._last: Failure | None = None
        self._wanted = True
        """Whether the run waited for more when an outcome was recorded last."""
        self._suspect: int | None = None
        """The item under suspicion that runs now."""
        self._alarm: Any = None
        self._read(marks)
        self.wake = asyncio.Event()
        self.closing = False
        """Nothing more is to be begun here."""

    def _read(self, marks: Marks) -> None:
        collect = self._step.failures == "collect"
        self._due: list[tuple[int, int]] = []
        """(when, number) of those that wait to be tried again."""
        self._open = dict(marks.open)
        """What is known of those that are tried; of one that is tried for the first time nothing is."""
        self._settled = marks.done
        fresh = bytearray(marks.known)
        for number, item in marks.open.items():
            if item.crashes >= SUSPECT and item.state in {fans.BEGUN, fans.WAITING}:
                continue
            if item.state == fans.WAITING:
                heapq.heappush(self._due, (item.due or 0, number))
            elif item.state == fans.FAILED and collect:
                self._settled += 1
                del self._open[number]
            else:  # it was begun, or has failed and a person wants it tried again
                fresh[number] = 0
                if item.state != fans.BEGUN:
                    self._open[number] = msgspec.structs.replace(item, attempts=0)
        for number in marks.refused:
            fresh[number] = 0
        self._suspects = sorted(
            number
            for number, item in marks.open.items()
            if item.crashes >= SUSPECT and item.state in {fans.BEGUN, fans.WAITING}
        )
        self._fresh: Iterator[int] = (number for number, known in enumerate(fresh) if not known)

    async def run(self) -> None:
        """Begin what may be begun, until nothing runs any more; then tell the run."""
        try:
            self._fill()
            while self._running:
                await self.wake.wait()
                self.wake.clear()
                self._fill()
        except asyncio.CancelledError:
            await self._stop()
            raise
        finally:
            self._attempt.calm.set()
            if self._alarm is not None:
                self._alarm.cancel()
        self._tell()

    async def _stop(self) -> None:
        """Cancel what runs, and wait for its end, however often one is asked to hurry."""
        for attempt in self._running.values():
            attempt.stop()
        while self._running:
            with suppress(asyncio.CancelledError):
                await asyncio.wait({attempt.task for attempt in self._running.values()})
                await asyncio.sleep(0)

    # Beginning.

    def _fill(self) -> None:
        while len(self._running) < self._step.limit and self._may_begin():
            number = self._next()
            if number is None:
                break
            self._begin(number)
        if not self._suspects and self._suspect is None:
            self._attempt.calm.set()
        self._wait_for_due()

    def _may_begin(self) -> bool:
        if self._failed is not None or self.closing or self._tools.held(self._job.hosted, self._step.name):
            return False
        kept = self._tools.writer.mover.kept(self._run)
        return self._wanted if kept is None else wants(kept.snapshot, self._fan.visit)

    def _next(self) -> int | None:
        """The number of the item to begin next: first those under suspicion, with no other beside them."""
        if self._suspect is not None or (self._suspects and self._running):
            return None
        if self._suspects:
            self._suspect = self._suspects.pop(0)
            return self._suspect
        if self._due and self._due[0][0] <= to_micros(self._tools.clock.now()):
            return heapq.heappop(self._due)[1]
        return next(self._fresh, None)

    def _wait_for_due(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._due and len(self._running) < self._step.limit and self._may_begin():
            self._alarm = self._tools.clock.call_at(from_micros(self._due[0][0]), self.wake.set)

    def _begin(self, number: int) -> None:
        before = self._open.get(number)
        work: Attempting = partial(self._one, number)
        if self._job.lane is not None:
            work = partial(in_turn, self._job.lane, work)
        if self._job.step.shelf is not None:
            work = partial(self._looked_for, number, work)
        attempt = self._running[number] = Attempt(
            1 if before is None else before.attempts + 1,
            undo=False,
            run=self._run,
            visit=self._fan.visit,
            work=work,
            ended=partial(self._ended, number),
            priority=self._attempt.priority,
        )
        attempt.start()

    def _ended(self, number: int, attempt: Attempt) -> None:
        attempt.begin()
        del self._running[number]
        if number == self._suspect:
            self._suspect = None
        if not attempt.task.cancelled() and (error := attempt.task.exception()) is not None:
            self.closing = True
            if isinstance(error, Exception) and not isinstance(error, RunnerClosed | JournalError):
                log.error("The attempt of an item ended in an error of the runner", exc_info=error)
                failure = _of_item(number, failure_told(error))
                self._broken = Failed(self._step.name, self._fan.visit, failure, recorded=False, effect=False)
        self.wake.set()

    # One item.

    def _command(self, number: int, attempt: Attempt) -> RunStep:
        return RunStep(self._step.name, self._fan.visit, attempt.number, item_key(self._job.command.key, number))

    async def _looked_for(self, number: int, work: Attempting, attempt: Attempt) -> None:
        """Take the result that was recorded for such an item before; else make the attempt, whose result is kept."""
        item, command = await item_of(self._pages, self._tools.writer, number), self._command(number, attempt)
        results = self._tools.results
        try:
            found = await results.find(self._job.hosted, self._run, command, self._base, item)
        except Exception as error:  # noqa: BLE001 -- the key's function is the user's, and its attempt has failed
            await self._take_failure(number, command, results.unkeyed(command, error))
            return
        if found.record is None:
            attempt.keep = found.where
            await work(attempt)
        elif self._may_begin():
            there = fans.TakenItem(taken(found.record), msgspec.Raw(found.record.value))
            await self._take_success(number, fans.TAKEN, attempt.number - 1, msgspec.json.encode(there))
        else:
            self._leave(number)

    async def _one(self, number: int, attempt: Attempt) -> None:
        item, command = await item_of(self._pages, self._tools.writer, number), self._command(number, attempt)
        await self._tools.room(self._step, self._work, attempt)
        if not self._may_begin():  # it was held, or its run paused, while this waited for its turn
            self._tools.leave_room(self._step, self._work)
            self._leave(number)
            return
        attempt.begin()
        work = self._tools.begins(self._job.snapshot, command, self._work)
        timeout, deadline = self._tools.patience(self._step, self._pending.since)
        behind = self._tools.backing.of_item(self._job.hosted, self._run, command)
        attempt.pulse = behind.pulse
        call = Call[Any](key=command.key, run=self._run, attempt=attempt.number, deadline=deadline, behind=behind)
        try:
            result = await self._tools.perform(attempt, work, timeout, deadline, self._base, item, call)
        except Exception as error:  # noqa: BLE001 -- whatever a step raises is recorded whole
            told = failed(self._job.hosted, self._run, command, error, self._tools.clock.chance())
            await self._take_failure(number, command, told)
        else:
            await self._take_result(number, attempt, result)
        await self._tools.thread_over(attempt, self._run, self._fan.visit)

    def _leave(self, number: int) -> None:
        """It was not begun after all, and is the next to be."""
        if number == self._suspect:
            self._suspects.insert(0, number)
        else:
            heapq.heappush(self._due, (0, number))

    async def _take_result(self, number: int, attempt: Attempt, result: Any) -> None:
        try:
            body = b"null"
            if self._step.into is not None:
                body = self._job.hosted.stored.event(self._run, self._step.succeeded_event, result)
        except Exception as error:  # noqa: BLE001 -- comparing the user's values may raise anything
            failure = failure_told(error)
            told = Failed(self._step.name, self._fan.visit, _of_item(number, failure), recorded=False)
            await self._fail(self._record(number, fans.UNRECORDED, attempt.number, failure), told)
            return
        await self._take_success(number, fans.DONE, attempt.number, body, attempt.keep)

    async def _take_success(
        self, number: int, state: str, attempts: int, body: bytes, keep: Keep | None = None
    ) -> None:
        record = self._record(number, state, attempts, body)
        self._open.pop(number, None)
        self._settled += 1
        cached = () if keep is None else (keep.record(self._run, self._fan.visit, record.at, body),)
        await self._note(record, cached)

    async def _take_failure(self, number: int, command: RunStep, told: Failed) -> None:
        due = None if told.arm is not None or told.final else self._again(command.attempt, told.chance)
        self._last = _of_item(number, told.failure)
        if due is not None:
            record = self._record(number, fans.WAITING, command.attempt, told.failure, due)
            await self._note(record)
            self._open[number] = record
            heapq.heappush(self._due, (due, number))
            return
        state = fans.FAILED if told.arm is None else fans.REFUSED
        record = self._record(number, state, command.attempt, told.failure)
        if self._step.failures == "collect":
            self._open.pop(number, None)
            self._settled += 1
            await self._note(record)
        else:
            await self._fail(record, msgspec.structs.replace(told, failure=self._last, final=True))

    def _again(self, attempt: int, chance: float) -> int | None:
        """When an item whose attempt has failed is tried again (µs); None: never."""
        wait = self._step.retry.wait(attempt, chance)
        if wait is None:
            return None
        due = self._tools.clock.now() + timedelta(seconds=wait)
        since, overall = self._pending.since, self._step.overall
        late = overall is not None and since is not None and due >= since + timedelta(seconds=overall)
        return None if late else to_micros(due)

    async def _fail(self, record: ItemRecord, told: Failed) -> None:
        """The step has failed with this item: the others are stopped. What it failed with is recorded as the step's."""
        if self._failed is not None:
            await self._note(record)
            return
        self._failed = (record, msgspec.structs.replace(told, item=record.number))
        for number, attempt in self._running.items():
            if number != record.number:
                attempt.stop()

    def _record(
        self, number: int, state: str, attempts: int, body: bytes | Failure, due: int | None = None
    ) -> ItemRecord:
        before = self._open.get(number)
        return ItemRecord(
            run=self._run,
            visit=self._fan.visit,
            number=number,
            state=state,
            attempts=attempts,
            crashes=0 if before is None else before.crashes,
            due=due,
            at=to_micros(self._tools.clock.now()),
            body=body if isinstance(body, bytes) else msgspec.json.encode(body),
        )

    async def _note(self, record: ItemRecord, cached: tuple[CachedRecord, ...] = ()) -> None:
        noting = Noting(run=self._run, visit=self._fan.visit, items=(record,), cached=cached)
        self._wanted = await self._tools.writer.ask(noting, must=True)
        if record.state != fans.TAKEN:  # of which no attempt was begun
            self._tools.recorded(self._job.snapshot, item_key(self._job.command.key, record.number), record)

    # What came of all.

    def _tell(self) -> None:
        step, visit = self._step.name, self._fan.visit
        if self._failed is not None:
            record, outcome = self._failed
            self._tools.tell(self._attempt, self._run, outcome, (record,))
        elif self._broken is not None:
            self._tools.tell(self._attempt, self._run, self._broken)
        elif self._settled == self._fan.total:
            read = fans.reader(self._tools.writer.mover.journal, self._run)
            results = Results(self._job.hosted, step, visit, self._fan.total, read) if self._step.into else None
            self._tools.tell(self._attempt, self._run, Succeeded(step, visit, {}, results, items=self._fan.total))
        elif self._tools.put_back(self._job.hosted, self._run, visit, step, self._attempt):
            return
        elif self._due and self._may_begin():
            failure = self._last or Failure("Waiting", f"{len(self._due)} item(s) have failed and are tried again")
            told = Failed(step, visit, failure, again=from_micros(self._due[0][0]))
            self._tools.tell(self._attempt, self._run, told)


def _of_item(number: int, failure: Failure) -> Failure:
    return msgspec.structs.replace(failure, message=f"item {number}: {failure.message}")
