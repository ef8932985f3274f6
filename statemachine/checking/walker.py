"""One step of a definition's statechart, seen without data: every way its guards may answer.

Guards are free choices, but one guard answers once in one selection: `to=(a.when(g), b.when(g))` never takes b. What a
function raises or sends is an event like any other: it may come whenever the machine is at rest (and, where errors are
events, before the internal events that wait).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import attrs

from statemachine.chart import Arc, Chart
from statemachine.checking.places import Chain, Guards, History, Move, Place, outside, owners, picks, selections
from statemachine.definition import Definition
from statemachine.macrostep import joined

TWICE = 2
"""How often one internal event may wait in a place; only an endless loop piles up more."""


class Walker:
    """The moves from a place. It remembers what recurs, so keep one for a definition."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        # The checks call no function, so they take definitions whose functions are not there.
        code = attrs.evolve(definition.code, functions=defaultdict(lambda: _uncalled))
        self.chart = Chart(attrs.evolve(definition, code=code))
        nodes = self.chart.nodes
        self.order = {name: node.order for name, node in nodes.items()}
        self.leaves = tuple(name for name, node in nodes.items() if not node.children and node.spec.kind != "history")
        self.top_finals = {name for name, node in nodes.items() if node.spec.kind == "final" and not node.ancestors}
        self.owners = owners(definition)
        self._events = outside(definition, self.owners)
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
            if self.definition.descriptors:  # errors in functions are events, and come in between
                yield from self._outside_moves(place)
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
            for arc, guards in picks(chains[0], {}):
                yield ((arc,) if arc else ()), guards
            return
        seen: set[tuple[int, ...]] = set()
        for enabled, guards in selections(chains, (), {}):
            arcs = self._without_conflicts(enabled, place) if len(enabled) > 1 else enabled
            orders = _orders(arcs)
            if orders not in seen:
                seen.add(orders)
                yield arcs, guards

    def _without_conflicts(self, enabled: Chain, place: Place) -> Chain:
        """RemoveConflictingTransitions: of two that leave a common state, the inner source's wins, else the earlier."""
        seen: set[str] = set()
        for arc in enabled:
            below = self.left_by(arc, place.history)
            if not seen.isdisjoint(below):
                break
            seen |= below
        else:
            return tuple(sorted(enabled, key=_order))
        kept: list[Arc] = []
        for arc in enabled:
            rivals = [other for other in kept if self._clash(arc, other, place)]
            if all(self.chart.within(arc.source, rival.source) for rival in rivals):
                kept = [other for other in kept if other not in rivals]
                kept.append(arc)
        return tuple(sorted(kept, key=_order))

    def _clash(self, one: Arc, other: Arc, place: Place) -> bool:
        """Whether two transitions leave a common state: then they leave a common leaf."""
        both = self.left_by(one, place.history) & self.left_by(other, place.history)
        return any(leaf in both for leaf in place.leaves)

    def _microstep(self, place: Place, arcs: Chain) -> Place:
        outside, effect = self._effect(place, arcs)
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
            for event in self._done(place.leaves, effect):
                queue = (*queue, event) if queue.count(event) < TWICE else queue
        after = Place(leaves, history, spent, place.pivoted, queue)
        if self.over(after):
            return after._replace(queue=())
        return after._replace(asked=False) if self._impatient(leaves) else after

    def _effect(self, place: Place, arcs: Chain) -> tuple[tuple[str, ...], _Effect]:
        """The leaves that stand beside all that these transitions leave, and what becomes of the others.

        Transitions that are taken together leave nothing in common, so each is planned, and remembered, by itself.
        """
        effects: list[_Effect] = []
        outside = place.leaves
        for arc in arcs:
            below = self.left_by(arc, place.history)
            inside = tuple([leaf for leaf in place.leaves if leaf in below])
            outside = tuple([leaf for leaf in outside if leaf not in below])
            key = (arc.order, inside, place.history)
            effect = self._effects.get(key)
            if effect is None:
                effect = self._effects[key] = self._planned(arc, inside, place)
            effects.append(effect)
        return outside, effects[0] if len(effects) == 1 else self._together(effects)

    def _planned(self, arc: Arc, inside: tuple[str, ...], place: Place) -> _Effect:
        plan = self.chart.plan((arc,), inside, dict(place.history))
        finals = any(self.chart.nodes[name].spec.kind == "final" for name in plan.entries)
        return _Effect(
            plan.leaves, frozenset(plan.exits), plan.entries, plan.remember if self._remembers else (), finals
        )

    def _together(self, effects: list[_Effect]) -> _Effect:
        entries = [name for effect in effects for name in effect.entries]
        return _Effect(
            leaves=tuple(sorted([leaf for effect in effects for leaf in effect.leaves], key=self.order.__getitem__)),
            exits=frozenset().union(*[effect.exits for effect in effects]),
            entries=tuple(sorted(entries, key=self.order.__getitem__)),
            remember=tuple([one for effect in effects for one in effect.remember]),
            finals=any(effect.finals for effect in effects),
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
                yield from (f"done.state.{above}" for above in joined(self.chart, node.ancestors[0], active))

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


class _Effect(NamedTuple):
    leaves: tuple[str, ...]
    exits: frozenset[str]
    entries: tuple[str, ...]
    remember: tuple[tuple[str, tuple[str, ...]], ...]
    finals: bool


def _uncalled(*_: Any) -> None:
    """Never called."""


def _order(arc: Arc) -> int:
    return arc.order


def _orders(arcs: Chain) -> tuple[int, ...]:
    return tuple([arc.order for arc in arcs])
