"""The common case, worked out without a turn: an event moves one leaf of a run, and only states and data change.

It says what the whole algorithm would say (`tests/property/test_plain.py` holds the two together), or nothing, and then
that is asked. It can be short because what makes the algorithm long is known not to be there: nothing is pending,
deferred or invoked, no transition is eventless, the states left and entered have nothing to run or set, and the
functions never look at their scope, so they can neither raise nor send.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
import msgspec

from statemachine.chart import Arc, Chart, Plan, remember
from statemachine.definition import Function, is_unscoped
from statemachine.snapshot import Occurrence, Snapshot


@attrs.frozen(eq=False)
class Option:
    """A transition that may be taken: all that matters of it is its functions, and a quiet plan."""

    guard: Function | None
    actions: tuple[Function, ...]
    plan: Plan


Options = tuple[Option, ...]
Table = dict[tuple[tuple[str, ...], str], Options]
"""By active leaves and event: the options in their order; none where it takes the whole algorithm."""


def moved(
    chart: Chart, snapshot: Snapshot[Any], occurrence: Occurrence, now: datetime
) -> tuple[Snapshot[Any], Plan] | None:
    """The next snapshot, and what became of the states; None if this is not the common case, or a function raises."""
    options = _options(chart, snapshot.states, occurrence.name)
    if not options or snapshot.pending or snapshot.deferred or snapshot.children or snapshot.paused:
        return None
    if snapshot.status != "running":
        return None
    data = snapshot.data
    try:
        for option in options:
            if option.guard is None or option.guard(data, occurrence, None):
                for action in option.actions:
                    data = action(data, occurrence, None)
                    if type(data) is not type(snapshot.data):
                        return None
                return _next(snapshot, option.plan, data, now), option.plan
    except Exception:  # noqa: BLE001 -- a workflow's function may raise anything; the algorithm says what comes of it
        return None
    return None


def _next(snapshot: Snapshot[Any], plan: Plan, data: Any, now: datetime) -> Snapshot[Any]:
    visits, serial = snapshot.visits, snapshot.serial
    if plan.exits or plan.entries:
        visits = visits.copy()
        for name in plan.exits:
            del visits[name]
        for name in plan.entries:
            serial += 1
            visits[name] = serial
    return msgspec.structs.replace(
        snapshot,
        data=data,
        now=max(now, snapshot.now),
        states=plan.leaves,
        seq=snapshot.seq + 1,
        serial=serial,
        visits=visits,
    )


def _options(chart: Chart, leaves: tuple[str, ...], event: str) -> Options:
    table: Table = chart.options
    key = (leaves, event)
    options = table.get(key)
    if options is None:
        chains = chart.candidates(leaves, event)
        options = _all(chart, chains[0], leaves) if len(chains) == 1 and not chart.eventless else ()
        remember(table, key, options)
    return options


def _all(chart: Chart, chain: tuple[Arc, ...], leaves: tuple[str, ...]) -> Options:
    """The options of a chain, if each transition of it is one."""
    found: list[Option] = []
    for arc in chain:
        option = Option(arc.guard, tuple([function for _, function in arc.actions]), chart.plan((arc,), leaves, {}))
        if not (option.plan.quiet and all(map(is_unscoped, (option.guard, *option.actions)))):
            return ()
        found.append(option)
    return tuple(found)
