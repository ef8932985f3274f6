"""The pure core: microseconds for an event, the making of the event included, nothing stored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from statemachine import Event, Workflow
from statemachine.events import event_name
from statemachine.inputs import Begin, Received
from statemachine.snapshot import Occurrence
from statemachine.transition import start, transition
from statemachine.workflow import bind
from tests.benchmarks.ours.files import expect, version_here
from tests.benchmarks.ours.work import Back, Counted, Flat, Go, Leave, Nested, Regions

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def core(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The three machines, each moved by so many events."""
    found: dict[str, Any] = {
        "flat": events(Flat(), [Go], 1, asked["events"]),
        "compound": events(Nested(), [Go, Leave, Back], 3, asked["events"]),
        "parallel": events(Regions(), [Go], 2, asked["events"]),
    }
    return {**found, "version": version_here(), "durability": "none: the core stores nothing"}


def events(workflow: Workflow[Counted], kinds: Sequence[type[Event]], actions: int, times: int) -> float:
    """Microseconds for an event. `actions` is how many actions a round of all kinds runs."""
    definition = bind(workflow)
    snapshot = start(definition, "run", Begin(Counted(), "nonce"), NOW).snapshot
    rounds = times // len(kinds)
    named = [(event_name(kind), kind) for kind in kinds]
    begun = time.perf_counter()
    for _ in range(rounds):
        for name, kind in named:
            snapshot = transition(definition, snapshot, Received(Occurrence(name, kind())), NOW).snapshot
    seconds = time.perf_counter() - begun
    expect(snapshot.data.n, rounds * actions, f"actions of {definition.name}")
    return seconds / (rounds * len(kinds)) * 1e6
