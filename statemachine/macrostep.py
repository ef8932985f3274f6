"""The SCXML algorithm on a turn: select transitions, leave, act, enter, until nothing more is enabled.

Appendix D of the W3C Recommendation, in its own terms:

* An event is answered by at most one transition for each active leaf: the innermost state's first whose guard holds
  (selectTransitions). Of two that would leave the same state, the one from the inner source wins, else the earlier
  (removeConflictingTransitions).
* A microstep takes the selected transitions together: it leaves states innermost and last first, runs the transitions'
  actions in document order, and enters states outermost and first first.
* A macrostep goes on with eventless transitions, then with the internal queue, until both are empty.
* Work (steps, child machines) of the states that are still active then is begun, in document order.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from statemachine.chart import Arc, Chart, Node, Plan
from statemachine.commands import Forward, Invocation, Invoke, StopChild
from statemachine.definition import Function
from statemachine.errors import EndlessLoop, HandlerFailed, OtherData
from statemachine.scope import EndBlock
from statemachine.snapshot import Child, Failure, Occurrence
from statemachine.turn import Turn

LONGEST = 1000
"""Microsteps in one macrostep after which the machine is taken to loop for ever."""
_NOTHING = Occurrence("")


def enter_machine(turn: Turn) -> None:
    """Take the initial transition and run to completion."""
    microstep(turn, (turn.chart.initial,))
    settle(turn)


def answer(turn: Turn, occurrence: Occurrence) -> bool:
    """Handle one event from outside and run to completion. False: no transition was enabled by it."""
    turn.occurrence = occurrence
    if turn.children:
        _tell_children(turn, occurrence)
    enabled = select(turn, occurrence.name)
    if enabled:
        microstep(turn, enabled)
    settle(turn)
    return bool(enabled)


def settle(turn: Turn) -> None:
    """The rest of the macrostep: eventless transitions, the internal queue, then the work of what is active."""
    if not (turn.chart.eventless or turn.internal or turn.fresh):
        return
    for _ in range(LONGEST):
        if turn.status != "running":
            return
        enabled = select(turn, "")
        if not enabled and turn.internal:
            turn.occurrence = turn.internal.popleft()
            enabled = select(turn, turn.occurrence.name)
            if not enabled and turn.occurrence.kind == "internal" and not turn.chart.definition.descriptors:
                _raised_in_vain(turn, turn.occurrence)
        elif not enabled:
            _begin_work(turn)
            if not turn.internal:
                return
        if enabled:
            microstep(turn, enabled)
    if turn.status == "running":
        raise EndlessLoop(turn.run, turn.chart.definition.name, turn.leaves, LONGEST)


def _raised_in_vain(turn: Turn, occurrence: Occurrence) -> None:
    """Nothing takes an event that a function raised: unless a state defers it, a person hears of it. SCXML drops it."""
    if not turn.defer(occurrence):
        unanswered(turn, occurrence)


def unanswered(turn: Turn, occurrence: Occurrence, visit: int = 0) -> None:
    """Open an incident for what must be answered and is not."""
    said = f"No transition is enabled by {occurrence.name!r} in {', '.join(turn.leaves)}"
    turn.open_incident("handler", said, visit=visit, event=occurrence)


def select(turn: Turn, event: str) -> tuple[Arc, ...]:
    """The transitions to take for an event's name; "" asks for eventless ones."""
    chains = turn.chart.candidates(turn.leaves, event)
    enabled: list[Arc] = []
    for chain in chains:
        for arc in chain:
            if arc.guard is None or call(turn, arc.guard_name, arc.guard):
                if arc not in enabled:
                    enabled.append(arc)
                break
    arcs = tuple(enabled)
    return arcs if len(arcs) < 2 else turn.chart.without_conflicts(arcs, turn.leaves, turn.history)


