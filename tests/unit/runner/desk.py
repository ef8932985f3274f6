"""The workflow that the runner's tests run: an order that is reserved, charged and sent, with a clerk in between."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs

from statemachine import AsyncRunner, Call, Event, Retry, Run, State, Workflow, after, evolve, on, step


@attrs.frozen
class Order:
    item: str
    price: float = 10.0
    reserved: bool = False
    note: str = ""


class Confirm(Event, frozen=True):
    by: str = "clerk"


class Note(Event, frozen=True):
    text: str


class Reject(Event, frozen=True):
    pass


class Unheard(Event, frozen=True):
    pass


class Gone(Exception):
    """The item is known to be gone: no effect."""


class World:
    """What the steps touch, and how they fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Call]] = []
        self.failures: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()

    def touch(self, what: str, call: Call) -> None:
        """Note the call; raise the next failure, when there is one."""
        self.calls.append((what, call))
        if self.failures:
            raise self.failures.pop(0)

    def names(self) -> list[str]:
        """What was called, in order."""
        return [what for what, _ in self.calls]


def reserved(order: Order) -> bool:
    """nothing is reserved yet"""
    return order.reserved


class Shop(Workflow[Order], name="shop"):
    world: World

    reserving = State(initial=True)
    waiting = State(waits_for="clerk", defer=())
    charging = State()
    sent = State(final=True)
    gone = State(final=True)
    rejected = State(final=True, compensate=True)

    @step(reserving, to=waiting, error={Gone: gone}, retry=Retry(3, delay=60, jitter=0))
    def reserve(self, order: Order, call: Call) -> Order:
        self.world.touch("reserve", call)
        self.world.gate.wait(10)
        return evolve(order, reserved=True)

    @reserve.undo(retry=Retry(2, delay=60, jitter=0))
    async def release(self, order: Order, call: Call) -> None:
        self.world.touch("release", call)

    @on(Note, source=waiting)
    def write(self, order: Order, event: Note) -> Order:
        if event.text == "bad":
            message = "a handler that raises"
            raise ValueError(message)
        return evolve(order, note=event.text)

    confirm = on(Confirm, source=waiting, to=charging, when=reserved)
    reject = on(Reject, source=waiting, to=rejected)
    lapse = after(timedelta(days=7), source=waiting, to=rejected)

    @step(charging, to=sent, pivot=True)
    async def charge(self, order: Order, call: Call) -> Order:
        self.world.touch("charge", call)
        return order


def becomes(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Come back when something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


async def arrived(runner: AsyncRunner, run: str, state: str) -> None:
    """Come back when a run is in a state."""
    while (await runner.look(run)).state != (state,):  # noqa: ASYNC110 -- a look is what is tested
        await asyncio.sleep(0.005)


def until(run: Run[Any], state: str, seconds: float = 10.0) -> None:
    """Come back when the run is in a state."""
    end = time.monotonic() + seconds
    while run.state != (state,):
        assert time.monotonic() < end, f"{run.state}, not {state}"
        time.sleep(0.005)


def until_incident(run: Run[Order], seconds: float = 10.0) -> int:
    """Come back when the run has an incident; its number."""
    end = time.monotonic() + seconds
    while not run.incidents:
        assert time.monotonic() < end, "no incident"
        time.sleep(0.005)
    return run.incidents[0].number
