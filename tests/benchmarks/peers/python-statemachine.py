"""python-statemachine: the same three machines as ours and transitions', microseconds for an event.

As its documentation has it: `StateChart` classes with `cond` and `on`, and `send`.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

from statemachine import State, StateChart

asked = json.loads(sys.argv[1])


class Counting(StateChart):
    """The guard and the action of all three."""

    n = 0

    def willing(self) -> bool:
        """The guard."""
        return self.n >= 0

    def count(self) -> None:
        """The action."""
        self.n += 1


class Flat(Counting):
    """Two states."""

    a = State(initial=True)
    b = State()
    go = a.to(b, cond="willing", on="count") | b.to(a, cond="willing", on="count")


class Nested(Counting):
    """In a compound, out of it, and back."""

    class outer(State.Compound):
        a = State(initial=True)
        b = State()
        go = a.to(b, cond="willing", on="count")

    class other(State.Compound):
        x = State(initial=True)

    leave = outer.to(other, cond="willing", on="count")
    back = other.to(outer, cond="willing", on="count")


class Regions(Counting):
    """Two regions that one event moves."""

    class both(State.Parallel):
        class left(State.Compound):
            a1 = State(initial=True)
            b1 = State()
            go = a1.to(b1, cond="willing", on="count") | b1.to(a1, cond="willing", on="count")

        class right(State.Compound):
            a2 = State(initial=True)
            b2 = State()
            go = a2.to(b2, cond="willing", on="count") | b2.to(a2, cond="willing", on="count")


found = {}
for name, kind, events, actions in (
    ("flat", Flat, ["go"], 1),
    ("compound", Nested, ["go", "leave", "back"], 3),
    ("parallel", Regions, ["go"], 2),
):
    machine = kind()
    rounds = asked["events"] // len(events)
    begun = time.perf_counter()
    for _ in range(rounds):
        for event in events:
            machine.send(event)
    found[name] = (time.perf_counter() - begun) / (rounds * len(events)) * 1e6
    if machine.n != rounds * actions:
        sys.exit(f"{name}: {machine.n} actions ran, not {rounds * actions}")
print(json.dumps({**found, "version": version("python-statemachine"), "durability": "none: in memory"}))
