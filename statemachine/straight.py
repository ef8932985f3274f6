"""The other common case, worked out without a turn: a step has succeeded and its run goes on to the next.

As with `plain`, it says what the whole algorithm would say (`tests/property/test_straight.py` holds the two together),
or nothing. What makes the algorithm long is known not to be there: nobody else has written the data, no other step is
under way, nothing is deferred or invoked, the step has no fold and no undo and is no pivot, no transition is eventless,
no state has a history, and what is left and entered has nothing to run or set but, at most, a step to begin.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
import msgspec

from statemachine.chart import Arc, Chart, Node, Plan, remember
from statemachine.commands import RunStep
from statemachine.data import overlay
from statemachine.definition import Function, StepSpec, is_unscoped
from statemachine.inputs import Succeeded
from statemachine.snapshot import Occurrence, Pending, Snapshot


@attrs.frozen(eq=False)
class Way:
    """A transition that a step's success may take: its functions, what is left and entered, the steps that begin."""

    guard: Function | None
    actions: tuple[Function, ...]
    plan: Plan
    steps: tuple[tuple[str, str], ...]
    """(state, step), in the order in which they begin."""


Moved = tuple[Snapshot[Any], tuple[RunStep, ...], Plan]


def succeeded(chart: Chart, snapshot: Snapshot[Any], told: Succeeded, now: datetime) -> Moved | None:
    """The next snapshot, the steps to begin, what became of the states; None if this is not the common case."""
    ways = _ways(chart, snapshot.states, told.step)
    if not ways or not _alone(snapshot, told.visit):
        return None
    try:
        data = overlay(snapshot.data, told.changed) if told.changed else snapshot.data
        if ways[0].guard is None and not ways[0].actions:  # nobody looks at what happened
            return _next(chart, snapshot, ways[0], data, max(now, snapshot.now))
        occurrence = Occurrence(chart.steps[told.step].succeeded_event, told.result, "platform")
        for way in ways:
            if way.guard is None or way.guard(data, occurrence, None):
                for action in way.actions:
                    data = action(data, occurrence, None)
                    if type(data) is not type(snapshot.data):
                        return None
                return _next(chart, snapshot, way, data, max(now, snapshot.now))
    except Exception:  # noqa: BLE001 -- a workflow's function may raise anything; the algorithm says what comes of it
        return None
    return None


def _alone(snapshot: Snapshot[Any], visit: int) -> bool:
    """Whether the step of this visit is all that the run waits for, and nobody has written its data meanwhile."""
    if len(snapshot.pending) != 1 or snapshot.deferred or snapshot.children or snapshot.paused:
        return False
    pending = snapshot.pending[0]
    touched = pending.waiting or pending.moved or pending.incident or pending.overwritten
    return pending.visit == visit and not touched and snapshot.status == "running"


def _next(chart: Chart, snapshot: Snapshot[Any], way: Way, data: Any, now: datetime) -> Moved:
    plan, serial = way.plan, snapshot.serial
    visits = snapshot.visits.copy()
    for name in plan.exits:
        del visits[name]
    for name in plan.entries:
        serial += 1
        visits[name] = serial
    begun = [(step, visits[state]) for state, step in way.steps]
    after: Snapshot[Any] = msgspec.structs.replace(
        snapshot,
        data=data,
        now=now,
        states=plan.leaves,
        seq=snapshot.seq + 1,
        serial=serial,
        visits=visits,
        pending=tuple(
            [Pending(step, visit, since=now, each=chart.steps[step].each is not None) for step, visit in begun]
        ),
    )
    prefix = f"{snapshot.run}:{snapshot.nonce}"  # as `step_key` has it
    return after, tuple([RunStep(step, visit, 1, f"{prefix}:{step}:{visit}") for step, visit in begun]), plan


def _ways(chart: Chart, leaves: tuple[str, ...], name: str) -> tuple[Way, ...]:
    key = (leaves, name)
    ways = chart.ways.get(key)
    if ways is None:
        step = chart.steps.get(name)
        ways = _all(chart, leaves, step) if step is not None and len(leaves) == 1 and not chart.eventless else ()
        remember(chart.ways, key, ways)
    return ways


def _all(chart: Chart, leaves: tuple[str, ...], step: StepSpec) -> tuple[Way, ...]:
    """The ways of a step's success, if each transition of it is one."""
    chains = chart.candidates(leaves, step.succeeded_event)
    special = step.into is not None or step.undo is not None or step.pivot or step.each is not None
    if special or len(chains) != 1 or any(node.histories for node in chart.nodes.values()):
        return ()
    found = [_way(chart, arc, leaves) for arc in chains[0]]
    return tuple([way for way in found if way is not None]) if None not in found else ()


def _begins_at_most(node: Node) -> bool:
    """Whether entering and leaving a state are but a visit, and a step to begin."""
    return attrs.evolve(node, step=None).quiet


def _way(chart: Chart, arc: Arc, leaves: tuple[str, ...]) -> Way | None:
    plan = chart.plan((arc,), leaves, {})
    nodes = [chart.nodes[name] for name in (*plan.exits, *plan.entries)]
    actions = tuple([function for _, function in arc.actions])
    if not all(_begins_at_most(node) for node in nodes) or not all(map(is_unscoped, (arc.guard, *actions))):
        return None
    entered = sorted((chart.nodes[name] for name in plan.entries), key=lambda node: node.order)
    return Way(arc.guard, actions, plan, tuple([(n.spec.name, n.step.name) for n in entered if n.step is not None]))
