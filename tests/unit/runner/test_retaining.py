"""Runs that are over and old are removed by their owner, in batches, and nothing else is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from persistence import MemoryJournal
from statemachine import Runner
from statemachine.runner import retaining
from statemachine.testing import VirtualClock, watched
from tests.unit.runner.desk import Confirm, Order, Shop, World, becomes, until

DAY = timedelta(days=1)


def sell(runner: Runner, *names: str) -> None:
    """Orders that are sent."""
    for name in names:
        until(runner.start(Shop, Order("book"), id=name), "waiting")
        runner.send(name, Confirm(), id="m-1")
        runner.result(name, timeout=10)


def test_what_is_over_and_old_is_removed_from_time_to_time(tmp_path: Path) -> None:
    """An id is given again then, its events are remembered; a run that is under way stays, however old."""
    clock, file = VirtualClock(), tmp_path / "j.db"
    with Runner(file, [Shop(World())], clock=clock, retain=DAY) as runner:
        sell(runner, "old-1", "old-2")
        until(runner.start(Shop, Order("book"), id="open"), "waiting")
        clock.advance(timedelta(hours=20))
        sell(runner, "young")
        clock.advance(timedelta(hours=5))
        becomes(lambda: {run.id for run in runner.list()} == {"open", "young"})
        assert runner.send("old-1", Confirm(), id="m-1").verdict == "accepted"
        assert runner.get("open").state == ("waiting",)
        runner.start(Shop, Order("pen"), id="old-1")
        until(runner.get("old-1"), "waiting")


def test_a_batch_is_bounded_and_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch is a commit of its own, also where many runs ended at one time."""
    monkeypatch.setattr(retaining, "BATCH", 3)
    clock, journal, points = VirtualClock(), MemoryJournal(), list[str]()
    with Runner(journal, [Shop(World())], clock=clock) as runner:
        for number in range(10):
            sell(runner, f"o-{number}")
            clock.advance(timedelta(seconds=number % 3))
        clock.advance(2 * DAY)
        sell(runner, "last")
    again = watched(MemoryJournal(beside=journal), points.append)
    with Runner(again, [Shop(World())], clock=clock, retain=DAY) as runner:
        becomes(lambda: [run.id for run in runner.list()] == ["last"])
    assert points.count("after prune") >= 3


def test_nothing_is_removed_without_it_by_a_tool_or_while_everything_is_held() -> None:
    """A journal that was restored is looked at first."""
    clock, journal = VirtualClock(), MemoryJournal()
    with Runner(journal, [Shop(World())], clock=clock) as runner:
        sell(runner, "old", "last")
        runner.hold(None)
        clock.advance(2 * DAY)
        sell_nothing = runner.count()
    different: list[dict[str, Any]] = [{}, {"retain": DAY, "perform": False}, {"retain": DAY}]
    for options in different:
        with Runner(MemoryJournal(beside=journal), [Shop(World())], clock=clock, **options) as runner:
            clock.advance(timedelta(hours=2))
            assert runner.count() == sell_nothing
    with Runner(MemoryJournal(beside=journal), [Shop(World())], clock=clock, retain=DAY) as runner:
        runner.release(None)

        def removed() -> bool:
            clock.advance(timedelta(hours=2))  # again: it may not have set its alarm at the first
            return runner.count() == 1

        becomes(removed)


def test_no_time_is_no_retention() -> None:
    """Nobody means to remove what has just ended."""
    with pytest.raises(ValueError, match="kept for some time"):
        Runner(MemoryJournal(), retain=timedelta(0))