def microstep(turn: Turn, arcs: tuple[Arc, ...]) -> None:
    """Leave, act, enter."""
    plan = turn.chart.plan(arcs, turn.leaves, turn.history)
    if plan.quiet:
        _microstep_quietly(turn, arcs, plan)
        return
    if plan.remember:
        turn.history = {**turn.history, **dict(plan.remember)}
    for name in plan.exits:
        _leave(turn, name)
    for arc in arcs:
        if arc.actions:
            act(turn, arc.actions)
    turn.leaves = plan.leaves
    for name in plan.entries:
        _enter(turn, name, plan)


def _microstep_quietly(turn: Turn, arcs: tuple[Arc, ...], plan: Plan) -> None:
    """The same where states have nothing of their own to do: only visits end and begin."""
    visits = turn.visits
    for name in plan.exits:
        del visits[name]
    turn.exited += plan.exits
    for arc in arcs:
        if arc.actions:
            act(turn, arc.actions)
    turn.leaves = plan.leaves
    number = turn.serial
    for name in plan.entries:
        number += 1
        visits[name] = number
    turn.serial = number
    turn.entered += plan.entries


def _leave(turn: Turn, name: str) -> None:
    node = turn.chart.nodes[name]
    for block in node.exit:
        act(turn, block)
    visit = turn.visits.pop(name)
    turn.exited.append(name)
    if name in turn.fresh:
        turn.fresh.remove(name)
    if node.timers:
        turn.cancel_timers([timer for timer in turn.timers if timer.visit == visit and timer.kind == "after"])
    if node.step is not None:
        _leave_step(turn, visit)
    if node.spec.invokes:
        for child in [child for child in turn.children if child.state == name]:
            turn.drop_child(child)
            turn.commands.append(StopChild(child.id))


def _leave_step(turn: Turn, visit: int) -> None:
    pending = turn.find_pending(visit)
    if pending is not None:
        turn.leave_step(pending)
        turn.cancel_timers([timer for timer in turn.timers if timer.visit == visit and timer.kind == "retry"])


def _enter(turn: Turn, name: str, plan: Plan) -> None:
    node = turn.chart.nodes[name]
    turn.visits[name] = turn.number()
    turn.entered.append(name)
    for block in node.entry:
        act(turn, block)
    if node.initial is not None and name in plan.default_entry and node.initial.actions:
        act(turn, node.initial.actions)
    if name in plan.history_content:
        act(turn, plan.history_content[name].actions)
    for timer in node.timers:
        _set_timer(turn, name, timer.event, timer.delay)
    if node.step is not None or node.spec.invokes:
        turn.fresh.append(name)
    if node.spec.kind == "final":
        _finish(turn, node)


def _set_timer(turn: Turn, state: str, event: str, delay: float | str) -> None:
    due = _due(turn, delay) if isinstance(delay, str) else turn.deadline(delay)
    if due is not None:
        turn.set_timer("after", due, visit=turn.visits[state], event=event)


def _due(turn: Turn, name: str) -> datetime | None:
    """When a delay function says; None when it raised and errors are events."""
    delay = turn.chart.definition.code.functions[name]
    due: datetime | None = call(turn, name, lambda *given: turn.deadline(delay(*given)))
    return due


def _finish(turn: Turn, node: Node) -> None:
    """A final state was entered: the machine is done, or its parent is, and perhaps the parallel states above that."""
    parent = node.spec.parent
    if parent is None:
        turn.status = "completed"
        return
    turn.internal.append(Occurrence(f"done.state.{parent}", done_data(turn, node), "platform"))
    for above in joined(turn.chart, parent, turn.visits):
        turn.internal.append(Occurrence(f"done.state.{above}", None, "platform"))


def joined(chart: Chart, region: str, active: Mapping[str, Any]) -> Iterator[str]:
    """The parallel states that are done now that this region is, the innermost first.

    A parallel state may be a region of another, which is then done, too (SCXML 3.4; appendix D looks one level up).
    """
    for above in chart.nodes[region].ancestors:
        if chart.nodes[above].spec.kind != "parallel" or not chart.in_final(above, active):
            return
        yield above


