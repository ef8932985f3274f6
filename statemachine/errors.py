"""Every error this package raises, as one tree. The base is never raised itself.

StateMachineError
├── DefinitionError               a workflow is ambiguous or broken; found when its class is compiled
│   ├── BrokenState               … in the shape of its states
│   ├── BrokenTransition          … in what leads from state to state
│   ├── BrokenStep                … in a step, its undo or its pivot
│   ├── BrokenFunction            … in the signature of a handler, guard, step, undo, fold or delay
│   └── NotStorable               … in a type that cannot be stored and read back
├── DataError
│   ├── NotData                   a value whose fields cannot be asked for
│   ├── OtherData                 a value of another type than the run's data
│   └── UnknownField              a field that the data does not have
├── UndeclaredEvent               an event of a type that the workflow does not declare
├── HandlerFailed                 a guard, handler or fold raised
├── EndlessLoop                   eventless transitions that never come to rest
└── RefusedVerb                   an operator's verb that does not fit the run
"""

from __future__ import annotations

from collections.abc import Iterable


class StateMachineError(Exception):
    """Base of all errors of this package."""


class DefinitionError(StateMachineError):
    """A workflow cannot be compiled.

    Attributes:
        workflow: Name of its class (or of the definition, when built from data).
        state: The state it is about; None when it is about the whole.
        reason: What is wrong and what to do.
        place: `file:line` of the function or class it is about, where known.
    """

    def __init__(self, workflow: str, state: str | None, reason: str, place: str | None = None) -> None:
        self.workflow = workflow
        self.state = state
        self.reason = reason
        self.place = place
        where = f"{workflow}, state {state!r}" if state else workflow
        super().__init__(f"{where}: {reason}" + (f" ({place})" if place else ""))


class BrokenState(DefinitionError):
    """The states do not make a statechart."""


class BrokenTransition(DefinitionError):
    """A transition is ambiguous, unreachable or leads nowhere."""


class BrokenStep(DefinitionError):
    """A step, its undo or its pivot stands where it cannot work."""


class BrokenFunction(DefinitionError):
    """A function has another signature than its place asks for."""


class NotStorable(DefinitionError, TypeError):
    """A type of data, event or result that cannot be stored and read back equal."""


class DataError(StateMachineError, TypeError):
    """Base of errors about values of data."""


class NotData(DataError):
    """A value whose fields cannot be asked for."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        super().__init__(f"{kind.__qualname__} has no fields; data is an attrs class, a dataclass or a msgspec.Struct")


class OtherData(DataError):
    """A value of another type than the run's data."""

    def __init__(self, expected: type, got: type) -> None:
        self.expected = expected
        self.got = got
        super().__init__(f"expected data of type {expected.__qualname__}, got {got.__qualname__}")


class UnknownField(DataError):
    """A field that the data does not have."""

    def __init__(self, kind: type, name: str, fields: tuple[str, ...], close: str | None = None) -> None:
        self.kind = kind
        self.name = name
        meant = f"; did you mean {close!r}?" if close else ""
        super().__init__(f"{kind.__qualname__} has no field {name!r}{meant} Its fields: {', '.join(fields)}")


class UndeclaredEvent(StateMachineError):
    """An event of a type that the workflow does not declare."""

    def __init__(self, workflow: str, event: str, declared: Iterable[str]) -> None:
        self.workflow = workflow
        self.event = event
        super().__init__(
            f"{workflow} does not declare the event {event!r}; it declares: {', '.join(declared) or 'none'}"
        )


class HandlerFailed(StateMachineError):
    """A guard, handler, fold or delay of a workflow raised; the run is as it was. `__cause__` is what it raised."""

    def __init__(self, run: str, workflow: str, states: tuple[str, ...], function: str, error: BaseException) -> None:
        self.run = run
        self.workflow = workflow
        self.states = states
        self.function = function
        super().__init__(
            f"{workflow} run {run!r} in {', '.join(states) or 'no state'}: {function} raised "
            f"{type(error).__qualname__}: {error}. The run is as it was; guards and handlers must not raise."
        )


class EndlessLoop(StateMachineError):
    """Eventless transitions or raised events never come to rest."""

    def __init__(self, run: str, workflow: str, states: tuple[str, ...], steps: int) -> None:
        self.run = run
        self.workflow = workflow
        self.states = states
        super().__init__(
            f"{workflow} run {run!r} did not come to rest after {steps} microsteps (last in {', '.join(states)}); "
            "guard its eventless transitions so that they end."
        )


class RefusedVerb(StateMachineError):
    """An operator's verb does not fit the run. `wait`: it may be repeated when what is under way has ended."""

    def __init__(self, run: str, verb: str, reason: str, *, wait: bool = False) -> None:
        self.run = run
        self.verb = verb
        self.reason = reason
        self.wait = wait
        super().__init__(f"Cannot {verb} run {run!r}: {reason}.")
