"""Compiles a workflow's class into its `Definition`: names for references, functions in the shapes the core calls.

It reads the class body top to bottom: states in document order, transitions in the order in which they stand.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, cast

import attrs

from statemachine.definition import Code, Definition, StepSpec, TimerSpec, TransitionSpec, UndoSpec
from statemachine.errors import BrokenState, BrokenStep, BrokenTransition, DefinitionError
from statemachine.events import Event, EventType, event_name, former_names
from statemachine.functions import Functions
from statemachine.given import check_former, check_line, check_work
from statemachine.identity import hash_of
from statemachine.signatures import Bound, Reader
from statemachine.spreading import spread
from statemachine.states import DECLARED, Arm, State
from statemachine.steps import Bindable, Taking, Work, seconds
from statemachine.storable import check_data, check_type, say
from statemachine.transitions import Declared, Written
from statemachine.tree import Tree, is_nested
from statemachine.validation import validate
from statemachine.waivers import waivers_at


@attrs.frozen(eq=False)
class Compiled:
    """A definition with unbound functions, and how to bind them to a workflow object."""

    definition: Definition
    bound: Mapping[str, Bound]

    def bind(self, owner: object) -> Definition:
        """The definition with its functions bound."""
        functions = {name: bind(owner) for name, bind in self.bound.items()}
        return attrs.evolve(self.definition, code=attrs.evolve(self.definition.code, functions=functions))


@attrs.frozen(kw_only=True)
class Line:
    """What stands in a workflow's class line, and where.

    Attributes:
        name: What the journal stores.
        version: From 1.
        was: Names it had.
        data: Type of the data.
        place: `file:line`.
        names: What annotations may name besides the globals of their module.
    """

    name: str
    version: int
    was: tuple[str, ...]
    data: Any
    place: str
    names: Mapping[str, Any]


def compiled(cls: type, line: Line) -> Compiled:
    """Compile, validate and hash a workflow's class. Raises DefinitionError."""
    try:
        return _Compiler(cls, line).compiled()
    except DefinitionError as error:
        error.place = error.place or line.place
        raise


