"""Nondeterminism: transitions that one event enables together, and between which only the order of writing decides.

Arms of one declaration (`to=(a.when(p), b)`) are in the order of their priority, and a state's transition comes before
those of the states around it: both are meant. Two declarations are not, unless their guards exclude each other.
"""

from __future__ import annotations

from itertools import combinations

from statemachine.chart import Arc, Node
from statemachine.checking import words
from statemachine.checking.case import Case


def check(case: Case) -> None:
    """Find them among the transitions that can be taken."""
    told: set[tuple[str, str, str]] = set()
    for node in case.chart.nodes.values():
        for key, (first, second) in _pairs(case, node).items():
            if key not in told:
                told.add(key)
                _tell(case, node, first, second, key[2])
    if not case.definition.descriptors:
        _regions(case)


def _pairs(case: Case, node: Node) -> dict[tuple[str, str, str], tuple[Arc, Arc]]:
    """Two declarations in one state for one event: the two arms of them that are least exclusive."""
    found: dict[tuple[str, str, str], tuple[Arc, Arc]] = {}
    for first, second in combinations([arc for arc in node.arcs if arc.order in case.taken], 2):
        names = (_name(case, first), _name(case, second))
        if "" in names or names[0] == names[1] or first.guard is None or first.guard_name == second.guard_name:
            continue
        for event in first.events or ("",):
            key = (*names, event)
            if event in (second.events or ("",)) and (key not in found or second.guard is None):
                found[key] = (first, second)
    return found


def _tell(case: Case, node: Node, first: Arc, second: Arc, event: str) -> None:
    names = (_name(case, first), _name(case, second))
    said = f"In {node.spec.name!r}, {case.words.event(event)!r} enables {words.names(names)} at once"
    if second.guard is None:
        why = f"when {first.guard_name} holds"
    else:
        why = f"if {first.guard_name} and {second.guard_name} both hold, and guards cannot be compared"
    case.find(
        "warning" if second.guard is not None else "error",
        "ambiguous",
        names,
        f"{said} {why}; the one written first wins. Put them into one to=(…), or make their guards exclusive.",
        at=case.first.get(node.spec.name),
    )


def _name(case: Case, arc: Arc) -> str:
    return case.definition.transitions[arc.order].declared


def _regions(case: Case) -> None:
    """Two regions that one event would leave by different ways: only the first written is taken."""
    by_event: dict[str, list[Arc]] = {}
    for node in case.chart.nodes.values():
        for arc in node.arcs:
            if arc.targets and arc.order in case.taken:
                for event in arc.events or ("",):
                    by_event.setdefault(event, []).append(arc)
    for event, arcs in by_event.items():
        for first, second in combinations(arcs, 2):
            if _rival(case, first, second):
                _tell_regions(case, event, first, second)


def _rival(case: Case, first: Arc, second: Arc) -> bool:
    same = first.targets == second.targets and [name for name, _ in first.actions] == [
        name for name, _ in second.actions
    ]
    if same or not _beside(case, first.source, second.source):
        return False
    # Both leave the parallel state around them, or one leaves the region that the other moves in.
    return second.source in case.walker.left_by(first) or first.source in case.walker.left_by(second)


def _beside(case: Case, one: str, other: str) -> bool:
    above = case.chart.nodes[other].ancestors
    if one == other or one in above or other in case.chart.nodes[one].ancestors:
        return False
    common = next((name for name in case.chart.nodes[one].ancestors if name in above), None)
    return common is not None and case.chart.nodes[common].spec.kind == "parallel"


def _tell_regions(case: Case, event: str, first: Arc, second: Arc) -> None:
    at = next((index for index, active in enumerate(case.active) if {first.source, second.source} <= active), None)
    if at is None:
        return
    shown = " and ".join(case.words.transition(arc.order) for arc in (first, second))
    case.find(
        "warning",
        "ambiguous",
        (case.words.subject(first.order), case.words.subject(second.order)),
        f"{case.words.event(event)!r} enables {shown} in two regions at once; the one written first wins.",
        at=at,
    )
