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
├── RefusedVerb                   an operator's verb that does not fit the run
├── RunError                      something about one run
│   ├── NoSuchRun                 … no run of this id
│   ├── AlreadyStarted            … the id belongs to a run started with something else
│   ├── AlreadySent               … the event id belongs to another event
│   ├── NotAccepted               … no transition is enabled by this event now
│   ├── RunOver                   … it has ended
│   ├── BeingUndone               … it is being undone
│   ├── Refused                   … a message was refused by the process that moves it
│   ├── NotOver                   … it has not ended in the time given
│   ├── NotAnswered               … the process that moves it has not answered in the time given
│   ├── RunHeld                   … no workflow here can move it
│   ├── CannotSave                … a step has nowhere to save its progress
│   ├── NotStored                 … a value does not come back equal
│   └── TooLarge                  … a value is larger than the limit
├── UnknownWorkflow               a workflow that was not given to this runner
├── BlockingCall                  a blocking call where an event loop runs
├── Overloaded                    a runner that has as much to do as it takes
├── RunnerClosed                  a runner that is not open
└── OpenedBeforeFork              a runner used on the other side of a fork
"""

from __future__ import annotations

from collections.abc import Iterable

_DEFINED_AGAIN = (
    "Run all cells (or statements) that define the workflow, its data and its events; then close the runner and open "
    "it again with the new class."
)


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
        super().__init__(workflow, state, reason, place)

    def __str__(self) -> str:
        where = f"{self.workflow}, state {self.state!r}" if self.state else self.workflow
        return f"{where}: {self.reason}" + (f" ({self.place})" if self.place else "")


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
        super().__init__(
            f"expected data of type {expected.__qualname__}, got {got.__qualname__}; return the data with the fields "
            "that changed (see evolve), or name a fold for another result (into=)"
        )


class UnknownField(DataError):
    """A field that the data does not have."""

    def __init__(self, kind: type, name: str, fields: tuple[str, ...], close: str | None = None) -> None:
        self.kind = kind
        self.name = name
        meant = f"; did you mean {close!r}?" if close else "."
        super().__init__(f"{kind.__qualname__} has no field {name!r}{meant} Its fields: {', '.join(fields)}")


class UndeclaredEvent(StateMachineError):
    """An event of a type that the workflow does not declare."""

    def __init__(self, workflow: str, event: str, declared: Iterable[str], *, again: bool = False) -> None:
        self.workflow = workflow
        self.event = event
        super().__init__(
            f"{workflow} declares another class called {event!r}: this one was defined again since. {_DEFINED_AGAIN}"
            if again
            else f"{workflow} does not declare the event {event!r}; it declares: {', '.join(declared) or 'none'}"
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

    def __init__(self, run: str, verb: str, reason: str, *, wait: bool = False, what: str = "") -> None:
        self.run = run
        self.verb = verb
        self.reason = reason
        self.wait = wait
        about = what or f"run {run!r}"
        asked = f"mark as done in {about}" if verb == "done" else f"{verb} {about}"
        super().__init__(f"Cannot {asked}: {reason}.")


class RunError(StateMachineError):
    """Base of errors about one run."""

    def __init__(self, run: str, message: str) -> None:
        self.run = run
        super().__init__(message)


class NoSuchRun(RunError, LookupError):
    """The journal has no run of this id."""

    def __init__(self, run: str, journal: str) -> None:
        super().__init__(
            run, f"There is no run {run!r} in {journal}, or its start is queued and no runner has taken it."
        )


class AlreadyStarted(RunError):
    """The id belongs to a run that was started with something else."""

    def __init__(self, run: str, workflow: str, asked: str) -> None:
        what = "with other data" if workflow == asked else f"of workflow {workflow}, not {asked}"
        super().__init__(
            run, f"Run {run!r} exists already, {what}. Give a new run a new id; the same start may be repeated."
        )


_PRUNED = "as another event or to an earlier run of that id, which was pruned since"


class AlreadySent(RunError):
    """The event id belongs to another event, which this run has taken or which waits for it.

    Attributes:
        id: The event id.
        first: Name of the event that it was first seen with; empty where that is not known any more.
        event: Name of the event that was refused.
    """

    def __init__(self, run: str, id: str, first: str, event: str) -> None:
        self.id = id
        self.first = first
        self.event = event
        what = "with other values" if first == event else f"as {first}" if first else _PRUNED
        super().__init__(
            run,
            f"Event {event} to run {run!r} was not taken: its id {id!r} was sent before, {what}. "
            "Give each event an id of its own; only the same event may be sent again under its id.",
        )


class NotAccepted(RunError):
    """No transition is enabled by this event in the run's current state.

    Attributes:
        states: The active leaves.
        event: The event's name.
        accepted: Names of the events that have a transition now.
        reasons: What the guards that stood in the way say.
    """

    def __init__(
        self, run: str, states: tuple[str, ...], event: str, accepted: tuple[str, ...], reasons: tuple[str, ...]
    ) -> None:
        self.states = states
        self.event = event
        self.accepted = accepted
        self.reasons = reasons
        why = f" because: {'; '.join(reasons)}" if reasons else ""
        super().__init__(
            run,
            f"Run {run!r} in {', '.join(states)} does not accept {event}{why}. "
            f"It has transitions for: {', '.join(accepted) or 'no event'}.",
        )


class RunOver(RunError):
    """The run has ended and takes no events."""

    def __init__(self, run: str, status: str, states: tuple[str, ...], event: str) -> None:
        super().__init__(run, f"Run {run!r} is over ({status} in {', '.join(states)}); {event} came too late.")


class BeingUndone(RunError):
    """The run is being undone and takes no events."""

    def __init__(self, run: str, event: str) -> None:
        super().__init__(run, f"Run {run!r} is being undone and takes no events; {event} was refused.")


class Refused(RunError):
    """A message to another process was refused there; the message says why."""


class NotOver(RunError, TimeoutError):
    """A run was waited for and has not ended in time; it goes on."""

    def __init__(self, run: str, status: str, states: tuple[str, ...], seconds: float) -> None:
        super().__init__(
            run, f"Run {run!r} is not over after {seconds} s: {status} in {', '.join(states)}. It goes on."
        )


class NotAnswered(RunError, TimeoutError):
    """What was put into the inbox was not taken in time; it stays there."""

    def __init__(self, run: str, journal: str, seconds: float | None) -> None:
        super().__init__(
            run,
            f"{f'Run {run!r}: no' if run else 'No'} runner has taken the message from {journal} in {seconds} s. It "
            "stays queued there; see that the process that owns the journal is up.",
        )


class RunHeld(RunError):
    """No workflow that was given to this runner can move the run; its events wait."""

    def __init__(self, run: str, workflow: str, reason: str) -> None:
        self.workflow = workflow
        self.reason = reason
        super().__init__(run, f"Run {run!r} is held: {reason}. Deploy a version of {workflow} that fits, or kill it.")


class CannotSave(RunError):
    """A step saves what it cannot: it did not say so, or nobody waits for this attempt any more."""

    def __init__(self, run: str, step: str, reason: str) -> None:
        super().__init__(run, f"Run {run!r}: step {step} cannot save: {reason}.")


class NotStored(RunError):
    """A value does not come back equal from the journal."""

    def __init__(self, run: str, what: str, reason: str) -> None:
        super().__init__(run, f"Run {run!r}: {what} cannot be stored: {reason}.")


class TooLarge(RunError):
    """Data, an event or a result is larger than the limit."""

    def __init__(self, run: str, what: str, size: int, limit: int) -> None:
        super().__init__(
            run,
            f"Run {run!r}: {what} is {size:,} bytes; the limit is {limit:,}. Store it elsewhere and keep its name, "
            "or raise Runner(limit=).",
        )


class UnknownWorkflow(StateMachineError, LookupError):
    """A workflow that was not given to this runner."""

    def __init__(self, workflow: str, known: Iterable[str], *, again: bool = False) -> None:
        super().__init__(
            f"This runner has another class called {workflow!r}: this one was defined again since. {_DEFINED_AGAIN}"
            if again
            else f"This runner was not given workflow {workflow!r}; it has: {', '.join(known) or 'none'}. Give it "
            "where it is made: Runner(journal, [YourWorkflow(...)]); a Client may be given YourWorkflow.definition."
        )


class BlockingCall(StateMachineError, RuntimeError):
    """A blocking call in the thread of a running event loop."""

    def __init__(self, verb: str) -> None:
        super().__init__(
            f"{verb} would block this thread's running event loop. Use the async face here: "
            "`async with Runner(...) as runner:`, in a notebook `runner = await Runner(...)`, and `await`."
        )


class RunnerClosed(StateMachineError, RuntimeError):
    """The runner is not open."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The runner is not open: {why}. Use it inside `with Runner(...)` or `async with Runner(...)`; "
            "one that has lost its journal stays closed, so end its process and let a new one open it."
        )


class Overloaded(StateMachineError, RuntimeError):
    """A runner that refuses what it cannot take at once has as much to do as it takes; nothing was recorded."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The runner cannot keep up: {why}. Nothing was recorded; ask again later, or let the runner have it wait "
            "(`Runner(refuse=False)`)."
        )


class OpenedBeforeFork(StateMachineError, RuntimeError):
    """A runner is used in a process that was forked after it was opened."""

    def __init__(self) -> None:
        super().__init__(
            "This runner was opened before a fork and is used after it; neither SQLite nor its threads survive that. "
            "Open it in the child: for a prefork server, in the hook that runs after the fork."
        )
