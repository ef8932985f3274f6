"""The workflows a runner was given, by name, by class and by event type.

And whether it can go on with a run made under another hash.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

import attrs

from persistence import Codec
from statemachine.chart import chart_of
from statemachine.data import overlay
from statemachine.definition import Definition, StepSpec
from statemachine.errors import UndeclaredEvent, UnknownWorkflow
from statemachine.runner.line import Limits
from statemachine.runner.piping import check_maker
from statemachine.runner.shelves import Shelf
from statemachine.runner.stored import Stored
from statemachine.snapshot import Done, Pending, Snapshot
from statemachine.steps import Bindable
from statemachine.workflow import Workflow, bind

N = TypeVar("N", int, float)
Limited: TypeAlias = Mapping[type[Workflow[Any]] | Bindable[Any], N]
"""A bound for the attempts of a workflow, by its class, or of a step of it."""
SLOWEST = 1e-6
"""Attempts a second: one in some eleven days."""


@attrs.frozen(eq=False)
class Work:
    """A function that is called: a step's, or its undo's."""

    function: Callable[..., Any]
    later: bool
    """It is `async def`, and awaited on the loop."""

    @classmethod
    def of(cls, definition: Definition, name: str) -> Work:
        """The function of that name."""
        function = definition.code.functions[name]
        return cls(function, inspect.iscoroutinefunction(function))


@attrs.frozen(eq=False)
class HostedStep:
    """A step with its functions, looked up once."""

    spec: StepSpec
    work: Work
    undo: Work | None
    shelf: Shelf | None
    """Where its results are kept, if they are."""
    brief: bool
    """Its attempts may end without waiting for anything, what stands around them included."""

    @property
    def looks(self) -> bool:
        """Whether a result is looked for before an attempt of all of it, and not item by item."""
        return self.shelf is not None and self.spec.each is None

    @classmethod
    def of(cls, definition: Definition, spec: StepSpec) -> HostedStep:
        """A step of a definition that is bound."""
        if spec.process:
            check_maker(spec.process, spec.name)
        undo = None if spec.undo is None else Work.of(definition, spec.undo.function)
        work, shelf = Work.of(definition, spec.function), Shelf.of(definition, spec)
        alone = spec.each is None and spec.heartbeat is None and spec.name not in definition.code.saves
        brief = work.later and spec.kind != "transactional" and shelf is None and alone
        return cls(spec, work, undo, shelf, brief)


@attrs.frozen(eq=False)
class Hosted:
    """One workflow, bound to the object its user made."""

    definition: Definition
    stored: Stored
    kind: type[Workflow[Any]] | None
    names: Mapping[Any, str]
    steps: Mapping[str, HostedStep]

    def event_name(self, event: object) -> str:
        """The stored name of an event. Raises UndeclaredEvent."""
        name = self.names.get(type(event))
        if name is None:
            said = getattr(type(event), "__stored_name__", type(event).__qualname__)
            again = said in self.definition.events
            raise UndeclaredEvent(self.definition.name, said, self.definition.events, again=again)
        return name

    def misfit(self, states: Iterable[str]) -> str:
        """Why a run with these active leaves cannot go on under this definition; empty when it can."""
        chart = chart_of(self.definition)
        gone = [state for state in states if self.state(state) not in chart.nodes]
        if gone:
            return f"this version of {self.definition.name} has no state {', '.join(gone)}"
        return ""

    def undo_data(self, snapshot: Snapshot[Any]) -> Any:
        """What an undo gets: the data, with the fields that its visit set laid over it."""
        return overlay(snapshot.data, snapshot.undo[-1].fields)

    def state(self, name: str) -> str:
        """What a state is called now."""
        return next((spec.name for spec in self.definition.states if name in spec.was), name)

    def adopted(self, snapshot: Snapshot[Any]) -> tuple[Snapshot[Any] | None, str]:
        """The run as it is under this definition, or why it cannot go on under it."""
        chart = chart_of(self.definition)
        lost = [pending.step for pending in snapshot.pending if pending.step not in chart.steps]
        lost += [done.step for done in snapshot.undo if done.step not in chart.steps or not chart.steps[done.step].undo]
        if lost:
            return None, f"this version of {self.definition.name} has no step (or undo) {', '.join(lost)}"
        works: tuple[Pending | Done, ...] = (*snapshot.pending, *snapshot.undo)
        other = {one.step for one in works if one.each != (chart.steps[one.step].each is not None)}
        if other:
            said = f"has each= of step {', '.join(sorted(other))} where there was none, or none where there was"
            return None, f"this version of {self.definition.name} {said}"
        known = {event for spec in self.definition.transitions for event in spec.events}
        dead = [timer.event for timer in snapshot.timers if timer.kind == "after" and timer.event not in known]
        if dead:
            return None, f"this version of {self.definition.name} has no timer {', '.join(dead)}"
        visits = {self.state(name): visit for name, visit in snapshot.visits.items()}
        history = {
            self.state(name): tuple(self.state(state) for state in states) for name, states in snapshot.history.items()
        }
        missing = [name for name in (*visits, *history) if name not in chart.nodes]
        if missing:
            return None, f"this version of {self.definition.name} has no state {', '.join(missing)}"
        return _renamed(snapshot, self, visits, history), ""


def _renamed(
    snapshot: Snapshot[Any], hosted: Hosted, visits: dict[str, int], history: dict[str, tuple[str, ...]]
) -> Snapshot[Any]:
    return Snapshot(
        run=snapshot.run,
        nonce=snapshot.nonce,
        workflow=hosted.definition.name,
        definition=hosted.definition.hash,
        data=snapshot.data,
        now=snapshot.now,
        states=tuple(hosted.state(state) for state in snapshot.states),
        status=snapshot.status,
        seq=snapshot.seq + 1,
        serial=snapshot.serial,
        visits=visits,
        history=history,
        pending=snapshot.pending,
        stopping=snapshot.stopping,
        timers=snapshot.timers,
        deferred=snapshot.deferred,
        undo=snapshot.undo,
        undoing=snapshot.undoing,
        pivoted=snapshot.pivoted,
        ending=snapshot.ending,
        incidents=snapshot.incidents,
        children=snapshot.children,
        paused=snapshot.paused,
        trace=snapshot.trace,
        priority=snapshot.priority,
    )


def _called(hosted: Hosted, key: object) -> Iterator[tuple[str, str]]:
    """A workflow's class, or a step of it, by names."""
    if isinstance(key, type) and issubclass(key, Workflow) and key.definition.name == hosted.definition.name:
        yield hosted.definition.name, ""
    if hosted.kind is None:
        return
    for step in hosted.steps:
        if getattr(hosted.kind, step, None) is key:
            yield hosted.definition.name, step


