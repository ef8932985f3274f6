"""A trace outlives the process that began it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def process(folder: Path) -> subprocess.Popen[str]:
    """One that moves the run, and has called in its second step."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.traced", str(folder / "app.db"), str(folder / "spans")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "asking\n"
    return child


def spans(folder: Path) -> list[dict[str, Any]]:
    """What was exported so far."""
    return [json.loads(line) for line in (folder / "spans").read_text(encoding="utf-8").splitlines()]


def test_a_run_whose_process_is_killed_goes_on_in_its_trace(tmp_path: Path) -> None:
    """One trace of spans of both processes; what was recorded has one span, and so has what was begun twice."""
    with process(tmp_path) as first:
        first.kill()
        first.wait()
    before = spans(tmp_path)
    assert [span["name"] for span in before if span["name"] != "POST /orders"] == ["start", "weigh", "POST /label"]
    with process(tmp_path) as second:
        out, _ = second.communicate("go on\n", timeout=30)
    assert out == "completed\n"
    later = spans(tmp_path)[len(before) :]
    assert [span["name"] for span in later if span["name"] != "POST /orders"] == ["POST /label", "ask", "shipping"]

    mine = [span for span in before + later if span["name"] != "POST /orders"]
    assert len({span["context"]["trace_id"] for span in mine}) == 1
    whole, asked = later[-1], later[-2]
    assert whole["parent_id"] is None
    of_run = [span["name"] for span in mine if span["parent_id"] == whole["context"]["span_id"]]
    assert of_run == ["start", "weigh", "ask"]
    calls = [span["name"] for span in mine if span["parent_id"] == asked["context"]["span_id"]]
    assert calls == ["POST /label", "POST /label"]
    ids = [span["context"]["span_id"] for span in mine]
    assert len(ids) == len(set(ids))

    started_by = next(span for span in before if span["name"] == "POST /orders")
    assert [link["context"] for link in whole["links"]] == [started_by["context"]]
