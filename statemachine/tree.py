"""The states of a workflow's class body: their dotted names, and how they are nested.

Nested classes hold states only; everything that leads from one to another stands at workflow level.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

import attrs

from statemachine.definition import StateSpec, TransitionSpec
from statemachine.errors import BrokenState, BrokenTransition
from statemachine.events import Event, event_name
from statemachine.given import check_deferred, check_former
from statemachine.states import Compound, History, Nested, Parallel, State, Target, WorkflowObject
from statemachine.steps import Bindable
from statemachine.transitions import Written

RESERVED = frozenset(("definition", "compiled", "path", "when"))
Blocks = Mapping[str, list[tuple[str, ...]]]


@attrs.frozen
class Found:
    """A state in its place."""

    path: str
    parent: str | None
    written: Target


class Tree:
    """The states of one class, in document order. Making it names them. Raises BrokenState."""

    def __init__(self, workflow: str, body: Mapping[str, Any]) -> None:
        self._workflow = workflow
        self._names: dict[int, str] = {}
        self.found: list[Found] = []
        self._walk(body, None)

    def _walk(self, body: Mapping[str, Any], parent: str | None) -> None:
        for name, item in body.items():
            if isinstance(item, State) or is_nested(item):
                self._place(name, item, parent)
            elif parent is not None and _acts(item):
                raise BrokenState(
                    self._workflow,
                    parent,
                    f"{name!r} stands inside it; nested classes hold states only, so move it to the workflow's body",
                )
            elif _holds(item):
                raise BrokenState(
                    self._workflow,
                    f"{parent}.{name}" if parent else name,
                    "it holds states; derive it from Compound or Parallel",
                )

    def _place(self, name: str, item: Target, parent: str | None) -> None:
        path = f"{parent}.{name}" if parent else name
        if id(item) in self._names:
            raise BrokenState(
                self._workflow, path, f"it is the same object as {self._names[id(item)]!r}; make it a State of its own"
            )
        if name in RESERVED:
            raise BrokenState(self._workflow, path, f"{name!r} is an attribute of its class already; rename the state")
        item.path = self._names[id(item)] = path
        said = item if isinstance(item, State) else item.__options__
        check_former(self._workflow, path, said.was)
        check_deferred(self._workflow, path, said.defer)
        self.found.append(Found(path, parent, item))
        if is_nested(item):
            if item.__bases__ not in {(Compound,), (Parallel,)}:
                raise BrokenState(
                    self._workflow, path, "derive it from Compound or from Parallel, and from nothing else"
                )
            self._walk(vars(item), path)

    def name(self, target: object, about: str | None, place: str | None) -> str:
        """The name of a state given by reference. Raises BrokenTransition when it is none of this workflow's."""
        name = self._names.get(id(target))
        if name is None:
            way = "give several as a tuple" if isinstance(target, list) else "name one of its own"
            raise BrokenTransition(self._workflow, about, f"{target!r} is not a state of this workflow; {way}", place)
        return name

    def initial(self, parent: str | None) -> str:
        """The one state of a compound, or of the whole, that is entered first."""
        marked = [found.path for found in self.found if found.parent == parent and _is_initial(found.written)]
        if len(marked) != 1:
            said = f"two initial states, {' and '.join(marked[:2])}" if marked else "no initial state"
            raise BrokenState(self._workflow, parent, f"{said}; mark exactly one with initial=True")
        return marked[0]

    def specs(self, entry: Blocks, exit: Blocks) -> Iterator[StateSpec]:
        """All states; `entry` and `exit` are the handlers of each."""
        for found in self.found:
            path, written = found.path, found.written
            if isinstance(written, History):
                yield StateSpec(
                    name=path,
                    parent=found.parent,
                    kind="history",
                    deep=written.deep,
                    default=TransitionSpec(source=path, targets=(self._default(found, written),)),
                    was=written.was,
                )
                continue
            said = written if isinstance(written, State) else written.__options__
            initial = None
            if is_nested(written) and issubclass(written, Compound):
                initial = TransitionSpec(source=path, targets=(self.initial(path),))
            if said.initial and self._in_parallel(found):
                raise BrokenState(
                    self._workflow, path, "all regions of a parallel state are entered; drop initial=True"
                )
            yield StateSpec(
                name=path,
                parent=found.parent,
                kind=_kind(written),
                initial=initial,
                entry=tuple(entry.get(path, ())),
                exit=tuple(exit.get(path, ())),
                defer=tuple(self._deferred(event, path) for event in said.defer),
                compensate=isinstance(written, State) and written.compensate,
                waits_for=said.waits_for,
                was=said.was,
            )

    def _default(self, found: Found, history: History) -> str:
        if history.default is not None:
            return self.name(history.default, found.path, history.place)
        if found.parent is None or self._in_parallel(found):
            raise BrokenState(self._workflow, found.path, "say where to go when nothing is remembered: History(state)")
        return self.initial(found.parent)

    def _in_parallel(self, found: Found) -> bool:
        around = next((other.written for other in self.found if other.path == found.parent), None)
        return is_nested(around) and issubclass(around, Parallel)

    def _deferred(self, event: object, path: str) -> str:
        if not (isinstance(event, type) and issubclass(event, Event)):
            raise BrokenState(self._workflow, path, f"it defers {event!r}, which is not a type of event")
        return event_name(event)


def is_nested(item: object) -> TypeGuard[type[Nested]]:
    """Whether it is a compound's or a parallel state's class."""
    return isinstance(item, type) and issubclass(item, Nested)


def _holds(item: Any) -> bool:
    """Whether it is a class with states in it that is neither a workflow nor derived from what holds them."""
    if not isinstance(item, type) or issubclass(item, WorkflowObject):
        return False
    inside: dict[str, Any] = dict(vars(item))  # pyright: ignore[reportUnknownArgumentType]
    return any(isinstance(one, State) or is_nested(one) for one in inside.values())


def _acts(item: object) -> bool:
    return isinstance(item, Bindable | Written) or hasattr(item, "__transitions__")


def _is_initial(written: Target) -> bool:
    return written.initial if isinstance(written, State) else written.__options__.initial


def _kind(written: Target) -> Any:
    if isinstance(written, State):
        return "final" if written.final else "atomic"
    return "parallel" if issubclass(written, Parallel) else "compound"
