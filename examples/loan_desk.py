"""A loan desk that is killed on the way: nothing is lost, nothing is paid twice, what cannot go on is undone.

    python -m examples.loan_desk [--data german.data] [--kills 5]

Three processes. This one is the world around the desk: applicants, clerks, an operator, and whoever pulls the plug. The
*worker* owns the journal and moves the loans; it is killed with SIGKILL again and again. The *bank* (`loan_desk_bank`)
is busy, drops connections, does things without saying so, and is away for a while; it alone knows what was really paid,
and is asked at the end.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path

import attrs

from examples.loan_desk_data import PURPOSES, Application, DataFileError, generate, read
from examples.loan_desk_day import Day, Stuck
from examples.loan_desk_processes import BankProcess, FolderError, ProcessDied, Worker, new_folder
from examples.loan_desk_remote import AccountClosed, Bank, Bureau, PaymentQueried
from examples.loan_desk_report import JOURNAL, outcome, report
from examples.loan_desk_show import INCIDENTS, Tally
from examples.loan_desk_tables import BOOK, NEW_APPLICATION, connect
from persistence import SQLiteJournal
from statemachine import (
    Call,
    Client,
    Compound,
    Connection,
    Event,
    NoSuchRun,
    Parallel,
    Receipt,
    Refused,
    Retry,
    Runner,
    State,
    Workflow,
    after,
    evolve,
    joined,
    on,
    step,
    transaction,
    waive,
)

FOUR_EYES = 5_000
"""Marks above which a second, other person must approve."""


@attrs.frozen
class Loan:
    """A loan on its way. Each step and each decision adds what it found out."""

    application: Application
    score: int = 0
    fraud: float = 0.0
    burden: float = 0.0
    approved_by: tuple[str, ...] = ()
    declined_by: str = ""
    hold: str = ""
    payment: str = ""

    def objection(self) -> str:
        """What speaks against it, if anything."""
        for guard in (unlikely, suspicious, stretched):
            if guard(self):
                return str(guard.__doc__)
        return "a clerk's no" if self.declined_by else ""


class Approve(Event, frozen=True):
    """A clerk is in favour."""

    by: str


class Decline(Event, frozen=True):
    """A clerk is not."""

    by: str
    reason: str


def unlikely(loan: Loan) -> bool:
    """a low score"""
    return loan.score < 25


def suspicious(loan: Loan) -> bool:
    """suspected fraud"""
    return loan.fraud > 0.45


def stretched(loan: Loan) -> bool:
    """too little income"""
    return loan.burden > 0.38


def large(loan: Loan) -> bool:
    """more than one pair of eyes is needed"""
    return loan.application.amount > FOUR_EYES


def someone_else(loan: Loan, event: Approve) -> bool:
    """the second approval must come from someone else than the first"""
    return event.by not in loan.approved_by


# The workflow.


ASKING = Retry(12, delay=0.05, cap=0.5)  # of the bureau, which only answers: it has no effect


class LoanDesk(Workflow[Loan], name="loan-desk", version=1):
    """From an application to a payment, or to nothing at all."""

    bureau: Bureau
    bank: Bank

    screening = State(initial=True)

    class checks(Parallel):
        """Two checks beside each other."""

        class fraud(Compound):
            """Is it a fraud?"""

            asking = State(initial=True)
            known = State(final=True)

        class income(Compound):
            """Can it be paid back?"""

            asking = State(initial=True)
            known = State(final=True)

    class decision(Compound):
        """People decide."""

        first = State(initial=True, waits_for="clerk")
        second = State(waits_for="another clerk")

    holding = State()
    paying = State()
    booking = State()
    paid = State(final=True)
    declined = State(final=True)
    undone = State(final=True, compensate=True)

    @step(screening, to=(declined.when(unlikely), checks), retry=ASKING, timeout=2, effect=False)  # it only asks
    def screen(self, loan: Loan, call: Call) -> Loan:
        return evolve(loan, score=self.bureau.score(call.run, loan.application))

    @step(checks.fraud.asking, to=checks.fraud.known, retry=ASKING, timeout=2, effect=False)
    def look_for_fraud(self, loan: Loan, call: Call) -> Loan:
        return evolve(loan, fraud=self.bureau.fraud(call.run))

    @step(checks.income.asking, to=checks.income.known, retry=ASKING, timeout=2, effect=False)
    def verify_income(self, loan: Loan, call: Call) -> Loan:
        return evolve(loan, burden=self.bureau.burden(call.run, loan.application))

    checked = joined(checks, to=(declined.when(suspicious), declined.when(stretched), decision))

    @on(Approve, source=decision.first, to=(decision.second.when(large), holding))
    def approve(self, loan: Loan, event: Approve) -> Loan:
        return evolve(loan, approved_by=(event.by,))

    @on(Approve, source=decision.second, to=holding, when=someone_else)
    def approve_too(self, loan: Loan, event: Approve) -> Loan:
        return evolve(loan, approved_by=(*loan.approved_by, event.by))

    @on(Decline, source=decision, to=declined)
    def decline(self, loan: Loan, event: Decline) -> Loan:
        return evolve(loan, declined_by=event.by)

    lapse = after(timedelta(days=7), source=decision, to=declined)

    @step(holding, to=paying, retry=Retry(4, delay=0.1), timeout=2)  # used up: the loan is undone
    async def hold(self, loan: Loan, call: Call) -> Loan:
        await self.bank.hold(call.run, loan.application.amount, key=call.key)
        return evolve(loan, hold=call.key)

    @hold.undo(retry=Retry(200, delay=0.1, cap=0.5), timeout=2)
    async def release(self, loan: Loan, call: Call) -> None:
        await self.bank.release(call.run, call.undoes, key=call.key)

    @step(
        paying,
        to=booking,
        pivot=True,  # what is paid stays paid
        error={AccountClosed: undone},
        retry=Retry(60, delay=0.1, cap=0.5, never=(PaymentQueried,)),  # the bank wants a person: an incident
        timeout=2,
    )
    async def pay(self, loan: Loan, call: Call) -> Loan:
        reference = await self.bank.pay(call.run, loan.application.amount, hold=loan.hold, key=call.key)
        return evolve(loan, payment=reference)

    @waive("gives-up", "the money is paid: if the desk's own books refuse it, a person must see why")
    @transaction(booking, to=paid)  # in the commit that records it: exactly once, without a key
    def book(self, loan: Loan, connection: Connection, call: Call) -> Loan:
        connection.execute(BOOK, (call.run, loan.application.amount, loan.payment))
        return loan


# The worker: a process that owns the journal.


def desk(port: int) -> LoanDesk:
    """The workflow with its collaborators."""
    return LoanDesk(Bureau(port), Bank(port))


def work(folder: Path, port: int) -> None:
    """Move the loans until standard input ends, or the plug is pulled."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    with Runner(folder / JOURNAL, [desk(port)]):
        sys.stdin.read()


