"""One step of a definition's statechart, seen without data: every way its guards may answer.

A `Place` is what decides what may happen next: the active leaves, what history remembers, which steps and timers of
the present visits are over, whether the pivot has happened, and, between microsteps, what is still to be handled.
Guards are free choices, but one guard answers once in one selection: `to=(a.when(g), b.when(g))` never takes b. What a
function raises or sends is an event like any other: it may come whenever the machine is at rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import attrs

from statemachine.chart import Arc, Chart
from statemachine.definition import Definition, Function

Chain = tuple[Arc, ...]
Guards = tuple[tuple[str, bool], ...]
History = tuple[tuple[str, tuple[str, ...]], ...]

QUEUE = 16
"""Internal events kept in a place; only an endless loop piles up more."""


class Place(NamedTuple):
    """See the module. `asked`: eventless transitions have been looked at, and none was taken."""

    leaves: tuple[str, ...]
    history: History = ()
    spent: frozenset[str] = frozenset()
    """Events of steps and timers whose visit goes on and that will not come again in it."""
    pivoted: bool = False
    queue: tuple[str, ...] = ()
    asked: bool = True

    @property
    def at_rest(self) -> bool:
        """Whether the machine waits for something from outside."""
        return self.asked and not self.queue


class Move(NamedTuple):
    """What leads from one place to another. `event` is empty for eventless transitions."""

    event: str
    arcs: tuple[int, ...]
    """Document orders of the transitions taken; -1 is the initial one; none: what happened enabled nothing."""
    guards: Guards
    target: Place


class Walker:
    """The moves from a place. It remembers what recurs, so keep one for a definition."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        code = attrs.evolve(definition.code, functions=_Anything())
        self.chart = Chart(attrs.evolve(definition, code=code))
        nodes = self.chart.nodes
        self.order = {name: node.order for name, node in nodes.items()}
        self.leaves = tuple(name for name, node in nodes.items() if not node.children and node.spec.kind != "history")
        self.top_finals = {name for name, node in nodes.items() if node.spec.kind == "final" and not node.ancestors}
        self.owners = owners(definition)
        self._events = _outside(definition, self.owners)
        self._remembers = any(node.histories for node in nodes.values())
        self._chains: dict[str, dict[str, Chain]] = {}
        self._eventless: dict[str, Chain] = {}
        self._reach: dict[tuple[int, History], frozenset[str]] = {}
        self._effects: dict[tuple[int, tuple[str, ...], History], _Effect] = {}

    def first(self) -> Place:
        """Where the initial transition leads."""
        return self._microstep(Place(()), (self.chart.initial,))

    def over(self, place: Place) -> bool:
        """Whether the run is complete there."""
        return len(place.leaves) == 1 and place.leaves[0] in self.top_finals

    def active(self, place: Place) -> set[str]:
        """All active states, compounds included."""
        return self._active(place.leaves)

    def chains(self, leaf: str) -> Mapping[str, Chain]:
        """For each event that is answered while a leaf is active, the transitions that may answer, innermost first."""
        found = self._chains.get(leaf)
        if found is None:
            names = {
                event
                for name in (leaf, *self.chart.nodes[leaf].ancestors)
                for arc in self.chart.nodes[name].arcs
                for event in arc.events
            }
            wanted = self._events if self.definition.descriptors else sorted(names)
            found = self._chains[leaf] = {
                event: candidates[0]
                for event in wanted
                if event in self._events and (candidates := self.chart.candidates((leaf,), event))
            }
        return found

    def moves(self, place: Place) -> Iterator[Move]:
        """Everything that may happen next."""
        if self.over(place):
            return
        if not place.asked:
            yield from self._eventless_moves(place)
        elif place.queue:
            yield from self._internal_moves(place)
        else:
            yield from self._outside_moves(place)

    def _eventless_moves(self, place: Place) -> Iterator[Move]:
        chains = tuple(chain for leaf in place.leaves if (chain := self._eventless_chain(leaf)))
        for arcs, guards in self._answers(chains, place):
            target = self._microstep(place, arcs) if arcs else place._replace(asked=True)
            yield Move("", _orders(arcs), guards, target)

    def _internal_moves(self, place: Place) -> Iterator[Move]:
        event = place.queue[0]
        rest = place._replace(queue=place.queue[1:])
        for arcs, guards in self._answers(self.chart.candidates(place.leaves, event), place):
            target = self._microstep(rest, arcs) if arcs else rest._replace(asked=not self._impatient(place.leaves))
            yield Move(event, _orders(arcs), guards, target)

    def _outside_moves(self, place: Place) -> Iterator[Move]:
        offers: dict[str, list[Chain]] = {}
        for leaf in place.leaves:
            for event, chain in self.chains(leaf).items():
                offers.setdefault(event, []).append(chain)
        active = self.active(place)
        for event, chains in offers.items():
            for before in self._befores(place, event, active):
                for arcs, guards in self._answers(tuple(chains), place):
                    if arcs:
                        yield Move(event, _orders(arcs), guards, self._microstep(before, arcs))
                    elif before is not place:
                        # An outcome was recorded, or a timer has fired, and nothing was enabled: the visit goes on.
                        yield Move(event, (), guards, before._replace(asked=not self._impatient(place.leaves)))

    def _befores(self, place: Place, event: str, active: set[str]) -> Iterator[Place]:
        """The place once an event has come: those of steps and timers come once, and only in their own state."""
        if event not in self.owners:
            yield place
            return
        for owner in self.owners[event]:
            if owner.state in active and owner.token not in place.spent:
                spent = place.spent | {owner.token}
                yield place._replace(spent=spent, pivoted=place.pivoted or owner.pivots)

    # One microstep, as `statemachine.macrostep` does it.

    def _answers(self, chains: tuple[Chain, ...], place: Place) -> Iterator[tuple[Chain, Guards]]:
        """Each selection of transitions that some answers of the guards lead to (selectTransitions), with answers."""
        if len(chains) == 1:
            for arc, guards in _picks(chains[0], {}):
                yield ((arc,) if arc else ()), guards
            return
        seen: set[tuple[int, ...]] = set()
        for enabled, guards in _selections(chains, (), {}):
            arcs = self._without_conflicts(enabled, place) if len(enabled) > 1 else enabled
            orders = _orders(arcs)
            if orders not in seen:
                seen.add(orders)
                yield arcs, guards

    def _without_conflicts(self, enabled: Chain, place: Place) -> Chain:
        """RemoveConflictingTransitions: of two that leave a common state, the inner source's wins, else the earlier."""
        history = dict(place.history)
        left = {arc.order: self.chart.exit_set(arc, place.leaves, history) for arc in enabled}
        kept: list[Arc] = []
        for arc in enabled:
            rivals = [other for other in kept if left[arc.order] & left[other.order]]
            if all(self.chart.within(arc.source, rival.source) for rival in rivals):
                kept = [other for other in kept if other not in rivals]
                kept.append(arc)
        return tuple(sorted(kept, key=lambda arc: arc.order))

    def _microstep(self, place: Place, arcs: Chain) -> Place:
        outside: tuple[str, ...] = ()
        if len(arcs) == 1 and arcs[0].order >= 0:
            below = self.left_by(arcs[0], place.history)
            inside = tuple([leaf for leaf in place.leaves if leaf in below])
            outside = tuple([leaf for leaf in place.leaves if leaf not in below])
            key = (arcs[0].order, inside, place.history)
            effect = self._effects.get(key)
            if effect is None:
                effect = self._effects[key] = self._effect(arcs, inside, place)
        else:
            effect = self._effect(arcs, place.leaves, place)
        leaves = effect.leaves
        if outside:
            leaves = tuple(sorted((*outside, *leaves), key=self.order.__getitem__))
        history = place.history
        if effect.remember:
            history = tuple(sorted({**dict(history), **dict(effect.remember)}.items()))
        spent = place.spent
        if spent:
            spent = frozenset(token for token in spent if token.partition(" ")[0] not in effect.exits)
        queue = place.queue
        if effect.finals:
            queue = (*queue, *self._done(place.leaves, effect))[:QUEUE]
        after = Place(leaves, history, spent, place.pivoted, queue)
        if self.over(after):
            return after._replace(queue=())
        return after._replace(asked=False) if self._impatient(leaves) else after

    def _effect(self, arcs: Chain, inside: tuple[str, ...], place: Place) -> _Effect:
        """What transitions do to the leaves that they may leave; whatever stands beside those stays."""
        plan = self.chart.plan(arcs, inside, dict(place.history))
        finals = any(self.chart.nodes[name].spec.kind == "final" for name in plan.entries)
        return _Effect(
            plan.leaves, frozenset(plan.exits), plan.entries, plan.remember if self._remembers else (), finals
        )

    def left_by(self, arc: Arc, history: History = ()) -> frozenset[str]:
        """The states that a transition leaves, of those that are active."""
        key = (arc.order, history)
        found = self._reach.get(key)
        if found is None:
            found = self._reach[key] = self.chart.exit_set(arc, self.leaves, dict(history))
        return found

    def _done(self, leaves: tuple[str, ...], effect: _Effect) -> Iterator[str]:
        """The `done.state` events of the final states that a microstep enters, in the order of entry."""
        active = dict.fromkeys(self._active(leaves) - effect.exits)
        for name in effect.entries:
            active[name] = None
            node = self.chart.nodes[name]
            if node.spec.kind == "final" and node.ancestors:
                yield f"done.state.{node.ancestors[0]}"
                above = node.ancestors[1] if len(node.ancestors) > 1 else None
                if above and self.chart.nodes[above].spec.kind == "parallel" and self.chart.in_final(above, active):
                    yield f"done.state.{above}"

    def _active(self, leaves: tuple[str, ...]) -> set[str]:
        nodes = self.chart.nodes
        return {name for leaf in leaves for name in (leaf, *nodes[leaf].ancestors)}

    def _impatient(self, leaves: tuple[str, ...]) -> bool:
        """Whether eventless transitions leave here."""
        return any(self._eventless_chain(leaf) for leaf in leaves)

    def _eventless_chain(self, leaf: str) -> Chain:
        found = self._eventless.get(leaf)
        if found is None:
            candidates = self.chart.candidates((leaf,), "")
            found = self._eventless[leaf] = candidates[0] if candidates else ()
        return found


