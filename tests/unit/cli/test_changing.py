"""Commands that change runs: beside the owner through its inbox, and where nobody owns the file, for the moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from statemachine.testing import VirtualClock
from tests.unit.cli.shop import APP, asked, failing, served, told
from tests.unit.runner.desk import Order, Shop, World, until


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def test_a_run_is_started_and_approved_from_the_shell(path: Path) -> None:
    """By names and JSON; who did it stands in the journal."""
    with served(path) as runner:
        begun = asked("start", path, "shop", '{"item": "book"}', "--id", "o1", "--tag", "by=phone", "--actor", "eve")
        assert (begun.exit_code, begun.output) == (0, "Run o1: accepted\n")
        until(runner.get("o1"), "waiting")
        sent = asked("send", path, "o1", "Confirm", '{"by": "ada"}', "--actor", "ada", "--reason", "it is fine")
        assert sent.output == "Confirm: accepted\n"
        assert runner.result("o1", timeout=10).state == ("sent",)
        line = next(entry for entry in runner.get("o1").journal() if entry.kind == "event")
        assert (line.actor, line.reason) == ("ada", "it is fine")
        assert runner.list(tags={"by": "phone"})[0].id == "o1"
        answer = told("start", path, "shop", '{"item": "book"}', "--id", "o2")
        assert (answer["run"], answer["verdict"]) == ("o2", "accepted")
        until(runner.get("o2"), "waiting")
        assert told("send", path, "o2", "Confirm", "--id", "m-1")["id"] == "m-1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Confrim", "{}"), "does not declare the event 'Confrim'; it declares: Confirm"),
        (("Confirm", '{"by": 7}'), "Expected `str`, got `int`"),
        (("Confirm", "{by}"), "this is no JSON"),
    ],
)
def test_an_event_that_does_not_fit_is_refused(path: Path, arguments: tuple[str, str], said: str) -> None:
    """With the reason, and an exit code."""
    with served(path) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
        answer = asked("send", path, "o1", *arguments)
        assert answer.exit_code in {1, 2}
        assert said in " ".join(answer.stderr.split())
        assert runner.get("o1").state == ("waiting",)


def test_an_incident_is_decided_in_three_ways(path: Path) -> None:
    """retry, done and skip, each with who and why."""
    world = World()
    with served(path, world) as runner:
        failing(runner, world, "again", "was", "was-not")
        assert asked("retry", path, "again", "--actor", "night").exit_code == 0
        assert asked("done", path, "was", "--reason", "the bank says so").exit_code == 0
        refused = asked("skip", path, "was-not")
        assert (refused.exit_code, "say why: --reason" in refused.stderr) == (2, True)
        assert asked("skip", path, "was-not", "--reason", "the bank says no").exit_code == 0
        assert runner.result("again", timeout=10).state == ("sent",)
        assert runner.result("was", timeout=10).state == ("sent",)
        assert runner.result("was-not", timeout=10).status == "failed"
        decided = next(entry for entry in runner.get("again").journal() if entry.kind == "resolve")
        assert decided.actor == "night"


def test_verbs_take_filters_a_rehearsal_and_a_rate(path: Path) -> None:
    """What would be done is said; then it is done, to those that match alone."""
    world = World()
    with served(path, world) as runner:
        failing(runner, world, "a", "b")
        until(runner.start(Shop, Order("book"), id="c"), "waiting")
        chosen = ("--workflow", "shop", "--step", "charge", "--error", "ConnectionError")
        dry = told("retry", path, *chosen, "--dry-run")
        assert sorted(one["run"] for one in dry) == ["a", "b"]
        assert {one["result"] for one in dry} == {"would be done"}
        assert runner.get("a").incidents
        assert "nothing to retry" in asked("retry", path, "--error", "OtherError", "--yes").stderr
        done = told("retry", path, *chosen, "--rate", "100/s", "--yes")
        assert {one["result"] for one in done} == {"done"}
        for name in ("a", "b"):
            assert runner.result(name, timeout=10).state == ("sent",)
        assert runner.get("c").state == ("waiting",)


def test_many_runs_are_not_changed_without_a_yes(path: Path) -> None:
    """A verb without run or filter is refused; one with a filter asks."""
    with served(path) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
        assert "say which run to cancel" in asked("cancel", path).stderr
        assert asked("cancel", path, "--workflow", "shop").exit_code == 1
        assert runner.get("o1").status == "running"
        assert asked("cancel", path, "--workflow", "shop", "--yes").exit_code == 0
        assert runner.result("o1", timeout=10).status == "cancelled"


def test_a_rehearsal_needs_nobody_who_moves_the_runs(path: Path) -> None:
    """It only looks, so it asks neither for an owner nor for the application."""
    with served(path) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
    assert [one["run"] for one in told("cancel", path, "--workflow", "shop", "--dry-run")] == ["o1"]
    assert "Nobody moves the runs" in asked("cancel", path, "--workflow", "shop", "--yes").stderr


def test_pause_resume_and_kill(path: Path) -> None:
    """Each in its time; a kill needs a reason; what is over refuses."""
    with served(path) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
        assert asked("pause", path, "o1").exit_code == 0
        assert runner.get("o1").look().paused
        assert asked("resume", path, "o1").exit_code == 0
        assert not runner.get("o1").look().paused
        assert asked("kill", path, "o1").exit_code == 2
        assert asked("kill", path, "o1", "--reason", "a test").exit_code == 0
        assert runner.get("o1").status == "killed"
        late = asked("cancel", path, "o1")
    assert late.exit_code == 1
    assert "it is over (killed)" in late.output


def test_where_nobody_owns_the_file_the_command_does_it_and_begins_no_step(path: Path) -> None:
    """It needs the workflows; what it decided is performed by the next owner."""
    world = World()
    with served(path, world) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
    refused = asked("send", path, "o1", "Confirm", "{}")
    assert refused.exit_code == 1
    assert "--app MODULE:NAME" in " ".join(refused.stderr.split())
    assert asked("send", path, "o1", "Confirm", "{}", "--app", APP).output == "Confirm: accepted\n"
    assert world.names() == ["reserve"]
    assert told("show", path, "o1")["run"]["state"] == ["charging"]
    with served(path, world) as runner:
        assert runner.result("o1", timeout=10).state == ("sent",)
    assert world.names() == ["reserve", "charge"]


def test_the_journal_is_verified(path: Path) -> None:
    """All runs, or those that are named."""
    with served(path) as runner:
        for name in ("o1", "o2"):
            until(runner.start(Shop, Order("book"), id=name), "waiting")
        assert asked("verify", path, "--app", APP).output == "2 runs agree with their journal (4 entries folded)\n"
        assert told("verify", path, "o1", "--app", APP) == {"runs": 1, "wrong": []}


def test_the_journal_is_exported_as_json_lines(path: Path) -> None:
    """An entry a line, in the order of commits; to a file too."""
    with served(path) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
        lines = [json.loads(line) for line in asked("export", path).output.splitlines()]
        out = path.with_suffix(".jsonl")
        asked("export", path, "--out", out, "--workflow", "shop")
    assert [(line["run"], line["kind"]) for line in lines] == [("o1", "start"), ("o1", "succeeded")]
    assert [json.loads(line) for line in out.read_text().splitlines()] == lines
    assert lines[0]["body"]["input"]["data"]["item"] == "book"


def test_old_runs_are_pruned_with_a_yes(path: Path) -> None:
    """Counted first; then gone."""
    clock = VirtualClock()
    with served(path, clock=clock) as runner:
        for name in ("o1", "o2"):
            until(runner.start(Shop, Order("book"), id=name), "waiting")
        runner.get("o1").kill(reason="a test")
        until(runner.start(Shop, Order("book"), id="o3"), "waiting")
        counted = asked("prune", path, "--older", "0s")
        assert "Nothing was changed" in counted.output or "Would remove 0 runs" in counted.output
        assert [run.id for run in runner.list()] == ["o3", "o2", "o1"]


def test_a_diagram_is_drawn_of_a_workflow_and_of_a_run(path: Path) -> None:
    """In each notation."""
    with served(path) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
        assert asked("diagram", APP).output.startswith("---\ntitle: shop (version 1)")
        assert asked("diagram", APP, "--format", "dot").output.startswith("digraph")
        out = path.with_suffix(".svg")
        asked("diagram", APP, "--format", "svg", "--file", path, "--run", "o1", "--out", out)
    assert out.read_text().startswith("<svg")
    assert 'class="node atomic active"' in out.read_text()
