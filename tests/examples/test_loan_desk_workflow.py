"""The loan desk's workflow with fakes for bank and bureau: every way a loan can go, and what is undone on it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
import pytest

from examples.loan_desk import Approve, Decline, Loan, LoanDesk, large, someone_else, stretched, suspicious, unlikely
from examples.loan_desk_data import Application, generate
from examples.loan_desk_remote import AccountClosed, Bank, BankBusy, Bureau, PaymentQueried
from examples.loan_desk_report import outcome
from examples.loan_desk_tables import connect, ledger
from statemachine import Call, NotAccepted, Run, Runner

SMALL = attrs.evolve(generate(1, 7)[0], amount=1_000)
LARGE = attrs.evolve(SMALL, amount=9_000)


@attrs.frozen
class KindBureau(Bureau):
    """Says what it was told to say."""

    port: int = 0
    rating: int = 80
    doubt: float = 0.0
    share: float = 0.1

    def score(self, loan: str, application: Application) -> int:
        return self.rating

    def fraud(self, loan: str) -> float:
        return self.doubt

    def burden(self, loan: str, application: Application) -> float:
        return self.share


@attrs.frozen
class KindBank(Bank):
    """Notes what it was asked, and raises what it was told to raise, each once."""

    port: int = 0
    asked: list[str] = attrs.field(factory=list[str])
    raising: list[tuple[str, Exception]] = attrs.field(factory=list[tuple[str, Exception]])

    def _note(self, order: str) -> None:
        self.asked.append(order)
        for place, (named, error) in enumerate(self.raising):
            if order.startswith(named):
                del self.raising[place]
                raise error

    async def hold(self, loan: str, amount: int, *, key: str) -> str:
        self._note(f"hold {amount} for {loan} as {key}")
        return "H-1"

    async def release(self, loan: str, hold: str, *, key: str) -> None:
        self._note(f"release {hold} for {loan} as {key}")

    async def pay(self, loan: str, amount: int, *, hold: str, key: str) -> str:
        self._note(f"pay {amount} for {loan} from {hold} as {key}")
        return "P-1"

    def orders(self) -> list[str]:
        """What was asked, in a word each."""
        return [order.split()[0] for order in self.asked]


@attrs.frozen
class Desk:
    """A desk with its fakes, open."""

    runner: Runner
    bank: KindBank
    connection: sqlite3.Connection

    def apply(self, application: Application = SMALL) -> Run[Loan]:
        """Hand an application in, and wait until people may decide it or it has ended."""
        run = self.runner.start(LoanDesk, Loan(application), id="loan-1")
        wait_for(run, "decision", "declined")
        return run


def wait_for(run: Run[Loan], *states: str) -> None:
    """Wait until one of these states is active."""
    deadline = time.monotonic() + 20
    while not set(states).intersection(run.look().within):
        assert time.monotonic() < deadline, run.look()
        time.sleep(0.005)


@contextmanager
def open_desk(folder: Path, bureau: KindBureau | None = None, *raising: tuple[str, Exception]) -> Iterator[Desk]:
    """A desk in this folder, its bank raising these errors on the first orders of these names."""
    bank = KindBank(raising=list(raising))
    with (
        Runner(folder / "desk.db", [LoanDesk(bureau or KindBureau(), bank)]) as runner,
        closing(connect(folder / "desk.db")) as connection,
    ):
        yield Desk(runner, bank, connection)


def test_steps_are_plain_functions() -> None:
    """On a workflow object a step is called like any method, with a `Call` that has defaults."""
    desk = LoanDesk(KindBureau(rating=55, doubt=0.2, share=0.3), KindBank())
    loan = Loan(SMALL)
    assert desk.screen(loan, Call()).score == 55
    assert desk.look_for_fraud(loan, Call()).fraud == 0.2
    assert desk.verify_income(loan, Call()).burden == 0.3
    held = asyncio.run(desk.hold(loan, Call(key="k")))
    assert held.hold == "k"
    assert asyncio.run(desk.pay(held, Call(key="p"))).payment == "P-1"


def test_handlers_and_guards_are_plain_functions() -> None:
    """What decides is pure, and says of the loan alone what the desk would say."""
    desk = LoanDesk(KindBureau(), KindBank())
    approved = desk.approve(Loan(LARGE), Approve("Ada"))
    assert approved.approved_by == ("Ada",)
    assert not someone_else(approved, Approve("Ada"))
    assert desk.approve_too(approved, Approve("Grace")).approved_by == ("Ada", "Grace")
    declined = desk.decline(Loan(SMALL, score=60), Decline("Ada", "no"))
    assert declined.objection() == "a clerk's no"
    assert (large(Loan(LARGE)), large(Loan(SMALL))) == (True, False)
    assert unlikely(Loan(SMALL, score=24))
    assert not suspicious(Loan(SMALL, fraud=0.45))
    assert stretched(Loan(SMALL, burden=0.39))


def test_a_small_loan_is_paid_after_one_approval(tmp_path: Path) -> None:
    """Held, paid from what was held, and booked; nothing is released."""
    with open_desk(tmp_path) as desk:
        run = desk.apply()
        run.send(Approve("Ada"))
        result = run.result(20)
        assert (result.status, result.state) == ("completed", ("paid",))
        hold = result.data.hold
        assert desk.bank.asked[0] == f"hold 1000 for loan-1 as {hold}"
        assert desk.bank.asked[1].startswith(f"pay 1000 for loan-1 from {hold} as ")
        assert ledger(desk.connection) == [("loan-1", 1000, "P-1")]


def test_a_large_loan_needs_four_eyes(tmp_path: Path) -> None:
    """The second approval is refused from the one who gave the first, with the guard's own words."""
    with open_desk(tmp_path) as desk:
        run = desk.apply(LARGE)
        run.send(Approve("Ada"))
        assert run.state == ("decision.second",)
        with pytest.raises(NotAccepted, match="the second approval must come from someone else than the first"):
            run.send(Approve("Ada"))
        assert run.state == ("decision.second",)
        run.send(Approve("Grace"))
        assert run.result(20).data.approved_by == ("Ada", "Grace")