class Owner(NamedTuple):
    """Whose event it is: it comes only while `state` is active, and once in a visit with the same `token`."""

    state: str
    token: str
    pivots: bool = False


class _Effect(NamedTuple):
    leaves: tuple[str, ...]
    exits: frozenset[str]
    entries: tuple[str, ...]
    remember: tuple[tuple[str, tuple[str, ...]], ...]
    finals: bool


class _Anything(Mapping[str, Function]):
    """A function for every name: the checks call none, so they take definitions whose functions are not there."""

    def __getitem__(self, name: str) -> Function:
        return _uncalled

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _uncalled(*_: Any) -> None:
    """Never called."""


def owners(definition: Definition) -> dict[str, list[Owner]]:
    """The events that only steps and timers raise."""
    found: dict[str, list[Owner]] = {}
    for step in definition.steps:
        token = f"{step.state} {step.name}"
        found[step.succeeded_event] = [Owner(step.state, token, step.pivot)]
        others = [step.error_event(arm) for arm in range(len(step.errors))]
        for event in (*others, step.failed_event) if step.failed else others:
            found[event] = [Owner(step.state, token)]
    for timer in definition.timers:
        found.setdefault(timer.event, []).append(Owner(timer.state, f"{timer.state} {timer.event}"))
    return {event: owner for event, owner in found.items() if event not in definition.events}


