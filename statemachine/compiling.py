"""Compiles a workflow's class into its `Definition`: names for references, functions in the shapes the core calls.

Read the class body top to bottom: states in document order, transitions in the order in which they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeGuard, cast

import attrs

from statemachine.definition import Code, Definition, StateSpec, StepSpec, TimerSpec, TransitionSpec, UndoSpec
from statemachine.errors import BrokenState, BrokenStep, BrokenTransition
from statemachine.events import Event, event_name, former_names
from statemachine.identity import hash_of
from statemachine.signatures import Bound, Reader
from statemachine.states import Arm, History, Nested, Parallel, State, Target
from statemachine.steps import Bindable, Work
from statemachine.storable import check_data, check_type
from statemachine.transitions import Declared, Written
from statemachine.validation import validate


@attrs.frozen(eq=False)
class Compiled:
    """A definition with unbound functions, and how to bind them to a workflow object."""

    definition: Definition
    bound: Mapping[str, Bound]

    def bind(self, owner: object) -> Definition:
        """The definition with its functions bound."""
        functions = {name: bind(owner) for name, bind in self.bound.items()}
        return attrs.evolve(self.definition, code=attrs.evolve(self.definition.code, functions=functions))


class Compiler:
    """Compiles one class. Its parts fill in one after the other; `compiled` is the end."""

    def __init__(self, cls: type, *, name: str, version: int, was: tuple[str, ...], data: Any) -> None:
        self.cls = cls
        self.name = name
        self.version = version
        self.was = was
        self.data = data
        self.reader = Reader(cls.__qualname__, data)
        self.names: dict[int, str] = {}
        self.states: list[StateSpec] = []
        self.transitions: list[TransitionSpec] = []
        self.timers: list[TimerSpec] = []
        self.steps: list[StepSpec] = []
        self.bound: dict[str, Bound] = {}
        self.keys: dict[int, str] = {}
        self.kept: list[Any] = []
        self.events: dict[str, type[Event]] = {}
        self.event_names: dict[str, str] = {}
        self.results: dict[str, Any] = {}
        self.exceptions: dict[str, type[BaseException]] = {}
        self.refusals: dict[str, str] = {}
        self.entries: dict[str, list[tuple[str, ...]]] = {}
        self.exits: dict[str, list[tuple[str, ...]]] = {}

    def compiled(self) -> Compiled:
        """Compile, validate and hash. Raises DefinitionError."""
        check_data(self.cls.__qualname__, self.data)
        self._name(vars(self.cls), "")
        for item in _declared(self.cls):
            if isinstance(item, Bindable):
                self._step(item.work)
            else:
                self._transition(item)
        self._states(vars(self.cls), None)
        for state in self.states:
            for event in state.defer:
                if event not in self.events:
                    raise BrokenState(
                        self.cls.__qualname__,
                        state.name,
                        f"it defers {event}, which no transition of the workflow takes",
                    )
        definition = Definition(
            name=self.name,
            version=self.version,
            states=tuple(self.states),
            initial=TransitionSpec(source="", targets=self._initial(vars(self.cls), None)),
            transitions=tuple(self.transitions),
            steps=tuple(self.steps),
            timers=tuple(self.timers),
            events=tuple(sorted(self.events)),
            was=self.was,
            event_names=self.event_names,
            code=Code(
                functions={name: bind(None) for name, bind in self.bound.items()},
                data=self.data,
                events=self.events,
                results=self.results,
                exceptions=self.exceptions,
                refusals=self.refusals,
            ),
        )
        validate(definition, self.cls.__qualname__)
        return Compiled(attrs.evolve(definition, hash=hash_of(definition)), self.bound)

    # States.

    def _name(self, space: Mapping[str, Any], prefix: str) -> None:
        for name, item in space.items():
            if isinstance(item, State):
                if id(item) in self.names:
                    raise BrokenState(self.cls.__qualname__, name, f"it is the same object as {self.names[id(item)]}")
                item.path = self.names[id(item)] = prefix + name
            elif _nested(item):
                item.path = self.names[id(item)] = prefix + item.__name__
                self._name(vars(item), f"{prefix}{item.__name__}.")

    def _states(self, space: Mapping[str, Any], parent: str | None) -> None:
        for item in space.values():
            if isinstance(item, State):
                self.states.append(self._state(item, parent))
            elif _nested(item):
                parallel, options = issubclass(item, Parallel), item.__options__
                initial = () if parallel else self._initial(vars(item), item)
                self.states.append(
                    StateSpec(
                        name=item.path,
                        parent=parent,
                        kind="parallel" if parallel else "compound",
                        initial=TransitionSpec(source=item.path, targets=initial) if initial else None,
                        entry=tuple(self.entries.get(item.path, ())),
                        exit=tuple(self.exits.get(item.path, ())),
                        defer=self._deferred(options.defer),
                        waits_for=options.waits_for,
                        was=options.was,
                    )
                )
                self._states(vars(item), item.path)

    def _state(self, state: State, parent: str | None) -> StateSpec:
        if isinstance(state, History):
            if state.default is None:
                raise BrokenState(self.cls.__qualname__, state.name, "say where to go when nothing is remembered")
            default = TransitionSpec(source=state.name, targets=(self.target(state.default, state.name),))
            return StateSpec(
                name=state.name, parent=parent, kind="history", deep=state.deep, default=default, was=state.was
            )
        return StateSpec(
            name=state.name,
            parent=parent,
            kind="final" if state.final else "atomic",
            entry=tuple(self.entries.get(state.name, ())),
            exit=tuple(self.exits.get(state.name, ())),
            defer=self._deferred(state.defer),
            compensate=state.compensate,
            waits_for=state.waits_for,
            was=state.was,
        )

    def _deferred(self, events: tuple[type[Event], ...]) -> tuple[str, ...]:
        return tuple(event_name(event) for event in events)

    def _initial(self, space: Mapping[str, Any], inside: type[Nested] | None) -> tuple[str, ...]:
        found = [self.names[id(item)] for item in space.values() if _is_initial(item)]
        if len(found) != 1:
            where = inside.path if inside else None
            said = f"two initial states: {', '.join(found)}" if found else "no initial state"
            raise BrokenState(self.cls.__qualname__, where, f"{said}; mark exactly one with initial=True")
        return (found[0],)

    def target(self, target: Target, about: str) -> str:
        """The name of a target. Raises BrokenTransition when it is of another workflow."""
        name = self.names.get(id(target))
        if name is None:
            raise BrokenTransition(
                self.cls.__qualname__, about, f"{target!r} is not a state of this workflow; name one of its own"
            )
        return name

    # Transitions.

    def _transition(self, declared: Declared) -> None:
        for source in declared.source:
            name = self.target(source, declared.kind)
            if declared.kind in {"entry", "exit"}:
                blocks = self.entries if declared.kind == "entry" else self.exits
                blocks.setdefault(name, []).append(self._handler(declared, None))
            else:
                self._arms(
                    name,
                    (self._trigger(declared, name),) if declared.kind != "always" else (),
                    declared.to,
                    when=declared.when,
                    event=declared.event,
                    internal=declared.internal,
                    actions=self._handler(declared, declared.event) if declared.handler else (),
                )

    def _handler(self, declared: Declared, event: Any) -> tuple[str, ...]:
        if declared.handler is None:
            return ()
        handler = declared.handler
        return (self.key(handler, lambda: self.reader.handler(handler, event)),)

    def _trigger(self, declared: Declared, source: str) -> str:
        if declared.kind == "joined":
            return f"done.state.{source}"
        if declared.kind == "after":
            return self._timer(declared, source)
        event = declared.event
        if event is None:
            raise BrokenTransition(self.cls.__qualname__, source, "it names no event", declared.place)
        return self._event(event, source)

    def _event(self, event: type[Event], source: str) -> str:
        name = event_name(event)
        if name.startswith(("done.", "error.", "failed.", "after.")):
            raise BrokenTransition(
                self.cls.__qualname__, source, f"event name {name!r} begins like one of the machine's own; rename it"
            )
        if self.events.setdefault(name, event) is not event:
            raise BrokenTransition(
                self.cls.__qualname__, source, f"two events are stored as {name!r}; give one of them name='…'"
            )
        check_type(self.cls.__qualname__, event, f"event {name}")
        self.event_names.update(dict.fromkeys(former_names(event), name))
        return name

    def _timer(self, declared: Declared, source: str) -> str:
        number = sum(timer.state == source for timer in self.timers)
        event = f"after.{source}.{number}"
        delay = declared.delay
        if isinstance(delay, timedelta):
            self.timers.append(TimerSpec(state=source, event=event, delay=delay.total_seconds()))
        elif callable(delay):
            function = delay
            key = self.key(function, lambda: self.reader.delay(function))
            self.timers.append(TimerSpec(state=source, event=event, delay=key))
        else:
            raise BrokenTransition(
                self.cls.__qualname__, source, f"{delay!r} is no delay; give a timedelta or a function", declared.place
            )
        return event

    def _arms(
        self,
        source: str,
        events: tuple[str, ...],
        to: Any,
        *,
        when: Callable[..., bool] | None = None,
        event: Any = None,
        internal: bool = False,
        actions: tuple[str, ...] = (),
    ) -> None:
        arms = cast("tuple[Any, ...]", to if isinstance(to, tuple) else (to,))
        for arm in arms:
            target, guard = (arm.target, arm.guard) if isinstance(arm, Arm) else (arm, None)
            self.transitions.append(
                TransitionSpec(
                    source=source,
                    events=events,
                    guard=self._guard(when, guard, event),
                    targets=() if target is None else (self.target(target, source),),
                    internal=internal,
                    actions=actions,
                )
            )

    def _guard(self, when: Any, guard: Any, event: Any) -> str | None:
        keys = [self._guard_key(function, event) for function in (when, guard) if function is not None]
        if len(keys) < 2:
            return keys[0] if keys else None
        first, second = (self.bound[key] for key in keys)
        name = " and ".join(keys)
        self.bound[name] = lambda owner: _both(first(owner), second(owner))
        self.refusals[name] = "; ".join(self.refusals[key] for key in keys)
        return name

    def _guard_key(self, function: Callable[..., Any], event: Any) -> str:
        key = self.key(function, lambda: self.reader.guard(function, event))
        doc = (function.__doc__ or "").strip().split("\n\n")[0]
        self.refusals[key] = " ".join(doc.split()) if doc else key
        return key

    def key(self, function: Callable[..., Any], bind: Callable[[], Bound]) -> str:
        """What a function is called in the definition: its qualified name, numbered where two share it."""
        if id(function) not in self.keys:
            plain = getattr(function, "__qualname__", type(function).__qualname__).rpartition("<locals>.")[2]
            key, number = plain, 1
            while key in self.bound:
                number += 1
                key = f"{plain}#{number}"
            self.keys[id(function)] = key
            self.kept.append(function)
            self.bound[key] = bind()
        return self.keys[id(function)]

    # Steps.

    def _step(self, work: Work) -> None:
        function = work.function
        if function is None:
            raise BrokenStep(self.cls.__qualname__, None, "a step stands without its method", work.place)
        source = self.target(work.state, function.__name__)
        if work.once and work.retry.attempts > 1:
            raise BrokenStep(
                self.cls.__qualname__,
                source,
                f"{function.__name__} runs at most once; it can have no retries",
                work.place,
            )
        into, result = None, self.data
        if work.into is not None:
            into, result = self._fold(work.into, function)
        self.steps.append(
            StepSpec(
                name=function.__name__,
                state=source,
                function=self.key(
                    function,
                    lambda: self.reader.step(function, transactional=work.transactional, returns=result),
                ),
                kind="transactional" if work.transactional else "at-most-once" if work.once else "at-least-once",
                retry=work.retry,
                timeout=work.timeout,
                overall=work.overall,
                pivot=work.pivot,
                errors=tuple(self._exception(kind) for kind in work.error),
                failed=work.failed is not None,
                undo=self._undo(work),
                into=into,
                effect=work.effect,
            )
        )
        self._ways(self.steps[-1], work)

    def _ways(self, step: StepSpec, work: Work) -> None:
        """The transitions of a step's outcomes."""
        self._arms(step.state, (step.succeeded_event,), work.to)
        for arm, target in enumerate(work.error.values()):
            self._arms(step.state, (step.error_event(arm),), target)
        if work.failed is not None:
            self._arms(step.state, (step.failed_event,), work.failed)

    def _fold(self, fold: Callable[..., Any], function: Callable[..., Any]) -> tuple[str, Any]:
        bound, taken = self.reader.fold(fold)
        given = self.reader.result(function)
        kind = taken if given is Any else given
        if kind is Any:
            raise BrokenStep(
                self.cls.__qualname__, None, f"say what {function.__name__} returns, so that it can be stored"
            )
        check_type(self.cls.__qualname__, kind, f"result of {function.__name__}")
        self.results[function.__name__] = kind
        return self.key(fold, lambda: bound), taken if taken is not Any else kind

    def _undo(self, work: Work) -> UndoSpec | None:
        undo = work.undo
        if undo is None:
            return None
        key = self.key(undo, lambda: self.reader.step(undo, transactional=work.transactional, returns=Any))
        return UndoSpec(function=key, retry=work.undo_retry, timeout=work.undo_timeout)

    def _exception(self, kind: type[BaseException]) -> str:
        self.exceptions[kind.__qualname__] = kind
        return kind.__qualname__


def _both(first: Callable[..., Any], second: Callable[..., Any]) -> Callable[..., bool]:
    def holds(data: Any, occurrence: Any, scope: Any) -> bool:
        return bool(first(data, occurrence, scope) and second(data, occurrence, scope))

    return holds


def _declared(cls: type) -> Iterator[Bindable[Any] | Declared]:
    """Steps and transitions of a class body, in its order."""
    for item in vars(cls).values():
        if isinstance(item, Bindable):
            yield item
        elif isinstance(item, Written):
            yield item.declared
        else:
            yield from getattr(item, "__transitions__", ())


def _nested(item: Any) -> TypeGuard[type[Nested]]:
    return isinstance(item, type) and issubclass(item, Nested)


def _is_initial(item: Any) -> bool:
    return item.initial if isinstance(item, State) else _nested(item) and item.__options__.initial
