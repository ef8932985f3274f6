"""Where a run can be, seen without data, and what can happen to it there.

A `Place` is what decides what may happen next: the active leaves, what history remembers, which steps and timers of
the present visits are over, whether the pivot has happened, and, between microsteps, what is still to be handled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from statemachine.chart import Arc
from statemachine.definition import Definition

Chain = tuple[Arc, ...]
Guards = tuple[tuple[str, bool], ...]
History = tuple[tuple[str, tuple[str, ...]], ...]


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


class Owner(NamedTuple):
    """Whose event it is: it comes only while `state` is active, and once in a visit with the same `token`."""

    state: str
    token: str
    pivots: bool = False


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


def outside(definition: Definition, owned: Mapping[str, list[Owner]]) -> dict[str, None]:
    """The events that may come while the machine is at rest, in a stable order."""
    found = dict.fromkeys((*definition.events, *owned))
    if definition.descriptors:
        named = [plain(descriptor) for transition in definition.transitions for descriptor in transition.events]
        found.update(dict.fromkeys(event for event in named if not f"{event}.".startswith("done.state.")))
    return found


def picks(chain: Chain, known: dict[str, bool]) -> Iterator[tuple[Arc | None, Guards]]:
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


def selections(chains: tuple[Chain, ...], taken: Chain, known: dict[str, bool]) -> Iterator[tuple[Chain, Guards]]:
    """The same over several chains, one for each active leaf."""
    if not chains:
        yield taken, tuple(known.items())
        return
    for arc, guards in picks(chains[0], known):
        more = taken if arc is None or arc in taken else (*taken, arc)
        yield from selections(chains[1:], more, dict(guards))
