"""Draws statecharts and what happens to them. Every one is well formed; what it means is not asked.

All that is drawn is drawn by a `Choose`, a function that gives a number below another: hypothesis (which then finds the
smallest that fails), or a seeded generator (which is quick, and gives the same every time).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random
from typing import Any, TypeVar

import attrs
from hypothesis import strategies as st

from tests.conformance.drawn import Action, Drawn, DrawnMachine, DrawnState, Guard, Kind, every

EVENTS = ("a", "b", "c", "a.x", "t")
DELAYS = (1.0, 2.0, 5.0)
LARGEST = 14
"""States in one statechart, about."""
SAMPLE = 300
"""Statecharts that are compared at each run, always the same."""
ANEW = 200
"""At least so many more are drawn anew at each run."""

Choose = Callable[[int], int]
Happening = tuple[Any, ...]
"""`("event", name, value)` or `("wait", seconds)`."""
Story = tuple[DrawnMachine, list[Happening]]
T = TypeVar("T")

_below = cache(lambda most: st.integers(0, most - 1))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A statechart and what happens to it, for hypothesis."""
    return story(lambda most: draw(_below(most)) if most > 1 else 0)


def seeded(seed: int, number: int) -> Iterator[Story]:
    """So many of them, always the same."""
    chance = Random(seed)
    for _ in range(number):
        yield story(chance.randrange)


def story(choose: Choose) -> Story:
    """A statechart, first its tree, then what its states and transitions do; and then what happens to it."""
    picking = _Picking(choose)
    tree = _Tree(picking)
    children = tuple(tree.state(depth=1, region=True) for _ in range(2 + choose(2)))
    if choose(2):
        children = (*children, tree.final())
    dress = _Dress(picking, children)
    dressed = tuple(dress.state(child) for child in children)
    machine = DrawnMachine(children=dressed, initial=dress.initial(children))
    return machine, [picking.happening() for _ in range(6 + choose(15))]


