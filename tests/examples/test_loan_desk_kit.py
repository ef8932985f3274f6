"""The loan desk under the kit that users have: any path drawn at random, and every death of one loan's way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant

from examples.loan_desk import Approve, Loan, LoanDesk
from examples.loan_desk_data import Application, generate
from examples.loan_desk_remote import Bank, Bureau
from examples.loan_desk_tables import connect, ledger
from statemachine.testing import Harness, WorkflowMachine, every_crash

SMALL = attrs.evolve(generate(1, 7)[0], amount=1_000)
LARGE = attrs.evolve(SMALL, amount=9_000)


@attrs.frozen
class FairBureau(Bureau):
    """Finds nothing against anybody."""

    port: int = 0

    def score(self, loan: str, application: Application) -> int:
        return 80

    def fraud(self, loan: str) -> float:
        return 0.0

    def burden(self, loan: str, application: Application) -> float:
        return 0.1


@attrs.frozen
class KeyedBank(Bank):
    """Does each order once by its key, as the real one; `holds` is what it keeps aside."""

    port: int = 0
    holds: dict[str, int] = attrs.field(factory=dict[str, int])
    refused: set[str] = attrs.field(factory=set[str])
    payments: dict[str, int] = attrs.field(factory=dict[str, int])

    async def hold(self, loan: str, amount: int, *, key: str) -> str:
        if key not in self.refused:
            self.holds[key] = amount
        return key

    async def release(self, loan: str, hold: str, *, key: str) -> None:
        self.holds.pop(hold, None)
        self.refused.add(hold)  # an order that comes after its release is late, and is not done

    async def pay(self, loan: str, amount: int, *, hold: str, key: str) -> str:
        self.payments[key] = self.holds[hold]
        return f"paid as {key}"


class Desk(WorkflowMachine):
    """Any path of one loan."""

    draws = {  # noqa: RUF012 - declared as ClassVar by its base
        Application: st.sampled_from([SMALL, LARGE]),
        str: st.sampled_from(["Ada", "Grace", "Edsger"]),  # few clerks, so that one comes twice
    }

    def make(self) -> LoanDesk:
        self.bank = KeyedBank()
        self.books: sqlite3.Connection | None = None
        return LoanDesk(FairBureau(), self.bank)

    def connect(self) -> Any:
        self.books = connect(Path(":memory:"))
        return self.books

    def effects(self) -> object:
        return self.bank.holds

    @invariant()
    def nobody_is_paid_twice(self) -> None:
        assert len(self.bank.payments) <= 1

    @invariant()
    def four_eyes_for_much_money(self) -> None:
        if self.bank.payments and self.data.application.amount > 5_000:
            assert len(set(self.data.approved_by)) == 2

    @invariant()
    def what_is_booked_was_paid(self) -> None:
        booked = [] if self.books is None else [amount for _, amount, _ in ledger(self.books)]
        # A person's word stands, though the bank or the books know otherwise.
        word = any(act.arguments in {("skip",), ("done",)} for act in self.play.script)
        if self.snapshot.states != ("paid",):
            assert booked == []
        elif not word:
            assert booked == list(self.bank.payments.values())


TestDesk = Desk.TestCase
TestDesk.settings = settings(
    max_examples=300,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def bank_of(desk: Harness[LoanDesk]) -> KeyedBank:
    """The fake that this desk was made with."""
    bank = desk.workflow.bank
    assert isinstance(bank, KeyedBank)
    return bank


def approved(desk: Harness[LoanDesk]) -> object:
    """A large loan is approved by two clerks, and paid."""
    assert desk.file is not None
    with closing(connect(Path(desk.file))) as books:
        desk.start(Loan(LARGE), id="loan-1")
        desk.send(Approve("Ada"))
        desk.send(Approve("Grace"))
        desk.finish()
        bank = bank_of(desk)
        return bank.holds, bank.payments, ledger(books)


def lapsed(desk: Harness[LoanDesk]) -> object:
    """Nobody decides."""
    desk.start(Loan(SMALL), id="loan-2")
    desk.finish()
    return bank_of(desk).holds


def test_a_loan_is_paid_once_wherever_the_desk_dies(tmp_path: Path) -> None:
    """Held once, paid once, booked once, at every point of its way."""
    trial = every_crash(lambda: LoanDesk(FairBureau(), KeyedBank()), approved, folder=tmp_path)
    print(f"{len(trial.points)} deaths, one end")
    assert trial.end.runs["loan-1"][:2] == ("completed", ("paid",))
    points = {point for point, _ in trial.points}
    assert {"after step hold", "before transaction", "after step pay", "after event"} <= points


def test_a_loan_lapses_in_a_week_wherever_the_desk_dies() -> None:
    """Nobody decides for seven days, which take no time here."""
    trial = every_crash(lambda: LoanDesk(FairBureau(), KeyedBank()), lapsed)
    assert trial.end.runs["loan-2"][:2] == ("completed", ("declined",))
