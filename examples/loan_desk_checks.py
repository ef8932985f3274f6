"""What must be true when the desk has closed, held against the memory of the bank, which knows nothing of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import attrs

from examples.loan_desk_memory import Account, Entry, accounts

Outcome = Literal["paid", "declined", "undone", "open"]


@attrs.frozen
class Ending:
    """How one run ended, as the desk sees it."""

    loan: str
    amount: int
    outcome: Outcome
    why: str = ""
    """Why it was not paid."""
    approved_by: tuple[str, ...] = ()
    failures: int = 0
    """Attempts of steps that failed."""
    kills: int = 0
    """How often the worker was killed while it was under way."""
    ends: int = 1
    """How often its journal enters an end."""
    folds: bool = True
    """Whether its journal, folded again, gives its snapshot."""


@attrs.frozen
class Check:
    """A sentence, and what contradicts it."""

    sentence: str
    against: tuple[str, ...]


def examine(
    applications: Sequence[str],
    endings: Sequence[Ending],
    ledger: Iterable[tuple[str, int, str]],
    entries: list[Entry],
    *,
    four_eyes: int,
) -> list[Check]:
    """All checks.

    Args:
        applications: The loan of each row of the application's table.
        endings: What the journal says.
        ledger: Rows of the ledger: loan, amount, the payment's reference.
        entries: What the bank remembers.
        four_eyes: The amount above which two persons must have approved.
    """
    bank = accounts(entries)
    return [
        Check("each application ended exactly once", tuple(_ended(applications, endings, bank))),
        Check("each paid loan was paid once by the bank, and no other was", tuple(_paid(endings, bank))),
        Check("the bank holds nothing any more", tuple(_held(bank))),
        Check("the ledger is the bank's list of payments", tuple(_booked(ledger, entries))),
        Check(f"two persons approved each loan above {four_eyes:,}", tuple(_approved(endings, four_eyes))),
        Check("each journal, folded again, gives its run", tuple(one.loan for one in endings if not one.folds)),
    ]


def _ended(applications: Sequence[str], endings: Sequence[Ending], bank: dict[str, Account]) -> Iterable[str]:
    handed_in = Counter(applications)
    runs = Counter(one.loan for one in endings)
    for loan in sorted(handed_in.keys() | runs.keys() | bank.keys()):
        if (handed_in[loan], runs[loan]) != (1, 1):
            yield f"{loan} was handed in {handed_in[loan]} times and has {runs[loan]} runs"
    for one in endings:
        if one.outcome == "open" or one.ends != 1:
            yield f"{one.loan} is {one.outcome} and ended {one.ends} times"
    for loan, account in bank.items():
        if account.payments and account.released:
            yield f"{loan} was paid by the bank, and its hold was released"


def _paid(endings: Sequence[Ending], bank: dict[str, Account]) -> Iterable[str]:
    for one in endings:
        amounts = [entry.amount for entry in bank.get(one.loan, Account()).payments]
        due = [one.amount] if one.outcome == "paid" else []
        if amounts != due:
            yield f"{one.loan} is {one.outcome}, and the bank paid {amounts or 'nothing'} instead of {due or 'nothing'}"


def _held(bank: dict[str, Account]) -> Iterable[str]:
    for loan, account in bank.items():
        if account.open_holds:
            yield f"{loan} has {len(account.open_holds)} open hold"


def _booked(ledger: Iterable[tuple[str, int, str]], entries: list[Entry]) -> Iterable[str]:
    booked = Counter(ledger)
    paid = Counter((entry.loan, entry.amount, entry.reference) for entry in entries if entry.op == "pay")
    for row in sorted(booked.keys() | paid.keys()):
        if booked[row] != paid[row]:
            yield f"{' '.join(map(str, row))} was booked {booked[row]} times and paid {paid[row]} times"


def _approved(endings: Sequence[Ending], four_eyes: int) -> Iterable[str]:
    for one in endings:
        needed = 2 if one.amount > four_eyes else 1
        if one.outcome == "paid" and len(set(one.approved_by)) != needed:
            yield f"{one.loan} of {one.amount:,} was approved by {' and '.join(one.approved_by) or 'nobody'}"
