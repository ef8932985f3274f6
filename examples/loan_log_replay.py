"""Sends a log's events to runs, in batches, and keeps book of how far it is and of what was refused.

Killed anywhere and started again, it ends with the same figures as if nothing had happened:

* The book is a run of its own in the same journal. It holds the position up to which every event is dealt with, and
  the positions beyond it that were refused.
* Every event has its position as its id. Sent again after a kill, an accepted one gets its first verdict and changes
  nothing.
* Refused ids are not remembered, and later the same event might be accepted. So a case goes past a refusal only when
  that stands in the book. Killed before, the case has not moved, and the event is refused again; killed after, it is
  not sent.

Events are sent in the log's order of time, and those of one case each after the verdict on the one before. Different
cases are on the way together, so that many events share one commit.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import attrs
import msgspec

from examples.loan_log_events import typed
from examples.loan_log_model import OUTCOMES, Loan, LoanCase
from examples.xes import LogEvent, NotReadable, Trace, read
from statemachine import AsyncRunner, Event, NotAccepted, State, UndeclaredEvent, Workflow, evolve, on

BATCH = 2_000
"""Events after which the position is noted; no more than these are sent again after a kill."""
PAGE = 1_000
BOOK = "replay"


class Step(msgspec.Struct, frozen=True):
    """One event to send. `amount` is the case's, at its first event."""

    case: str
    event: LogEvent
    first: bool
    amount: int | None


@attrs.frozen
class Log:
    """A whole log: its cases, and the events of all of them in the order of time."""

    cases: int
    steps: Sequence[Step]

    @classmethod
    def load(cls, path: Path) -> Log:
        """Read a log whole, so that nothing is done with one that is broken further on. Raises NotReadable."""
        return cls.of(read(path), path)

    @classmethod
    def of(cls, traces: Iterable[Trace], origin: Path) -> Log:
        """Put the events of all cases into one order; `origin` is where they are from, for messages."""
        cases, steps = 0, list[Step]()
        for trace in traces:
            cases += 1
            steps += _steps(trace, _amount(trace, origin))
        steps.sort(key=_time)  # stable: ties stay in the order of the file
        return cls(cases, steps)

    def fingerprint(self) -> str:
        """Tells this log from every other."""
        return hashlib.sha256(msgspec.msgpack.encode(self.steps)).hexdigest()


def _steps(trace: Trace, amount: int | None) -> Iterable[Step]:
    """The events of a case in the order of time; the run is started at the earliest."""
    for number, event in enumerate(sorted(trace.events, key=lambda event: event.at)):
        yield Step(trace.case, event, first=number == 0, amount=amount if number == 0 else None)


def _amount(trace: Trace, origin: Path) -> int | None:
    text = trace.attributes.get("AMOUNT_REQ")
    try:
        return None if text is None else int(float(text))
    except (ValueError, OverflowError):
        raise NotReadable(origin, f"AMOUNT_REQ is {text!r}, which is no amount", case=trace.case) from None


def _time(step: Step) -> datetime:
    return step.event.at


@attrs.frozen
class Book:
    """How far the replay of a log is."""

    log: str
    """The log's fingerprint: a journal belongs to one log."""
    reached: int = 0
    """Events before this position are dealt with."""
    refused: Mapping[str, int] = attrs.field(factory=dict[str, int])
    """How many were refused so far, by name."""
    ahead: tuple[int, ...] = ()
    """Positions from `reached` on that were refused."""


class Refused(Event, frozen=True):
    """The event at this position was refused."""

    position: int
    case: str
    name: str


class Reached(Event, frozen=True):
    """All events before this position are dealt with."""

    position: int


class Finished(Event, frozen=True):
    """The log is at its end."""


class Replay(Workflow[Book], name="loan-log-replay", version=1):
    """The book."""

    going = State(initial=True)
    done = State(final=True)

    @on(Refused, source=going)
    def note(self, book: Book, event: Refused) -> Book:
        """Count it, and know it again."""
        count = book.refused.get(event.name, 0) + 1
        return evolve(book, refused={**book.refused, event.name: count}, ahead=(*book.ahead, event.position))

    @on(Reached, source=going)
    def reach(self, book: Book, event: Reached) -> Book:
        """What lies behind needs not be known one by one."""
        return evolve(book, reached=event.position, ahead=())

    finish = on(Finished, source=going, to=done)


@attrs.frozen
class Replayed:
    """What a replay came to, over all its starts; `resumed_at` is the position at which this one began."""

    book: Book
    resumed_at: int
    outcomes: Mapping[str, int]


Watch = Callable[[int], None]


async def replay(runner: AsyncRunner, log: Log, watch: Watch) -> Replayed:
    """Send what is left of a log, and count how its cases ended.

    Args:
        runner: Has `LoanCase` and `Replay`.
        log: The log.
        watch: Is told how many events are dealt with.

    Raises:
        AlreadyStarted: The journal belongs to the replay of another log.
    """
    run = await runner.start(Replay, Book(log.fingerprint()), id=BOOK)
    view = await run.look()
    resumed_at = view.data.reached
    sender = _Sender(runner, log, watch, resumed_at, frozenset(view.data.ahead))
    for begin in range(resumed_at, len(log.steps), BATCH):
        end = min(begin + BATCH, len(log.steps))
        await sender.send(range(begin, end))
        await runner.send(BOOK, Reached(end), id=f"reached-{end}")
    if view.status == "running":
        await runner.send(BOOK, Finished(), id="finished")
    return Replayed((await run.look()).data, resumed_at, await _outcomes(runner, log.cases))


class _Sender:
    """Sends batches: each case's events one after the other, the cases together."""

    def __init__(self, runner: AsyncRunner, log: Log, watch: Watch, done: int, refused: frozenset[int]) -> None:
        self._runner = runner
        self._steps = log.steps
        self._watch = watch
        self._done = done
        self._refused = refused

    async def send(self, batch: Iterable[int]) -> None:
        cases: dict[str, list[int]] = {}
        for position in batch:
            cases.setdefault(self._steps[position].case, []).append(position)
        try:
            async with asyncio.TaskGroup() as group:
                for case, positions in cases.items():
                    group.create_task(self._send_case(f"case-{case}", positions))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _send_case(self, run: str, positions: Sequence[int]) -> None:
        for position in positions:
            if position not in self._refused:
                await self._send_step(run, position, self._steps[position])
            self._done += 1
            self._watch(self._done)

    async def _send_step(self, run: str, position: int, step: Step) -> None:
        event = step.event
        if step.first:
            await self._runner.start(LoanCase, Loan(step.amount), id=run)
        try:
            await self._runner.send(run, typed(event), id=str(position), actor=event.resource)
        except (NotAccepted, UndeclaredEvent):
            note = Refused(position, step.case, event.name)
            await self._runner.send(BOOK, note, id=f"refused-{position}")


async def _outcomes(runner: AsyncRunner, cases: int) -> dict[str, int]:
    outcomes = {name: sum([await _count(runner, state) for state in states]) for name, states in OUTCOMES.items()}
    return {**outcomes, "open": cases - sum(outcomes.values())}


async def _count(runner: AsyncRunner, state: State) -> int:
    count, last = 0, None
    while page := await runner.list(workflow=LoanCase, state=state, limit=PAGE, after=last):
        count, last = count + len(page), page[-1].id
    return count
