"""A busy workflow to be killed at random: steps of every kind, beside each other, retried, undone; timers; messages.

Each loan's number says how it goes, so that every run has one right end. Every paid loan sends to the treasury, one run
to which all others send.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import attrs

from statemachine import (
    Call,
    Compound,
    Connection,
    Event,
    Outbox,
    Parallel,
    Retry,
    Runner,
    State,
    Workflow,
    after,
    always,
    evolve,
    joined,
    on,
    on_entry,
    step,
    transaction,
)
from tests.reliability.desk import Desk, insist
from tests.reliability.errand import World

LOANS = 24
TREASURY = "treasury"
MOMENT = 0.004
"""Seconds that a step takes, so that deaths find it running."""
AGAIN = Retry(3, delay=0.004)


@attrs.frozen
class Loan:
    number: int
    scored: bool = False
    valued: bool = False
    booked: bool = False
    paid: bool = False


@attrs.frozen
class Purse:
    paid: tuple[int, ...] = ()


class Approve(Event, frozen=True):
    pass


class Decline(Event, frozen=True):
    pass


class Paid(Event, frozen=True):
    number: int


def is_refused(number: int) -> bool:
    """Every fourth loan is declined, or waits for an answer until it lapses."""
    return number % 4 == 3


def lapsing(loan: Loan) -> timedelta:
    """Every eighth lapses, soon; the others are answered before."""
    return timedelta(milliseconds=30) if loan.number % 8 == 7 else timedelta(days=1)


class Lending(Workflow[Loan], name="lending"):
    world: World

    class checks(Parallel, initial=True, defer=(Approve, Decline)):
        """Two steps beside each other."""

        class score(Compound):
            """The first."""

            asked = State(initial=True)
            known = State(final=True)

        class value(Compound):
            """The second."""

            asked = State(initial=True)
            known = State(final=True)

    booking = State(defer=(Approve, Decline))
    deciding = State()
    notifying = State()
    paying = State()
    resting = State()
    paid = State(final=True)
    declined = State(final=True, compensate=True)

    checked = joined(checks, to=booking)

    @step(checks.score.asked, to=checks.score.known, retry=AGAIN)
    async def score(self, loan: Loan, call: Call) -> Loan:
        await asyncio.sleep(MOMENT)
        self.world.effect("do", call.key)
        if loan.number % 3 == 0 and call.attempt == 1:
            raise ConnectionError
        return evolve(loan, scored=True)

    @score.undo(retry=AGAIN)
    async def unscore(self, loan: Loan, call: Call) -> None:
        self.world.effect("undo", call.undoes)
        await asyncio.sleep(MOMENT)

    @step(checks.value.asked, to=checks.value.known, effect=False)
    def value(self, loan: Loan, call: Call) -> Loan:
        self.world.effect("do", call.key)
        time.sleep(MOMENT)
        return evolve(loan, valued=True)

    @transaction(booking, to=deciding)
    def book(self, loan: Loan, connection: Connection, call: Call) -> Loan:
        connection.execute("INSERT INTO booking (key) VALUES (?)", (call.key,))
        return evolve(loan, booked=True)

    @book.undo
    def unbook(self, loan: Loan, connection: Connection, call: Call) -> None:
        connection.execute("INSERT INTO unbooking (key) VALUES (?)", (call.undoes,))

    approve = on(Approve, source=deciding, to=notifying)
    decline = on(Decline, source=deciding, to=declined)
    lapse = after(lapsing, source=deciding, to=declined)

    @step(notifying, to=paying, once=True, effect=False)
    def notify(self, loan: Loan, call: Call) -> Loan:
        self.world.effect("once", call.key)
        return loan

    @step(paying, to=resting, pivot=True)
    def pay(self, loan: Loan, call: Call) -> Loan:
        self.world.effect("do", call.key)
        time.sleep(MOMENT)
        return evolve(loan, paid=True)

    rested = after(timedelta(milliseconds=5), source=resting, to=paid)

    @on_entry(paid)
    def tell(self, loan: Loan, outbox: Outbox) -> Loan:
        outbox.send(TREASURY, Paid(loan.number))
        return loan


def complete(purse: Purse) -> bool:
    """All loans that are to be paid are."""
    return len(purse.paid) == sum(not is_refused(number) for number in range(LOANS))


class Treasury(Workflow[Purse], name="treasury"):
    open_ = State(initial=True)
    full = State(final=True)

    @on(Paid, source=open_, internal=True)
    def take(self, purse: Purse, event: Paid) -> Purse:
        return evolve(purse, paid=(*purse.paid, event.number))

    closed = always(source=open_, to=full, when=complete)


def serve(folder: Path) -> None:
    """The owner's process: starts and answers half of the loans, from several threads, and waits for the end of all."""
    desk = Desk(folder, lambda _: None)
    workflows: list[Workflow[Loan] | Workflow[Purse]] = [Lending(desk.world), Treasury()]
    with desk.runner(workflows) as runner, ThreadPoolExecutor(4) as threads:
        insist(lambda: runner.start(Treasury, Purse(), id=TREASURY))
        desk.acknowledged("start", TREASURY)
        for done in [threads.submit(_answer, desk, runner, n) for n in range(LOANS) if n % 2]:
            done.result()
        for name in (*map(str, range(LOANS)), TREASURY):
            desk.end(runner.get(name))


def _answer(desk: Desk, runner: Runner, number: int) -> None:
    run = insist(lambda: runner.start(Lending, Loan(number), id=str(number)))
    desk.acknowledged("start", run.id)
    if number % 8 != 7:
        desk.send(run, Decline() if is_refused(number) else Approve(), "answer")


def ask(folder: Path) -> None:
    """A client's process: puts the starts and answers of the other half."""
    desk = Desk(folder, lambda _: None)
    with desk.client([Lending(desk.world)]) as client:
        for number in range(0, LOANS, 2):
            insist(lambda number=number: client.start(Lending, Loan(number), id=str(number)))  # type: ignore[misc]
            desk.acknowledged("put", str(number), "start")
            desk.put(client, str(number), Approve(), "answer")
