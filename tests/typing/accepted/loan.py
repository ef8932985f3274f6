"""The design's example, whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

import attrs

from statemachine import Call, Event, Retry, State, Workflow, after, evolve, on, step


@attrs.frozen
class Loan:
    """A loan that is asked for."""

    applicant: str
    amount: int
    fraud: float = 0.0
    approved_by: str | None = None


class Approve(Event, frozen=True):
    """A person says yes."""

    by: str


class Decline(Event, frozen=True):
    """A person says no."""

    by: str
    reason: str


class Bureau(Protocol):
    """Scores applicants."""

    async def score(self, applicant: str) -> float:
        """From 0 to 1."""
        ...


class Bank(Protocol):
    """Moves money."""

    async def hold(self, amount: int, key: str) -> None:
        """Set the money aside."""
        ...

    async def release(self, key: str) -> None:
        """Give it free again."""
        ...

    async def pay(self, amount: int, key: str) -> None:
        """Pay it out."""
        ...


class InsufficientFunds(Exception):
    """The bank has not so much."""


def fraudulent(loan: Loan) -> bool:
    """The bureau warns of fraud."""
    return loan.fraud > 0.9


def large(loan: Loan) -> bool:
    """The amount needs a person."""
    return loan.amount > 1_000


def someone_else(loan: Loan, event: Approve) -> bool:
    """Nobody approves a loan of their own."""
    return event.by != loan.applicant


class LoanApproval(Workflow[Loan], name="loan-approval", version=1):
    """From application to payment."""

    bureau: Bureau
    bank: Bank

    screening = State(initial=True)
    review = State(waits_for="loan officer")
    holding = State()
    paying = State()
    paid = State(final=True)
    declined = State(final=True, compensate=True)

    @step(screening, to=(declined.when(fraudulent), review.when(large), holding), retry=Retry(5), timeout=30)
    async def screen(self, loan: Loan) -> Loan:
        """Ask the bureau."""
        return evolve(loan, fraud=await self.bureau.score(loan.applicant))

    @on(Approve, source=review, to=holding, when=someone_else)
    def approve(self, loan: Loan, event: Approve) -> Loan:
        """Note who approved."""
        return evolve(loan, approved_by=event.by)

    decline = on(Decline, source=review, to=declined)
    lapse = after(timedelta(days=7), source=review, to=declined)

    @step(holding, to=paying, error={InsufficientFunds: declined})
    async def hold(self, loan: Loan, call: Call) -> Loan:
        """Set the money aside."""
        await self.bank.hold(loan.amount, call.key)
        return loan

    @hold.undo
    async def release(self, loan: Loan, call: Call) -> None:
        """Give it free again."""
        await self.bank.release(call.undoes)

    @step(paying, to=paid, pivot=True)
    async def pay(self, loan: Loan, call: Call) -> Loan:
        """Pay it out."""
        await self.bank.pay(loan.amount, call.key)
        return loan