class _Picking:
    """Draws one of several, and what needs no more than that."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose

    def one(self, options: Sequence[T]) -> T:
        return options[self.choose(len(options))]

    def happening(self) -> Happening:
        if self.choose(4) == 3:
            return ("wait", self.one((0.5, 1.0, 3.0)))
        return ("event", self.one(EVENTS), self.choose(4))


class _Tree:
    """Draws states without anything in them."""

    def __init__(self, picking: _Picking) -> None:
        self._pick = picking
        self._count = 0

    def _name(self) -> str:
        self._count += 1
        return f"s{self._count}"

    def final(self) -> DrawnState:
        return DrawnState(name=self._name(), kind="final")

    def state(self, depth: int, *, region: bool = False) -> DrawnState:
        kinds: tuple[Kind, ...] = ("atomic",) if region else ("atomic", "final", "final")
        if depth < 4 and self._count < LARGEST:
            kinds = (*kinds, "compound", "compound", "parallel")
            if depth == 1:
                kinds = (*kinds, "parallel", "parallel")
            elif region:
                kinds = (*kinds, "compound")
        kind = self._pick.one(kinds)
        name = self._name()
        if kind == "compound":
            lasting = bool(self._pick.choose(3))
            children = [self.state(depth + 1, region=lasting and not n) for n in range(1 + self._pick.choose(4))]
            return DrawnState(name=name, kind=kind, children=self._with_history(children))
        if kind == "parallel":
            children = [self.state(depth + 1, region=True) for _ in range(self._pick.one((2, 2, 3, 1)))]
            return DrawnState(name=name, kind=kind, children=self._with_history(children))
        return DrawnState(name=name, kind=kind)

    def _with_history(self, children: list[DrawnState]) -> tuple[DrawnState, ...]:
        deep = self._pick.one((None, None, False, True))
        if deep is None:
            return tuple(children)
        return (DrawnState(name=self._name(), kind="history", deep=deep), *children)


class _Dress:
    """Draws what is in the states of a tree."""

    def __init__(self, picking: _Picking, children: Sequence[DrawnState]) -> None:
        self._pick = picking
        self._states = list(every(children))
        self._names = [state.name for state in self._states]
        composite = [state for state in self._states if state.kind in {"compound", "parallel"}]
        done = tuple(f"done.state.{state.name}" for state in composite)
        self._events = (*EVENTS * 5, *done, *done, "d", "d", "*", "done.state", "error.execution", "error.*")
        self._marks = 0

    def state(self, state: DrawnState) -> DrawnState:
        """A state that is no history, with what is below it."""
        dressed = attrs.evolve(state, entry=self._blocks(), exit=self._blocks())
        if state.kind == "final":
            return attrs.evolve(dressed, done=self._pick.one((False, True)))
        return attrs.evolve(
            dressed,
            after=((self._pick.one(DELAYS), "t"),) if self._pick.choose(5) == 4 else (),
            initial=self.initial(state.children) if state.kind == "compound" else None,
            transitions=(*self._when_done(state), *(self._transition() for _ in range(self._pick.choose(4)))),
            children=tuple(self._child(child, state) for child in state.children),
        )

    def _child(self, child: DrawnState, parent: DrawnState) -> DrawnState:
        if child.kind != "history":
            return self.state(child)
        inside = [state.name for state in every(parent.children) if state.kind != "history"]
        return attrs.evolve(child, default=Drawn(targets=(self._pick.one(inside),), actions=self._block()))

    def initial(self, children: Sequence[DrawnState]) -> Drawn:
        """Mostly the first child, else any state below, or several in one parallel state."""
        targets: tuple[str, ...] = (next(child.name for child in children if child.kind != "history"),)
        if self._pick.choose(3) == 2:
            targets = self._targets(list(every(children)))
        return Drawn(targets=targets, actions=self._block())

    def _when_done(self, state: DrawnState) -> tuple[Drawn, ...]:
        if state.kind == "atomic" or not self._pick.choose(2):
            return ()
        return (
            Drawn(
                events=(f"done.state.{state.name}",),
                guard=("below", 4 + self._pick.choose(6)),
                targets=self._targets(self._states),
                actions=(("add", 1), *self._block()),
            ),
        )

    def _transition(self) -> Drawn:
        choose = self._pick.choose
        eventless = choose(8) == 7
        events = () if eventless else tuple(self._pick.one(self._events) for _ in range(1 + choose(2)))
        guard = self._guard() if choose(10) > 5 else None
        targetless = choose(6) == 5
        return Drawn(
            events=events,
            guard=("below", 1 + choose(6)) if eventless and choose(20) else guard,
            targets=() if targetless else self._targets(self._states),
            internal=self._pick.one((False, True)),
            actions=(("add", 1), *self._block()) if eventless else self._block(),
        )

    def _targets(self, states: Sequence[DrawnState]) -> tuple[str, ...]:
        """One of the states, or one in each of several regions of a parallel state among them."""
        kind = self._pick.one((None, None, None, None, "final", "history", "history", "parallel"))
        some_kind = [state for state in states if state.kind == kind]
        if kind is None or not some_kind:
            return (self._pick.one(states).name,)
        if kind != "parallel":
            return (self._pick.one(some_kind).name,)
        regions = [child for child in self._pick.one(some_kind).children if child.kind != "history"]
        some = regions[self._pick.choose(2) :] or regions
        inside = [[state.name for state in every((region,)) if state.kind != "history"] for region in some]
        return tuple(self._pick.one(names) for names in inside)

    def _blocks(self) -> tuple[tuple[Action, ...], ...]:
        return tuple(self._block() for _ in range(self._pick.one((0, 1, 1, 2))))

    def _block(self) -> tuple[Action, ...]:
        """A mark, so that the order of all blocks shows, and mostly nothing else."""
        self._marks += 1
        more = self._pick.one((0, 0, 0, 0, 0, 1, 2))
        return (("mark", f"m{self._marks}"), *(self._action() for _ in range(more)))

    def _action(self) -> Action:
        one = self._pick.one
        match self._pick.choose(8):
            case 0:
                return ("add", 1 + self._pick.choose(3))
            case 1:
                return ("whether", one(self._names))
            case 2 | 3:
                return one((("take",), ("boom",), ("cancel", "i"), ("take",), ("boom",), ("cancel", "i"), ("zero",)))
            case 4:
                return ("raise", one((*EVENTS, "d", "d", "d")))
            case _:
                return ("send", one(("", "", "elsewhere")), one((*EVENTS, "d")), one((0, *DELAYS)), one((None, "i")))

    def _guard(self) -> Guard:
        match self._pick.choose(3):
            case 0:
                return ("below", 1 + self._pick.choose(6))
            case 1:
                return ("in", self._pick.one(self._names))
            case _:
                return self._pick.one((("odd",), ("boom",)))