def plain(descriptor: str) -> str:
    """An event that an SCXML descriptor matches."""
    return descriptor.removesuffix(".*").removesuffix(".")


def _outside(definition: Definition, owned: Mapping[str, list[Owner]]) -> dict[str, None]:
    """The events that may come while the machine is at rest, in a stable order."""
    found = dict.fromkeys((*definition.events, *owned))
    if definition.descriptors:
        named = [plain(descriptor) for transition in definition.transitions for descriptor in transition.events]
        found.update(dict.fromkeys(event for event in named if not f"{event}.".startswith("done.state.")))
    return found


def _orders(arcs: Chain) -> tuple[int, ...]:
    return tuple([arc.order for arc in arcs])


def _picks(chain: Chain, known: dict[str, bool]) -> Iterator[tuple[Arc | None, Guards]]:
    """Which transition of one chain is the first enabled, for each way the guards may answer."""
    known = dict(known)
    for arc in chain:
        answer = known.get(arc.guard_name) if arc.guard_name else True
        if answer is None:
            yield arc, (*known.items(), (arc.guard_name, True))
            known[arc.guard_name] = False
        elif answer:
            yield arc, tuple(known.items())
            return
    yield None, tuple(known.items())


def _selections(chains: tuple[Chain, ...], taken: Chain, known: dict[str, bool]) -> Iterator[tuple[Chain, Guards]]:
    """The same over several chains, one for each active leaf."""
    if not chains:
        yield taken, tuple(known.items())
        return
    for arc, guards in _picks(chains[0], known):
        more = taken if arc is None or arc in taken else (*taken, arc)
        yield from _selections(chains[1:], more, dict(guards))
