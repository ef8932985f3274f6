"""A real runner under a virtual clock: thirty days in no time, deaths at named points, and the ends compared."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from statemachine import NotOver, RefusedVerb, RunOver
from statemachine.testing import (
    CrashSchedule,
    Harness,
    VirtualClock,
    crash_at,
    every_crash,
    journal_points,
)
from tests.unit.testing.planted import Booking, Confirm, Hotel, Trip


@pytest.fixture(params=["memory", "file"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """Where the journal is: nowhere, or in a file."""
    return tmp_path / "journal.db" if request.param == "file" else None


def lapsed(desk: Harness[Booking]) -> object:
    """Booked, and nobody came for thirty days."""
    desk.start(Trip("ada"))
    desk.finish()
    return desk.workflow.hotel.booked


def test_thirty_days_pass_when_they_are_asked_to() -> None:
    """The next deadline is told, and reached at once; until then the run waits."""
    with Harness(Booking(Hotel())) as desk:
        begun = desk.clock.now()
        desk.start(Trip("ada"))
        assert desk.next_deadline() == begun + timedelta(days=30)
        desk.advance(timedelta(days=29))
        assert desk.look().state == ("waiting",)
        assert desk.advance_to_next() == begun + timedelta(days=30)
        assert desk.look().state == ("undone",)
        assert desk.advance_to_next() is None
        assert desk.workflow.hotel.booked == {}


def test_a_stretch_of_time_reaches_each_deadline_in_its_turn() -> None:
    """A thousand seconds at once are no different from a thousand one after the other."""
    with Harness(Booking(Hotel())) as desk:
        desk.start(Trip("ada"))
        desk.start(Trip("bob"), id="run-2")
        desk.advance(timedelta(days=31).total_seconds())
        assert {desk.look(run).state for run in desk.runs} == {("undone",)}
        assert desk.look("run-1").updated == desk.clock.now() - timedelta(days=1)


def test_what_waits_for_an_event_does_not_finish() -> None:
    """There is no deadline that would end it, so `finish` says what it waits in."""
    with Harness(Booking(Hotel())) as desk:
        desk.start(Trip("ada"))
        desk.runner.get("run-1").pause()
        with pytest.raises(NotOver, match="waiting"):
            desk.finish()


def test_a_refusal_is_the_senders() -> None:
    """What the runner refuses is raised to whoever drives the harness."""
    with Harness(Booking(Hotel())) as desk:
        desk.start(Trip("ada"))
        desk.send(Confirm())
        with pytest.raises(RefusedVerb):
            desk.cancel()
    with Harness(Booking(Hotel()), crash=crash_at("before start")) as desk:
        desk.start(Trip("ada"))
        desk.cancel()
        assert desk.finish().status == "cancelled"


@pytest.mark.parametrize("point", ["before claim", "after mark", "before start", "after step book", "before succeeded"])
def test_it_dies_where_it_was_told_and_another_goes_on(file: Path | None, point: str) -> None:
    """The lock is free, what was committed is there, and the rest is done again under the same key."""
    with Harness(Booking(Hotel(careless=True)), file=file, crash=crash_at(point)) as desk:
        desk.start(Trip("ada"))
        desk.send(Confirm())
        assert desk.finish().state == ("gone",)
        assert desk.deaths == [point]
        again = point in {"after step book", "before succeeded"}
        assert desk.workflow.hotel.booked == {"run-1:n:book:1": 1 + again, "run-1:n:extend:2": 1}
        assert desk.runner.verify("run-1").ok


def test_an_event_is_said_again_to_the_successor() -> None:
    """Whether the commit came before the death or not, it is taken once."""
    for point in ("before event", "after event"):
        with Harness(Booking(Hotel()), crash=crash_at(point)) as desk:
            desk.start(Trip("ada"))
            assert desk.send(Confirm()).verdict == "accepted"
            kinds = [entry.kind for entry in desk.runner.get("run-1").journal()]
            assert kinds.count("event") == 1
            with pytest.raises(RunOver):
                desk.send(Confirm())


def test_a_restart_between_two_verbs() -> None:
    """Nothing was under way, so nothing is done twice."""
    with Harness(Booking(Hotel(careless=True))) as desk:
        desk.start(Trip("ada"))
        desk.restart()
        desk.send(Confirm())
        assert desk.finish().state == ("gone",)
        assert set(desk.workflow.hotel.booked.values()) == {1}


def test_a_schedule_is_its_seed() -> None:
    """The same seed dies at the same points, says so, and not more often than it may."""

    def died(seed: int) -> list[str]:
        schedule = CrashSchedule(seed, chance=0.2)
        assert repr(schedule) == f"CrashSchedule(seed={seed}, chance=0.2, most=2)"
        with Harness(Booking(Hotel()), crash=schedule) as desk:
            lapsed(desk)
            assert desk.look().state == ("undone",)
            assert desk.deaths == schedule.died
        return schedule.died

    assert died(3) == died(3)
    assert max(len(died(seed)) for seed in range(8)) == 2


def test_every_crash_comes_to_the_same_end() -> None:
    """Each point of the scenario is tried, those of commits and those of steps and undos."""
    trial = every_crash(lambda: Booking(Hotel()), lapsed)
    print(f"{len(trial.points)} deaths")
    points = {point for point, _ in trial.points}
    assert {"before start", "after timer", "before step book", "after undo book", "before undone"} <= points
    assert points - set(journal_points()) == {
        f"{side} {what} {step}"
        for side in ("before", "after")
        for what in ("step", "undo")
        for step in ("book", "extend")
    }
    assert trial.end.runs["run-1"][:2] == ("completed", ("undone",))


def test_every_run_is_compared_however_it_was_started() -> None:
    """What `every_crash` compares is what is in the journal, also a run that the harness did not start."""

    def two(desk: Harness[Booking]) -> object:
        desk.start(Trip("ada"))
        if "aside" not in desk.all_runs():
            desk.runner.start(Booking, Trip("grace"), id="aside")
        desk.finish("run-1")
        return None

    with Harness(Booking(Hotel())) as desk:
        two(desk)
        assert sorted(desk.all_runs()) == ["aside", "run-1"]
        assert desk.runs == ["run-1"]


def test_every_crash_finds_what_is_not_idempotent() -> None:
    """It says at which deaths the end was another, and what it was."""

    def booked(desk: Harness[Booking]) -> object:
        desk.start(Trip("ada"))
        desk.send(Confirm())
        return desk.workflow.hotel.booked

    with pytest.raises(AssertionError) as raised:
        every_crash(lambda: Booking(Hotel(careless=True)), booked)
    said = str(raised.value).splitlines()
    assert said[0].startswith("4 of 14 deaths made a difference")
    assert said[1].startswith("  crash_at('after step book', nth=1): the scenario gave {'run-1:n:book:1': 2")


def test_a_clock_gives_no_name_twice() -> None:
    """Whatever else it is asked in between."""
    clock = VirtualClock()
    assert len({clock.nonce() for _ in range(10)}) == 10
