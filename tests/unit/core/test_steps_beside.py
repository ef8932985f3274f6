"""Steps beside each other or beside transitions: all changes are kept, and a field of both is asked about."""

from __future__ import annotations

import attrs
import pytest

from statemachine import evolve
from statemachine.definition import Definition
from statemachine.errors import RefusedVerb
from statemachine.inputs import IncidentVerb, Succeeded
from statemachine.scope import Scope
from statemachine.snapshot import Occurrence
from statemachine.testing.host import Host
from tests.unit.core.charts import Book, compound, define, final, go, parallel, setting, state, step


def fold(data: Book, occurrence: Occurrence, _scope: Scope) -> Book:
    """Adds what the step returned."""
    return attrs.evolve(data, a=data.a + occurrence.value)


def beside(*, into: str | None = None) -> Definition:
    """Two steps in two regions, and an event that writes while they run."""
    return define(
        [
            parallel("both"),
            compound("l", "left", "both"),
            state("left", "l"),
            final("l.end", "l"),
            compound("r", "right", "both"),
            state("right", "r"),
            final("r.end", "r"),
            state("joined"),
        ],
        [
            go("left", "done.step.left", "l.end"),
            go("right", "done.step.right", "r.end"),
            go("both", "write", None, "set-a"),
            go("both", "done.state.both", "joined"),
        ],
        steps=[step("left", "left", into=into), step("right", "right", into=into)],
        functions={"set-a": setting(a=100), "fold": fold},
        results={"left": int, "right": int} if into else {},
    )


ORDERS = [("left", "right"), ("right", "left")]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("forgetful", [False, True])
def test_different_fields_are_both_kept(order: tuple[str, str], forgetful: bool) -> None:
    """In either order of finishing, neither undoes the other's work."""
    wrote = {"left": {"a": 1}, "right": {"b": 2}}
    host = Host(beside(), Book(c=9), forgetful=forgetful)
    for name in order:
        host.succeed(name, **wrote[name])
    assert host.snapshot.data == Book(a=1, b=2, c=9)
    assert host.state == ("joined",)
    assert host.retold() == host.snapshot


@pytest.mark.parametrize("forgetful", [False, True])
def test_a_visit_keeps_the_data_it_began_with(forgetful: bool) -> None:
    """Once the data has moved on, every attempt of a visit still gets the data as it was, through crashes."""
    host = Host(beside(), Book(a=5), forgetful=forgetful)
    assert not host.pending("left").moved
    host.succeed("right", b=2)
    assert host.pending("left").moved
    assert host.pending("left").base == Book(a=5)
    host.send("write")
    assert host.pending("left").base == Book(a=5)
    assert set(host.pending("left").overwritten) == {"a", "b"}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("verb", ["done", "skip"])
@pytest.mark.parametrize("forgetful", [False, True])
def test_the_same_field_is_a_conflict_that_names_both(
    order: tuple[str, str], verb: IncidentVerb, forgetful: bool
) -> None:
    """Nobody's value is overwritten unseen; a person takes one, and what only the step wrote is kept either way."""
    wrote = {"left": {"a": 1, "b": 1}, "right": {"a": 2, "c": 2}}
    first, second = order
    host = Host(beside(), Book(), forgetful=forgetful)
    host.succeed(first, **wrote[first])
    host.succeed(second, **wrote[second])
    visits = dict(host.done())
    assert host.incident.kind == "conflict"
    assert host.incident.message == (
        f"Changed by two writers at once: field 'a' by step {second!r} (visit {visits[second]}) and by "
        f"step {first!r} (visit {visits[first]}). 'done' takes the step's values, 'skip' keeps the present ones."
    )
    assert host.snapshot.data == evolve(Book(), **wrote[first])
    assert "joined" not in host.state
    with pytest.raises(RefusedVerb, match="say 'done' to take its values or 'skip' to keep the present ones"):
        host.resolve("retry")
    host.resolve(verb)
    taken = {**wrote[first], **wrote[second]} if verb == "done" else {**wrote[second], **wrote[first]}
    assert host.snapshot.data == evolve(Book(), **taken)
    assert host.state == ("joined",)
    host.cancel()
    host.unwind()
    assert [(deed.step, dict(deed.fields)) for deed in host.deeds if deed.what == "undo"] == [
        (second, wrote[second]),
        (first, wrote[first]),
    ], "whichever value was taken, each undo gets what its own visit set"
    assert host.retold() == host.snapshot


