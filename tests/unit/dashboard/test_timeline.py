"""Time at work is told apart from time spent waiting, and neither is counted twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from persistence import MemoryJournal
from statemachine import Runner
from statemachine.dashboard.rendering import ago, size, tick
from statemachine.dashboard.timeline import LEFT, WIDTH, span, timeline
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import Confirm, Order, Shop, World, becomes, until


def test_a_run_that_failed_once_and_waited_for_a_clerk() -> None:
    """61 seconds between attempts, two hours for a clerk; the picture has both in their order."""
    clock, world = VirtualClock(), World()
    with Runner(MemoryJournal(), [Shop(world)], clock=clock) as runner:
        world.failures = [ConnectionError("no answer")]
        run = runner.start(Shop, Order("book"), id="o1")
        becomes(lambda: any(entry.kind == "failed" for entry in run.journal()))
        clock.advance(timedelta(seconds=60))
        until(run, "waiting")
        clock.advance(timedelta(hours=2))
        run.send(Confirm())
        run.result(10)
        story, view = run.story(), run.look()
    shown = timeline(Shop.definition, story, view.updated)
    assert [lane.name for lane in shown.lanes] == ["reserve", "charge", "waits for clerk"]
    assert [bar.kind for bar in shown.lanes[0].bars] == ["failed", "retry", "worked"]
    assert (shown.retry, shown.person) == (60, 7_200)
    whole = (view.updated - story.lines[0].entry.at).total_seconds()
    assert shown.worked + shown.retry + shown.person + shown.other == pytest.approx(whole)
    for lane in shown.lanes:
        for bar in lane.bars:
            assert bar.x >= LEFT
            assert bar.x + bar.width <= WIDTH + 0.01
    bars = [bar for lane in shown.lanes for bar in lane.bars]
    for one in bars:
        for other in bars:
            assert (one.began <= other.began) == (one.x <= other.x)
    assert not shown.short
    assert shown.height > 26 * 3


def test_what_still_waits_is_drawn_until_now() -> None:
    """And what waits in another state at the same time is not counted again."""
    clock = VirtualClock()
    with Runner(MemoryJournal(), [Shop(World())], clock=clock) as runner:
        run = runner.start(Shop, Order("book"), id="o1")
        until(run, "waiting")
        story = run.story()
        later = clock.now() + timedelta(days=1)
    shown = timeline(Shop.definition, story, later)
    assert shown.person == pytest.approx(86_400, abs=1)
    assert shown.lanes[-1].bars[-1].ended == later
    assert shown.lanes[-1].bars[-1].said == "waiting, still"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0431, "43 ms"),
        (1.25, "1.2 s"),
        (61, "1 min 1 s"),
        (3_600 + 120, "1 h 2 min"),
        (86_400 * 7, "7 days 0 h"),
        (86_399 * 2, "47 h 59 min"),
    ],
)
def test_lengths_of_time_are_said_in_two_units(seconds: float, said: str) -> None:
    """The largest that fit."""
    assert span(seconds) == said


def test_moments_are_said_from_now() -> None:
    """Past, present and future; bytes in MiB."""
    now = datetime.now(UTC)
    assert ago(now - timedelta(minutes=2, seconds=5)).endswith("ago")
    assert ago(now + timedelta(days=3)).startswith("in ")
    assert ago(now) == "just now"
    assert size(3 << 20) == "3.0 MiB"
    assert tick(datetime(2026, 1, 2, 3, 4, 5, 6_000, tzinfo=UTC), True) == "03:04:05.006"
    assert tick(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), False) == "02 Jan 03:04:05"
