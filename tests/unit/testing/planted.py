"""Workflows with a defect planted in each, and their sound twins: what the kit for users must find, and must not."""

from __future__ import annotations

from datetime import timedelta

import attrs
from hypothesis.stateful import invariant

from statemachine import Call, Event, Retry, State, Workflow, after, always, evolve, on, step
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
    """Its first step has an undo that forgets half of what the step does; its second has none."""

    hotel: Hotel

    first = State(initial=True)
    second = State()
    waiting = State()
    gone = State(final=True)
    undone = State(final=True, compensate=True)

    @step(first, to=second, retry=Retry(2))
    async def book(self, trip: Trip, call: Call) -> Trip:
        self.hotel.book(call.key)
        return evolve(trip, nights=1)

    @step(second, to=waiting, retry=Retry(2))
    def extend(self, trip: Trip, call: Call) -> Trip:
        self.hotel.book(call.key)
        return evolve(trip, nights=2)

    @extend.undo
    def shorten(self, trip: Trip, call: Call) -> None:
        self.hotel.release(call.undoes)

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
