"""A drawn statechart as a `Definition`, for the core."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from statemachine.definition import Code, Definition, Function, StateSpec, TimerSpec, TransitionSpec
from statemachine.scope import Scope
from statemachine.snapshot import Occurrence
from tests.conformance.drawn import LINES, Action, Drawn, DrawnMachine, DrawnState, Guard, every

Data = dict[str, Any]
BEGINNING: Data = {"n": 0, "log": []}


class BoomError(Exception):
    """An action or guard that raises on purpose."""

    def __str__(self) -> str:
        return "boom"


def definition_of(machine: DrawnMachine) -> Definition:
    """The same statechart."""
    parents: dict[str, str | None] = {}
    for state in every(machine.children):
        parents.setdefault(state.name, None)
        parents.update((child.name, state.name) for child in state.children)
    functions: dict[str, Function] = {"n": lambda data, _occurrence, _scope: data["n"]}
    return Definition(
        name="drawn",
        states=tuple(_state(state, parents[state.name], functions) for state in every(machine.children)),
        initial=_transition(machine.initial, "", functions),
        transitions=tuple(
            _transition(drawn, state.name, functions)
            for state in every(machine.children)
            for drawn in state.transitions
        ),
        timers=tuple(
            TimerSpec(state=state.name, event=event, delay=delay)
            for state in every(machine.children)
            for delay, event in state.after
        ),
        descriptors=True,
        code=Code(functions=functions),
    )


def _state(state: DrawnState, parent: str | None, functions: dict[str, Function]) -> StateSpec:
    return StateSpec(
        name=state.name,
        parent=parent,
        kind=state.kind,
        initial=_transition(state.initial, state.name, functions) if state.initial else None,
        deep=state.deep,
        default=_transition(state.default, state.name, functions) if state.default else None,
        entry=tuple(_named(block, functions) for block in state.entry),
        exit=tuple(_named(block, functions) for block in state.exit),
        done_data="n" if state.done else None,
    )


def _transition(drawn: Drawn, source: str, functions: dict[str, Function]) -> TransitionSpec:
    guard = None
    if drawn.guard is not None:
        guard = repr(drawn.guard)
        functions[guard] = _guard(drawn.guard)
    return TransitionSpec(
        source=source,
        events=drawn.events,
        guard=guard,
        targets=drawn.targets,
        internal=drawn.internal,
        actions=_named(drawn.actions, functions),
    )


def _named(block: Iterable[Action], functions: dict[str, Function]) -> tuple[str, ...]:
    names: list[str] = []
    for action in block:
        names.append(repr(action))
        functions[names[-1]] = _action(action)
    return tuple(names)


def _guard(guard: Guard) -> Function:
    def holds(data: Data, _occurrence: Occurrence, scope: Scope) -> bool:
        match guard:
            case ("below", k):
                return bool(data["n"] < k)
            case ("odd",):
                return bool(data["n"] % 2)
            case ("in", state):
                return scope.active(state)
            case _:
                raise BoomError

    return holds


def _action(action: Action) -> Function:
    def act(data: Data, occurrence: Occurrence, scope: Scope) -> Data:
        match action:
            case ("mark", label):
                return _logged(data, f"{label} {occurrence.name}")
            case ("whether", state):
                return _logged(data, f"{state} {scope.active(state)}")
            case ("add", k):
                return {**data, "n": min(9, data["n"] + k)}
            case ("zero",):
                return {**data, "n": 0}
            case ("take",):
                return _logged(data, f"{occurrence.kind} {occurrence.value}" if occurrence.name else " None")
            case _:
                _ask(action, data, scope)
                return data

    return act


def _ask(action: Action, data: Data, scope: Scope) -> None:
    match action:
        case ("raise", event):
            scope.raise_event(event, data["n"])
        case ("send", to, event, delay, send_id):
            scope.send(to, event, data["n"], delay=delay, send_id=send_id)
        case ("cancel", send_id):
            scope.cancel(send_id)
        case _:
            raise BoomError


def _logged(data: Data, line: str) -> Data:
    return {**data, "log": [*data["log"], line][-LINES:]}