class _Compiler:
    def __init__(self, cls: type, line: Line) -> None:
        self.cls = cls
        self.line = line
        self.said = say(cls)
        body = vars(cls)
        methods = frozenset(id(item) for item in body.values() if callable(item))
        self.functions = Functions(Reader(self.said, line.data, line.names, methods))
        self.tree = Tree(self.said, body)
        self.transitions: list[TransitionSpec] = []
        self.timers: list[TimerSpec] = []
        self.steps: list[StepSpec] = []
        self.events: dict[str, type[Event]] = {}
        self.event_names: dict[str, str] = {}
        self.results: dict[str, Any] = {}
        self.saves: dict[str, Any] = {}
        self.items: dict[str, Any] = {}
        self.exceptions: dict[str, type[BaseException]] = {}
        self.entries: dict[str, list[tuple[str, ...]]] = {}
        self.exits: dict[str, list[tuple[str, ...]]] = {}

    def compiled(self) -> Compiled:
        self._check_line()
        check_data(self.said, self.line.data)
        for name, item in self._body():
            if isinstance(item, Bindable):
                self._step(item.work)
            else:
                self._transition(item, name)
        self._check_former()
        definition = Definition(
            name=self.line.name,
            version=self.line.version,
            states=tuple(self.tree.specs(self.entries, self.exits)),
            initial=TransitionSpec(source="", targets=(self.tree.initial(None),)),
            transitions=tuple(self.transitions),
            steps=tuple(self.steps),
            timers=tuple(self.timers),
            events=tuple(sorted(self.events)),
            was=self.line.was,
            event_names=self.event_names,
            waivers=waivers_at([*((found.path, found.written) for found in self.tree.found), *vars(self.cls).items()]),
            code=Code(
                functions={name: bind(self.cls) for name, bind in self.functions.bound.items()},
                data=self.line.data,
                events=self.events,
                results=self.results,
                saves=self.saves,
                items=self.items,
                exceptions=self.exceptions,
                refusals=self.functions.refusals,
            ),
        )
        validate(definition, self.said)
        return Compiled(attrs.evolve(definition, hash=hash_of(definition)), self.functions.bound)

    # What only the class knows.

    def _check_line(self) -> None:
        check_line(self.said, self.line.name, self.line.version, self.line.was)
        for name in inspect.get_annotations(self.cls):
            item = vars(self.cls).get(name)
            if isinstance(item, State | Written | Bindable) or is_nested(item):
                raise BrokenState(
                    self.said,
                    name,
                    "it is annotated, which makes it an argument of the constructor; drop the annotation",
                )

    def _check_former(self) -> None:
        """Names that states and events had must not be names that others have now."""
        for former, name in self.event_names.items():
            if former in self.events:
                raise BrokenTransition(
                    self.said, None, f"event {name!r} was {former!r}, which is another event now; drop it from was="
                )
        paths = {found.path for found in self.tree.found}
        had: dict[str, str] = {}
        for found in self.tree.found:
            written = found.written
            for former in written.was if isinstance(written, State) else written.__options__.was:
                if former in paths or had.setdefault(former, found.path) != found.path:
                    raise BrokenState(
                        self.said, found.path, f"it was {former!r}, which is another state; drop it from was="
                    )

    def _body(self) -> Iterator[tuple[str, Bindable[Any] | Declared]]:
        """Steps and transitions with the names they are declared under, in the order of the class body."""
        seen: set[int] = set()
        for name, item in vars(self.cls).items():
            if isinstance(item, Taking):
                raise BrokenStep(self.said, None, f"{name} is a step without its method; use it as a decorator")
            if isinstance(item, Bindable):
                seen.add(id(item.work))
                yield name, item
            for one in _declared(item):
                seen.add(id(one))
                yield name, one
        written: Iterable[Declared | Work] = vars(self.cls).get(DECLARED, ())
        for other in written:
            if id(other) not in seen:
                self._unseen(other)

    def _unseen(self, one: Declared | Work) -> None:
        """Refuse what was written in the class body and stands under no name of it any more."""
        if isinstance(one, Declared):
            reason = "a transition stands here without a name; assign it: name = …"
            raise BrokenTransition(self.said, None, reason, one.place)
        reason = "a step stands here without its method; use it as a decorator"
        if one.function is not None:
            hidden = one.function.__name__
            reason = f"step {hidden} stands here, and its name is given to something else after it; rename one of them"
        raise BrokenStep(self.said, None, reason, one.place)

    # Transitions.

    def _transition(self, declared: Declared, name: str) -> None:
        if not declared.source:
            raise BrokenTransition(
                self.said, None, f"{name} stands in no state; name those in which it happens", declared.place
            )
        if declared.to == ():
            reason = f"{name} has to=() and leads nowhere; leave to= out, or name a state"
            raise BrokenTransition(self.said, None, reason, declared.place)
        for reference in declared.source:
            source = self.tree.name(reference, None, declared.place)
            if declared.kind in {"entry", "exit"}:
                self._block(declared, source)
                continue
            if declared.kind != "on" and declared.to is None and declared.handler is None:
                raise BrokenTransition(
                    self.said, source, f"{name} leads nowhere and does nothing; name a state in to=", declared.place
                )
            self._arms(
                source,
                () if declared.kind == "always" else (self._trigger(declared, source),),
                declared.to,
                when=declared.when,
                event=declared.event,
                internal=declared.internal,
                actions=(self.functions.handler(declared.handler, declared.event),) if declared.handler else (),
                declared=name,
                place=declared.place,
            )

    def _block(self, declared: Declared, source: str) -> None:
        if declared.handler is None:
            raise BrokenTransition(
                self.said,
                source,
                f"on_{declared.kind} stands without its handler; use it as a decorator",
                declared.place,
            )
        blocks = self.entries if declared.kind == "entry" else self.exits
        blocks.setdefault(source, []).append((self.functions.handler(declared.handler, None),))

    def _trigger(self, declared: Declared, source: str) -> str:
        if declared.kind == "joined":
            return f"done.state.{source}"
        if declared.kind == "after":
            return self._timer(declared, source)
        event: Any = declared.event
        if not isinstance(event, EventType) or event is Event:
            raise BrokenTransition(self.said, source, f"{event!r} is not a type derived from Event", declared.place)
        return self._event(cast("type[Event]", event), source, declared.place)

    def _event(self, event: type[Event], source: str, place: str) -> str:
        name = event_name(event)
        if self.events.setdefault(name, event) is not event:
            raise BrokenTransition(
                self.said,
                source,
                f"two types of event are stored as {name!r}, {say(self.events[name])} and {say(event)}; "
                "give one of them another name= in its class line",
                place,
            )
        if not event.__struct_config__.frozen:
            raise BrokenTransition(self.said, source, f"event {name!r} is mutable; derive it with frozen=True", place)
        check_type(self.said, event, f"event {name}")
        check_former(self.said, source, former_names(event))
        for former in former_names(event):
            if self.event_names.setdefault(former, name) != name:
                raise BrokenTransition(
                    self.said, source, f"two events were {former!r}; drop it from was= of one of them", place
                )
        return name

    def _timer(self, declared: Declared, source: str) -> str:
        number = sum(timer.state == source for timer in self.timers)
        event = f"after.{source}.{number}"
        given = declared.delay
        if isinstance(given, timedelta | int | float):
            delay: float | str = seconds(given)
            if isinstance(delay, float) and delay < 0:
                raise BrokenTransition(self.said, source, f"{given!r} is in the past", declared.place)
        elif callable(given):
            delay = self.functions.delay(given)
        else:
            raise BrokenTransition(
                self.said, source, f"{given!r} is no delay; give seconds, a timedelta or a function", declared.place
            )
        self.timers.append(TimerSpec(state=source, event=event, delay=delay))
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
        declared: str,
        place: str,
    ) -> None:
        for arm in _arms(to):
            target, guard = (arm.target, arm.guard) if isinstance(arm, Arm) else (arm, None)
            self.transitions.append(
                TransitionSpec(
                    source=source,
                    events=events,
                    guard=self.functions.guards([one for one in (when, guard) if one is not None], event),
                    targets=() if target is None else (self.tree.name(target, source, place),),
                    internal=internal,
                    actions=actions,
                    declared=declared,
                )
            )

    # Steps.

    def _step(self, work: Work) -> None:
        function = cast("Callable[..., Any]", work.function)
        source = self.tree.name(work.state, None, work.place)
        check_work(self.said, source, work)
        each = None if work.each is None else spread(self.functions, self.said, work, function)
        into, returns = self._fold(work, function) if each is None else (each.into, each.result)
        item = None if each is None else each.item
        if each is not None:
            self.items[function.__name__] = each.item
            self.results[function.__name__] = each.result
        step = StepSpec(
            name=function.__name__,
            state=source,
            function=self.functions.step(function, transactional=work.transactional, returns=returns, item=item),
            kind="transactional" if work.transactional else "at-most-once" if work.once else "at-least-once",
            retry=work.retry,
            timeout=work.timeout,
            overall=work.overall,
            heartbeat=work.heartbeat,
            process=self.functions.process(work, self.cls),
            pivot=work.pivot,
            errors=tuple(self._exceptions(work, source)),
            failed=work.failed is not None,
            undo=self._undo(work, item),
            into=into,
            effect=work.effect,
            each=None if each is None else each.each,
            limit=work.limit,
            failures=work.failures,
            cache=self.functions.cache(work.cache, item),
        )
        self.steps.append(step)
        saves = self.functions.saves(work)
        if saves is not None:
            self.saves[step.name] = saves
        self._arms(source, (step.succeeded_event,), work.to, declared=step.name, place=work.place)
        for arm, to in enumerate(work.error.values()):
            self._arms(source, (step.error_event(arm),), to, declared=step.name, place=work.place)
        if work.failed is not None:
            self._arms(source, (step.failed_event,), work.failed, declared=step.name, place=work.place)

    def _fold(self, work: Work, function: Callable[..., Any]) -> tuple[str | None, Any]:
        """The name of the fold, if there is one, and what the step returns."""
        if work.into is None:
            return None, self.line.data
        reader = self.functions.reader
        given, taken = reader.result(function), reader.taken(work.into)
        result = taken if given is Any else given
        if result is Any:
            raise BrokenStep(
                self.said, None, f"say what {function.__name__} returns, so that it can be stored", work.place
            )
        check_type(self.said, result, f"result of {function.__name__}")
        self.results[function.__name__] = result
        return self.functions.fold(work.into, result), result

    def _undo(self, work: Work, item: Any) -> UndoSpec | None:
        if work.undo is None:
            return None
        if work.other_undo is not None:
            reason = f"step has two undos, {work.undo.__name__} and {work.other_undo.__name__}; make them one"
            raise BrokenStep(self.said, None, reason, work.place)
        name = self.functions.step(work.undo, transactional=work.transactional, returns=type(None), item=item)
        return UndoSpec(function=name, retry=work.undo_retry, timeout=work.undo_timeout)

    def _exceptions(self, work: Work, source: str) -> Iterator[str]:
        before: list[type[BaseException]] = []
        for kind in work.error:
            if Exception not in kind.__mro__[1:]:
                raise BrokenStep(
                    self.said, source, f"{say(kind)} in error= says nothing about the effect; name an error of its own"
                )
            wider = next((other for other in before if issubclass(kind, other)), None)
            if wider is not None:
                raise BrokenStep(
                    self.said, source, f"{say(kind)} in error= is never reached, since {say(wider)} stands before it"
                )
            before.append(kind)
            name, number = kind.__qualname__, 1
            while self.exceptions.setdefault(name, kind) is not kind:
                number += 1
                name = f"{kind.__qualname__}#{number}"
            yield name


def _arms(to: Any) -> tuple[Any, ...]:
    return to if isinstance(to, tuple) else (to,)  # pyright: ignore[reportUnknownVariableType]


def _declared(item: Any) -> Iterable[Declared]:
    """The transitions that stand under a name of a class body: one as a value, or those a handler was given to."""
    return (item.declared,) if isinstance(item, Written) else getattr(item, "__transitions__", ())
