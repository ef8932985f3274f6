"""The asyncio body under both faces: owns a journal and moves its runs, or stands by as a client of whoever does."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import attrs

from persistence import Fenced, Journal, JournalError, MessageRecord, Owned, SQLiteJournal, wal_reset_race
from statemachine.commands import CancelStep, RunStep, Send, Undo
from statemachine.errors import OpenedBeforeFork, RefusedVerb, RunHeld, RunnerClosed, StateMachineError
from statemachine.runner import recovery
from statemachine.runner.clock import Clock, from_micros, to_micros
from statemachine.runner.hosted import Workflows
from statemachine.runner.mover import Loaded, Moved, Mover, Request
from statemachine.runner.requests import Answering, Deadlines, Holding, Reading, Telling, from_message
from statemachine.runner.steps import Steps
from statemachine.runner.views import Transitioned
from statemachine.runner.writer import Writer
from statemachine.transition import outstanding

log = logging.getLogger("statemachine")
T = TypeVar("T")
ALONE = 10.0
"""Seconds that a step under suspicion runs with nothing beside it; it has survived then."""
PAGE = 256
LOOK = 1_000_000
"""Microseconds after which the time is looked at again, for the system's clock may have been set."""


@attrs.frozen(kw_only=True)
class Options:
    """How a runner behaves; see `Runner`."""

    standby: bool
    grace: float
    lease: float
    threads: int
    poll: float
    inline: bool
    client: bool
    perform: bool


