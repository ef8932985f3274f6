"""What the command line says of results that are kept for other runs, and of priorities."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from statemachine import Runner
from statemachine.testing import VirtualClock
from tests.unit.cli.shop import asked, told
from tests.unit.runner.test_caching import DAY, Indexing, Model, Page

APP = "tests.unit.runner.test_caching:Indexing"


def test_a_result_that_was_taken_is_told(tmp_path: Path) -> None:
    """By show, with the workflow and without, by stats, by doctor, and by prune once it is too old."""
    path, clock, model = tmp_path / "index.db", VirtualClock(), Model()
    with Runner(path, [Indexing(model)], clock=clock) as runner:
        for run in ("a", "b"):
            runner.start(Indexing, Page("text"), id=run, priority=7 if run == "b" else 0).result(timeout=10)
        taken = "taken from a, visit 1"
        assert f"embed, {taken}" in asked("show", path, "b").output
        assert asked("show", path, "b", "--app", APP).output.count(taken) == 2
        assert "priority: 7" in asked("show", path, "b").output
        assert taken not in asked("show", path, "a", "--app", APP).output
        assert "priority" not in asked("show", path, "a").output
        numbers = told("stats", path, "--since", "2000w")
        assert [(one["attempts"], one["taken"]) for one in numbers["statistics"]["steps"]] == [(1, 1)]
        assert [one["step"] for one in numbers["statistics"]["shelves"]] == ["indexing/embed"]
        assert "Results kept for other runs" in asked("stats", path, "--since", "2000w").output
        assert told("doctor", path)["results kept for other runs"].startswith("1, ")
        assert runner.prune(clock.now(), dry=True).cached == 0
        clock.advance(DAY + timedelta(seconds=1))
        assert runner.prune(clock.now()).cached == 1
        assert told("doctor", path)["results kept for other runs"] == "0, 0 bytes"
    assert model.asked == ["text"]
