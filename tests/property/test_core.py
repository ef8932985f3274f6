"""The pure core over machines and stories drawn at random: it is a function, and a snapshot is all of a run."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given, reject
from hypothesis import strategies as st

from statemachine.definition import Definition
from statemachine.errors import EndlessLoop, HandlerFailed
from statemachine.inputs import Begin, Received
from statemachine.snapshot import Occurrence, Snapshot
from statemachine.testing.host import START, fold, stored
from statemachine.transition import Outcome, accepted_events, outstanding, start, transition
from tests.property.machines import EVENTS, Tally, Told, definitions, stories, tell

BEGIN = Begin(Tally(), "nonce")


def begun(definition: Definition) -> Outcome:
    """A run of a random machine, just started."""
    try:
        return start(definition, "r", BEGIN, START)
    except (HandlerFailed, EndlessLoop):
        reject()


def story(definition: Definition, choices: list[int]) -> list[Told]:
    """What happens to a run, one thing for each number."""
    snapshot = begun(definition).snapshot
    told: list[Told] = []
    for choice in choices:
        told.append(tell(definition, snapshot, choice))
        snapshot = told[-1].after
    return told


def fresh(definition: Definition) -> Definition:
    """The same definition with nothing computed yet."""
    return attrs.evolve(definition)


@given(definitions(), stories)
def test_the_same_inputs_give_the_same_outputs(definition: Definition, choices: list[int]) -> None:
    """Snapshots, commands, verdicts and errors: all the same a second time, on tables that have never been used."""
    once = story(definition, choices)
    again = story(definition, choices)
    other = story(fresh(definition), choices)
    assert once == again == other


@given(definitions(), stories)
def test_what_the_tables_remember_changes_nothing(definition: Definition, choices: list[int]) -> None:
    """Each input worked out on tables of its own gives what it gives on tables that have seen the whole story."""
    snapshot = begun(definition).snapshot
    for choice in choices:
        told = tell(definition, snapshot, choice)
        assert tell(fresh(definition), snapshot, choice) == told
        snapshot = told.after


@given(definitions(), stories)
def test_a_snapshot_survives_encoding_at_every_point(definition: Definition, choices: list[int]) -> None:
    """Decoded again it is equal, and encoded again it is the same bytes."""
    keep = stored(definition)
    for told in story(definition, choices):
        raw = keep.freeze(told.after, None)
        again = keep.thaw(raw)
        assert again == told.after
        assert keep.freeze(again, None) == raw


@given(definitions(), stories, st.data())
def test_a_run_cut_anywhere_goes_the_same_way(definition: Definition, choices: list[int], data: st.DataObject) -> None:
    """Resumed from its bytes, in a process that knows nothing else, it does what the uncut run does."""
    whole = story(definition, choices)
    cut = data.draw(st.integers(0, len(whole)))
    snapshot = whole[cut - 1].after if cut else begun(definition).snapshot
    keep = stored(definition)
    there = fresh(definition)
    resumed = keep.thaw(keep.freeze(snapshot, None))
    assert outstanding(resumed) == outstanding(snapshot)
    assert accepted_events(there, resumed) == accepted_events(definition, snapshot)
    for choice, expected in zip(choices[cut:], whole[cut:], strict=True):
        told = tell(there, resumed, choice)
        assert told == expected
        resumed = keep.thaw(keep.freeze(told.after, None))


@given(definitions(), stories)
def test_the_inputs_folded_again_give_the_snapshot(definition: Definition, choices: list[int]) -> None:
    """The inputs that were taken, each through its bytes, are enough to have the run again."""
    told = story(definition, choices)
    if not told:
        return
    taken = [(one.told, one.now) for one in told if one.taken]
    assert fold(definition, "r", [(BEGIN, START), *taken]) == told[-1].after


@given(definitions(), stories)
def test_every_snapshot_is_a_run_that_can_be(definition: Definition, choices: list[int]) -> None:
    """The configuration is legal, and what is pending, timed, numbered or stacked fits it."""
    before = begun(definition).snapshot
    check(definition, before)
    for told in story(definition, choices):
        after = told.after
        check(definition, after)
        assert after.now >= before.now
        assert after.serial >= before.serial
        assert after.pivoted >= before.pivoted
        assert after.seq == before.seq + told.taken
        if before.over:
            assert (after.states, after.data, after.status) == (before.states, before.data, before.status)
        before = after


def check(definition: Definition, snapshot: Snapshot[Any]) -> None:
    """What holds of every snapshot, said without the core's own tables."""
    legal(definition, snapshot)
    steps = {step.name: step for step in definition.steps}
    active = set(snapshot.visits.values())
    for pending in snapshot.pending:
        assert snapshot.status == "running"
        assert snapshot.visits[steps[pending.step].state] == pending.visit
        waits = [timer for timer in snapshot.timers if timer.kind == "retry" and timer.visit == pending.visit]
        assert len(waits) == pending.waiting
        assert not pending.incident or any(pending.incident == one.number for one in snapshot.incidents)
    for timer in snapshot.timers:
        assert not snapshot.over
        assert timer.kind in {"send", "undo"} or timer.visit in active
        assert timer.number <= snapshot.serial
    numbers = [timer.number for timer in snapshot.timers] + [one.number for one in snapshot.incidents]
    assert len(set(numbers)) == len(numbers)
    stack = [done.visit for done in snapshot.undo]
    assert len(set(stack)) == len(stack), "one visit stands on the stack twice"
    under_way = [done for done in snapshot.undo if snapshot.status == "killed" and steps[done.step].pivot]
    assert all(done.unknown for done in under_way), "a kill lists a pivot that may have happened"
    assert all(steps[done.step].undo is not None for done in snapshot.undo if done not in under_way)
    assert not snapshot.pivoted or snapshot.undo == tuple(under_way)
    if snapshot.undoing is not None:
        assert snapshot.status in {"undoing", "killed"}
        assert snapshot.undoing.visit == snapshot.undo[-1].visit
        assert not snapshot.stopping, "an undo beside an attempt that may still run"
    if snapshot.status == "undoing":
        assert snapshot.undoing or snapshot.stopping, "nothing will ever end this run"
        assert not snapshot.deferred
    if snapshot.over:
        assert outstanding(snapshot) == ()
        assert not snapshot.incidents


