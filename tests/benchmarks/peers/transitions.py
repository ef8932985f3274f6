"""transitions: the same three machines as ours and python-statemachine's, microseconds for an event.

As its documentation has it: a model, and a `Machine` (flat) or a `HierarchicalMachine` (compound, parallel) that gives
it a method for each trigger. `auto_transitions=False` leaves out triggers that nobody calls here.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any

from transitions import Machine
from transitions.extensions import HierarchicalMachine

asked = json.loads(sys.argv[1])


class Model:
    """What the machine moves."""

    def __init__(self) -> None:
        self.n = 0

    def willing(self) -> bool:
        """The guard."""
        return self.n >= 0

    def count(self) -> None:
        """The action."""
        self.n += 1


def arc(trigger: str, source: str, dest: str) -> dict[str, str]:
    """A transition with the guard and the action."""
    return {"trigger": trigger, "source": source, "dest": dest, "conditions": "willing", "before": "count"}


def flat(model: Model) -> tuple[Any, list[str]]:
    """Two states."""
    table = [arc("go", "a", "b"), arc("go", "b", "a")]
    return Machine(model, ["a", "b"], "a", transitions=table, auto_transitions=False), ["go"]


def compound(model: Model) -> tuple[Any, list[str]]:
    """In a compound, out of it, and back."""
    states = [
        {"name": "outer", "initial": "a", "children": ["a", "b"]},
        {"name": "other", "initial": "x", "children": ["x"]},
    ]
    table = [arc("go", "outer_a", "outer_b"), arc("leave", "outer", "other"), arc("back", "other", "outer")]
    machine = HierarchicalMachine(model, states, transitions=table, initial="outer", auto_transitions=False)
    return machine, ["go", "leave", "back"]


def parallel(model: Model) -> tuple[Any, list[str]]:
    """Two regions that one event moves."""
    regions = [{"name": name, "initial": "a", "children": ["a", "b"]} for name in ("left", "right")]
    states = [{"name": "both", "parallel": regions}]
    table = [
        arc("go", f"both_{region}_{source}", f"both_{region}_{dest}")
        for region in ("left", "right")
        for source, dest in (("a", "b"), ("b", "a"))
    ]
    return HierarchicalMachine(model, states, transitions=table, initial="both", auto_transitions=False), ["go"]


found = {}
for make in (flat, compound, parallel):
    model = Model()
    machine, names = make(model)
    calls = [getattr(model, name) for name in names]
    begun = time.perf_counter()
    for _ in range(asked["events"] // len(calls)):
        for call in calls:
            call()
    events = asked["events"] // len(calls) * len(calls)
    found[make.__name__] = (time.perf_counter() - begun) / events * 1e6
    counted = events * 2 if make is parallel else events
    if model.n != counted:
        sys.exit(f"{make.__name__}: {model.n} actions ran, not {counted}")
print(json.dumps({**found, "version": version("transitions"), "durability": "none: in memory"}))
