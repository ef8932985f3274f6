"""What can never be: timers that cannot fire, regions never all done, transitions never taken, states never reached.

One fault is told once, where it is: a state that only a lost transition leads to is told with the transition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile

from statemachine import wording
from statemachine.chart import Arc, matches
from statemachine.checking import words
from statemachine.checking.case import Case, Draft
from statemachine.checking.places import owners
from statemachine.definition import StateSpec, TimerSpec


def check(case: Case) -> None:
    """Find them. Loops are known by now: what lies in one is not told again."""
    looping = case.looping()
    for timer in case.definition.timers:
        if timer.state in case.states and timer.state not in looping:
            _timer(case, timer)
    for spec in case.definition.states:
        if spec.name in case.states and spec.kind == "parallel":
            _regions(case, spec)
    _transitions(case, looping)
    _states(case)


# Timers.


def _timer(case: Case, timer: TimerSpec) -> None:
    takers = _listening(case, timer.event, timer.state)
    earlier = next((other for other in case.definition.timers if _always_before(case, other, timer)), None)
    if not takers:
        why = "no transition there takes what it raises"
    elif earlier is not None:
        why = f"{case.words.event(earlier.event)} the state is left, whatever happens"
    elif case.structure is None and timer.state not in case.resting:
        why = "the state is left at once, before any time has passed"
    else:
        return
    delay = timer.delay if isinstance(timer.delay, str) else wording.span(timer.delay)
    case.find(
        "error",
        "never-fires",
        (*(case.words.subject(arc.order) for arc in takers), timer.state),
        f"The timer of {timer.state!r} ({delay}) cannot fire: {why}.",
        at=case.first.get(timer.state),
        arcs=tuple(arc.order for arc in takers if arc.order not in case.taken or earlier is not None),
    )


def _always_before(case: Case, other: TimerSpec, timer: TimerSpec) -> bool:
    """Whether `other` always fires, and leaves the state, before `timer` may."""
    if isinstance(other.delay, str) or isinstance(timer.delay, str) or other.event == timer.event:
        return False
    timers = case.definition.timers
    within = timer.state == other.state or case.chart.within(timer.state, other.state)
    sooner = other.delay < timer.delay or (
        other.delay == timer.delay and (timer.state != other.state or timers.index(other) < timers.index(timer))
    )
    if not within or not sooner:
        return False
    arcs = _listening(case, other.event, timer.state)
    until = next((index for index, arc in enumerate(arcs) if arc.guard is None), None)
    return until is not None and all(timer.state in case.walker.left_by(arc) for arc in arcs[: until + 1])


def _listening(case: Case, event: str, state: str) -> list[Arc]:
    """The transitions of a state, and of those around and in it, that an event triggers."""
    return [
        arc
        for name, node in case.chart.nodes.items()
        if name == state or state in node.ancestors or name in case.chart.nodes[state].ancestors
        for arc in node.arcs
        if triggers(case, arc, event)
    ]


def triggers(case: Case, arc: Arc, event: str) -> bool:
    """Whether an event's name is one that a transition takes."""
    if event in arc.events:
        return True
    return case.definition.descriptors and any(matches(descriptor, event) for descriptor in arc.events)


# Regions.


def _regions(case: Case, spec: StateSpec) -> None:
    event = f"done.state.{spec.name}"
    waiting = [arc for node in case.chart.nodes.values() for arc in node.arcs if event in arc.events]
    if not waiting or event in case.happened:
        return
    open_ended = [name for name in case.chart.nodes[spec.name].children if not _finishes(case, name)]
    if any(_has_final(case, name) for name in open_ended):
        return  # its final state is out of reach, which is told there
    if open_ended:
        why = f"nothing in {words.names(open_ended)} is final"
    else:
        why = "each can finish, but never all of them at once"
    case.find(
        "error",
        "never-joined",
        (spec.name, *open_ended),
        f"The regions of {spec.name!r} can never all be done: {why}.",
        at=case.first.get(spec.name),
        arcs=tuple(arc.order for arc in waiting),
    )


def _finishes(case: Case, name: str) -> bool:
    if case.structure is not None:
        return case.structure.finishes(name)
    return any(case.chart.in_final(name, dict.fromkeys(active)) for active in case.active)


def _has_final(case: Case, name: str) -> bool:
    node = case.chart.nodes[name]
    if node.spec.kind == "parallel":
        return all(_has_final(case, child) for child in node.children)
    return any(case.chart.nodes[child].spec.kind == "final" for child in node.children)


# Transitions.


