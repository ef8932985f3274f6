"""Workflows with a defect planted in each, and their sound twins: what the kit for users must find, and must not."""

from __future__ import annotations

from datetime import timedelta

import attrs
from hypothesis.stateful import invariant

from statemachine import (
    Call,
    Compound,
    Event,
    Parallel,
    Retry,
    State,
    Workflow,
    after,
    always,
    evolve,
    joined,
    on,
    step,
)
from statemachine.testing.machine import WorkflowMachine


class NoRoomError(Exception):
    """The hotel is full."""


@attrs.define
class Hotel:
    """A receiver that deduplicates by key, or (`careless`) does not."""

    careless: bool = False
    booked: dict[str, int] = attrs.field(factory=dict[str, int])

    def book(self, key: str) -> None:
        self.booked[key] = self.booked.get(key, 0) + 1 if self.careless else 1

    def release(self, key: str) -> None:
        self.booked.pop(key, None)


@attrs.frozen
class Trip:
    traveller: str
    nights: int = 0
    paid: int = 0


class Confirm(Event, frozen=True):
    """The traveller goes."""


class Pay(Event, frozen=True):
    """The traveller pays in advance."""

    amount: int


class Booking(Workflow[Trip], name="booking"):
    """Sound: books twice, waits for a word, and is undone when none comes."""

    hotel: Hotel

    first = State(initial=True)
    second = State()
    waiting = State()
    gone = State(final=True)
    undone = State(final=True, compensate=True)

    @step(first, to=second, retry=Retry(2), error={NoRoomError: undone})
    async def book(self, trip: Trip, call: Call) -> Trip:
        self.hotel.book(call.key)
        return evolve(trip, nights=1)

    @book.undo(retry=Retry(2))
    async def release(self, trip: Trip, call: Call) -> None:
        self.hotel.release(call.undoes)

    @step(second, to=waiting, retry=Retry(2), error={NoRoomError: undone})
    def extend(self, trip: Trip, call: Call) -> Trip:
        self.hotel.book(call.key)
        return evolve(trip, nights=2)

    @extend.undo
    def shorten(self, trip: Trip, call: Call) -> None:
        self.hotel.release(call.undoes)

    confirm = on(Confirm, source=waiting, to=gone)
    lapse = after(timedelta(days=30), source=waiting, to=undone)


class Bookings(WorkflowMachine):
    """Sound."""

    def make(self) -> Booking:
        self.hotel = Hotel()
        return Booking(self.hotel)

    def effects(self) -> object:
        return self.hotel.booked


class CarelessBookings(Bookings):
    """A step that is not idempotent."""

    def make(self) -> Booking:
        self.hotel = Hotel(careless=True)
        return Booking(self.hotel)


class Forgetful(Workflow[Trip], name="forgetful"):
    """What it books it never gives back."""

    hotel: Hotel

    booking = State(initial=True)
    waiting = State()
    gone = State(final=True)
    undone = State(final=True, compensate=True)

    @step(booking, to=waiting)
    async def book(self, trip: Trip, call: Call) -> Trip:
        self.hotel.book(call.key)
        return trip

    confirm = on(Confirm, source=waiting, to=gone)
    lapse = after(timedelta(days=30), source=waiting, to=undone)


class ForgetfulBookings(WorkflowMachine):
    """A compensation was forgotten."""

    def make(self) -> Forgetful:
        self.hotel = Hotel()
        return Forgetful(self.hotel)

    def effects(self) -> object:
        return self.hotel.booked


class Deposit(Workflow[Trip], name="deposit"):
    """Sound: what is paid while the room is sought waits, and is written down whichever way that goes."""

    seeking = State(initial=True, defer=(Pay,))
    offered = State()
    refused = State()
    gone = State(final=True)
    refunded = State(final=True)

    @step(seeking, to=offered, retry=Retry(2), error={NoRoomError: refused}, effect=False)
    def seek(self, trip: Trip) -> Trip:
        return evolve(trip, nights=1)

    @on(Pay, source=(offered, refused))
    def note(self, trip: Trip, event: Pay) -> Trip:
        return evolve(trip, paid=trip.paid + event.amount)

    confirm = on(Confirm, source=offered, to=gone)
    lapse = after(timedelta(days=7), source=(offered, refused), to=refunded)


class Deposits(WorkflowMachine):
    """Sound; and each that was accepted shows in the data."""

    def make(self) -> Workflow[Trip]:
        return Deposit()

    @invariant()
    def what_was_paid_is_known(self) -> None:
        waiting = sum(one.value.amount for one in self.snapshot.deferred if isinstance(one.value, Pay))
        paid = sum(event.amount for event in self.play.events if isinstance(event, Pay))
        undone = self.snapshot.ending is not None
        assert undone or paid == self.data.paid + waiting


class LosingDeposit(Workflow[Trip], name="losing-deposit"):
    """When there is no room the run ends, and what was paid meanwhile is thrown away."""

    seeking = State(initial=True, defer=(Pay,))
    offered = State()
    gone = State(final=True)
    refused = State(final=True)

    @step(seeking, to=offered, retry=Retry(2), error={NoRoomError: refused}, effect=False)
    def seek(self, trip: Trip) -> Trip:
        return evolve(trip, nights=1)

    @on(Pay, source=offered, to=gone)
    def pay(self, trip: Trip, event: Pay) -> Trip:
        return evolve(trip, paid=trip.paid + event.amount)


class LosingDeposits(WorkflowMachine):
    """An event is acknowledged and lost."""

    def make(self) -> LosingDeposit:
        return LosingDeposit()


