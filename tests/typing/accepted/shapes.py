"""Every shape that a declaration may have, and the type that comes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import assert_type

import attrs

from statemachine import (
    Call,
    Compound,
    Connection,
    Event,
    History,
    Moment,
    Outbox,
    Parallel,
    Receipt,
    Result,
    Retry,
    Run,
    Runner,
    State,
    Workflow,
    after,
    always,
    evolve,
    joined,
    on,
    on_entry,
    on_exit,
    step,
    transaction,
)
from tests.typing.accepted.loan import Approve, Bureau, Loan, LoanApproval


@attrs.frozen
class Case:
    """A case."""

    name: str
    score: float = 0.0
    until: datetime = datetime(2030, 1, 1, tzinfo=UTC)


class Note(Event, frozen=True):
    """Words."""

    text: str


class Close(Event, frozen=True, name="close", was=("Closed",)):
    """The end."""


def risky(case: Case) -> bool:
    """The case is risky."""
    return case.score > 0.5


def polite(case: Case, event: Note) -> bool:
    """The note is polite."""
    return bool(case.name) and "please" in event.text


def anything(value: object) -> bool:
    """True of all that there is."""
    return value is not None


def in_time(case: Case, moment: Moment) -> bool:
    """It is not too late."""
    return moment.now < case.until


def scored(case: Case, score: float) -> Case:
    """The case with its score."""
    return evolve(case, score=score)


def until(case: Case) -> datetime:
    """Until when."""
    return case.until


class Cases(Workflow[Case]):
    """All shapes."""

    limit: float
    names: tuple[str, ...] = ()

    opening = State(initial=True)

    class work(Compound, defer=(Close,)):
        """Nested."""

        first = State(initial=True)
        second = State()
        past = History(first)

        class both(Parallel):
            """Regions."""

            class left(Compound):
                """A region."""

                here = State(initial=True)
                there = State(final=True)

            class right(Compound):
                """A region."""

                here = State(initial=True)
                there = State(final=True)

    booking = State()
    waiting = State(defer=(Note,), waits_for="clerk")
    closed = State(final=True)
    dropped = State(final=True, compensate=True)

    def above(self, case: Case) -> bool:
        """The score is above the limit."""
        return case.score > self.limit

    def known(self, case: Case, event: Note) -> bool:
        """The note names somebody known."""
        return event.text in self.names and bool(case.name)

    @step(opening, to=(dropped.when(risky), work.when(anything), work.past.when(above), booking), into=scored)
    async def look(self, case: Case) -> float:
        """A result of another type, folded in."""
        return case.score

    @step(work.first, to=work.second, error={ValueError: dropped, KeyError: dropped}, failed=dropped)
    def sync(self, case: Case, call: Call) -> Case:
        """Sync, with its call."""
        return evolve(case, name=call.key)

    @step(
        work.second,
        to=work.both,
        retry=Retry(3, never=(ValueError,)),
        effect=True,
        timeout=timedelta(minutes=1),
        overall=600,
    )
    async def alone(self, case: Case) -> Case:
        """Async, without."""
        return case

    @alone.undo(retry=Retry(9), timeout=10)
    async def unalone(self, case: Case, call: Call) -> None:
        """An undo with tuning."""

    @sync.undo
    def unsync(self, case: Case) -> None:
        """A sync undo."""

    @transaction(booking, to=waiting)
    def book(self, case: Case, connection: Connection, call: Call) -> Case:
        """The application's own SQL."""
        connection.execute("insert into ledger values (?, ?)", (call.key, case.name))
        return case

    @book.undo
    def unbook(self, case: Case, connection: Connection) -> None:
        """In the same way."""
        connection.execute("delete from ledger where name = ?", (case.name,))

    left_done = on(Note, source=work.both.left.here, to=work.both.left.there)
    right_done = on(Note, source=work.both.right.here, to=work.both.right.there, when=known)
    done = joined(work.both, to=booking)

    @on(Note, source=(waiting, work), to=(dropped.when(polite), dropped.when(risky)), when=anything)
    def noted(self, case: Case, event: Note, outbox: Outbox) -> Case:
        """With an outbox."""
        outbox.raise_event(Close())
        outbox.send("other", Note(text=event.text))
        return evolve(case, name=event.text)

    kept = on(Close, source=waiting, when=risky)
    left = on(Close, source=waiting, to=closed.when(in_time))

    @after(timedelta(days=1), source=waiting, to=dropped, when=risky)
    def dunned(self, case: Case) -> Case:
        """A handler of a timer."""
        return case

    def until_later(self, case: Case) -> datetime:
        """Until when, as this workflow sees it."""
        return case.until + timedelta(days=self.limit)

    lapsed = after(until, source=waiting, to=closed)
    lapsed_later = after(until_later, source=waiting, to=closed.when(above))
    jumped = always(source=waiting, to=dropped.when(risky))

    @on_entry(waiting)
    def entered(self, case: Case) -> Case:
        """On entry."""
        return case

    @on_exit(waiting)
    def exited(self, case: Case, outbox: Outbox) -> Case:
        """On exit."""
        return evolve(case, until=outbox.now)


async def called(bureau: Bureau, connection: Connection) -> None:
    """On a workflow object, what was declared is the plain function."""
    cases = Cases(0.5, names=("ada",))
    case = Case("ada")
    assert_type(cases.sync(case, Call()), Case)
    assert_type(await cases.alone(case), Case)
    assert_type(await cases.look(case), float)
    assert_type(cases.book(case, connection, Call()), Case)
    assert_type(cases.dunned(case), Case)
    assert_type(cases.entered(case), Case)
    assert_type(evolve(case, score=1.0), Case)
    assert_type(Cases.waiting, State)
    assert_type(Cases.definition.name, str)
    guard: Callable[[Case], bool] = cases.above
    assert_type(guard(case), bool)


def ran(runner: Runner, approval: LoanApproval) -> None:
    """What a runner gives knows the data."""
    run = runner.start(LoanApproval, Loan("ada", 5_000), id="loan-42")
    assert_type(run, Run[Loan])
    assert_type(run.data, Loan)
    assert_type(run.send(Approve(by="grace"), id="msg-17"), Receipt)
    assert_type(run.result(timeout=30), Result[Loan])
    assert_type(run.result().data, Loan)
    assert_type(run.within(LoanApproval.review), bool)
    assert_type(run.within(Cases.work.both), bool)
    assert_type(approval.approve(Loan("ada", 5_000), Approve(by="grace")), Loan)