def leave_all(turn: Turn) -> Any:
    """The machine is done: run the exit handlers of what is active, innermost first, and give its done data.

    The configuration stays as it is, so that a run that is over says where it ended (exitInterpreter).
    """
    value: Any = None
    for name in sorted(turn.visits, key=lambda name: turn.chart.nodes[name].order, reverse=True):
        node = turn.chart.nodes[name]
        for block in node.exit:
            act(turn, block)
        if node.spec.kind == "final" and node.spec.parent is None:
            value = done_data(turn, node)
    return value


def done_data(turn: Turn, node: Node) -> Any:
    """What a final state's function gives."""
    name = node.spec.done_data
    return call(turn, name, turn.chart.definition.code.functions[name]) if name else None


def _begin_work(turn: Turn) -> None:
    """Begin the step and the child machines of each state entered in this macrostep that is still active."""
    nodes = turn.chart.nodes
    while turn.fresh:
        name = min(turn.fresh, key=lambda fresh: nodes[fresh].order)
        turn.fresh.remove(name)
        node = nodes[name]
        if node.step is not None:
            turn.begin_step(node.step, turn.visits[name])
        for index, invoke in enumerate(node.spec.invokes):
            act(turn, _looked_up(turn, invoke.actions))
            what = call(turn, invoke.invoke, turn.chart.definition.code.functions[invoke.invoke])
            if isinstance(what, Invocation):
                child = Child(what.id or f"{name}.{turn.visits[name]}.{index}", name, index)
                turn.children = (*turn.children, child)
                turn.commands.append(Invoke(child.id, what, invoke.autoforward))


def _tell_children(turn: Turn, occurrence: Occurrence) -> None:
    """An event from a child runs its `finalize` first; every event goes to children that want all (SCXML 6.4, 6.5)."""
    for child in turn.children:
        invoke = turn.chart.nodes[child.state].spec.invokes[child.index]
        if child.id == occurrence.invoke:
            act(turn, _looked_up(turn, invoke.finalize))
            if occurrence.name == f"done.invoke.{child.id}":
                turn.drop_child(child)
                continue
        if invoke.autoforward:
            turn.commands.append(Forward(child.id, occurrence))


def _looked_up(turn: Turn, names: tuple[str, ...]) -> tuple[tuple[str, Function], ...]:
    functions = turn.chart.definition.code.functions
    return tuple([(name, functions[name]) for name in names])


# Calling the workflow's functions. Elsewhere nothing here runs code that a user wrote.


def act(turn: Turn, block: tuple[tuple[str, Function], ...]) -> None:
    """Run a block of actions. Where errors are events, one ends its block only."""
    for name, function in block:
        try:
            data = _next_data(turn, function)
        except EndBlock as end:
            turn.write(end.data, name)
            return
        except Exception as error:  # noqa: BLE001 -- a workflow's function may raise anything; see _failed
            _failed(turn, name, error)
            return
        turn.write(data, name)


def fold(turn: Turn, name: str) -> Any:
    """The data with a step's result in it; as it was when the fold raised and errors are events."""
    try:
        return _next_data(turn, turn.chart.definition.code.functions[name])
    except Exception as error:  # noqa: BLE001 -- likewise
        _failed(turn, name, error)
        return turn.data


def _next_data(turn: Turn, function: Function) -> Any:
    data = function(turn.data, turn.occurrence or _NOTHING, turn.scope)
    expected: type = turn.data.__class__
    got: type = data.__class__
    if got is not expected:
        raise OtherData(expected, got)
    return data


def call(turn: Turn, name: str, function: Function) -> Any:
    """The value of a function that does not change the data; None when it raised and errors are events."""
    try:
        return function(turn.data, turn.occurrence or _NOTHING, turn.scope)
    except Exception as error:  # noqa: BLE001 -- likewise
        _failed(turn, name, error)
        return None


def _failed(turn: Turn, name: str, error: Exception) -> None:
    if not turn.chart.definition.descriptors:
        raise HandlerFailed(turn.run, turn.chart.definition.name, turn.before, name, error) from error
    turn.note_raise(Occurrence("error.execution", str(error), "platform"))


def failure_of(error: BaseException) -> Failure:
    """An exception as text, whole."""
    return Failure(type(error).__qualname__, str(error), "".join(traceback.format_exception(error)))
