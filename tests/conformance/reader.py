"""Reads an SCXML document into a `Definition`: its structure as specs, its executable content as functions.

The reader knows no document. What a document means is the core's to say; what its expressions mean, the data model's.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

from statemachine.commands import Invocation
from statemachine.definition import Code, Definition, Function, InvokeSpec, StateKind, StateSpec, TransitionSpec
from statemachine.scope import Scope
from statemachine.snapshot import Occurrence
from tests.conformance.content import Action, Content, Reaches, children, tag
from tests.conformance.datamodel import XML, Data, Model, ValueIllegalError, inline, parsed

STATES = ("state", "parallel", "final")
INVOKE_TYPES = {None, "scxml", "http://www.w3.org/TR/scxml", "http://www.w3.org/TR/scxml/"}


class DocumentBrokenError(Exception):
    """A document that is not SCXML."""


def read(text: str, base: Path, reaches: Reaches) -> Definition:
    """The definition that a document describes.

    Args:
        text: The document.
        base: The folder that `src="file:…"` is relative to.
        reaches: Whether a target can be reached from a session, as the host knows it.

    Raises:
        DocumentBrokenError: It is no SCXML document.
    """
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise DocumentBrokenError(str(error)) from error
    if tag(root) != "scxml":
        msg = f"a document begins with <scxml>, not <{tag(root)}>"
        raise DocumentBrokenError(msg)
    return _Reader(root, base, reaches).definition()


def local(src: str, base: Path) -> Path:
    """The file that `src` names."""
    return base / src.removeprefix("file:")


class _Reader:
    def __init__(self, root: ET.Element, base: Path, reaches: Reaches) -> None:
        self._root = root
        self._base = base
        self._model = Model(root.get("name"))
        self._content = Content(self._model, reaches)
        self._late = root.get("binding") == "late"
        self._functions: dict[str, Function] = {}
        self._transitions: list[TransitionSpec] = []
        self._names = _names(root)

    def definition(self) -> Definition:
        states = tuple(self._states(self._root, None))
        return Definition(
            name=self._root.get("name") or "document",
            states=states,
            initial=self._initial(self._root, "", self._opening()),
            transitions=tuple(self._transitions),
            descriptors=True,
            code=Code(functions=self._functions),
        )

    def _named(self, where: str, functions: Iterable[Function]) -> tuple[str, ...]:
        """Names for functions, under which the definition's code holds them."""
        names: list[str] = []
        for number, function in enumerate(functions):
            names.append(f"{where}.{number}")
            self._functions[names[-1]] = function
        return tuple(names)

    # Structure (SCXML 3).

    def _states(self, parent: ET.Element, above: str | None) -> Iterable[StateSpec]:
        for element in children(parent, *STATES, "history"):
            name = self._names[element]
            yield (
                self._history(element, name, above) if tag(element) == "history" else self._state(element, name, above)
            )
            yield from self._states(element, name)

    def _state(self, element: ET.Element, name: str, above: str | None) -> StateSpec:
        kind = _kind(element)
        for transition in children(element, "transition"):
            self._transitions.append(self._transition(transition, name, f"{name}.on.{len(self._transitions)}"))
        return StateSpec(
            name=name,
            parent=above,
            kind=kind,
            initial=self._initial(element, name) if kind == "compound" else None,
            entry=(*self._binding(element, name), *self._blocks(element, "onentry", name)),
            exit=tuple(self._blocks(element, "onexit", name)),
            done_data=self._done_data(element, name),
            invokes=tuple(
                self._invoke(invoke, name, number) for number, invoke in enumerate(children(element, "invoke"))
            ),
        )

    def _history(self, element: ET.Element, name: str, above: str | None) -> StateSpec:
        default = children(element, "transition")
        return StateSpec(
            name=name,
            parent=above,
            kind="history",
            deep=element.get("type") == "deep",
            default=self._transition(default[0], name, f"{name}.default") if default else None,
        )

    def _transition(self, element: ET.Element, source: str, where: str) -> TransitionSpec:
        guard = None
        condition = element.get("cond")
        if condition:
            guard = f"{where}.cond"
            self._functions[guard] = partial(self._model.holds, condition)
        return TransitionSpec(
            source=source,
            events=tuple((element.get("event") or "").split()),
            guard=guard,
            targets=tuple((element.get("target") or "").split()),
            internal=element.get("type") == "internal",
            actions=self._named(where, self._content.block(element)),
        )

    def _initial(self, element: ET.Element, source: str, opening: Iterable[Action] = ()) -> TransitionSpec:
        """Where a compound, or the machine, is entered: as it says, else its first child (SCXML 3.2, 3.3)."""
        for initial in children(element, "initial"):
            return self._transition(children(initial, "transition")[0], source, f"{source}.initial")
        first = [self._names[child] for child in children(element, *STATES)[:1]]
        return TransitionSpec(
            source=source,
            targets=tuple((element.get("initial") or "").split() or first),
            actions=self._named("opening", opening),
        )

    def _blocks(self, element: ET.Element, kind: str, name: str) -> Iterable[tuple[str, ...]]:
        for number, block in enumerate(children(element, kind)):
            yield self._named(f"{name}.{kind}.{number}", self._content.block(block))

    def _done_data(self, element: ET.Element, name: str) -> str | None:
        found = children(element, "donedata")
        if not found:
            return None
        where = f"{name}.donedata"
        self._functions[where] = partial(self._content.payload, found[0])
        return where

    # Child machines (SCXML 6.4, 6.5).

    def _invoke(self, element: ET.Element, state: str, number: int) -> InvokeSpec:
        where = f"{state}.invoke.{number}"
        location = element.get("idlocation")

        def made(scope: Scope) -> str:
            return f"{state}.{scope.visits[state]}.{number}"

        def identify(data: Data, occurrence: Occurrence, scope: Scope) -> Data:
            return self._model.assign(location or "", made(scope), data, occurrence, scope)

        def invoke(data: Data, occurrence: Occurrence, scope: Scope) -> Invocation:
            kind = self._content.attribute(element, "type", data, occurrence, scope)
            if kind not in INVOKE_TYPES:
                msg = f"invoke type {kind!r} is not supported"
                raise ValueIllegalError(msg)
            return Invocation(
                id=element.get("id") or made(scope),
                type="scxml",
                src=self._content.attribute(element, "src", data, occurrence, scope) or "",
                content=self._inner(element, data, occurrence, scope),
                data=self._content.parameters(element, data, occurrence, scope),
            )

        self._functions[where] = invoke
        return InvokeSpec(
            actions=self._named(f"{where}.id", [identify] if location else []),
            invoke=where,
            finalize=self._named(f"{where}.finalize", self._finalize(element)),
            autoforward=element.get("autoforward") == "true",
        )

    def _inner(self, element: ET.Element, data: Data, occurrence: Occurrence, scope: Scope) -> str:
        """The text of the child document, where it is given by `content`."""
        for content in children(element, "content"):
            value = self._content.content(content, data, occurrence, scope)
            return str(value[XML] if isinstance(value, dict) and XML in value else value)
        return ""

    def _finalize(self, element: ET.Element) -> list[Action]:
        """What `finalize` says; an empty one takes over what the child returned for the names it was given."""
        for finalize in children(element, "finalize"):
            if len(finalize):
                return self._content.block(finalize)
            params = [param.get("location") or "" for param in children(element, "param")]
            return [
                partial(self._take_over, name) for name in ((element.get("namelist") or "").split() + params) if name
            ]
        return []

    def _take_over(self, name: str, data: Data, occurrence: Occurrence, scope: Scope) -> Data:
        returned = occurrence.value
        if not isinstance(returned, dict) or name not in returned:
            return data
        return self._model.assign(name, returned[name], data, occurrence, scope)

    # Data (SCXML 5.3).

    def _opening(self) -> Iterable[Action]:
        """What happens before the first state is entered: data is bound, the document's script is run.

        What a parent passes counts for names that the top of the document declares (SCXML 6.4.3).
        """
        top = _data(self._root)
        given = {element.get("id", "") for element in top}
        yield lambda data, _occurrence, _scope: {name: value for name, value in data.items() if name in given}
        yield from (self._bind(element) for element in top)
        if not self._late:
            for state in self._names:
                yield from (self._bind(element) for element in _data(state))
        for script in children(self._root, "script"):
            yield from self._content.element(script)

    def _binding(self, element: ET.Element, name: str) -> Iterable[tuple[str, ...]]:
        """With late binding, a state's data comes into being when it is entered for the first time."""
        if self._late:
            yield self._named(f"{name}.data", [self._bind(one) for one in _data(element)])

    def _bind(self, element: ET.Element) -> Action:
        """Gives a name its first value, unless it has one; a wrong one leaves it empty (SCXML 5.3.2)."""
        name, expression, src = element.get("id", ""), element.get("expr"), element.get("src")

        def act(data: Data, occurrence: Occurrence, scope: Scope) -> Data:
            if name in data:
                return data
            value = None
            try:
                if expression is not None:
                    value = self._model.value(expression, data, occurrence, scope)
                elif src is not None:
                    value = parsed(local(src, self._base).read_text(encoding="utf-8"))
                else:
                    value = inline(element)
            except Exception as error:  # noqa: BLE001 -- an expression may raise anything
                scope.fail("error.execution", str(error))
            return {**data, name: value}

        return act


def _names(root: ET.Element) -> dict[ET.Element, str]:
    """Each state's name, in document order; one without an id gets one that no other has."""
    return {element: element.get("id") or f"state.{number}" for number, element in enumerate(_within(root))}


def _within(element: ET.Element) -> Iterable[ET.Element]:
    """The states below an element, in document order; not those of a document inside it."""
    for child in children(element, *STATES, "history"):
        yield child
        yield from _within(child)


def _kind(element: ET.Element) -> StateKind:
    name = tag(element)
    if name == "state":
        return "compound" if children(element, *STATES) else "atomic"
    return "parallel" if name == "parallel" else "final"


def _data(element: ET.Element) -> list[ET.Element]:
    return [data for model in children(element, "datamodel") for data in children(model, "data")]
