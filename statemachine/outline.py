"""A definition seen as a graph, before it is known to be sound: what is nested in what, and what may follow what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from statemachine.definition import Definition, StateSpec, TransitionSpec


class Outline:
    """The states and transitions of a definition by name. It stands on names that exist; see `validation`."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.states = {spec.name: spec for spec in definition.states}
        self._below: dict[str | None, list[StateSpec]] = {}
        self._from: dict[str, list[TransitionSpec]] = {}
        for spec in definition.states:
            self._below.setdefault(spec.parent, []).append(spec)
        for transition in definition.transitions:
            self._from.setdefault(transition.source, []).append(transition)

    def above(self, name: str) -> Iterator[str]:
        """The states around it, the innermost first."""
        parent = self.states[name].parent
        while parent is not None:
            yield parent
            parent = self.states[parent].parent

    def below(self, name: str | None) -> list[StateSpec]:
        """What is nested in it directly; of None, the outermost states."""
        return self._below.get(name, [])

    def inside(self, name: str) -> Iterator[str]:
        """All that is nested in it."""
        for child in self.below(name):
            yield child.name
            yield from self.inside(child.name)

    def leaving(self, name: str) -> list[TransitionSpec]:
        """The transitions whose source it is, in document order."""
        return self._from.get(name, [])

    def finishes(self, name: str) -> bool:
        """Whether it can be done: a final state is nested in it, or every region can be done."""
        nested = [child for child in self.below(name) if child.kind != "history"]
        if self.states[name].kind == "parallel":
            return all(self.finishes(child.name) for child in nested)
        return any(child.kind == "final" for child in nested)

    def after(self, targets: Iterable[str]) -> set[str]:
        """Every state that may be active at any time after these are entered, guards and events taken as free."""
        found: set[str] = set()
        waiting = [state for target in targets for state in self._entered(target)]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                for transition in self.leaving(name):
                    waiting.extend(state for target in transition.targets for state in self._entered(target))
        return found

    def _entered(self, target: str) -> Iterator[str]:
        """What becomes active with a target: its default states, what is around it, and the regions beside it."""
        yield from self._downwards(target)
        inner = target
        for name in self.above(target):
            yield name
            if self.states[name].kind == "parallel":
                for region in self.below(name):
                    if region.name != inner:
                        yield from self._downwards(region.name)
            inner = name

    def _downwards(self, name: str) -> Iterator[str]:
        spec = self.states[name]
        if spec.kind == "history":
            # What it remembers is not known here: anything beside it.
            yield from self.inside(spec.parent) if spec.parent else ()
            return
        yield name
        if spec.initial is not None:
            for target in spec.initial.targets:
                yield from self._entered(target)
        elif spec.kind == "parallel":
            for region in self.below(name):
                if region.kind != "history":
                    yield from self._downwards(region.name)
