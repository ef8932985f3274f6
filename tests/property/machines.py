"""Machines and stories drawn at random: any statechart, with steps, timers, deferral, history and functions that raise.

A story is a list of numbers. Each chooses one of the things that can happen to the run as it is, so the same numbers
tell the same story wherever they are told, and a story can be cut anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import attrs
from hypothesis import strategies as st

from statemachine.definition import Definition, StateSpec, StepSpec, TimerSpec, TransitionSpec, unscoped
from statemachine.errors import StateMachineError
from statemachine.inputs import (
    Cancel,
    Elapsed,
    Failed,
    Input,
    Kill,
    Lost,
    Pause,
    Received,
    Resolve,
    Resume,
    Stopped,
    Succeeded,
    UndoFailed,
    Undone,
)
from statemachine.retry import Retry
from statemachine.scope import Scope
from statemachine.snapshot import Failure, Occurrence, Snapshot
from statemachine.transition import Outcome, transition
from tests.unit.core.charts import DeclinedError, define, step

EVENTS = ("e0", "e1", "e2", "e3")


@attrs.frozen
class Tally:
    """The data of a random machine."""

    n: int = 0
    m: int = 0
    seen: tuple[str, ...] = ()


def _count(data: Tally, _occurrence: Occurrence, _scope: Scope) -> Tally:
    return attrs.evolve(data, n=data.n + 1)


def _copy(data: Tally, occurrence: Occurrence, _scope: Scope) -> Tally:
    return attrs.evolve(data, m=data.n, seen=(*data.seen[-3:], occurrence.name))


def _raise(data: Tally, _occurrence: Occurrence, scope: Scope) -> Tally:
    if data.n % 3:
        scope.raise_event("e0", data.n)
    return attrs.evolve(data, n=data.n + 1)


def _send(data: Tally, _occurrence: Occurrence, scope: Scope) -> Tally:
    scope.send("other", "ping", data.n)
    scope.send("", "e1", {"later": True}, delay=5.0, send_id="later")
    return data


def _unsend(data: Tally, _occurrence: Occurrence, scope: Scope) -> Tally:
    scope.cancel("later")
    return data


def _fragile(data: Tally, _occurrence: Occurrence, _scope: Scope) -> Tally:
    if data.n % 5 == 4:
        message = "a bug"
        raise ZeroDivisionError(message)
    return data


def _fold(data: Tally, occurrence: Occurrence, _scope: Scope) -> Tally:
    return attrs.evolve(_fragile(data, occurrence, _scope), m=occurrence.value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "count": unscoped(_count),
    "copy": unscoped(_copy),
    "raise": _raise,
    "send": _send,
    "unsend": _unsend,
    "fragile": unscoped(_fragile),
    "fold": _fold,
    "small": unscoped(lambda data, _occurrence, _scope: data.n < 6),
    "even": unscoped(lambda data, _occurrence, _scope: data.n % 2 == 0),
    "delay": lambda data, _occurrence, scope: scope.now + timedelta(seconds=data.n),
}
ACTIONS = ("count", "copy", "raise", "send", "unsend", "fragile")


class _Tree:
    """Draws a tree of states."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.states: list[StateSpec] = []

    def _name(self) -> str:
        return f"s{len(self.states)}"

    def grow(self, parent: str | None, depth: int) -> str:
        """Add a state, with all below it."""
        kinds = ["atomic"] if depth >= 3 else ["atomic", "atomic", "compound", "parallel"]
        kind = self._draw(st.sampled_from(kinds))
        name = self._name()
        place = len(self.states)
        self.states.append(StateSpec(name=name, parent=parent))
        entry = self._draw(st.lists(st.sampled_from(ACTIONS), max_size=1))
        leaving = self._draw(st.booleans())
        late = self._draw(st.lists(st.sampled_from(EVENTS[2:]), max_size=1))
        spec = StateSpec(
            name=name,
            parent=parent,
            entry=(tuple(entry),) if entry else (),
            exit=(tuple(entry),) if entry and leaving else (),
            defer=tuple(late),
        )
        if kind == "parallel":
            for _ in range(2):
                self.grow(name, depth + 1)
            spec = attrs.evolve(spec, kind="parallel")
        elif kind == "compound":
            children = [self.grow(name, depth + 1) for _ in range(self._draw(st.integers(1, 3)))]
            spec = attrs.evolve(spec, kind="compound", initial=TransitionSpec(source=name, targets=(children[0],)))
            if self._draw(st.booleans()):
                self.states.append(StateSpec(name=self._name(), parent=name, kind="final"))
            if self._draw(st.booleans()):
                self._remember(name, children[-1])
        self.states[place] = spec
        return name

    def _remember(self, parent: str, default: str) -> None:
        name = self._name()
        self.states.append(
            StateSpec(
                name=name,
                parent=parent,
                kind="history",
                deep=self._draw(st.booleans()),
                default=TransitionSpec(source=name, targets=(default,)),
            )
        )


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Any statechart, whether it makes sense or not."""
    tree = _Tree(draw)
    for _ in range(draw(st.integers(1, 3))):
        tree.grow(None, 0)
    states = [
        *tree.states,
        StateSpec(name="end", kind="final"),
        StateSpec(name="sorry", kind="final", compensate=True),
    ]
    atomic = [spec.name for spec in states if spec.kind == "atomic"]
    sources = [spec.name for spec in states if spec.kind not in {"final", "history"}]
    targets = [spec.name for spec in states]
    steps = [_step(draw, name) for name in atomic if draw(st.booleans())]
    timed = draw(st.lists(st.sampled_from(sources), max_size=2, unique=True))
    delays: st.SearchStrategy[float | str] = st.sampled_from([1.0, 7.5, "delay"])
    timers = [TimerSpec(state=name, event=f"after.{name}", delay=draw(delays)) for name in timed]
    ways = [_way(draw, source, None, targets) for source in draw(st.lists(st.sampled_from(sources), max_size=10))]
    ways += [_way(draw, one.state, one.event, targets) for one in timers]
    for one in steps:
        ways.append(_way(draw, one.state, one.succeeded_event, targets))
        ways += [_way(draw, one.state, one.error_event(0), targets)] if one.errors else []
        ways += [_way(draw, one.state, one.failed_event, targets)] if one.failed else []
    return define(
        states,
        ways,
        steps=steps,
        timers=timers,
        functions=FUNCTIONS,
        data=Tally,
        events=dict.fromkeys(EVENTS, Any),
        results=dict.fromkeys((one.name for one in steps if one.into), int),
    )


def _step(draw: st.DrawFn, state: str) -> StepSpec:
    pivot = draw(st.integers(0, 9)) == 0
    declared = draw(st.booleans())
    return step(
        f"do-{state}",
        state,
        undo=not pivot and draw(st.booleans()),
        retry=Retry(draw(st.integers(1, 2)), delay=2.0),
        overall=draw(st.sampled_from([None, None, 1.0])),
        pivot=pivot,
        errors=("Declined",) if declared else (),
        failed=draw(st.booleans()),
        into="fold" if draw(st.integers(0, 3)) == 0 else None,
        kind=draw(st.sampled_from(["at-least-once", "at-least-once", "at-most-once"])),
    )


def _way(draw: st.DrawFn, source: str, event: str | None, targets: list[str]) -> TransitionSpec:
    name = event if event is not None else draw(st.sampled_from([*EVENTS, *EVENTS, f"done.state.{source}", ""]))
    guard = draw(st.sampled_from([None, None, "small", "even"]))
    # An eventless transition that nothing ends makes most machines loop for ever; some of them still do.
    ending = () if name else ("count",)
    return TransitionSpec(
        source=source,
        events=(name,) if name else (),
        guard="small" if not name else guard,
        targets=(draw(st.sampled_from(targets)),) if draw(st.integers(0, 5)) else (),
        internal=draw(st.booleans()),
        actions=(*ending, *draw(st.lists(st.sampled_from(ACTIONS), max_size=2))),
    )


stories = st.lists(st.integers(0, 10_000), min_size=8, max_size=30)
"""Long enough to undo something; a test that needs a shorter one cuts it."""

FAILURE = Failure("Trouble", "no", "in a test")


def happenings(snapshot: Snapshot[Any], salt: int) -> list[Input]:
    """What can happen to a run as it is, and some of what cannot. `salt` fills in values and chooses the kind."""
    ways = _progress(snapshot, salt)
    if salt % 3 and ways:
        return ways
    found: list[Input] = [
        Received(Occurrence(event, salt % 7, id=f"id-{salt}", actor="ada"), queued=queued)
        for event in EVENTS
        for queued in (False, True)
    ]
    found += ways
    found += [Elapsed(salt), Undone(salt), Stopped(salt), Resolve(salt, "skip")]
    if salt % 4 == 0:
        found += [Pause(), Cancel("ops", "enough"), Kill("ops"), Resume()]
    return found


def _progress(snapshot: Snapshot[Any], salt: int) -> list[Input]:
    """What moves a run on."""
    found: list[Input] = []
    for pending in snapshot.pending:
        found += list(_step_outcomes(pending.step, pending.visit, salt))
    for stopping in snapshot.stopping:
        found += [Stopped(stopping.visit), *_step_outcomes(stopping.step, stopping.visit, salt)]
    if snapshot.undoing is not None:
        visit = snapshot.undoing.visit
        found += [Undone(visit), Undone(visit), UndoFailed(visit, FAILURE, 0.5)]
    if snapshot.timers:
        found += [Elapsed(min(snapshot.timers, key=lambda timer: (timer.due, timer.number)).number)] * 3
    for incident in snapshot.incidents:
        found += [Resolve(incident.number, verb, "ops", "because") for verb in ("retry", "skip", "done")]
    if snapshot.paused:
        found += [Resume("ops", "again")] * 3
    return found


def _step_outcomes(name: str, visit: int, salt: int) -> Iterator[Input]:
    yield Succeeded(name, visit, {"m": salt}, salt)
    yield Succeeded(name, visit, {"seen": ("told",)}, salt)
    yield Failed(name, visit, FAILURE, 0.25)
    yield Failed(name, visit, FAILURE, final=True, effect=salt % 2 == 0)
    yield Failed(name, visit, Failure(DeclinedError.__name__, "no"), arm=0)
    yield Failed(name, visit, FAILURE, recorded=False)
    yield Lost(name, visit, 3)


@attrs.frozen
class Told:
    """One input of a story, and what came of it."""

    told: Input
    now: Any
    outcome: Outcome | None
    error: str
    after: Snapshot[Any]

    @property
    def taken(self) -> bool:
        """Whether the run moved."""
        return self.outcome is not None and self.outcome.verdict in {"accepted", "deferred"}


def tell(definition: Definition, snapshot: Snapshot[Any], choice: int) -> Told:
    """The next thing that happens to a run, as this number chooses it."""
    options = happenings(snapshot, choice % 997)
    told = options[choice % len(options)]
    now = snapshot.now + timedelta(seconds=choice % 4 - 1)
    if isinstance(told, Elapsed):
        now = max([now, *(timer.due for timer in snapshot.timers if timer.number == told.timer)])
    try:
        outcome = transition(definition, snapshot, told, now)
    except StateMachineError as error:
        return Told(told, now, None, f"{type(error).__name__}: {error}", snapshot)
    taken = outcome.verdict in {"accepted", "deferred"}
    return Told(told, now, outcome, "", outcome.snapshot if taken else snapshot)