def legal(definition: Definition, snapshot: Snapshot[Any]) -> None:
    """SCXML 3.11: one top-level state, one child of each compound, all of each parallel; and the leaves are those."""
    below: dict[str | None, list[str]] = {}
    kinds = {spec.name: spec.kind for spec in definition.states}
    for spec in definition.states:
        if spec.kind != "history":
            below.setdefault(spec.parent, []).append(spec.name)
    active = set(snapshot.visits)
    assert len(active & set(below[None])) == 1
    for name in active:
        children = set(below.get(name, ()))
        inside = active & children
        if kinds[name] == "parallel":
            assert inside == children
        elif kinds[name] == "compound":
            assert len(inside) == 1
    parents = {spec.name: spec.parent for spec in definition.states}
    assert all(parents[name] is None or parents[name] in active for name in active)
    order = [spec.name for spec in definition.states if spec.name in active and spec.name not in below]
    assert list(snapshot.states) == order
    assert len(set(snapshot.visits.values())) == len(snapshot.visits)


@given(definitions(), stories, st.sampled_from(EVENTS))
def test_what_is_not_accepted_is_refused_or_kept(definition: Definition, choices: list[int], event: str) -> None:
    """An event that no active state has a transition for is never taken at once, and changes no data and no state."""
    told = story(definition, choices)
    snapshot = told[-1].after if told else begun(definition).snapshot
    if event in accepted_events(definition, snapshot):
        return
    outcome = transition(definition, snapshot, Received(Occurrence(event)), snapshot.now)
    assert outcome.verdict in {"deferred", "unmatched", "undoing", "over"}
    assert outcome.snapshot.states == snapshot.states
    assert outcome.snapshot.data == snapshot.data
    if outcome.verdict == "deferred":
        assert outcome.snapshot.deferred == (*snapshot.deferred, Occurrence(event))
        chain = set(snapshot.visits)
        assert snapshot.paused or any(event in spec.defer for spec in definition.states if spec.name in chain)
