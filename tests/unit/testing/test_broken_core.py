"""What the machine checks can fail: with the core broken on purpose, a sound workflow is found out."""

from __future__ import annotations

from typing import Any

import pytest

from statemachine import saga, transition, turn, work
from statemachine.snapshot import Done
from statemachine.testing.play import Play
from statemachine.turn import Turn
from tests.unit.testing.planted import Bookings, Letters, Trip
from tests.unit.testing.planted import Letter as Mail


def booked() -> Play:
    """Both steps of a booking are done."""
    play = Bookings.replay()
    play.begin(Trip("ada"))
    play.succeed("book")
    play.succeed("extend")
    return play


def undone(play: Play) -> None:
    """It is cancelled, and all is undone."""
    play.cancel()
    while play.undoing:
        play.undo()


def test_unbroken_it_passes() -> None:
    """The stories below hold as they are."""
    undone(booked())


def test_a_step_that_is_not_put_on_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is over and not undone."""
    monkeypatch.setattr(saga, "record", lambda *_: None)
    with pytest.raises(AssertionError, match="it is over and not undone: book"):
        undone(booked())


def test_undoing_in_the_wrong_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first would be undone first."""

    def record(turn: Turn, done: Done) -> None:
        turn.undo = (done, *turn.undo)

    monkeypatch.setattr(saga, "record", record)
    with pytest.raises(AssertionError, match="is undone before what was done after it"):
        undone(booked())


def test_a_key_that_changes_with_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver would take the second attempt for another order."""
    calls = iter(range(100))
    monkeypatch.setattr(turn, "step_key", lambda run, _nonce, step, visit: f"{run}:{step}:{visit}:{next(calls)}")
    play = Bookings.replay()
    play.begin(Trip("ada"))
    play.fail("book", "after")
    with pytest.raises(AssertionError, match="has got another key"):
        play.elapse()


def test_a_recorded_step_that_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its outcome is recorded, and another attempt is begun."""
    arrive: Any = work._arrive

    def again(turn: Turn, pending: Any, changed: dict[str, Any]) -> None:
        arrive(turn, pending, changed)
        turn.run_step(pending)

    monkeypatch.setattr(work, "_arrive", again)
    play = Bookings.replay()
    play.begin(Trip("ada"))
    with pytest.raises(AssertionError, match="runs again, and its outcome is recorded"):
        play.succeed("book")


def test_an_effect_that_may_have_been_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is left while it runs; it may have taken effect, and nothing undoes it."""
    monkeypatch.setattr(Turn, "leave_step", lambda turn, pending: turn.replace_pending(pending, None))
    play = Letters.replay()
    play.begin(Mail("ada"))
    with pytest.raises(AssertionError, match="not undone: "):
        undone(play)


def test_a_deferred_event_that_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was acknowledged, and when it could be taken it is thrown away."""
    from tests.unit.testing.planted import Deposits, Pay

    def forget(turn: Turn) -> None:
        turn.deferred = ()

    play = Deposits.replay()
    play.begin(Trip("ada"))
    assert play.send(Pay(amount=3)) == "deferred"
    monkeypatch.setattr(transition, "_recall", forget)
    with pytest.raises(AssertionError, match="was acknowledged and deferred, and is lost"):
        play.succeed("seek")


def test_a_snapshot_that_is_not_what_its_inputs_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inputs folded again give other numbers."""
    play = booked()
    number = Turn.number
    monkeypatch.setattr(Turn, "number", lambda turn: number(turn) and number(turn))
    with pytest.raises(AssertionError, match="folded again give another run"):
        undone(play)
