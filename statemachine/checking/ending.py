"""States, or combinations of them, from which no final state can be reached."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from statemachine.checking import words
from statemachine.checking.case import Case
from statemachine.checking.structure import Structure


def check(case: Case) -> None:
    """Find them. What a fault told before explains (a way out that is never taken) is not told again."""
    if not case.walker.top_finals:
        case.find("error", "dead-end", (), "There is no final state, so a run never ends.")
    elif case.structure is None:
        _explored(case)
    else:
        _structural(case, case.structure)


def _structural(case: Case, structure: Structure) -> None:
    alive = case.states - structure.dead
    dead = [
        leaf
        for leaf in case.walker.leaves
        if leaf in structure.dead and not _helped(case, partial(structure.beside, leaf), alive)
    ]
    if dead:
        first = min(case.first.get(leaf, len(case.active)) for leaf in dead)
        at = first if first < len(case.active) else None
        case.find("error", "dead-end", dead, f"No final state can be reached from {words.names(dead)}.", at=at)


def _explored(case: Case) -> None:
    graph = case.graph
    goals = {index for index, place in enumerate(graph.places) if case.walker.over(place)} | case.endless
    alive = graph.coreached(goals)
    if len(alive) == len(graph.places):
        return
    lively = {name for place in alive for name in case.active[place]}
    lost = set(range(len(graph.places))) - alive
    helped = {index for index in lost if _helped(case, case.active[index].__contains__, lively)}
    dead = set(range(len(graph.places))) - graph.coreached(goals | helped)
    _tell(case, dead)


def _helped(case: Case, active: Callable[[str], bool], lively: set[str]) -> bool:
    """Whether a way out that is never taken, which is told with its reason, would lead on from here."""
    return any(
        active(transition.source)
        and any(target in lively or target not in case.states for target in transition.targets)
        for order, transition in enumerate(case.definition.transitions)
        if order not in case.taken
    )


def _tell(case: Case, dead: set[int]) -> None:
    graph = case.graph
    doomed = _doomed(case, dead)
    component = graph.components(lambda _edge: True)
    onward = {component[e.source] for e in graph.all_edges() if component[e.source] != component[e.target]}
    bottoms: dict[int, list[int]] = {}
    for index in sorted(dead):
        if component[index] not in onward:
            bottoms.setdefault(component[index], []).append(index)
    told: set[tuple[str, ...]] = set()
    for places in bottoms.values():
        leaves = dict.fromkeys(leaf for index in places for leaf in graph.places[index].leaves)
        blamed = tuple(leaf for leaf in leaves if leaf in doomed)
        if (blamed or tuple(leaves)) not in told:
            told.add(blamed or tuple(leaves))
            _tell_one(case, places[0], blamed, doomed)


def _tell_one(case: Case, place: int, blamed: tuple[str, ...], doomed: dict[str, int]) -> None:
    if not blamed:
        leaves = case.graph.places[place].leaves
        said = f"No final state can be reached when {words.names(leaves)} are active together."
        case.find("error", "dead-end", leaves, said, at=place)
        return
    lead = [leaf for leaf, first in doomed.items() if leaf not in blamed and place in case.graph.reached([first])]
    said = f"No final state can be reached from {words.names(blamed)}"
    said += f", nor from {words.names(lead)}, which only lead there." if lead else "."
    case.find("error", "dead-end", (*blamed, *lead), said, at=min(doomed[leaf] for leaf in blamed))


def _doomed(case: Case, dead: set[int]) -> dict[str, int]:
    """The leaves that are active in dead places only, each with the first of them."""
    found: dict[str, int] = {}
    spared: set[str] = set()
    for index, place in enumerate(case.graph.places):
        for leaf in place.leaves:
            if index in dead:
                found.setdefault(leaf, index)
            else:
                spared.add(leaf)
    return {leaf: index for leaf, index in found.items() if leaf not in spared}