# The people: clients of the journal that the worker owns.

CLERKS = ("Ada", "Grace", "Alan", "Barbara", "Edsger")
OPERATOR = "Margaret"
ROOM = 40
"""How many loans may be under way at once."""


@attrs.define
class People:
    """Applicants, clerks and an operator. What they do follows from the data and the seed."""

    client: Client
    connection: sqlite3.Connection
    bank: Bank
    seed: int
    tally: Tally
    _open: set[str] = attrs.field(factory=set[str])
    _said: set[str] = attrs.field(factory=set[str])

    @property
    def under_way(self) -> list[str]:
        return sorted(self._open)

    def apply(self, applications: Iterator[tuple[str, Application]]) -> None:
        """Hand in what there is room for. The application's row and the start of its run are one commit."""
        for loan, application in islice(applications, ROOM - len(self._open)):
            with self.connection:
                row = (loan, application.amount, PURPOSES[application.purpose])
                self.connection.execute(NEW_APPLICATION, row)
                self.client.start(LoanDesk, Loan(application), id=loan, connection=self.connection)
            self._open.add(loan)

    def decide(self) -> int:
        """Each clerk decides one of those that wait, the oldest first. Gives how many wait."""
        free = set(CLERKS)
        second = self.client.list(state=LoanDesk.decision.second, limit=ROOM)
        for run in reversed(second):
            clerk, other = self._clerks(run.id)
            if clerk in free and self._chance("hasty", run.id).random() < 0.3:
                self._approve_again(run.id, clerk)
            if other in free:
                free.discard(other)
                self._say(run.id, Approve(other))
        first = self.client.list(state=LoanDesk.decision.first, limit=ROOM)
        for run in reversed(first):
            clerk, _ = self._clerks(run.id)
            if clerk in free:
                free.discard(clerk)
                score = self.client.get(run.id).data.score
                self._say(run.id, Approve(clerk) if score >= 34 else Decline(clerk, f"a score of {score} is low"))
        return len(first) + len(second)

    def _approve_again(self, loan: str, clerk: str) -> None:
        """A clerk who has approved tries to be the second one, too, and is refused."""
        receipt = self._say(loan, Approve(clerk), "again")
        if receipt:
            try:
                self.client.verdict(receipt, timeout=30)
            except Refused:
                self.tally.refused += 1

    def _say(self, loan: str, event: Approve | Decline, nth: str = "once") -> Receipt | None:
        """Send it, unless it was sent. Sending again would change nothing, as the event's id is the same."""
        name = f"{loan}-{event.by}-{nth}"
        if name in self._said:
            return None
        self._said.add(name)
        return self.client.send(loan, event, id=name, actor=event.by)

    def operate(self) -> list[str]:
        """The operator looks at what needs a person, does what a person must, and has it tried again."""
        news: list[str] = []
        for summary in self.client.list(incident=True, limit=ROOM):
            run = self.client.get(summary.id)
            for incident in run.incidents:
                cause = incident.failure.type if incident.failure else incident.kind
                if cause == PaymentQueried.__name__:
                    self.bank.clear(run.id)
                what = INCIDENTS.get(cause, cause)
                run.retry(incident.number, actor=OPERATOR, reason=what)
                self.tally.incidents[what] += 1
                news.append(f"incident: {what} ({run.id}); {OPERATOR} saw to it")
        return news

    def settle(self) -> list[str]:
        """What has ended since the last look."""
        busy = {run.id for status in ("running", "undoing") for run in self.client.list(status=status, limit=2 * ROOM)}
        over: list[str] = []
        for loan in sorted(self._open - busy):
            with suppress(NoSuchRun):  # handed in, and not begun yet
                view = self.client.get(loan).look()
                if (how := outcome(view)) != "open":
                    self._open.discard(loan)
                    over.append(how)
        return over

    def _clerks(self, loan: str) -> list[str]:
        return self._chance("clerks", loan).sample(CLERKS, 2)

    def _chance(self, what: str, loan: str) -> random.Random:
        return random.Random(f"{self.seed}:{what}:{loan}")


