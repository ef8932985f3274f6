"""The judge is not blind: each promise that is broken on purpose is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from statemachine.inputs import Lost, Resolve
from tests.reliability import judge
from tests.reliability.desk import Desk
from tests.reliability.errand import Errand, World, prepare
from tests.reliability.judge import Death, Fault, Judge
from tests.reliability.scenarios import play_of


@pytest.fixture
def played(tmp_path: Path) -> Path:
    """A folder in which a run was confirmed and paid, a step of it failing once, and nobody disturbed it."""
    prepare(tmp_path)
    play_of("retry", -1)(Desk(tmp_path, lambda _: None))
    return tmp_path


def judged(folder: Path, *deaths: Death) -> list[Fault]:
    """What the judge finds."""
    world = World(folder)
    return list(judge.faults(folder, Judge(Errand(world)).kept(folder), world.ledger.lines(), deaths))


def test_what_was_not_disturbed_is_without_fault(played: Path) -> None:
    """Nothing is found where nothing is wrong."""
    assert judged(played) == []


def note(*words: str) -> Callable[[Path], None]:
    """Plants a line in the ledger."""
    return lambda folder: World(folder).ledger.note(*words)


def sql(statement: str) -> Callable[[Path], None]:
    """Plants something in the database."""

    def plant(folder: Path) -> None:
        connection = sqlite3.connect(folder / "journal.db")
        connection.execute(statement)
        connection.commit()
        connection.close()

    return plant


@pytest.mark.parametrize(
    ("plant", "promise"),
    [
        (note("acknowledged", "start", "gone"), judge.LOST),
        (note("acknowledged", "event", "r", "gone"), judge.LOST),
        (note("acknowledged", "put", "r", "gone"), judge.LOST),
        (note("acknowledged", "verb", "r", "cancel"), judge.LOST),
        (sql("DELETE FROM statemachine_seen"), judge.LOST),
        (sql("INSERT INTO booking VALUES ('r:n:book:1')"), judge.TRANSACTIONAL),
        (sql("DELETE FROM booking"), judge.TRANSACTIONAL),
        (
            sql("UPDATE statemachine_run SET snapshot = replace(snapshot, '\"paid\":true', '\"paid\":false')"),
            "unfolded",
        ),
    ],
    ids=["start", "event", "message", "verb", "seen", "booked twice", "not booked", "snapshot"],
)
def test_what_is_lost_or_written_twice_is_found(played: Path, plant: Callable[[Path], None], promise: str) -> None:
    """An acknowledgement without a record, a row without an outcome, an outcome without a row, another snapshot."""
    plant(played)
    assert {fault.promise for fault in judged(played)} == {judge.UNFOLDED if promise == "unfolded" else promise}


def test_executing_again_is_found(played: Path) -> None:
    """Once more than the journal began it; again after it was recorded; and, at most once, twice at all."""
    world = World(played)
    (pay,) = (line[1] for line in world.ledger.lines() if line[0] == "do" and ":pay:" in line[1])
    recorded = Judge(Errand(world)).death(played, world.ledger.lines())
    assert ("do", pay) in recorded.recorded
    world.ledger.note("do", pay)
    assert {fault.promise for fault in judged(played)} == {judge.TOO_OFTEN}
    assert {fault.promise for fault in judged(played, recorded)} == {judge.TOO_OFTEN, judge.AGAIN}
    under_way = Death(0, frozenset(), frozenset({("do", pay)}))
    assert judged(played, under_way) == []
    world.ledger.note("once", "r:n:notify:9")
    world.ledger.note("once", "r:n:notify:9")
    assert judge.ONCE in {fault.promise for fault in judged(played, under_way)}


def test_only_a_person_may_have_what_is_at_most_once_executed_again(played: Path) -> None:
    """It was lost between its line in the ledger and its effect: once on a person's word, and no more often."""
    kept = Judge(Errand(World(played))).kept(played)
    lost, word = Lost("notify", 9, 1), Resolve(1, "retry")
    executed: tuple[str, ...] = ("once", kept["r"].key(9, "notify"))

    def found(*told: Lost | Resolve, times: int = 2) -> bool:
        there = {"r": attrs.evolve(kept["r"], told=[*kept["r"].told, *told])}
        return judge.ONCE in {fault.promise for fault in judge.executed_too_often(there, times * [executed], ())}

    assert found()
    assert found(lost)
    assert found(lost, Resolve(1, "done"))
    assert not found(lost, word)
    assert found(lost, word, times=3)


def test_another_end_and_another_effect_are_found(played: Path) -> None:
    """Compared with the same runs undisturbed: an end that differs, a run that is not there, an effect too many."""
    world = World(played)
    kept = Judge(Errand(world)).kept(played)
    ends, effects = judge.ends(kept), judge.done(world.effects())
    assert list(judge.compared(ends, ends, effects, effects)) == []
    world.effect("do", "r:other:pay:4")
    more = judge.done(world.effects())
    found = {fault.promise for fault in judge.compared({}, ends, more, effects)}
    assert found == {judge.ENDED, judge.RECEIVED}
