"""The sync face: a runner whose loop lives in a background thread, for scripts, web views and notebooks.

Every method hands over to the async face and waits. It may be used from any number of threads at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from persistence import Codec, Journal, SealedCodec, SQLiteJournal, sealed
from statemachine.definition import Definition
from statemachine.errors import BlockingCall, OpenedBeforeFork, RunnerClosed
from statemachine.runner.aio import AsyncRunner
from statemachine.runner.body import Body, Options
from statemachine.runner.clock import Clock, SystemClock
from statemachine.runner.hosted import Limited, Workflows
from statemachine.runner.keeping import Keeping
from statemachine.runner.looking import Looking
from statemachine.runner.loops import Errand, cancel_all, followed, here, leave_process, refuse_in_loop
from statemachine.runner.notices import OnNotice, kinds
from statemachine.runner.noticing import FAILED, INCIDENT
from statemachine.runner.observing import Observer
from statemachine.runner.output import BUFFER, Emitted
from statemachine.runner.retaining import checked
from statemachine.runner.run import Run
from statemachine.runner.views import Plain, Receipt, Result, Transitioned
from statemachine.workflow import Workflow

D = TypeVar("D")
T = TypeVar("T")
_NOT_OPEN = "it was not entered, or it is closed"


class Runner(Looking, Keeping):
    """Owns a journal and moves its runs: `with Runner()` for threads, `async with` for asyncio, `await` in a notebook.

    Args:
        journal: The SQLite file (made when absent), or a `persistence.Journal`.
        workflows: The workflow objects, with their collaborators, whose runs it moves.
        standby: Be a client while another process owns the journal, and take over when it ends.
        grace: Seconds that running steps are given to finish when it closes.
        lease: Seconds after which an owner that does not answer may be replaced.
        threads: How many sync steps run at once.
        limit: The largest data, event or result, in bytes.
        verify: Decode again what is stored and compare before committing.
        poll: Seconds between looks for messages of other processes.
        perform: False for an operator's tool: it makes transitions; steps and undos wait for the next owner.
        queue: How many starts and events may wait for the journal; more wait outside, and so does a start while as
            many attempts of its workflow wait for their turn. Verbs of an operator never wait.
        refuse: Raise `Overloaded` instead of having them wait outside.
        concurrency: How many attempts of a workflow's steps, or of one step, run at once: `{Scoring: 50, Scoring.embed:
            2}`. Others wait, those of runs with a higher `priority` less, and use no time up. Undos are not counted.
            Without it, `threads` bounds sync ones.
        rate: How many of them begin a second: `{Scoring.embed: 5}`; 0.1 is one in ten seconds. Kept in every second,
            also over a restart: the first ones wait as if as many had begun just before.
        observer: Looks on while it works: `statemachine.integrations.telemetry.Telemetry`, or your own `Observer`.
        on_incident: Called with a `Notice`, sync or async, for each incident that is opened, also by a tool. A notice
            is part of the transition's commit, and is delivered after it until the callback has returned: at least
            once, so it may come again after a crash, with the same `id`.
        on_failed: Likewise for each run that has ended as failed.
        retain: How long runs that are over are kept: older ones are removed as `prune` does it, in small batches, from
            time to time, while this runner owns the journal. Without it nothing is removed. A tool removes nothing.
        codec: What seals the payloads in the file and opens them (`persistence.SealedCodec`); without it they are JSON.
        clock: Where time and chance come from; a test gives `VirtualClock`.

    SIGTERM closes it, where the application has no handler of its own for that signal and the runner is entered in the
    main thread (asyncio: the task that entered it is cancelled): running steps get their grace, then the process ends
    with status 143.

    Raises:
        persistence.Owned: On entering, when another runner owns the journal and `standby` is not set.
        persistence.JournalError: The file cannot be used.
    """

    _client = False

    def __init__(
        self,
        journal: str | Path | Journal,
        workflows: Iterable[Workflow[Any] | Definition] = (),
        *,
        standby: bool = False,
        grace: float = 30.0,
        lease: float = 15.0,
        threads: int = 32,
        limit: int = 1 << 20,
        verify: bool = True,
        poll: float = 0.025,
        perform: bool = True,
        queue: int = 1024,
        refuse: bool = False,
        concurrency: Limited[int] | None = None,
        rate: Limited[float] | None = None,
        observer: Observer | None = None,
        on_incident: OnNotice | None = None,
        on_failed: OnNotice | None = None,
        retain: timedelta | None = None,
        codec: SealedCodec | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._journal = journal
        self._workflows = Workflows(workflows, codec=Codec(), limit=limit, verify=verify)
        self._clock, self._codec = clock or SystemClock(), codec
        self._settings = {
            "standby": standby,
            "grace": grace,
            "lease": lease,
            "threads": threads,
            "poll": poll,
            "perform": perform,
            "queue": queue,
            "refuse": refuse,
            "observer": observer,
            "retain": checked(retain) if perform else None,
            "notify": kinds({INCIDENT: on_incident, FAILED: on_failed}),
            "limits": self._workflows.limits(concurrency or {}, rate or {}),
        }
        self._body: Body | None = None
        self._opened: Journal | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._face: AsyncRunner | None = None
        self._signal: Any = None
        self._terminated = False
        self._pid = 0

    def _open_journal(self) -> Journal:
        if isinstance(self._journal, str | Path):
            return SQLiteJournal(self._journal, make=not self._client)
        return self._journal

    def _make(self, journal: Journal, *, inline: bool) -> Body:
        self._opened = journal
        options = Options(inline=inline, client=self._client, **self._settings)  # type: ignore[arg-type]
        self._body = Body(sealed(journal, self._codec), self._workflows, self._clock, options)
        self._face = AsyncRunner(self._body)
        self._pid = os.getpid()
        return self._body

    def _unmake(self) -> None:
        if self._opened is not None and self._opened is not self._journal:
            self._opened.close()
        self._body = self._opened = self._face = None

    # The async face.

    async def __aenter__(self) -> AsyncRunner:
        """Open it on the running loop."""
        body = self._make(await asyncio.to_thread(self._open_journal), inline=False)
        try:
            await body.open()
        except BaseException:
            await asyncio.to_thread(self._unmake)
            raise
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is not None:
            self._on_sigterm(lambda: self._cancel(task, loop))
        return AsyncRunner(body, self._leave)

    def __await__(self) -> Generator[Any, Any, AsyncRunner]:
        """Open it on the running loop until `close()` of what this gives: for a notebook, whose cells are no block."""
        return self.__aenter__().__await__()

    def _cancel(self, task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> None:
        if task.done() or loop.is_closed():  # whoever entered has gone on without leaving: nobody could close it
            self._off_sigterm()
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            self._terminated = True
            loop.call_soon_threadsafe(task.cancel)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it: running steps get their grace."""
        await self._leave()

    async def _leave(self) -> None:
        self._off_sigterm()
        if self._body is not None:
            await self._body.close()
        await asyncio.to_thread(self._unmake)
        if self._terminated:
            leave_process()

    # The sync face.

    def __enter__(self) -> Self:
        """Open it on a loop of its own, in a background thread."""
        refuse_in_loop("`with Runner(...)`")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="statemachine-runner", daemon=True)
        self._thread.start()
        self._pid = os.getpid()
        try:
            body = self._make(self._open_journal(), inline=True)
            self._hand_over(body.open())
        except BaseException:
            self._stop_loop()
            self._unmake()
            raise
        self._on_sigterm(leave_process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it: running steps get their grace."""
        self.close()

    def close(self) -> None:
        """Close it: running steps get their grace. Harmless when repeated."""
        self._off_sigterm()
        if self._body is not None and self._loop is not None and os.getpid() == self._pid:
            self._hand_over(self._body.close())
            self._stop_loop()
            self._unmake()

    def _stop_loop(self) -> None:
        with self._lock:  # what was handed over before is on the loop by now, and nothing is from now on
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(cancel_all(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Hand a coroutine of the async face over to the runner's loop and wait for it.

        Raises:
            BlockingCall: An event loop runs in this thread.
            RunnerClosed: The runner is not open.
        """
        try:
            refuse_in_loop("A call on a sync runner")
        except BlockingCall:
            work.close()
            raise
        return self._hand_over(work)  # from there it is the loop's, and only the loop may close it

    def _hand_over(self, work: Coroutine[Any, Any, T]) -> T:
        if os.getpid() != self._pid and self._pid:
            work.close()
            raise OpenedBeforeFork
        with self._lock:
            if self._loop is None:
                work.close()
                raise RunnerClosed(_NOT_OPEN)
            errand = Errand(work, self._loop)
        try:
            return errand.result()
        except asyncio.CancelledError:
            raise RunnerClosed(_NOT_OPEN) from None

    # SIGTERM drains, where nobody else has claimed it and the runner is entered in the main thread.

    def _on_sigterm(self, act: Callable[[], object]) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._signal = signal.signal(signal.SIGTERM, lambda _number, _frame: act())

    def _off_sigterm(self) -> None:
        if self._signal is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._signal)
            self._signal = None

    # What the async face offers, waited for.

    @property
    def owner(self) -> bool:
        """Whether this runner moves the journal's runs."""
        return self.face.owner

    @property
    def face(self) -> AsyncRunner:
        """The async face, whose coroutines `wait` takes. Raises RunnerClosed."""
        if self._face is None:
            raise RunnerClosed(_NOT_OPEN)
        return self._face

    def start(
        self,
        workflow: type[Workflow[D]],
        data: D,
        *,
        id: str | None = None,
        tags: Mapping[str, str] | None = None,
        priority: int = 0,
        connection: Any = None,
        actor: str | None = None,
    ) -> Run[D]:
        """See `AsyncRunner.start`. With `connection`, it is used in this thread."""
        there = self.face
        if connection is not None:
            refuse_in_loop("A call on a sync runner")
        work = there.start(workflow, data, id=id, tags=tags, priority=priority, connection=connection, actor=actor)
        return Run(self.wait(work) if connection is None else here(work), self.wait)

    def send(
        self,
        run: str,
        event: object,
        *,
        id: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        connection: Any = None,
    ) -> Receipt:
        """See `AsyncRunner.send`. With `connection`, it is used in this thread."""
        there = self.face
        if connection is not None:
            refuse_in_loop("A call on a sync runner")
            return here(there.send(run, event, id=id, actor=actor, reason=reason, connection=connection))
        return self.wait(there.send(run, event, id=id, actor=actor, reason=reason))

    def verdict(self, receipt: Receipt, timeout: float | None = None) -> Receipt:
        """Wait for what became of a queued event. Raises Refused, NotAnswered."""
        return self.wait(self.face.verdict(receipt, timeout))

    def get(self, id: str) -> Run[Any]:
        """A handle on a run, whether it exists or not."""
        return Run(self.face.get(id), self.wait)

    def result(self, run: str, timeout: float | None = None) -> Result[Any]:
        """Wait until a run is over, for at most `timeout` seconds. Raises NotOver."""
        return self.wait(self.face.result(run, timeout))

    def start_plain(
        self,
        workflow: str,
        data: Plain,
        *,
        id: str,
        tags: Mapping[str, str] | None = None,
        priority: int = 0,
        actor: str | None = None,
    ) -> Receipt:
        """See `AsyncRunner.start_plain`."""
        return self.wait(self.face.start_plain(workflow, data, id=id, tags=tags, priority=priority, actor=actor))

    def watch(self, run: str) -> AbstractContextManager[Iterator[Transitioned]]:
        """See `AsyncRunner.watch`."""
        return followed(self.wait, self.face.watch(run))

    def output(self, run: str, *, buffer: int = BUFFER) -> AbstractContextManager[Iterator[Emitted]]:
        """See `AsyncRunner.output`."""
        return followed(self.wait, self.face.output(run, buffer=buffer))


class Client(Runner):
    """Starts runs, sends events and looks at runs of a journal that another process moves; never owns it.

    Same verbs as `Runner`, same two faces. `send` returns a receipt that says `queued`; `verdict` waits for the rest.
    It makes no file: `persistence.NoJournal` where there is none.
    """

    _client = True
