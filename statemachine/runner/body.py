"""The asyncio body under both faces: owns a journal and moves its runs, or stands by as a client of whoever does."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import attrs

from persistence import Busy, Fenced, Journal, Owned, Unwritable
from statemachine.commands import CancelStep, RunStep, Send, Undo
from statemachine.errors import NoSuchRun, OpenedBeforeFork, RunHeld, RunnerClosed
from statemachine.runner.admission import Admission
from statemachine.runner.caching import Results
from statemachine.runner.clock import Clock, from_micros, to_micros
from statemachine.runner.deadlines import DeadlineWatch
from statemachine.runner.hosted import Workflows
from statemachine.runner.inbox import Inbox
from statemachine.runner.line import Limits, Lines
from statemachine.runner.loaded import Loaded
from statemachine.runner.logs import caution, tell_moved
from statemachine.runner.mover import Moved, Mover, Request
from statemachine.runner.notices import Notices, OnNotice
from statemachine.runner.noticing import FAILED
from statemachine.runner.observing import Guarded, Observer
from statemachine.runner.output import Outputs
from statemachine.runner.reopening import Reopening
from statemachine.runner.requests import Holding, Reading, Sending
from statemachine.runner.resuming import Resuming
from statemachine.runner.retaining import Retention
from statemachine.runner.steps import Steps
from statemachine.runner.views import Transitioned
from statemachine.runner.waiting import forget
from statemachine.runner.writer import Writer
from statemachine.transition import outstanding

log = logging.getLogger("statemachine")
T = TypeVar("T")
FAREWELL = 5.0
"""Seconds that a journal which cannot be written is given when the runner closes."""
STANDBY = 0.1
"""Seconds between two tries to take over."""
Watcher = asyncio.Queue[Transitioned | None]
"""Gets each transition of a run, and None when the runner closes."""


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
    queue: int
    refuse: bool
    limits: Limits
    observer: Observer | None = None
    notify: Mapping[str, OnNotice] = {}
    retain: timedelta | None = None


class Body:
    """See the module. All of it runs on one loop; `writer` may use a thread."""

    def __init__(self, journal: Journal, workflows: Workflows, clock: Clock, options: Options) -> None:
        self.journal = journal
        self.workflows = workflows
        self.clock = clock
        self.options = options
        self.mover = Mover(journal, workflows, clock)
        self.observer = None if options.observer is None else Guarded(options.observer)
        if self.observer is not None:
            self.mover.sender = self.observer.sender
        self.writer = Writer(
            self.mover, self._perform, self._lost, self._go_on, inline=options.inline, observer=self.observer
        )
        lines = self.lines = Lines(options.limits, options.queue, clock)
        results = Results(journal, clock, self.io)
        self.outputs = Outputs()
        self.steps = Steps(
            self.writer,
            clock,
            options.threads,
            lines,
            self.outputs,
            holds=self.mover.holds,
            results=results,
            observer=self.observer,
        )
        self.admission = Admission(self.writer, self.check, lines, options.queue, refuse=options.refuse)
        wanted = frozenset(options.notify)
        self.resuming = Resuming(self.writer, self.steps, self._command, wanted=wanted, perform=options.perform)
        self.inbox = Inbox(self.writer, options.poll, self._released)
        self.deadlines = DeadlineWatch(self.writer, clock, self.inbox)
        self.reopening = Reopening(self.writer, self.inbox, self.steps, self.deadlines)
        self.notices = Notices(self.writer, clock, options.notify)
        self.owner = False
        self._over: dict[str, set[asyncio.Future[Loaded]]] = {}
        self._watchers: dict[str, set[Watcher]] = {}
        self._pid = os.getpid()
        self._claimed = False
        self._working: list[asyncio.Task[None]] = []
        """What commits and what claims: they end by themselves when the runner closes."""
        self._watching: list[asyncio.Task[None]] = []
        """What looks out for work: it is cancelled."""
        self._open = False
        self._closed = "it was not entered"
        self._ending: asyncio.Task[None] | None = None

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
        except BaseException as error:
            if isinstance(error, Owned) and self.options.standby:
                self._working.append(self._spawn(self._stand_by()))
                return
            self._end("it could not be opened", grace=0)
            await self.close()
            raise

    async def _claim(self) -> None:
        name = f"pid {os.getpid()}"
        self.mover.epoch = await self.io(lambda: self.journal.claim(name, self.options.lease))
        self._claimed = True
        self.lines.own()
        if not self._open:  # it was closed meanwhile, and gives the journal up again
            return
        caution(self.journal)
        self._working.append(self._spawn(self.writer.run()))
        found = await self.resuming.look()
        self.deadlines.note(await self.writer.ask(Reading(lambda mover: mover.journal.next_due())))
        if self._ending is not None:
            return
        self.resuming.begin(found)
        # Until here whoever asks for something is answered as a client: it must not move what is being resumed.
        self.owner = True
        self._watching += map(
            self._spawn, (self._keep_lease(), self.deadlines.watch(), self.inbox.watch(), self.reopening.watch())
        )
        self._watching += map(self._spawn, (self.resuming.go_on(), self.notices.watch()))
        if self.options.retain is not None:
            self._watching.append(self._spawn(Retention(self.writer, self.clock, self.options.retain).watch()))

    async def _stand_by(self) -> None:
        while self._open and not self.owner:
            await asyncio.sleep(STANDBY)
            try:
                await self._claim()
            except (Owned, Busy, Unwritable):
                if self._claimed:
                    raise

    async def close(self) -> None:
        """Begin nothing new, let what runs finish for the grace period, record it, and give the journal up."""
        if self._open:
            self._end("it was closed", grace=self.options.grace)
        if self._ending is not None:
            await asyncio.shield(self._ending)

    def _lost(self, error: BaseException) -> None:
        """Nothing more can be done with the journal: stop at once."""
        if self._open:
            log.critical("This runner has lost its journal and stops: %s", error)
            why = "another process has taken its journal over" if isinstance(error, Fenced) else f"it failed: {error}"
            self._end(why, grace=None)

    def _end(self, why: str, *, grace: float | None) -> None:
        """Take nothing more, and end; None: at once, for nothing can be recorded any more."""
        self._open = self.owner = False
        self._closed = why
        if grace is None:
            self.steps.hold()
            self.writer.close(why)
        self._ending = asyncio.get_running_loop().create_task(self._wind_up(grace))

    async def _wind_up(self, grace: float | None) -> None:
        for task in self._watching:
            task.cancel()
        try:
            await asyncio.gather(self.steps.close(grace or 0), self.notices.close(grace or 0))
            if self._claimed and grace is not None:
                await self._part_in_peace()
        finally:
            self.writer.close(self._closed)
            await asyncio.gather(*self._watching, *self._working, return_exceptions=True)
            self.writer.shut()
            self._end_waiting()
            if self._claimed:
                await asyncio.to_thread(self.journal.release, self.mover.epoch)

    async def _part_in_peace(self) -> None:
        """Record what has happened, and that no step is left running."""
        if not await self.writer.drained(FAREWELL):
            log.critical("The journal cannot be written: what ended last is not recorded, and will be begun again")
            return
        parting = self._spawn(self.resuming.part())
        await asyncio.wait({parting}, timeout=FAREWELL)
        if not parting.done() or parting.exception() is not None:
            log.warning("The runner could not record that it closes; the next one will take it for dead")

    def _end_waiting(self) -> None:
        for waiting in self._over.values():
            for future in waiting:
                if not future.done():
                    future.set_exception(RunnerClosed(self._closed))
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.put_nowait(None)
        self.outputs.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and self._open:
            if not isinstance(error, Fenced):
                log.critical("A part of the runner has failed", exc_info=error)
            self._lost(error)

    def rests(self) -> bool:
        """Whether nothing runs, nothing waits to be committed or read, and no deadline has passed: for who tests."""
        due = self.journal.next_due()
        idle = self.writer.idle and self.steps.idle and not self.journal.inbox(self.inbox.taken, 1)
        return idle and (due is None or due > to_micros(self.clock.now()))

    def abandon(self) -> None:
        """End as a killed process does: whatever of it ends from now on is no failure, and nobody hears of it."""
        self._open = False

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

    async def send(self, sending: Sending) -> str:
        """Send an event; a run is not there only where none waits in the inbox to be started, either."""
        try:
            verdict: str = await self.admission.send(sending)
        except NoSuchRun:
            await self.inbox.take()
            verdict = await self.admission.send(sending)
        return verdict

    def caller(self) -> str | None:
        """Where what is asked here comes from; see `Observer.caller`."""
        return None if self.observer is None else self.observer.caller()

    async def hold(self, held: RunHeld) -> None:
        """Have a run that turned out to be held listed as that."""
        await self.writer.ask(Holding(held.run, held.reason), must=True)

    async def ended(self, run: str) -> Loaded | None:
        """Wait for the end of a run, as the one that moves it.

        Returns:
            The run as it ended; None when it was over before and is to be read.

        Raises:
            NoSuchRun, RunnerClosed
        """
        over: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()
        self._over.setdefault(run, set()).add(over)
        try:
            kept = self.mover.kept(run)
            if kept is not None:
                return kept if kept.record.over else await over
            record = await self.io(lambda: self.journal.run(run))
            if record is None:
                raise NoSuchRun(run, self.journal.name)
            return None if record.over else await over
        finally:
            forget(self._over, run, over)

    @contextmanager
    def watching(self, run: str) -> Generator[Watcher]:
        """What gets each transition of a run from now on."""
        watcher: Watcher = asyncio.Queue()
        self._watchers.setdefault(run, set()).add(watcher)
        try:
            yield watcher
        finally:
            forget(self._watchers, run, watcher)

    async def io(self, work: Callable[[], T]) -> T:
        """Do something with the journal that any thread may do, without holding an application's loop up."""
        return work() if self.options.inline else await asyncio.to_thread(work)

    # Performing what was committed.

    def _perform(self, moved: Moved) -> None:
        loaded, outcome = moved.loaded, moved.outcome
        record = loaded.record
        if log.isEnabledFor(logging.DEBUG) or moved.opened:
            tell_moved(moved)
        if self.observer is not None:
            self.observer.moved(moved, from_micros(record.started))
        for command in outcome.commands:
            self._command(loaded, command)
        self.deadlines.note(record.due)
        if record.run in self._watchers:
            said = Transitioned.of(moved)
            for queue in self._watchers[record.run]:
                queue.put_nowait(said)
        if moved.opened or record.status == FAILED:
            self.notices.wake()
        if record.over:
            self.outputs.end(record.run)
            for future in self._over.pop(record.run, ()):
                if not future.done():
                    future.set_result(loaded)

    def _released(self) -> None:
        self.reopening.want()

    def _go_on(self, loaded: Loaded) -> None:
        """Begin what of a run was held back and still is to be done."""
        visits = self.steps.kept.take(loaded.record.run)
        for command in outstanding(loaded.snapshot):
            if command.visit in visits:
                self._command(loaded, command)

    def _command(self, loaded: Loaded, command: object) -> None:
        if isinstance(command, RunStep):
            self.steps.run(loaded.hosted, loaded.snapshot, command)
        elif isinstance(command, Undo):
            self.steps.undo(loaded.hosted, loaded.snapshot, command)
        elif isinstance(command, CancelStep):
            self.steps.cancel(loaded.record.run, command)
        elif isinstance(command, Send):
            self.inbox.wake()

    # Ownership.

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(self.options.lease / 3)
            await self.writer.ask(Reading(_renew), must=True)


def _renew(mover: Mover) -> None:
    """Say that the owner is alive; where the disk lets nobody say so, work goes on, and it is said the next time."""
    try:
        mover.journal.renew(mover.epoch)
    except (Busy, Unwritable) as error:
        log.warning("The lease on the journal could not be renewed: %s", error)
