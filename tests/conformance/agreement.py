"""Drives the core and the naive interpreter through the same, and holds them equal after every event.

The core is driven twice, once going on from its own bytes after each event. Equal are the active states, the data (with
the log, in which every block of content leaves a line), histories, timers and what is asked of the host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from statemachine.commands import CancelTimer, Command, Finish, Send, SetTimer
from statemachine.definition import Definition
from statemachine.errors import EndlessLoop
from statemachine.inputs import Begin, Elapsed, Input, Received
from statemachine.snapshot import Occurrence, Snapshot
from statemachine.transition import Outcome, start, transition
from tests.conformance.build import BEGINNING, definition_of
from tests.conformance.drawing import Happening
from tests.conformance.drawn import DrawnMachine, DrawnState
from tests.conformance.naive import EndlessError, Naive
from tests.conformance.naive_content import Event

BEGUN = datetime(2024, 1, 1, tzinfo=UTC)
PATIENCE = 60
"""Microsteps of one macrostep, in both, after which it is taken for endless."""
PING_PONG = 20
"""Events that a machine may send itself after one from outside, before the next comes anyway."""
LONG_STORY = 120
"""Events after which a story ends: a machine whose every event sends two more never runs out of them."""


class Core:
    """The core, driven through the same calls as the naive interpreter."""

    def __init__(self, definition: Definition, *, reload: bool) -> None:
        self._definition = definition
        self._reload = reload
        self._due: dict[int, datetime] = {}
        self.said: list[tuple[Any, ...]] = []
        self.endless = False
        self.snapshot: Snapshot[dict[str, Any]]

    def start(self) -> None:
        """Begin."""
        self._keep(lambda: start(self._definition, "run", Begin(BEGINNING, "nonce"), BEGUN))

    def receive(self, event: Event, now: float) -> None:
        """An event from outside."""
        self._take(Received(Occurrence(event.name, event.value)), now)

    def elapse(self, now: float) -> None:
        """The first timer is due."""
        timer = min(self.snapshot.timers, key=lambda timer: (timer.due, timer.number))
        self._take(Elapsed(timer.number), now)

    def _take(self, told: Input, now: float) -> None:
        self._keep(lambda: transition(self._definition, self.snapshot, told, BEGUN + timedelta(seconds=now)))

    def _keep(self, act: Callable[[], Outcome]) -> None:
        try:
            outcome = act()
        except EndlessLoop:
            self.endless = True
            return
        snapshot = outcome.snapshot
        if self._reload:
            snapshot = msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot[dict[str, Any]])
            assert snapshot == outcome.snapshot
        self.snapshot = snapshot
        self.endless = any(incident.kind == "handler" for incident in snapshot.incidents)
        self.said = [self._words(command) for command in outcome.commands]

    def _words(self, command: Command) -> tuple[Any, ...]:
        match command:
            case Send():
                return ("send", command.to, command.name, command.value, command.send_id)
            case SetTimer():
                self._due[command.number] = command.due
                return ("set", _seconds(command.due))
            case CancelTimer():
                return ("cancel", _seconds(self._due[command.number]))
            case Finish(status="completed"):
                return ("finish", command.value)
            case _:
                raise AssertionError(command)

    def state(self) -> dict[str, object]:
        """Everything that must be the same in both."""
        snapshot = self.snapshot
        return {
            "leaves": list(snapshot.states),
            "active": sorted(snapshot.visits),
            "running": not snapshot.over,
            "n": snapshot.data["n"],
            "log": snapshot.data["log"],
            "history": {name: list(states) for name, states in snapshot.history.items()},
            "timers": [
                (_seconds(timer.due), timer.event, timer.value, timer.target or "") for timer in snapshot.timers
            ],
            "said": self.said,
        }


def state_of(naive: Naive) -> dict[str, object]:
    """The same of the naive interpreter."""
    return {
        "leaves": [state for state in naive.rested if naive.tree.is_atomic(state)],
        "active": sorted(naive.rested),
        "running": naive.running,
        "n": naive.n,
        "log": naive.log,
        "history": naive.history_value,
        "timers": [(one.due, one.event.name, one.event.value, one.to) for one in naive.delayed],
        "said": naive.said,
    }


def _seconds(at: datetime) -> float:
    return (at - BEGUN).total_seconds()


class Together:
    """All of them, given the same; each step compares. Steps are False once they are over, or go on for ever."""

    def __init__(self, machine: DrawnMachine, naive: Naive) -> None:
        definition = definition_of(machine)
        self._machine = machine
        self._cores = [Core(definition, reload=reload) for reload in (False, True)]
        self._naive = naive
        self._now = 0.0
        self._events = 0

    def start(self) -> bool:
        """Begin."""
        for core in self._cores:
            core.start()
        return self._same(self._naive.start) and self._deliver([])

    def happen(self, happening: Happening) -> bool:
        """Something happens to them."""
        kind, *what = happening
        if kind == "wait":
            return self._wait(self._now + what[0])
        return self._deliver([Event(*what)])

    def _deliver(self, events: list[Event]) -> bool:
        """Deliver events from outside, and what the machine sends to itself."""
        waiting = deque([*events, *self._sent()])
        for _ in range(PING_PONG):
            if not waiting:
                break
            event = waiting.popleft()
            for core in self._cores:
                core.receive(event, self._now)
            if not self._same(partial(self._naive.receive, event)):
                return False
            waiting.extend(self._sent())
        return True

    def _wait(self, until: float) -> bool:
        while self._naive.delayed:
            first = min(self._naive.delayed, key=lambda delayed: delayed.due)
            if first.due > until:
                break
            self._now = first.due
            for core in self._cores:
                core.elapse(first.due)
            if not (self._same(partial(self._naive.elapse, first)) and self._deliver([])):
                return False
        self._naive.now = self._now = until
        return True

    def _sent(self) -> list[Event]:
        return [Event(said[2], said[3]) for said in self._naive.said if said[:2] == ("send", "")]

    def _same(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except EndlessError:
            assert all(core.endless for core in self._cores)
            return False
        for core in self._cores:
            assert not core.endless
            assert core.state() == state_of(self._naive)
        assert legal(self._machine, set(self._naive.rested))
        self._events += 1
        return self._naive.running and self._events < LONG_STORY


def legal(machine: DrawnMachine, active: set[str]) -> bool:
    """Whether a configuration is one (SCXML 3.11): all regions of a parallel state, one child of any other."""
    root = DrawnState(name="", kind="compound", children=machine.children)
    return _counted(root, active | {""}) == len(active) + 1


def _counted(state: DrawnState, active: set[str]) -> int:
    """How many states are active here and below, or less than none where they may not be so together."""
    nested = [child for child in state.children if child.kind != "history"]
    inside = [child for child in nested if child.name in active]
    wanted = {"compound": 1, "parallel": len(nested)}.get(state.kind, 0)
    return 1 + sum(_counted(child, active) for child in inside) if len(inside) == wanted else -len(active) - 1


def agree(machine: DrawnMachine, happened: list[Happening], naive: Naive | None = None) -> None:
    """Drive all of them to the end.

    Raises:
        AssertionError: They differ.
    """
    together = Together(machine, naive or Naive(machine, PATIENCE))
    going = together.start()
    for happening in happened:
        going = going and together.happen(happening)
