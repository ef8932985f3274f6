"""Metrics of runs, and what telemetry costs who does not use it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from persistence import MemoryJournal
from statemachine import Runner
from statemachine.inputs import Lost
from statemachine.runner import Committed
from statemachine.snapshot import Snapshot
from statemachine.testing import VirtualClock
from statemachine.transition import Outcome
from tests.unit.integrations.telling import Approve, Decline, Desk, Kept, Lending, Loan, Poor
from tests.unit.runner.desk import becomes, until

ROOT = Path(__file__).parents[3]


def test_runs_attempts_and_incidents_are_counted_by_what_became_of_them() -> None:
    """Each once, when it is in the journal."""
    kept = Kept()
    desk = Desk(kept.tracers)
    clock = VirtualClock()
    with Runner(MemoryJournal(), [Lending(desk)], clock=clock, observer=kept.telemetry) as runner:
        run = runner.start(Lending, Loan(500))
        until(run, "review")
        run.send(Approve())
        run.result(timeout=10)
        desk.failures = [Poor()]
        runner.start(Lending, Loan(1)).result(timeout=10)
        desk.failures = [OSError()]
        run = runner.start(Lending, Loan(2))
        becomes(lambda: run.look().timers != ())
        clock.advance(60)
        until(run, "review")
        desk.failures = [OSError()]
        run.send(Decline())
        becomes(lambda: run.incidents != ())
    measured = kept.measured()
    assert measured["statemachine.runs.started"] == {("lending",): 3}
    assert measured["statemachine.runs.ended"] == {("lending", "completed"): 2}
    assert measured["statemachine.step.attempts"] == {
        ("lending", "score", False, "succeeded"): 2,
        ("lending", "score", False, "declared"): 1,
        ("lending", "score", False, "failed"): 1,
        ("lending", "hold", False, "succeeded"): 1,
        ("lending", "book", False, "succeeded"): 1,
        ("lending", "score", True, "failed"): 1,
    }
    assert measured["statemachine.step.duration"] == {
        ("lending", "score", False): 4,
        ("lending", "hold", False): 1,
        ("lending", "book", False): 1,
        ("lending", "score", True): 1,
    }
    assert measured["statemachine.incidents"] == {("lending", "undo"): 1}
    assert measured["statemachine.timer.lag"] == {("lending",): 1}
    assert measured["statemachine.queue"] == {(): 0}
    assert measured["statemachine.commit.duration"][()] >= 10


def test_nothing_of_opentelemetry_is_imported_when_it_is_not_used() -> None:
    """Not by importing us, and not by running a workflow."""
    code = """if True:
        import json, sys
        import attrs
        from persistence import MemoryJournal
        from statemachine import Runner, State, Workflow, step

        @attrs.frozen
        class Nothing:
            pass

        class Brief(Workflow[Nothing], name="brief"):
            one = State(initial=True)
            two = State(final=True)

            @step(one, to=two)
            def go(self, nothing: Nothing) -> Nothing:
                return nothing

        with Runner(MemoryJournal(), [Brief()]) as runner:
            assert runner.start(Brief, Nothing()).result(timeout=10).state == ("two",)
        print(json.dumps([name for name in sys.modules if "opentelemetry" in name or "integrations" in name]))
    """
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("undo", [False, True])
def test_what_was_lost_is_counted_as_what_it_was(undo: bool) -> None:
    """A step, or an undo, that was running at crashes and that a person has to decide."""
    kept = Kept()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    run: Snapshot[Any] = Snapshot("loan-1", "nonce", "lending", "hash", None, now)
    told = Lost("score", 2, 3, undo=undo)
    outcome = Outcome(run, (), "accepted")
    kept.telemetry.moved(Committed(told=told, name="score", before=run, outcome=outcome, started=now, opened=()))
    assert kept.measured()["statemachine.step.attempts"] == {("lending", "score", undo, "lost"): 1}
    assert [span.name for span in kept.spans] == ["lost score"]
