"""The events of the bank's log, each a type of its own, and how the log's plain records become them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from examples.xes import LogEvent
from statemachine import Event


class Item(StrEnum):
    """What people at the bank do, by the names in the log."""

    LEADS = "Afhandelen leads"
    COMPLETION = "Completeren aanvraag"
    OFFERS = "Nabellen offertes"
    ASSESSMENT = "Valideren aanvraag"
    PAPERS = "Nabellen incomplete dossiers"
    FRAUD = "Beoordelen fraude"
    CONTRACT = "Wijzigen contractgegevens"


class Logged(Event, frozen=True):
    """An event with the time at which the bank saw it."""

    at: datetime


class Submitted(Logged, frozen=True, tag="A_SUBMITTED"):
    """The application arrives."""


class PartlySubmitted(Logged, frozen=True, tag="A_PARTLYSUBMITTED"):
    """Its first check is done."""


class Preaccepted(Logged, frozen=True, tag="A_PREACCEPTED"):
    """It is worth completing."""


class Accepted(Logged, frozen=True, tag="A_ACCEPTED"):
    """It is complete, and an offer will be made."""


class Finalized(Logged, frozen=True, tag="A_FINALIZED"):
    """The offer's terms are put down."""


class Approved(Logged, frozen=True, tag="A_APPROVED"):
    """The loan is granted."""


class Registered(Logged, frozen=True, tag="A_REGISTERED"):
    """The loan is in the books."""


class Activated(Logged, frozen=True, tag="A_ACTIVATED"):
    """The loan runs."""


class Declined(Logged, frozen=True, tag="A_DECLINED"):
    """The bank says no."""


class Cancelled(Logged, frozen=True, tag="A_CANCELLED"):
    """The customer says no, or nothing for too long."""


class OfferSelected(Logged, frozen=True, tag="O_SELECTED"):
    """An offer is chosen to be made."""


class OfferCreated(Logged, frozen=True, tag="O_CREATED"):
    """The offer is written."""


class OfferSent(Logged, frozen=True, tag="O_SENT"):
    """The offer goes to the customer."""


class OfferSentBack(Logged, frozen=True, tag="O_SENT_BACK"):
    """The customer sends the offer back."""


class OfferAccepted(Logged, frozen=True, tag="O_ACCEPTED"):
    """The offer is agreed."""


class OfferDeclined(Logged, frozen=True, tag="O_DECLINED"):
    """The bank takes the offer back for good."""


class OfferCancelled(Logged, frozen=True, tag="O_CANCELLED"):
    """The offer holds no longer."""


class Work(Logged, frozen=True):
    """Something happens to a work item."""

    item: Item


class Scheduled(Work, frozen=True, tag="W_SCHEDULE"):
    """The item is to be done."""


class Started(Work, frozen=True, tag="W_START"):
    """Somebody begins, or goes on."""


class Completed(Work, frozen=True, tag="W_COMPLETE"):
    """Somebody lays the item down, done or not."""


class Foreign(Event, frozen=True):
    """An event of another process than this one; no workflow here declares it."""

    name: str


_DECISIONS: Mapping[str, type[Logged]] = {
    kind.__struct_config__.tag: kind for kind in Logged.__subclasses__() if isinstance(kind.__struct_config__.tag, str)
}
_ITEMS: Mapping[str, Item] = {f"W_{item}": item for item in Item}
_WORK: Mapping[str, type[Work]] = {"SCHEDULE": Scheduled, "START": Started, "COMPLETE": Completed}


def typed(event: LogEvent) -> Event:
    """An event of the log as the workflow knows it; `Foreign` when it does not know it."""
    decision = _DECISIONS.get(event.name)
    if decision is not None and event.transition in {"COMPLETE", ""}:
        return decision(event.at)
    work, item = _WORK.get(event.transition), _ITEMS.get(event.name)
    if work is not None and item is not None:
        return work(event.at, item)
    return Foreign(event.name)