def test_a_conflict_left_unresolved_is_undone_with_its_fields() -> None:
    """A step whose values wait for a person has taken effect: its undo gets what it wrote."""
    host = Host(beside(), Book())
    host.succeed("left", a=1)
    host.succeed("right", a=2)
    host.cancel()
    host.unwind()
    assert [(deed.step, deed.fields) for deed in host.deeds if deed.what == "undo"] == [
        ("right", (("a", 2),)),
        ("left", (("a", 1),)),
    ]


def test_a_transition_that_wrote_meanwhile_is_named() -> None:
    """The other writer may be a handler; the conflict says which."""
    host = Host(beside(), Book())
    host.send("write")
    host.succeed("left", a=1)
    assert "and by set-a." in host.incident.message
    assert host.snapshot.data.a == 100


def test_writing_what_is_there_already_is_no_change() -> None:
    """A handler that sets a field to the value it has does not conflict with the step that changes it."""
    host = Host(beside(), Book(a=100))
    host.send("write")
    host.succeed("left", a=1)
    assert not host.snapshot.incidents
    assert host.snapshot.data.a == 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("forgetful", [False, True])
def test_folds_see_the_data_as_it_is_by_then(order: tuple[str, str], forgetful: bool) -> None:
    """A step with `into` cannot conflict: its fold is applied to the data at commit."""
    results = {"left": 3, "right": 4}
    host = Host(beside(into="fold"), Book(a=10), forgetful=forgetful)
    for name in order:
        host.succeed(name, results[name])
    assert host.snapshot.data.a == 17
    assert host.state == ("joined",)
    assert not host.snapshot.incidents
    assert not host.snapshot.pending
    host.cancel()
    host.unwind()
    assert [deed.fields for deed in host.deeds if deed.what == "undo"] == [
        (("a", 17),),
        (("a", 10 + results[order[0]]),),
    ]


@pytest.mark.parametrize("verb", ["retry", "done", "skip"])
@pytest.mark.parametrize("forgetful", [False, True])
def test_a_fold_that_raises_is_an_incident(verb: IncidentVerb, forgetful: bool) -> None:
    """The effect happened and its result cannot be recorded: never silently tried again, never lost."""
    host = Host(beside(into="raise"), Book(), forgetful=forgetful)
    key = host.running[host.visit("left")].key
    host.succeed("left", 3)
    assert host.incident.kind == "result"
    assert host.incident.message == (
        "Step 'left' took effect, but folding its result into the data raised ZeroDivisionError: a bug"
    )
    assert host.incident.failure is not None
    assert "charts.py" in host.incident.failure.traceback
    assert "left" not in {command.step for command in host.running.values()}
    host.resolve(verb)
    assert not host.snapshot.incidents
    if verb == "retry":
        again = host.running[host.visit("left")]
        assert (again.key, again.attempt) == (key, 1)
    elif verb == "done":
        assert host.state == ("l.end", "right")
        assert [done.step for done in host.snapshot.undo] == ["left"]
    else:
        host.unwind()
        assert host.ended() == "failed"
        assert [name for name, _ in host.undone()] == ["right", "left"], "it took effect, so it is undone too"


def test_a_result_that_cannot_be_recorded_is_an_incident() -> None:
    """Too large, or of a type that does not come back: said by the host, decided by a person."""
    host = Host(beside(), Book())
    host.fail("left", recorded=False, message="it is 9 MiB")
    assert host.incident.kind == "result"
    assert host.incident.message == "Step 'left' took effect, but: it is 9 MiB"
    assert not host.snapshot.timers


@pytest.mark.parametrize("how", ["conflict", "fold", "success"])
def test_a_second_outcome_of_a_recorded_visit_changes_nothing(how: str) -> None:
    """Two attempts may overlap; only one outcome is recorded, so the other finds one incident, not two."""
    host = Host(beside(into="raise" if how == "fold" else None), Book())
    if how == "conflict":
        host.send("write")
    visit = host.visit("left")
    host.succeed("left", 1, **({} if how == "fold" else {"a": 1}))
    undo = host.snapshot.undo
    told = Succeeded("left", visit, {"a": 2}, 2)
    host.tell(told)
    assert len(host.snapshot.incidents) == (how != "success")
    assert host.snapshot.undo == undo
