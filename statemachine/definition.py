"""What a workflow is: states, transitions, steps and timers as frozen plain data that names its functions.

A `Definition` is compiled from a `Workflow` class or built directly from data; the core, the checks, the diagrams and
the runners see nothing else. Its nodes hold names only. The functions those names stand for travel beside them in
`Definition.code`, so that the structure can be hashed, compared, drawn and stored.

Functions, as the core calls them (the class API adapts what its users write to these shapes):

* guard, action, fold, delay: `(data, occurrence, scope)`; a guard returns a bool, an action the next data, a delay
  seconds or an absolute UTC `datetime`. `Scope` (see `statemachine.scope`) is how a function raises, sends or asks
  which states are active.
* step, undo: called by the host, never by the core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import attrs

from statemachine.retry import Retry

StateKind = Literal["atomic", "compound", "parallel", "final", "history"]
StepKind = Literal["at-least-once", "transactional", "at-most-once"]
Failures = Literal["stop", "collect"]
Function = Callable[..., Any]
F = TypeVar("F", bound=Function)


def unscoped(function: F) -> F:
    """Say of a guard or action that it never looks at its scope; gives it back."""
    function.unscoped = True  # type: ignore[attr-defined]
    return function


def is_unscoped(function: Function | None) -> bool:
    """Whether that was said of it; no function looks at nothing."""
    return function is None or getattr(function, "unscoped", False)


@attrs.frozen(kw_only=True)
class TransitionSpec:
    """One transition. Its place in `Definition.transitions` is its document order, hence its priority."""

    source: str
    events: tuple[str, ...] = ()
    """Names (or, where `Definition.descriptors`, SCXML descriptors) of the events that trigger it; none: eventless."""
    guard: str | None = None
    targets: tuple[str, ...] = ()
    """Empty: targetless, so no state is left or entered."""
    internal: bool = False
    """SCXML `type="internal"`: a transition from a compound to its own descendants does not leave the compound."""
    actions: tuple[str, ...] = ()
    declared: str = ""
    """The name it was declared under. Arms of one declaration share it, and their order is meant as priority."""


@attrs.frozen(kw_only=True)
class InvokeSpec:
    """A child machine that lives while its state is active (SCXML 6.4). Only definitions built from data have these."""

    invoke: str
    """Function `(data, occurrence, scope) -> Invocation`."""
    actions: tuple[str, ...] = ()
    """Run just before `invoke`, when the child is begun (SCXML `idlocation`)."""
    finalize: tuple[str, ...] = ()
    autoforward: bool = False


@attrs.frozen(kw_only=True)
class StateSpec:
    """One state.

    `name` is its dotted path of nested classes, unique in the definition. Order in the tuple is document order.
    """

    name: str
    parent: str | None = None
    kind: StateKind = "atomic"
    initial: TransitionSpec | None = None
    """Compound only: the default entry, with its content. `source` is the compound itself."""
    deep: bool = False
    """History only: remember the active leaves, not the active children."""
    default: TransitionSpec | None = None
    """History only: where to go when nothing is remembered yet."""
    entry: tuple[tuple[str, ...], ...] = ()
    """Blocks of actions; an error ends its own block only (SCXML 3.8)."""
    exit: tuple[tuple[str, ...], ...] = ()
    defer: tuple[str, ...] = ()
    compensate: bool = False
    """Top-level final only: arriving here undoes what was done."""
    waits_for: str | None = None
    """The role of the person this state waits for."""
    done_data: str | None = None
    """Final only: function whose value `done.state.<parent>` carries."""
    invokes: tuple[InvokeSpec, ...] = ()
    was: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class TimerSpec:
    """Set when `state` is entered, cancelled when it is left; raises `event`."""

    state: str
    event: str
    delay: float | str
    """Seconds, or the name of a delay function."""


@attrs.frozen(kw_only=True)
class UndoSpec:
    """How a step is undone: `(data, call) -> None`, called by the host."""

    function: str
    retry: Retry
    timeout: float
    """Seconds for one attempt."""


@attrs.frozen(kw_only=True)
class CacheSpec:
    """Where a step's results are kept for other runs to take."""

    key: str
    """Function `(data, occurrence, scope)` -> what a result depends on; `occurrence.value` is the item, if any."""
    age: float
    """Seconds after which a result is taken no more."""
    most: int = 10_000
    """How many results are kept."""
    size: int = 64 << 20
    """How many bytes of them."""


