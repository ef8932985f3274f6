"""An attempt of a step, and how it may end without a result: as exceptions like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

import attrs

from statemachine.calls import Call
from statemachine.inputs import Undone
from statemachine.macrostep import failure_of
from statemachine.runner.clock import Alarm, Clock
from statemachine.runner.line import Line
from statemachine.runner.pulse import Pulse
from statemachine.runner.shelves import Keep
from statemachine.runner.standing import Place
from statemachine.runner.turns import Lane, Turn
from statemachine.snapshot import Failure, Snapshot

T = TypeVar("T")


@attrs.define(eq=False)
class Attempt:
    """One attempt that runs here: a task, and for a sync function its thread."""

    number: int
    undo: bool
    run: str
    visit: int
    work: Attempting
    """What its task does."""
    ended: Callable[[Attempt], None]
    """Called when it is over."""
    thread: asyncio.Future[Any] | None = None
    began: datetime | None = None
    """When its function was called, UTC."""
    timeout: float = 0.0
    """Seconds that it may take."""
    deadline: datetime | None = None
    """Until when that is, UTC; None: it was not called yet."""
    stopped: bool = False
    """It was asked to stop: its run goes on without it, or the runner closes."""
    expired: Exception | None = None
    """Why it was cancelled: its time was over."""
    pulse: Pulse | None = None
    """Where it must give signs of life."""
    kill: Callable[[], None] | None = None
    """Ends its process, where it has one of its own."""
    told: bool = False
    """Its run was told what came of it."""
    priority: int = 0
    """Its run's: a higher one has its turn first."""
    line: Line | None = None
    """Where it waits for its turn; None once it has begun."""
    keep: Keep | None = None
    """Where its result is kept for other runs."""
    turn: Turn | None = None
    """Where it had to wait for one: that."""
    place: Place | None = None
    """Where it stands in line, for the journal."""
    carried: bool = False
    """It is called in a task that is not its own, and has not waited for anything yet; see `Carrier`."""
    _task: asyncio.Task[None] | None = attrs.field(init=False, default=None)
    _calm: asyncio.Event | None = attrs.field(init=False, default=None)
    _alarm: Alarm | None = attrs.field(init=False, default=None)

    @property
    def task(self) -> asyncio.Task[None]:
        """Its task; made now, where it has none yet."""
        return self.start() if self._task is None else self._task

    @property
    def begun(self) -> bool:
        """Whether it has a task."""
        return self._task is not None

    @property
    def calm(self) -> asyncio.Event:
        """Set when it is not what its process may die of, though it goes on."""
        if self._calm is None:
            self._calm = asyncio.Event()
        return self._calm

    def start(self) -> asyncio.Task[None]:
        """Give it a task of its own."""
        task = self._task = asyncio.get_running_loop().create_task(self.work(self))
        task.add_done_callback(self._end)
        return task

    def _end(self, _task: asyncio.Task[None]) -> None:
        self.ended(self)

    def carry(self, task: asyncio.Task[None]) -> None:
        """It is called in this task next."""
        self._task, self.carried = task, True

    def own(self, clock: Clock) -> None:
        """The task that it is called in is its own from now on."""
        self.carried = False
        if not self.task.done():
            self.watch(clock)
        self.task.add_done_callback(self._end)

    def watch(self, clock: Clock) -> None:
        """Let it expire when its time is over, once it is called; where it is carried, once it waits for something."""
        if self.deadline is not None and not self.carried:
            self._alarm = clock.call_at(self.deadline, self._expire)

    def _expire(self) -> None:
        self.expire(StepTimeout(self.timeout))

    def returned(self) -> None:
        """Its function does not run any more."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self.pulse is not None:
            self.pulse.stop()

    @property
    def goes_on(self) -> bool:
        """Whether its outcome is still to come."""
        return not self.told and not self.task.done()

    def waits(self) -> None:
        """It has to wait for its turn."""
        if self.place is not None:
            self.place.wait()

    async def quiet(self, patience: float) -> None:
        """Come back when it has ended, or says that it is above suspicion; or after so many seconds."""
        calm = asyncio.ensure_future(self.calm.wait())
        await asyncio.wait({self.task, calm}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        calm.cancel()

    def begin(self) -> None:
        """It begins, or never will."""
        if self.place is not None:
            self.place.over = True
        if self.turn is not None:
            self.turn.begin()
        if self.line is not None:
            self.line.leave()
            self.line = None

    def stop(self) -> None:
        """Cancel it for good."""
        self.stopped = True
        self._cancel()

    def expire(self, why: Exception) -> None:
        """Cancel it because its time is over."""
        self.expired = why
        self._cancel()

    def _cancel(self) -> None:
        if self.kill is not None:
            self.kill()
        self.task.cancel()


Attempting = Callable[[Attempt], Coroutine[Any, Any, None]]


class StepTimeout(TimeoutError):
    """An attempt took longer than its timeout."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no result after {seconds} s")


class StepCancelled(Exception):
    """A step ended in a cancellation that nobody had asked for."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"the step cancelled itself: {error}")


class StepExited(Exception):
    """A step asked for the end of the process (`sys.exit`), which is not its to end."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"the step raised {type(error).__qualname__}: {error}")


class Raised(Exception):
    """What a transactional step raised, apart from what the journal meets in its commit."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def contained(function: Callable[..., T], *arguments: Any) -> T:
    """Call a sync step. What would end a thread or a loop, were it raised there, is an exception."""
    try:
        return function(*arguments)
    except Exception:
        raise
    except asyncio.CancelledError as error:
        raise StepCancelled(error) from error
    except BaseException as error:
        raise StepExited(error) from error


async def contained_later(work: Awaitable[T]) -> T:
    """Await an async step. Cancellation and Ctrl-C stay what they are."""
    try:
        return await work
    except SystemExit as error:
        raise StepExited(error) from error


def failure_told(error: Exception) -> Failure:
    """An exception as text, whole; also one that fails to say what it is."""
    try:
        return failure_of(error)
    except Exception as worse:  # noqa: BLE001 -- raised by the step's own exception
        return Failure(type(error).__qualname__, f"(its text cannot be had: {type(worse).__qualname__})")


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a transactional step. Raises Raised."""
    try:
        return contained(function, *arguments)
    except Exception as error:
        raise Raised(error) from error


def undoing(visit: int, function: Callable[..., Any], data: Any, call: Call) -> Callable[[Any, Snapshot[Any]], Undone]:
    """A transactional undo, for the commit that records it."""

    def work(connection: Any, _snapshot: Snapshot[Any]) -> Undone:
        called(function, data, connection, call)
        return Undone(visit)

    return work


async def in_turn(lane: Lane, work: Attempting, attempt: Attempt) -> None:
    """Do the work when its turn has come."""
    attempt.turn = await lane.turn(attempt.priority, attempt.waits)
    try:
        await work(attempt)
    finally:
        attempt.turn.leave()


async def after_it(before: Attempt, work: Attempting, attempt: Attempt) -> None:
    """Do the work once an earlier attempt of the visit has ended, however it was asked to hurry."""
    cancelled: asyncio.CancelledError | None = None
    while not before.task.done():
        try:
            await asyncio.wait({before.task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    await work(attempt)
