"""How a Dutch bank handles a loan application, as a workflow: the application, its offers and the work, side by side.

The rules are those that the bank's own log of 2011/12 keeps (`examples/loan_log.py` replays it):

* An application is submitted, checked, preaccepted, accepted and finalized, in this order. On the way it may be
  declined or cancelled. A finalized one, of which an offer is out or taken, may be granted: then it is approved,
  registered and activated, in any order, and is no longer declined or cancelled.
* An offer is selected once the application is accepted, created and sent once it is finalized. No second one is out
  beside it: when another is selected, the one that is out is cancelled before the other is created. The customer may
  send it back; it ends accepted, declined or cancelled, and after a cancelled one another may follow.
* A case has one work item at a time. It is scheduled when the application has come to where that work belongs; somebody
  starts and completes it as often as it takes. While somebody is at it the next item may be scheduled, and takes its
  place when the work is laid down. An item that waits may be completed without a start: it is closed unworked. Once
  the application is declined or cancelled, nothing is started any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import attrs

from examples.loan_log_events import (
    Accepted,
    Activated,
    Approved,
    Cancelled,
    Completed,
    Declined,
    Finalized,
    Item,
    OfferAccepted,
    OfferCancelled,
    OfferCreated,
    OfferDeclined,
    OfferSelected,
    OfferSent,
    OfferSentBack,
    PartlySubmitted,
    Preaccepted,
    Registered,
    Scheduled,
    Started,
    Submitted,
)
from statemachine import Compound, Parallel, State, Workflow, evolve, joined, on, on_entry, waive


class Stage(StrEnum):
    """How far the application is, for the rules of the offers and of the work."""

    NEW = "new"
    CHECKED = "checked"
    PREACCEPTED = "preaccepted"
    ACCEPTED = "accepted"
    FINALIZED = "finalized"
    GRANTED = "granted"
    DECLINED = "declined"
    CANCELLED = "cancelled"


BELONGS: Mapping[Item, frozenset[Stage]] = {
    Item.LEADS: frozenset((Stage.CHECKED,)),
    Item.COMPLETION: frozenset((Stage.PREACCEPTED,)),
    Item.OFFERS: frozenset((Stage.FINALIZED,)),
    Item.ASSESSMENT: frozenset((Stage.FINALIZED,)),
    Item.PAPERS: frozenset((Stage.FINALIZED,)),
    Item.FRAUD: frozenset((Stage.CHECKED, Stage.PREACCEPTED, Stage.FINALIZED)),
}
"""When an item may be scheduled. A change of contract data is not here: it is asked for, and never worked on."""


@attrs.frozen
class Loan:
    """What the rules need to know of a case beyond its states."""

    amount: int | None
    stage: Stage = Stage.NEW
    making: bool = False
    """An offer was selected and is not sent yet."""
    out: int = 0
    """Offers that are sent and not yet accepted, declined or cancelled."""
    sent: int = 0
    """Offers that were ever sent."""
    taken: bool = False
    """An offer was accepted."""
    item: Item | None = None
    """The work item that waits or is worked on."""
    upcoming: Item | None = None
    """The item that takes its place when the work is laid down."""


def offered(loan: Loan) -> bool:
    """A loan is granted only on an offer that is out or accepted."""
    return loan.out > 0 or loan.taken


def refusable(loan: Loan) -> bool:
    """An application cannot be given up while an offer is being made, or once one is accepted."""
    return not loan.making and not loan.taken


def acceptable(loan: Loan) -> bool:
    """An offer is selected only for an accepted or finalized application."""
    return loan.stage in {Stage.ACCEPTED, Stage.FINALIZED}


def final(loan: Loan) -> bool:
    """An offer is created, sent and sent back only while the application is finalized."""
    return loan.stage == Stage.FINALIZED


def takeable(loan: Loan) -> bool:
    """An offer is accepted only while the application is finalized or being granted."""
    return loan.stage in {Stage.FINALIZED, Stage.GRANTED}


def declinable(loan: Loan) -> bool:
    """An offer is declined only with its application."""
    return loan.stage in {Stage.FINALIZED, Stage.DECLINED}


def cancellable(loan: Loan) -> bool:
    """An offer is cancelled only for another, or with its application."""
    return loan.stage in {Stage.FINALIZED, Stage.CANCELLED}


def belongs(loan: Loan, event: Scheduled) -> bool:
    """Work is scheduled only at the stage of the application where it belongs."""
    return loan.stage in BELONGS.get(event.item, ())


def contract_change(loan: Loan, event: Scheduled) -> bool:
    """A contract is changed only when there is one to be made."""
    return event.item == Item.CONTRACT and loan.stage in {Stage.FINALIZED, Stage.GRANTED}


def startable(loan: Loan, event: Started) -> bool:
    """Only the item that waits is started, and none once the application is declined or cancelled."""
    return event.item == loan.item and loan.stage not in {Stage.DECLINED, Stage.CANCELLED}


def in_hand(loan: Loan, event: Completed) -> bool:
    """Only the item that waits or is worked on is completed."""
    return event.item == loan.item


def stands(stage: Stage) -> Callable[[Any, Loan], Loan]:
    """A handler that notes how far the application is."""

    def handler(self: Any, loan: Loan) -> Loan:  # noqa: ARG001 -- handlers are methods
        return evolve(loan, stage=stage)

    handler.__qualname__ = f"stands_{stage}"
    return handler


@waive("dead-end", "the log has no last event of a case: work goes on after the decision")
class LoanCase(Workflow[Loan], name="loan-case", version=1):
    """One application, with its offers and the work on it. It never ends by itself: work goes on after the decision."""

    class Case(Parallel, initial=True):
        """The three lives of a case."""

        class Application(Compound):
            """The application's own life."""

            new = State(initial=True)
            submitted = State()
            checked = State()
            preaccepted = State()
            accepted = State()
            finalized = State()

            class Granting(Parallel):
                """Three formalities in any order."""

                class Approval(Compound):
                    """The decision."""

                    awaited = State(initial=True)
                    given = State(final=True)

                class Registration(Compound):
                    """The books."""

                    awaited = State(initial=True)
                    given = State(final=True)

                class Activation(Compound):
                    """The account."""

                    awaited = State(initial=True)
                    given = State(final=True)

            granted = State(final=True)
            declined = State(final=True)
            cancelled = State(final=True)

        class Offers(Compound):
            """The offer that is being made or is out."""

            none = State(initial=True)
            selected = State()
            created = State()
            sent = State()
            returned = State()
            replacing = State()
            cancelled = State()
            accepted = State(final=True)
            declined = State(final=True)

        class Desk(Compound):
            """The work item of the moment."""

            idle = State(initial=True)
            waiting = State()
            working = State()

    # The application.

    submit = on(Submitted, source=Case.Application.new, to=Case.Application.submitted)
    check = on(PartlySubmitted, source=Case.Application.submitted, to=Case.Application.checked)
    preaccept = on(Preaccepted, source=Case.Application.checked, to=Case.Application.preaccepted)
    accept = on(Accepted, source=Case.Application.preaccepted, to=Case.Application.accepted)
    finalize = on(Finalized, source=Case.Application.accepted, to=Case.Application.finalized)

    approve = on(
        Approved,
        source=(Case.Application.finalized, Case.Application.Granting.Approval.awaited),
        to=Case.Application.Granting.Approval.given,
        when=offered,
    )
    register = on(
        Registered,
        source=(Case.Application.finalized, Case.Application.Granting.Registration.awaited),
        to=Case.Application.Granting.Registration.given,
        when=offered,
    )
    activate = on(
        Activated,
        source=(Case.Application.finalized, Case.Application.Granting.Activation.awaited),
        to=Case.Application.Granting.Activation.given,
        when=offered,
    )
    grant = joined(Case.Application.Granting, to=Case.Application.granted)

    undecided = (
        Case.Application.checked,
        Case.Application.preaccepted,
        Case.Application.accepted,
        Case.Application.finalized,
    )
    decline = on(Declined, source=undecided, to=Case.Application.declined, when=refusable)
    cancel = on(Cancelled, source=undecided, to=Case.Application.cancelled, when=refusable)

    at_checked = on_entry(Case.Application.checked)(stands(Stage.CHECKED))
    at_preaccepted = on_entry(Case.Application.preaccepted)(stands(Stage.PREACCEPTED))
    at_accepted = on_entry(Case.Application.accepted)(stands(Stage.ACCEPTED))
    at_finalized = on_entry(Case.Application.finalized)(stands(Stage.FINALIZED))
    at_granting = on_entry(Case.Application.Granting)(stands(Stage.GRANTED))
    at_declined = on_entry(Case.Application.declined)(stands(Stage.DECLINED))
    at_cancelled = on_entry(Case.Application.cancelled)(stands(Stage.CANCELLED))

    # Its offers.

    @on(OfferSelected, source=(Case.Offers.none, Case.Offers.cancelled), to=Case.Offers.selected, when=acceptable)
    @on(OfferSelected, source=(Case.Offers.sent, Case.Offers.returned), to=Case.Offers.replacing, when=acceptable)
    def select_offer(self, loan: Loan, _event: OfferSelected) -> Loan:
        """Until it is sent, an offer is being made."""
        return evolve(loan, making=True)

    create_offer = on(OfferCreated, source=Case.Offers.selected, to=Case.Offers.created, when=final)

    @on(OfferSent, source=Case.Offers.created, to=Case.Offers.sent, when=final)
    def send_offer(self, loan: Loan, _event: OfferSent) -> Loan:
        """Now it is out."""
        return evolve(loan, making=False, out=loan.out + 1, sent=loan.sent + 1)

    send_back_offer = on(OfferSentBack, source=Case.Offers.sent, to=Case.Offers.returned, when=final)

    @on(OfferCancelled, source=(Case.Offers.sent, Case.Offers.returned), to=Case.Offers.cancelled, when=cancellable)
    @on(OfferCancelled, source=Case.Offers.replacing, to=Case.Offers.selected, when=cancellable)
    def cancel_offer(self, loan: Loan, _event: OfferCancelled) -> Loan:
        """It is out no longer."""
        return evolve(loan, out=loan.out - 1)

    @on(OfferAccepted, source=(Case.Offers.sent, Case.Offers.returned), to=Case.Offers.accepted, when=takeable)
    def accept_offer(self, loan: Loan, _event: OfferAccepted) -> Loan:
        """It binds both."""
        return evolve(loan, out=loan.out - 1, taken=True)

    @on(OfferDeclined, source=(Case.Offers.sent, Case.Offers.returned), to=Case.Offers.declined, when=declinable)
    def decline_offer(self, loan: Loan, _event: OfferDeclined) -> Loan:
        """It is out no longer."""
        return evolve(loan, out=loan.out - 1)

    # The work on it.

    @on(Scheduled, source=(Case.Desk.idle, Case.Desk.waiting), to=Case.Desk.waiting, when=belongs)
    def schedule(self, loan: Loan, event: Scheduled) -> Loan:
        """It waits in place of the item before it."""
        return evolve(loan, item=event.item)

    @on(Scheduled, source=Case.Desk.working, when=belongs)
    def schedule_next(self, loan: Loan, event: Scheduled) -> Loan:
        """It waits until the work in hand is laid down."""
        return evolve(loan, upcoming=event.item)

    change_contract = on(Scheduled, source=Case.Desk, when=contract_change)
    start = on(Started, source=Case.Desk.waiting, to=Case.Desk.working, when=startable)

    @on(Completed, source=Case.Desk.working, to=Case.Desk.waiting, when=in_hand)
    def lay_down(self, loan: Loan, _event: Completed) -> Loan:
        """The item waits again, or the next one in its place."""
        return evolve(loan, item=loan.upcoming or loan.item, upcoming=None)

    @on(Completed, source=Case.Desk.waiting, to=Case.Desk.idle, when=in_hand)
    def close_unworked(self, loan: Loan, _event: Completed) -> Loan:
        """Nothing waits any more."""
        return evolve(loan, item=None)


OUTCOMES: Mapping[str, tuple[State, ...]] = {
    "approved": (LoanCase.Case.Application.Granting.Approval.given, LoanCase.Case.Application.granted),
    "declined": (LoanCase.Case.Application.declined,),
    "cancelled": (LoanCase.Case.Application.cancelled,),
}
"""What became of a case, by the state it is in; any other is open."""