class Workflows:
    """All workflows of a runner."""

    def __init__(self, given: Iterable[Workflow[Any] | Definition], *, codec: Codec, limit: int, verify: bool) -> None:
        self._by_name: dict[str, Hosted] = {}
        self._by_type: dict[type, Hosted] = {}
        self.all: list[Hosted] = []
        for one in given:
            definition = one if isinstance(one, Definition) else bind(one)
            hosted = Hosted(
                definition=definition,
                stored=Stored(definition, codec, limit, verify=verify),
                kind=None if isinstance(one, Definition) else type(one),
                names={kind: name for name, kind in definition.code.events.items()},
                steps={spec.name: HostedStep.of(definition, spec) for spec in definition.steps},
            )
            for name in (definition.name, *definition.was):
                if name in self._by_name:
                    message = f"Two workflows are called {name!r}; a runner takes each name once."
                    raise ValueError(message)
                self._by_name[name] = hosted
            if hosted.kind is not None:
                self._by_type[hosted.kind] = hosted
            self.all.append(hosted)

    def limits(self, concurrency: Limited[int], rate: Limited[float]) -> Limits:
        """What bounds attempts, by names.

        Raises:
            ValueError: A key is no workflow of this runner and no step of one, a number at once is below 1, or a rate
                is not above 0.
        """
        for most in concurrency.values():
            if most < 1:
                message = f"concurrency of {most}: at least 1 attempt must be able to run"
                raise ValueError(message)
        for often in rate.values():
            if not SLOWEST <= often < math.inf:
                message = f"rate of {often}: from {SLOWEST:.0e} attempts a second up must be able to begin"
                raise ValueError(message)
        return Limits(self._named("concurrency", concurrency), self._named("rate", rate))

    def _named(self, limit: str, given: Limited[N]) -> dict[tuple[str, str], N]:
        """The same by workflow and step; step "" for all of the workflow."""
        found: dict[tuple[str, str], N] = {}
        for key, most in given.items():
            names = [name for hosted in self.all for name in _called(hosted, key)]
            if not names:
                message = f"{limit} names {key!r}, which is no workflow of this runner and no step of one"
                raise ValueError(message)
            found.update(dict.fromkeys(names, most))
        return found

    def called(self, what: type[Workflow[Any]] | Bindable[Any]) -> tuple[str, str]:
        """The names of a workflow and, for a step of one, of the step.

        Raises:
            ValueError: It is a step of no workflow that was given as an object.
        """
        if isinstance(what, type):
            return what.definition.name, ""
        names = [name for hosted in self.all for name in _called(hosted, what)]
        if not names:
            message = (
                f"{what!r} is a step of no workflow that this runner was given as an object. Say it by names: "
                "hold('loan-approval', step='pay')"
            )
            raise ValueError(message)
        return names[0]

    def named(self, name: str) -> Hosted:
        """The workflow of that name, or that had it. Raises UnknownWorkflow."""
        hosted = self._by_name.get(name)
        if hosted is None:
            raise UnknownWorkflow(name, self._by_name)
        return hosted

    def get(self, name: str) -> Hosted | None:
        """The workflow of that name, if there is one."""
        return self._by_name.get(name)

    def of(self, kind: type[Workflow[Any]] | str) -> Hosted:
        """The workflow of that class or name. Raises UnknownWorkflow."""
        if isinstance(kind, str):
            return self.named(kind)
        hosted = self._by_type.get(kind) or self.named(kind.definition.name)
        if hosted.kind not in {kind, None}:  # it would move the run by the code that it was given first
            raise UnknownWorkflow(hosted.definition.name, self._by_name, again=True)
        return hosted