def _transitions(case: Case, looping: set[str]) -> None:
    kept_back = case.kept_back()
    for node in case.chart.nodes.values():
        if node.spec.name not in case.states or node.spec.name in looping:
            continue
        for arc in node.arcs:
            if arc.order in case.taken or arc.order in kept_back:
                continue
            if _waits_for_unreached(case, arc):
                continue  # what should be done first is out of reach, which is told there
            case.find(
                "error",
                "never-taken",
                (case.words.subject(arc.order),),
                f"{case.words.transition(arc.order)} can never be taken: {_why_never(case, arc)}.",
                at=case.first.get(arc.source),
                arcs=(arc.order,),
            )


def _waits_for_unreached(case: Case, arc: Arc) -> bool:
    parents = [event.removeprefix("done.state.") for event in arc.events if event.startswith("done.state.")]
    return bool(parents) and all(
        parent in case.chart.nodes and _has_final(case, parent) and not _finishes(case, parent) for parent in parents
    )


def _why_never(case: Case, arc: Arc) -> str:
    never = [event for event in arc.events if event not in case.happened and not _may_come(case, event)]
    if never and len(never) == len(arc.events):
        return f"{' or '.join(case.words.event(event) for event in never)} never happens"
    rivals = [
        other
        for name, node in case.chart.nodes.items()
        if name == arc.source or arc.source in node.ancestors
        for other in node.arcs
        if other.order in case.taken and other.order != arc.order and _same_trigger(case, arc, other)
    ]
    if rivals:
        shown = "; ".join(case.words.transition(other.order) for other in rivals[:3])
        return f"another always comes first: {shown}"
    if case.structure is None and arc.source not in case.resting:
        return f"{arc.source!r} is left at once"
    if any(case.chart.nodes[name].spec.kind == "parallel" for name in case.chart.nodes[arc.source].ancestors):
        return "a transition of another region always comes first"
    return "no event that may come has that name"


def _may_come(case: Case, event: str) -> bool:
    if event.startswith("done.state."):
        return False
    return case.definition.descriptors or event in case.definition.events or event in owners(case.definition)


def _same_trigger(case: Case, arc: Arc, other: Arc) -> bool:
    return not arc.events if not other.events else any(triggers(case, other, event) for event in arc.events)


# States.


def _states(case: Case) -> None:
    unreached = [
        spec.name for spec in case.definition.states if spec.kind != "history" and spec.name not in case.states
    ]
    told: set[str] = set()
    for draft in list(case.drafts):
        _tell_behind(case, draft, told)
    behind = {name: set(_led_to(case, name)) for name in unreached}
    while left := [name for name in unreached if name not in told]:
        led_to = {target for name in left for target in behind[name]}
        root = next((name for name in left if name not in led_to), left[0])
        told.add(root)
        draft = case.find("error", "unreachable", (root,), f"Nothing reaches {root!r}.")
        _follow(case, draft, [root], told)


def _tell_behind(case: Case, draft: Draft, told: set[str]) -> None:
    _follow(case, draft, [], told, first=[name for order in draft.arcs for name in _targets(case, order)])


def _follow(case: Case, draft: Draft, roots: list[str], told: set[str], first: Iterable[str] = ()) -> None:
    """Tell what lies behind, and behind that, with the finding."""
    waiting = [*first, *(name for root in roots for name in _led_to(case, root))]
    while waiting:
        name = waiting.pop(0)
        if name in case.states or name in told or case.chart.nodes[name].spec.kind == "history":
            continue
        told.add(name)
        draft.behind.append(name)
        waiting.extend(_led_to(case, name))


def _led_to(case: Case, name: str) -> Iterator[str]:
    """What an unreached state would have led to."""
    node = case.chart.nodes[name]
    yield from (child for child in node.children if child not in case.states)
    for arc in node.arcs:
        yield from _targets(case, arc.order)
    if node.spec.kind == "final":
        joins = takewhile(lambda above: case.chart.nodes[above].spec.kind == "parallel", node.ancestors[1:])
        done = {f"done.state.{ancestor}" for ancestor in (*node.ancestors[:1], *joins)}
        for order, transition in enumerate(case.definition.transitions):
            if done & set(transition.events) and order not in case.taken:
                yield from _targets(case, order)


def _targets(case: Case, order: int) -> Iterator[str]:
    for target in case.definition.transitions[order].targets:
        yield from (name for name in (target, *case.chart.nodes[target].ancestors) if name not in case.states)
        if case.chart.nodes[target].spec.kind == "history":
            yield from case.chart.nodes[target].ancestors[:1]