class ForgettingDeposit(Workflow[Trip], name="forgetting-deposit"):
    """It accepts a payment and does not write it down."""

    offered = State(initial=True)
    gone = State(final=True)

    @on(Pay, source=offered)
    def note(self, trip: Trip, event: Pay) -> Trip:
        return trip

    confirm = on(Confirm, source=offered, to=gone)


class ForgettingDeposits(Deposits):
    """An event is accepted and has no trace; only its user's invariant can know that it should."""

    def make(self) -> Workflow[Trip]:
        return ForgettingDeposit()


def found_room(trip: Trip) -> bool:
    """a room was found"""
    return trip.nights > 0


class Stuck(Workflow[Trip], name="stuck"):
    """After the hotel's no it waits for what can never be true there; only data knows, so no check of the shape can."""

    seeking = State(initial=True)
    full = State()
    gone = State(final=True)

    @step(seeking, to=gone, retry=Retry(2), error={NoRoomError: full}, effect=False)
    def seek(self, trip: Trip) -> Trip:
        return evolve(trip, nights=1)

    onward = always(source=full, to=gone, when=found_room)


class StuckTrips(WorkflowMachine):
    """A state that nothing leaves after a refusal."""

    def make(self) -> Workflow[Trip]:
        return Stuck()


class Patient(Workflow[Trip], name="patient"):
    """Sound: after the hotel's no it goes home in the evening."""

    seeking = State(initial=True)
    full = State()
    gone = State(final=True)

    @step(seeking, to=gone, retry=Retry(2), error={NoRoomError: full}, effect=False)
    def seek(self, trip: Trip) -> Trip:
        return evolve(trip, nights=1)

    onward = always(source=full, to=gone, when=found_room)
    evening = after(timedelta(hours=8), source=full, to=gone)


class PatientTrips(StuckTrips):
    """Sound."""

    def make(self) -> Workflow[Trip]:
        return Patient()


class Told(Event, frozen=True):
    """Something that every state may hear, and that a step may meet half-way."""

    word: str


@attrs.frozen
class Letter:
    to: str
    words: tuple[str, ...] = ()
    draft: str = ""
    stamp: str = ""
    sent: int = 0


@attrs.define
class Office:
    """Where letters are written, stamped, weighed and sent."""

    desk: dict[str, str] = attrs.field(factory=dict[str, str])
    sent: list[str] = attrs.field(factory=list[str])


def heavy(letter: Letter) -> bool:
    """it is a heavy one"""
    return len(letter.words) > 1


def weighed(letter: Letter, grams: int) -> Letter:
    """Fold what the scales said."""
    return evolve(letter, stamp=f"{letter.stamp} {grams}")


class Correspondence(Workflow[Letter], name="correspondence"):
    """Sound, with a little of everything: regions, deferral, a fold, `failed=`, at most once, a pivot, a loop."""

    office: Office

    class preparing(Parallel, initial=True):
        """Beside each other."""

        class text(Compound):
            """The words."""

            writing = State(initial=True, defer=(Told,))
            written = State(final=True)

        class envelope(Compound):
            """What goes around them."""

            stamping = State(initial=True)
            weighing = State()
            ready = State(final=True)

    waiting = State()
    unsure = State()
    posting = State()
    filing = State()
    done = State(final=True)
    torn = State(final=True, compensate=True)

    @step(preparing.text.writing, to=preparing.text.written, retry=Retry(2), error={NoRoomError: torn})
    async def write(self, letter: Letter, call: Call) -> Letter:
        self.office.desk[call.key] = letter.to
        return evolve(letter, draft=f"Dear {letter.to}")

    @write.undo(retry=Retry(2))
    def tear(self, letter: Letter, call: Call) -> None:
        self.office.desk.pop(call.undoes, None)

    @step(preparing.envelope.stamping, to=preparing.envelope.weighing, retry=Retry(3), failed=unsure)
    def frank(self, letter: Letter, call: Call) -> Letter:
        self.office.desk[call.key] = "stamp"
        return evolve(letter, stamp="60")

    @frank.undo
    async def soak(self, letter: Letter, call: Call) -> None:
        self.office.desk.pop(call.undoes, None)

    @step(preparing.envelope.weighing, to=preparing.envelope.ready, into=weighed, effect=False)
    def weigh(self, letter: Letter) -> int:
        return 20

    prepared = joined(preparing, to=waiting)

    @on(Told, source=(waiting, unsure))
    def hear(self, letter: Letter, event: Told) -> Letter:
        return evolve(letter, words=(*letter.words, event.word)[-3:])

    confirm = on(Confirm, source=waiting, to=(preparing.when(heavy), posting))
    go_home = after(timedelta(hours=2), source=(waiting, unsure), to=torn)

    @step(posting, to=filing, pivot=True, once=True, error={NoRoomError: torn})
    def post(self, letter: Letter, call: Call) -> Letter:
        self.office.sent.append(call.key)
        return evolve(letter, sent=letter.sent + 1)

    @step(filing, to=done, effect=False, retry=Retry(2))
    async def keep(self, letter: Letter) -> Letter:
        return letter


class Letters(WorkflowMachine):
    """Sound."""

    may_drop = (Told,)

    def make(self) -> Correspondence:
        self.office = Office()
        return Correspondence(self.office)

    def effects(self) -> object:
        return self.office.desk

    @invariant()
    def it_is_posted_once(self) -> None:
        assert len(self.office.sent) <= 1