# The day, and what is said at its end.


def options(arguments: list[str] | None) -> argparse.Namespace:
    """What the command line asks for. Defaults may stand in the environment, where `make demo` puts them."""
    given = os.environ.get
    here = argparse.ArgumentParser(prog="loan_desk", description="A loan desk that is killed on the way.")
    data = "applications in the UCI German Credit format; without, they are invented"
    here.add_argument("--data", type=Path, default=given("DATA") or None, help=data)
    here.add_argument("--applications", type=int, default=given("APPLICATIONS", "600"), help="how many are invented")
    here.add_argument("--kills", type=int, default=given("KILLS", "5"), help="how often the worker is killed")
    here.add_argument("--seed", type=int, default=given("SEED", "7"), help="of all that happens by chance")
    here.add_argument("--folder", type=Path, help="a new folder to keep everything in; else a temporary one")
    here.add_argument("--check", type=Path, metavar="FOLDER", help="only check what an earlier day left in its folder")
    here.add_argument("--work-in", type=Path, help=argparse.SUPPRESS)
    here.add_argument("--bank-port", type=int, default=0, help=argparse.SUPPRESS)
    args = here.parse_args(arguments)
    if args.applications < 1 or args.kills < 0:
        here.error("there must be at least one application, and kills cannot be less than none")
    return args


def open_for_a_day(folder: Path, day: Day) -> None:
    """Start the bank and the worker, let the day pass, close."""
    with (
        BankProcess(folder, seed=day.seed, outage=3.0, outage_after=len(day.applications) // 3) as banking,
        Worker(folder, banking.port) as worker,
        closing(SQLiteJournal(folder / JOURNAL, adopt=True)) as journal,  # made here, if the worker is not so far yet
        Client(journal, [desk(banking.port)]) as client,
        closing(connect(folder / JOURNAL)) as connection,
    ):
        bank = Bank(banking.port)
        day.pass_by(People(client, connection, bank, day.seed, day.tally), worker, bank)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo. Gives the exit status: 0, 1 when a check fails, 2 when it cannot be begun."""
    args = options(arguments)
    if args.work_in:
        work(args.work_in, args.bank_port)
        return 0
    try:
        if args.check:
            return 0 if report(args.check, desk(0), four_eyes=FOUR_EYES) else 1
        day = Day(read(args.data) if args.data else generate(args.applications, args.seed), args.kills, args.seed)
        folder = new_folder(args.folder)
    except (DataFileError, FolderError) as error:
        print(error, file=sys.stderr)
        return 2
    print(
        f"{len(day.applications):,} applications; the worker will be killed {day.kills} times. All is kept in {folder}"
    )
    try:
        open_for_a_day(folder, day)
    except (ProcessDied, Stuck, KeyboardInterrupt) as error:
        print(f"\n{str(error) or 'Closed before the day was over.'}", file=sys.stderr)
        return 1
    return 0 if report(folder, desk(0), four_eyes=FOUR_EYES, tally=day.tally) else 1


if __name__ == "__main__":
    sys.exit(main())