class Body:
    """See the module. All of it runs on one loop; `writer` may use a thread."""

    def __init__(self, journal: Journal, workflows: Workflows, clock: Clock, options: Options) -> None:
        self.journal = journal
        self.workflows = workflows
        self.clock = clock
        self.options = options
        self.mover = Mover(journal, workflows, clock)
        self.writer = Writer(self.mover, self._perform, self._lost, inline=options.inline)
        self.steps = Steps(self.writer, clock, options.threads)
        self.owner = False
        self.over: dict[str, set[asyncio.Future[None]]] = {}
        self.watchers: dict[str, set[asyncio.Queue[Transitioned]]] = {}
        self._pid = os.getpid()
        self._tasks: set[asyncio.Task[None]] = set()
        self._due: int | None = None
        self._due_changed = asyncio.Event()
        self._messages = asyncio.Event()
        self._taken = 0
        self._open = False
        self._closed = "it was not entered"

    # Opening and closing.

    async def open(self) -> None:
        """Become the owner; or, standing by, a client until that can be.

        Raises:
            Owned: Another runner owns the journal.
        """
        self._open = True
        if self.options.client:
            return
        try:
            await self._claim()
        except Owned:
            if not self.options.standby:
                self._open = False
                raise
            self._spawn(self._stand_by())

    async def _claim(self) -> None:
        name = f"pid {os.getpid()}"
        self.mover.epoch = await self.io(lambda: self.journal.claim(name, self.options.lease))
        self.owner = True
        self._caution()
        self._spawn(self.writer.run())
        found: recovery.Recovered = await self.writer.ask(Reading(recovery.recover))
        self._due = await self.writer.ask(Reading(lambda mover: mover.journal.next_due()))
        self._resume(found)
        self._spawn(self._keep_lease())
        self._spawn(self._watch_deadlines())
        self._spawn(self._watch_inbox())

    def _caution(self) -> None:
        """Say what an application that writes the same file must set, where this SQLite asks for it."""
        if isinstance(self.journal, SQLiteJournal) and wal_reset_race(self.journal.sqlite_version):
            log.info(
                "This SQLite can lose commits when two connections checkpoint at once (mended in 3.51.3): who "
                "writes %s by connections of their own must set PRAGMA wal_autocheckpoint=0 on each",
                self.journal.name,
            )

    async def _stand_by(self) -> None:
        while not self.owner:
            await asyncio.sleep(0.1)
            try:
                await self._claim()
            except Owned:
                continue

    def _resume(self, found: recovery.Recovered) -> None:
        for run, reason in found.held.items():
            self.writer.ask(Holding(run, reason), must=True)
        for run, lost in found.lost:
            self.writer.ask(Telling(run, lost), must=True)
        for run, stopped in found.stopped:
            self.writer.ask(Telling(run, stopped), must=True)
        lost_visits = {(run, lost.visit) for run, lost in found.lost}
        alone = set(found.alone)
        if alone or not self.options.perform:
            self.steps.hold()
        suspects: list[tuple[Loaded, RunStep]] = []
        for loaded in found.going:
            for command in outstanding(loaded.snapshot):
                visit = (loaded.record.run, command.visit)
                if isinstance(command, RunStep) and visit in alone:
                    suspects.append((loaded, command))
                elif visit not in lost_visits:
                    self._command(loaded, command)
        if suspects and self.options.perform:
            self._spawn(self._one_by_one(suspects))

    async def _one_by_one(self, suspects: list[tuple[Loaded, RunStep]]) -> None:
        """Begin each step under suspicion with nothing beside it, before everything else."""
        for loaded, command in suspects:
            run = loaded.record.run
            log.warning("Step %s of run %s was running at %d crashes; it is begun alone", command.step, run, 2)
            await self.writer.ask(Reading(recovery.mark(loaded.record.run, command.visit)))
            self.steps.run(loaded.hosted, loaded.snapshot, command, alone=True)
            await self.steps.quiet(loaded.record.run, command.visit, ALONE)
        await self.writer.ask(Reading(recovery.mark()))
        self.steps.release()

    async def close(self) -> None:
        """Begin nothing new, let what runs finish for the grace period, record it, and give the journal up."""
        if not self._open:
            return
        self._open = False
        self._closed = "it was closed"
        writing = self._stop_tasks(keep="run")
        await self.steps.close(self.options.grace if self.owner else 0)
        if self.owner:
            await self.writer.drained()
            await asyncio.wait_for(_quietly(self.writer.ask(Reading(recovery.unmark))), 5)
        self.writer.close(self._closed)
        for task in writing:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.writer.shut()
        if self.owner:
            self.owner = False
            await asyncio.to_thread(self.journal.release, self.mover.epoch)
        self._end_waiting()

    def _stop_tasks(self, keep: str) -> list[asyncio.Task[None]]:
        kept = [task for task in self._tasks if task.get_name() == keep]
        for task in self._tasks:
            if task not in kept:
                task.cancel()
        return kept

    def _end_waiting(self) -> None:
        for waiting in self.over.values():
            for future in waiting:
                if not future.done():
                    future.set_exception(RunnerClosed(self._closed))
        self.over.clear()

    def _lost(self, error: BaseException) -> None:
        """Another owner has claimed: this one must stop at once."""
        log.critical("This runner has lost its journal: %s", error)
        self._open = False
        self._closed = "another process has taken its journal over"
        self._stop_tasks(keep="")
        self._spawn(self.steps.close(0))
        self._end_waiting()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=getattr(work, "__name__", ""))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._open:
            log.critical("A part of the runner has failed; it stops", exc_info=error)
            self.writer.close(f"a part of it failed: {error}")
            self._lost(error)

    # Asking.

    def check(self) -> None:
        """Refuse a use that cannot work. Raises OpenedBeforeFork, RunnerClosed."""
        if os.getpid() != self._pid:
            raise OpenedBeforeFork
        if not self._open:
            raise RunnerClosed(self._closed)

    async def ask(self, request: Request) -> Any:
        """Ask the mover for something."""
        self.check()
        return await self.writer.ask(request)

    async def io(self, work: Callable[[], T]) -> T:
        """Do something with the journal that any thread may do, without holding an application's loop up."""
        return work() if self.options.inline else await asyncio.to_thread(work)

    # Performing what was committed.

    def _perform(self, moved: Moved) -> None:
        loaded, outcome = moved.loaded, moved.outcome
        record = loaded.record
        self._log(moved)
        for command in outcome.commands:
            self._command(loaded, command)
        self._note_due(record.due)
        if record.run in self.watchers:
            said = Transitioned.of(moved)
            for queue in self.watchers[record.run]:
                queue.put_nowait(said)
        if record.over:
            for future in self.over.pop(record.run, ()):
                if not future.done():
                    future.set_result(None)

    def _command(self, loaded: Loaded, command: object) -> None:
        if isinstance(command, RunStep):
            self.steps.run(loaded.hosted, loaded.snapshot, command)
        elif isinstance(command, Undo):
            self.steps.undo(loaded.hosted, loaded.snapshot, command)
        elif isinstance(command, CancelStep):
            self.steps.cancel(loaded.record.run, command)
        elif isinstance(command, Send):
            self._messages.set()

    def _log(self, moved: Moved) -> None:
        snapshot, entry = moved.outcome.snapshot, moved.entry
        fields = {"workflow": snapshot.workflow, "run": snapshot.run, "step": entry.name, "attempt": None}
        if log.isEnabledFor(logging.DEBUG):
            log.debug(
                "%s run %s: %s %s -> %s",
                snapshot.workflow,
                snapshot.run,
                entry.kind,
                entry.name,
                ", ".join(snapshot.states),
                extra=fields,
            )
        for incident in snapshot.incidents:
            if incident.at == snapshot.now and incident.number > snapshot.serial - len(snapshot.incidents):
                log.error(
                    "%s run %s needs a person: incident %d (%s)",
                    snapshot.workflow,
                    snapshot.run,
                    incident.number,
                    incident.kind,
                    extra={**fields, "step": incident.step},
                )

    # Deadlines, messages, ownership.

    async def _watch_deadlines(self) -> None:
        while True:
            now = to_micros(self.clock.now())
            if self._due is None or self._due > now:
                look = now + LOOK if self._due is None else min(now + LOOK, self._due)
                self._due_changed.clear()
                await _first(self.clock.sleep_until(from_micros(look)), self._due_changed.wait())
                continue
            await self._take_messages()
            due: list[tuple[int, str]] = await self.writer.ask(Reading(_due(now)))
            futures = [(run, self.writer.ask(Deadlines(run), must=True)) for _, run in due]
            for run, future in futures:
                try:
                    await future
                except RunHeld as error:
                    await self.writer.ask(Holding(run, error.reason), must=True)
            self._due = None  # what is committed from here on says so itself
            self._note_due(await self.writer.ask(Reading(lambda mover: mover.journal.next_due())))

    def _note_due(self, due: int | None) -> None:
        if due is not None and (self._due is None or due < self._due):
            self._due = due
            self._due_changed.set()

    async def _watch_inbox(self) -> None:
        pulse = -1
        while True:
            beat: int = await self.writer.ask(Reading(lambda mover: mover.journal.pulse()))
            if beat != pulse or self._messages.is_set():
                pulse = beat
                self._messages.clear()
                await self._take_messages()
            await _first(asyncio.sleep(self.options.poll), self._messages.wait())

    async def _take_messages(self) -> None:
        while True:
            page: list[MessageRecord] = await self.writer.ask(Reading(_inbox(self._taken)))
            for message in page:
                if message.number > self._taken:
                    self._taken = message.number
                    self._take(message)
            if len(page) < PAGE:
                return

    def _take(self, message: MessageRecord) -> None:
        try:
            request = from_message(self.mover, message)
        except Exception as error:  # noqa: BLE001 -- whatever a client has put must not stop the others
            self._answer(message, error)
            return
        future = self.writer.ask(request)
        future.add_done_callback(lambda done: self._answered(message, done))

    def _answered(self, message: MessageRecord, done: asyncio.Future[Any]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is None or isinstance(error, RunnerClosed | RunHeld):
            return
        if isinstance(error, JournalError):
            self._taken = min(self._taken, message.number - 1)
            self._messages.set()
            return
        self._answer(message, error)

    def _answer(self, message: MessageRecord, error: BaseException) -> None:
        log.warning("Message %s to run %s was refused: %s", message.id, message.run, error)
        verdict = "refused" if isinstance(error, StateMachineError | RefusedVerb) else "failed"
        self.writer.ask(Answering(message.run, message.number, verdict, str(error)), must=True)

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(self.options.lease / 3)
            try:
                await self.writer.ask(Reading(lambda mover: mover.journal.renew(mover.epoch)))
            except Fenced as error:
                self.writer.close("another process has taken the journal over")
                self._lost(error)


def _due(before: int) -> Callable[[Mover], list[tuple[int, str]]]:
    return lambda mover: mover.journal.due(before, PAGE)


def _inbox(after: int) -> Callable[[Mover], list[MessageRecord]]:
    return lambda mover: mover.journal.inbox(after, PAGE)


async def _first(*work: Awaitable[Any]) -> None:
    """Come back when the first is done; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _quietly(future: asyncio.Future[Any]) -> None:
    try:
        await future
    except (JournalError, StateMachineError) as error:
        log.warning("The runner could not say that it closes: %s", error)