@attrs.frozen(kw_only=True)
class StepSpec:
    """Work with effects, done by the host while its state is active.

    Its outcomes are occurrences in that state: `done.step.<name>` after success, `error.step.<name>.<arm>` for a
    declared exception, and `failed.step.<name>` when attempts are used up, if `failed` says that the state has a
    transition for it.
    """

    name: str
    state: str
    function: str
    kind: StepKind = "at-least-once"
    retry: Retry
    timeout: float
    """Seconds for one attempt."""
    overall: float | None = None
    """Seconds from entry, over all attempts."""
    heartbeat: float | None = None
    """Seconds without a sign of life after which an attempt counts as failed."""
    process: str = ""
    """Where a process of its own finds the workflow, `module:name`; empty: it has none."""
    pivot: bool = False
    errors: tuple[str, ...] = ()
    """Declared exceptions, keys of `Code.exceptions`; the arm of the n-th is the event `error.step.<name>.<n>`."""
    failed: bool = False
    undo: UndoSpec | None = None
    into: str | None = None
    """A pure fold `(data, occurrence, scope) -> data`; `occurrence.value` is what the step returned."""
    effect: bool = True
    """False: the step says that there is nothing to undo."""
    each: str | None = None
    """A function `(data, occurrence, scope) -> items`: the step is done once for each, as `(data, item, call)`."""
    limit: int = 8
    """With `each`: of how many items attempts are made at once in one visit."""
    failures: Failures = "stop"
    """With `each`: the first item that fails for good fails the step, or its failure is its outcome."""
    cache: CacheSpec | None = None

    @property
    def succeeded_event(self) -> str:
        """Name of the occurrence after success."""
        return f"done.step.{self.name}"

    @property
    def failed_event(self) -> str:
        """Name of the occurrence when attempts are used up."""
        return f"failed.step.{self.name}"

    def error_event(self, arm: int) -> str:
        """Name of the occurrence of the n-th declared exception."""
        return f"error.step.{self.name}.{arm}"


@attrs.frozen(kw_only=True)
class Waiver:
    """A finding of the checks (see `statemachine.checking`) that is meant, and why."""

    code: str
    reason: str
    at: str = ""
    """The state, step or `TransitionSpec.declared` beside which it stands; empty: the whole workflow."""


@attrs.frozen(kw_only=True)
class Code:
    """The live objects a definition names.

    Not part of its hash or equality; bound to one workflow object by its host.
    """

    functions: Mapping[str, Function] = attrs.field(factory=dict[str, Function])
    data: Any = dict
    """Type of the run's data, as a codec decodes it."""
    events: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    """Event name -> type."""
    results: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    """Step name -> type of what it returns, for steps with `into`; of one item, where it is done for each of many."""
    saves: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    """Step name -> type of what it saves while it works, for steps that do."""
    items: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    """Step name -> type of an item, for steps with `each`."""
    exceptions: Mapping[str, type[BaseException]] = attrs.field(factory=dict[str, type[BaseException]])
    refusals: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """Guard function -> the sentence its docstring gives as the reason of a refusal."""


@attrs.frozen(kw_only=True)
class Definition:
    """A whole workflow.

    `hash` is computed when it is built (see `statemachine.identity`) and travels in each snapshot.
    """

    name: str
    version: int = 1
    states: tuple[StateSpec, ...]
    initial: TransitionSpec
    """Entry of the whole machine; `source` is the empty string."""
    transitions: tuple[TransitionSpec, ...] = ()
    steps: tuple[StepSpec, ...] = ()
    timers: tuple[TimerSpec, ...] = ()
    events: tuple[str, ...] = ()
    """Names of the events it declares, sorted."""
    was: tuple[str, ...] = ()
    """Names this workflow had."""
    event_names: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """Former event name -> present one."""
    descriptors: bool = False
    """Transitions carry SCXML event descriptors (prefixes, `*`) and errors in functions become `error.execution`."""
    waivers: tuple[Waiver, ...] = ()
    """What its author knows of and wants so. Not part of the hash, as `TransitionSpec.declared` is not."""
    hash: str = ""
    code: Code = attrs.field(factory=Code, eq=False, repr=False)
    tables: dict[str, Any] = attrs.field(init=False, factory=dict[str, Any], eq=False, repr=False)
    """What `statemachine.chart` has computed from it, once."""
