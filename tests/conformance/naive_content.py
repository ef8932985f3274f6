"""Executable content, events and delayed sends of the naive interpreter (SCXML 4, 5.9 and 6.2)."""

from __future__ import annotations

from typing import Any

import attrs

from tests.conformance.drawn import LINES, Action, Guard


class BoomError(Exception):
    """An action or guard that raises on purpose."""


@attrs.frozen
class Event:
    """What is handled."""

    name: str
    value: Any = None
    kind: str = "external"


@attrs.frozen(eq=False)
class Delayed:
    """An event that comes later: a send, or the timer of a state."""

    due: float
    event: Event
    to: str = ""
    send_id: str | None = None
    state: str | None = None


class Content:
    """What a machine's content reads and writes. `said` is what it asked of its host at the last event."""

    def __init__(self) -> None:
        self.configuration: set[str] = set()
        self.internal_queue: list[Event] = []
        self.event: Event | None = None
        self.n = 0
        self.log: list[str] = []
        self.now = 0.0
        self.delayed: list[Delayed] = []
        self.said: list[tuple[Any, ...]] = []

    def execute(self, block: tuple[Action, ...]) -> None:
        """Perform a block; an error ends it and is an event."""
        try:
            for action in block:
                self.perform(action)
        except BoomError:
            self.error()

    def error(self) -> None:
        """An error is an internal event (5.9.2 for conditions, 4.9 for blocks)."""
        self.internal_queue.append(Event("error.execution", "boom", "platform"))

    def perform(self, action: Action) -> None:
        """Perform one action."""
        match action:
            case ("mark", label):
                self.note(f"{label} {self.event.name if self.event else ''}")
            case ("whether", state):
                self.note(f"{state} {state in self.configuration}")
            case ("add", k):
                self.n = min(9, self.n + k)
            case ("zero",):
                self.n = 0
            case ("take",):
                self.note(f"{self.event.kind} {self.event.value}" if self.event else " None")
            case ("raise", event):
                self.internal_queue.append(Event(event, self.n, "internal"))
            case ("send", to, event, delay, send_id):
                self.send(to, Event(event, self.n), delay, send_id)
            case ("cancel", send_id):
                for delayed in [one for one in self.delayed if one.send_id == send_id]:
                    self.forget(delayed)
            case _:
                raise BoomError

    def note(self, line: str) -> None:
        """Write a line into the log."""
        self.log = [*self.log, line][-LINES:]

    def condition_match(self, guard: Guard | None) -> bool:
        """A condition that raises is false, and an error."""
        try:
            return guard is None or self.holds(guard)
        except BoomError:
            self.error()
            return False

    def holds(self, guard: Guard) -> bool:
        """What a condition answers."""
        match guard:
            case ("below", k):
                return bool(self.n < k)
            case ("odd",):
                return self.n % 2 == 1
            case ("in", state):
                return state in self.configuration
            case _:
                raise BoomError

    def send(self, to: str, event: Event, delay: float, send_id: str | None) -> None:
        """Send at once, or later."""
        if delay:
            self.set(Delayed(self.now + delay, event, to, send_id))
        else:
            self.said.append(("send", to, event.name, event.value, send_id))

    def set(self, delayed: Delayed) -> None:
        """Have an event come later."""
        self.delayed.append(delayed)
        self.said.append(("set", delayed.due))

    def forget(self, delayed: Delayed) -> None:
        """Have it not come."""
        self.delayed.remove(delayed)
        self.said.append(("cancel", delayed.due))


def matches(descriptor: str, name: str) -> bool:
    """Whether an event descriptor's tokens are the first of the name's (3.12.1)."""
    if descriptor == "*":
        return True
    tokens = descriptor.removesuffix(".*").split(".")
    return name.split(".")[: len(tokens)] == tokens