@pytest.mark.parametrize(
    ("bureau", "why"),
    [
        (KindBureau(rating=10), "a low score"),
        (KindBureau(doubt=0.9), "suspected fraud"),
        (KindBureau(share=0.5), "too little income"),
    ],
)
def test_the_bureaus_word_may_end_it(tmp_path: Path, bureau: KindBureau, why: str) -> None:
    """A loan that no clerk should see is declined, and the bank hears nothing of it."""
    with open_desk(tmp_path, bureau) as desk:
        result = desk.apply().result(20)
        assert (result.status, result.state, result.data.objection()) == ("completed", ("declined",), why)
        assert desk.bank.asked == []


@pytest.mark.parametrize("approvals", [(), ("Ada",)])
def test_a_clerk_may_decline_at_either_place(tmp_path: Path, approvals: tuple[str, ...]) -> None:
    """Before and after a first approval; the bank hears nothing of it."""
    with open_desk(tmp_path) as desk:
        run = desk.apply(LARGE)
        for clerk in approvals:
            run.send(Approve(clerk))
        run.send(Decline("Grace", "I know him"))
        result = run.result(20)
        assert (result.state, result.data.declined_by) == (("declined",), "Grace")
        assert desk.bank.asked == []


def test_a_closed_account_releases_the_hold(tmp_path: Path) -> None:
    """The payment had no effect, so what was held is given back under the hold's own key, and nothing is booked."""
    with open_desk(tmp_path, None, ("pay", AccountClosed("closed"))) as desk:
        run = desk.apply()
        run.send(Approve("Ada"))
        result = run.result(20)
        assert (result.status, result.state, outcome(run.look())) == ("completed", ("undone",), "undone")
        assert desk.bank.asked[-1].startswith(f"release {result.data.hold} for loan-1 as ")
        assert desk.bank.orders() == ["hold", "pay", "release"]
        assert ledger(desk.connection) == []


def test_a_bank_that_stays_away_undoes_the_loan(tmp_path: Path) -> None:
    """When the attempts to hold are used up nobody knows what they did, so the hold is released until that succeeds."""
    away = [("hold", TimeoutError("no answer"))] * 4 + [("release", BankBusy("busy"))]
    with open_desk(tmp_path, None, *away) as desk:
        run = desk.apply()
        run.send(Approve("Ada"))
        result = run.result(20)
        assert (result.status, outcome(run.look())) == ("failed", "undone")
        assert result.error is not None
        assert result.error.type == "TimeoutError"
        assert desk.bank.orders() == ["hold"] * 4 + ["release"] * 2
        assert len({order.split(" as ")[1] for order in desk.bank.asked if order.startswith("hold")}) == 1


def test_a_queried_payment_waits_for_the_operator(tmp_path: Path) -> None:
    """It is an incident at the pivot: not tried again and not undone by itself; then paid under the same key."""
    with open_desk(tmp_path, None, ("pay", PaymentQueried("who is this?"))) as desk:
        run = desk.apply()
        run.send(Approve("Ada"))
        deadline = time.monotonic() + 20
        while not run.incidents:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        (incident,) = run.incidents
        assert (incident.kind, run.state) == ("pivot", ("paying",))
        assert desk.bank.orders() == ["hold", "pay"]
        run.retry(incident.number, actor="Margaret", reason="I have called them")
        assert run.result(20).state == ("paid",)
        assert desk.bank.asked[1] == desk.bank.asked[2]
        assert ledger(desk.connection) == [("loan-1", 1000, "P-1")]


def test_an_unanswered_application_lapses() -> None:
    """A decision waits for a week, counted from when it is first asked for."""
    (timer,) = LoanDesk.definition.timers
    assert (timer.state, timer.delay) == ("decision", 7 * 24 * 3600)
