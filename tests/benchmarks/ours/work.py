"""The workflows that are measured: ten steps that do nothing, a run that waits, one step, and three pure machines."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import attrs

from statemachine import Compound, Event, Parallel, State, Workflow, after, evolve, on, step


@attrs.frozen
class Counted:
    """A number, and a text of some size."""

    n: int = 0
    text: str = ""


class Ten(Workflow[Counted], name="ten"):
    """Ten steps that do nothing."""

    s0 = State(initial=True)
    s1 = State()
    s2 = State()
    s3 = State()
    s4 = State()
    s5 = State()
    s6 = State()
    s7 = State()
    s8 = State()
    s9 = State()
    over = State(final=True)

    @step(s0, to=s1)
    async def step0(self, data: Counted) -> Counted:
        return data

    @step(s1, to=s2)
    async def step1(self, data: Counted) -> Counted:
        return data

    @step(s2, to=s3)
    async def step2(self, data: Counted) -> Counted:
        return data

    @step(s3, to=s4)
    async def step3(self, data: Counted) -> Counted:
        return data

    @step(s4, to=s5)
    async def step4(self, data: Counted) -> Counted:
        return data

    @step(s5, to=s6)
    async def step5(self, data: Counted) -> Counted:
        return data

    @step(s6, to=s7)
    async def step6(self, data: Counted) -> Counted:
        return data

    @step(s7, to=s8)
    async def step7(self, data: Counted) -> Counted:
        return data

    @step(s8, to=s9)
    async def step8(self, data: Counted) -> Counted:
        return data

    @step(s9, to=over)
    async def step9(self, data: Counted) -> Counted:
        return data


class Tick(Event, frozen=True):
    """Counts."""


class Waiting(Workflow[Counted], name="waiting"):
    """A run that waits for a week, and counts what it is told meanwhile."""

    patient = State(initial=True)
    lapsed = State(final=True)

    @on(Tick, source=patient)
    def tick(self, data: Counted, event: Tick) -> Counted:
        return evolve(data, n=data.n + 1)

    lapse = after(timedelta(days=7), source=patient, to=lapsed)


class OneStep(Workflow[Counted], name="one-step"):
    """A step that takes for ever, or no time."""

    for_ever: bool
    working = State(initial=True)
    over = State(final=True)

    @step(working, to=over)
    async def work(self, data: Counted) -> Counted:
        if self.for_ever:
            await asyncio.Event().wait()
        return data


# The machines of the core. Each transition has a guard and an action, as with the peers.


class Go(Event, frozen=True):
    """Moves on."""


class Leave(Event, frozen=True):
    """Leaves the compound."""


class Back(Event, frozen=True):
    """Goes back into it."""


def willing(data: Counted) -> bool:
    """it is below nothing"""
    return data.n >= 0


class Flat(Workflow[Counted], name="flat"):
    """Two states."""

    a = State(initial=True)
    b = State()

    @on(Go, source=a, to=b, when=willing)
    def there(self, data: Counted, event: Go) -> Counted:
        return Counted(data.n + 1, data.text)

    @on(Go, source=b, to=a, when=willing)
    def here(self, data: Counted, event: Go) -> Counted:
        return Counted(data.n + 1, data.text)


class Nested(Workflow[Counted], name="nested"):
    """In a compound, out of it, and back."""

    class outer(Compound, initial=True):
        a = State(initial=True)
        b = State()

    class other(Compound):
        x = State(initial=True)

    @on(Go, source=outer.a, to=outer.b, when=willing)
    def inside(self, data: Counted, event: Go) -> Counted:
        return Counted(data.n + 1, data.text)

    @on(Leave, source=outer, to=other, when=willing)
    def leave(self, data: Counted, event: Leave) -> Counted:
        return Counted(data.n + 1, data.text)

    @on(Back, source=other, to=outer, when=willing)
    def back(self, data: Counted, event: Back) -> Counted:
        return Counted(data.n + 1, data.text)


class Regions(Workflow[Counted], name="regions"):
    """Two regions that one event moves."""

    class both(Parallel, initial=True):
        class left(Compound):
            a = State(initial=True)
            b = State()

        class right(Compound):
            a = State(initial=True)
            b = State()

    @on(Go, source=both.left.a, to=both.left.b, when=willing)
    def left_there(self, data: Counted, event: Go) -> Counted:
        return Counted(data.n + 1, data.text)

    @on(Go, source=both.left.b, to=both.left.a, when=willing)
    def left_here(self, data: Counted, event: Go) -> Counted:
        return Counted(data.n + 1, data.text)

    @on(Go, source=both.right.a, to=both.right.b, when=willing)
    def right_there(self, data: Counted, event: Go) -> Counted:
        return Counted(data.n + 1, data.text)

    @on(Go, source=both.right.b, to=both.right.a, when=willing)
    def right_here(self, data: Counted, event: Go) -> Counted:
        return Counted(data.n + 1, data.text)
