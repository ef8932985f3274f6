"""A workflow on a real runner under a virtual clock, for tests that drive it: it may die, and another goes on.

Each verb waits until the runner is at rest: no step runs, nothing waits to be committed, no deadline has passed. A verb
that the runner's death interrupts is said again to its successor, under the same id, as any client would.
"""

# Only which body its runner has, and its own parts, are private here; whether that rests, the body says.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from persistence import Journal, MemoryJournal, Query, SQLiteJournal
from statemachine.definition import Definition
from statemachine.errors import NotOver, RefusedVerb
from statemachine.events import Event
from statemachine.inputs import IncidentVerb
from statemachine.runner import Receipt, Result, Run, Runner, RunView
from statemachine.runner.body import Body
from statemachine.runner.clock import from_micros
from statemachine.snapshot import OVER
from statemachine.testing.clock import VirtualClock
from statemachine.testing.crashing import Crashed, CrashPlan, MortalRunner
from statemachine.testing.points import watched, watched_steps
from statemachine.workflow import Workflow

T = TypeVar("T")
W = TypeVar("W", bound="Workflow[Any] | Definition")
LOOK = 0.0005
"""Real seconds between looks whether the runner is at rest."""


class Harness(Generic[W]):
    """See the module.

    ::

        with Harness(LoanApproval(FakeBank()), crash=crash_at("after step hold")) as desk:
            desk.start(Loan("ada", 5_000))
            desk.send(Approve(by="grace"))
            assert desk.finish().state == ("paid",)            # whatever deadlines that takes
            assert desk.deaths == ["after step hold"]

    Args:
        workflow: The workflow, with its fakes.
        file: Where the journal is; in memory when not given.
        crash: Where the runner dies; nowhere when not given.
        clock: Another clock.
    """

    def __init__(
        self,
        workflow: W,
        *,
        file: str | Path | None = None,
        crash: CrashPlan | None = None,
        clock: VirtualClock | None = None,
    ) -> None:
        self.workflow = workflow
        self.clock = clock or _Clock()
        self.passed: list[str] = []
        """The points that were passed."""
        self.deaths: list[str] = []
        """The points at which a runner died."""
        self.runs: list[str] = []
        """Ids of the runs that were started."""
        self.file = file
        """Where the journal is; None: in memory."""
        self._crash = crash
        self._lock = threading.Lock()
        self._journal: Journal = MemoryJournal() if file is None else SQLiteJournal(file)
        self._runner: MortalRunner | None = None
        self._sent = 0
        self._unheard = _Unheard(self)

    # Living and dying.

    def __enter__(self) -> Self:
        """Open the first runner."""
        logging.getLogger("statemachine").addFilter(self._unheard)
        logging.getLogger("asyncio").addFilter(_not_of_a_death)  # for good: a loop may speak of a death long after it
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the last one; it dies no more."""
        self._crash = None
        if self._runner is not None:
            self._runner.close()
        self._journal.close()
        logging.getLogger("statemachine").removeFilter(self._unheard)

    def _open(self) -> None:
        while True:
            try:
                self._open_one()
            except Crashed:
                self._succeed()
            else:
                return

    def _open_one(self) -> None:
        runner: MortalRunner | None = None

        def come_by(point: str) -> None:
            assert runner is not None
            with self._lock:
                dies = not runner.dead and self._crash is not None and self._crash(point)
                if not runner.dead:
                    self.passed.append(point)
                if dies:
                    self.deaths.append(point)
            if dies or runner.dead:
                runner.die(point)

        workflows = [watched_steps(self.workflow, come_by)]
        runner = MortalRunner(watched(self._journal, come_by), workflows, clock=self.clock, poll=0.005, grace=0.0)
        self._runner = runner
        runner.__enter__()

    def _succeed(self) -> None:
        """Bury the dead, and leave its journal as the system leaves a killed process's."""
        if self._runner is not None:
            self._runner.bury()
            self._runner = None
        if isinstance(self._journal, MemoryJournal):
            self._journal.abandon()
            self._journal = MemoryJournal(beside=self._journal)
        elif self.file is not None:
            self._journal.close()
            self._journal = SQLiteJournal(self.file)

    def restart(self) -> None:
        """The runner dies now, and another goes on."""
        runner = self.runner
        assert isinstance(runner, MortalRunner)
        with suppress(Crashed):
            runner.die("now")
        self.deaths.append("now")
        self._succeed()
        self._open()

    @property
    def runner(self) -> Runner:
        """The runner that lives; see `Runner` for what else it can be asked."""
        assert self._runner is not None, "the harness is not open: use it in a with statement"
        return self._runner

    def _do(self, ask: Callable[[Runner], T]) -> T:
        """Ask the runner at rest, and its successor again if it dies of it."""
        while True:
            try:
                self.runner.wait(_at_rest(self._body))
                answer = ask(self.runner)
                self.runner.wait(_at_rest(self._body))
            except Crashed:
                self._succeed()
                self._open()
            else:
                return answer

    @property
    def _body(self) -> Body:
        body = self.runner._body  # noqa: SLF001 - of the house
        assert body is not None
        return body

    # Driving.

    def start(self, data: object, *, id: str = "run-1") -> Run[Any]:
        """Start a run; see `Runner.start`."""
        kind: Any = self._definition
        if id not in self.runs:
            self.runs.append(id)
        return self._do(lambda runner: runner.start(kind, data, id=id))

    @property
    def _definition(self) -> Any:
        if isinstance(self.workflow, Definition):
            return self.workflow.name
        return type(self.workflow)

    def send(self, event: Event, *, run: str | None = None, id: str | None = None, actor: str | None = None) -> Receipt:
        """Send an event to a run, the last one started when not said; see `Runner.send` for what it raises."""
        self._sent += 1
        to, name = run or self.runs[-1], id or f"event-{self._sent}"
        return self._do(lambda runner: runner.send(to, event, id=name, actor=actor))

    def cancel(self, *, run: str | None = None) -> None:
        """Cancel a run. Raises RefusedVerb."""
        self._once(lambda runner: runner.get(run or self.runs[-1]).cancel(reason="a test"))

    def resolve(self, verb: IncidentVerb, *, run: str | None = None) -> None:
        """Decide the oldest incident of a run. Raises RefusedVerb."""

        def decide(runner: Runner) -> None:
            there = runner.get(run or self.runs[-1])
            number = there.incidents[0].number
            if verb == "retry":
                there.retry(number)
            elif verb == "skip":
                there.skip(number, reason="a test")
            else:
                there.done(number, reason="a test")

        self._once(decide)

    def _once(self, verb: Callable[[Runner], None]) -> None:
        """A verb has no id: one that comes back refused after a death was taken before it."""
        deaths = len(self.deaths)

        def ask(runner: Runner) -> None:
            try:
                verb(runner)
            except (RefusedVerb, IndexError):
                if len(self.deaths) == deaths:
                    raise

        self._do(ask)

    def settle(self) -> None:
        """Come back when the runner is at rest."""
        self._do(lambda _runner: None)

    def advance(self, duration: timedelta | float) -> None:
        """Let time pass (seconds, when a number): each deadline on the way is reached in its turn."""
        until = self.clock.now() + (duration if isinstance(duration, timedelta) else timedelta(seconds=duration))
        while (due := self.next_deadline()) is not None and due <= until:
            self._reach(due)
        self._reach(until)

    def advance_to_next(self) -> datetime | None:
        """Let time pass until the next deadline of any run; gives it, or None when there is none."""
        due = self.next_deadline()
        if due is not None:
            self._reach(due)
        return due

    def next_deadline(self) -> datetime | None:
        """The next deadline of any run, UTC."""
        due = self._do(lambda _runner: self._journal.next_due())
        return None if due is None else from_micros(due)

    def _reach(self, time: datetime) -> None:
        self.clock.advance(max(timedelta(0), time - self.clock.now()))
        self.settle()

    def finish(self, run: str | None = None) -> Result[Any]:
        """Let time pass until a run is over, for as long as it has deadlines.

        Raises:
            NotOver: It waits for an event, or for a person.
        """
        while True:
            view = self.look(run)
            if view.status in OVER:
                return Result(view.status, view.state, view.data, view.error)
            if self.advance_to_next() is None:
                raise NotOver(view.id, view.status, view.state, 0.0)

    def all_runs(self) -> list[str]:
        """The ids of all runs in the journal at rest, those that were started otherwise, too."""
        return self._do(lambda _runner: [one.run for one in self._journal.runs(Query(limit=1_000_000))])

    def look(self, run: str | None = None) -> RunView[Any]:
        """A run as it is at rest; the last one started when not said."""
        return self._do(lambda runner: runner.get(run or self.runs[-1]).look())


class _Clock(VirtualClock):
    """A clock under which a scenario that was interrupted comes to the same keys as one that was not."""

    def nonce(self) -> str:
        """Always the same: a run's id, which is in its keys, too, starts once here."""
        return "n"


class _Unheard(logging.Filter):
    """What the parts of a dead runner say is not heard."""

    def __init__(self, harness: Harness[Any]) -> None:
        super().__init__()
        self._harness = harness

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        runner = self._harness._runner  # noqa: SLF001 - its own
        return _not_of_a_death(record) and (runner is None or not runner.dead)


def _not_of_a_death(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, Crashed) and not isinstance(getattr(error, "__cause__", None), Crashed)


async def _at_rest(body: Body) -> None:
    """Come back when nothing runs, nothing waits to be committed or read, and no deadline has passed."""
    while not body.rests():  # noqa: ASYNC110 - it waits for what is in four places, and none of them tells
        await asyncio.sleep(LOOK)
