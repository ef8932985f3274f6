"""Commands that look, as an operator uses them: beside the owner, in tables and in JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from statemachine.testing import VirtualClock
from tests.unit.cli.shop import APP, asked, failing, served, told
from tests.unit.runner.desk import Order, Reject, Shop, World, until


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def test_runs_are_listed_by_what_they_are(path: Path) -> None:
    """Each filter alone, pages, and what there may be more of."""
    world = World()
    with served(path, world) as runner:
        failing(runner, world, "bad")
        runner.start(Shop, Order("book"), id="good", tags={"branch": "north"})
        until(runner.get("good"), "waiting")
        runner.get("good").pause()
        assert [run["id"] for run in told("runs", path)] == ["good", "bad"]
        assert [run["id"] for run in told("runs", path, "--incident")] == ["bad"]
        assert [run["id"] for run in told("runs", path, "--tag", "branch=north")] == ["good"]
        assert [run["id"] for run in told("runs", path, "--state", "charging")] == ["bad"]
        assert [run["id"] for run in told("runs", path, "--paused")] == ["good"]
        assert told("runs", path, "--older", "1h") == []
        assert told("runs", path, "--workflow", "other") == []
        first = asked("runs", path, "--limit", 1)
        assert "There may be more: --after good" in first.output
        assert [run["id"] for run in told("runs", path, "--after", "good")] == ["bad"]
        whole = asked("runs", path).output
    assert "1 incident" in whole
    assert "paused" in whole


def test_runs_are_counted(path: Path) -> None:
    """By workflow, status and state."""
    with served(path) as runner:
        for number in range(3):
            until(runner.start(Shop, Order("book"), id=f"o{number}"), "waiting")
        runner.send("o0", Reject())
        runner.result("o0", timeout=10)
        counted = told("runs", path, "--count")
    assert counted == [
        {"workflow": "shop", "status": "completed", "state": "rejected", "runs": 1},
        {"workflow": "shop", "status": "running", "state": "waiting", "runs": 2},
    ]


def test_a_run_is_shown_whole(path: Path) -> None:
    """State, data, timeline with who did it, deadline, what would be undone; with the workflow the attempts, too."""
    world = World()
    with served(path, world) as runner:
        failing(runner, world, "o1")
        runner.start(Shop, Order("book"), id="o2")
        until(runner.get("o2"), "waiting")
        bare = asked("show", path, "o1").output
        whole = asked("show", path, "o1", "--app", APP).output
        waiting = asked("show", path, "o2").output
        as_json = told("show", path, "o1", "--app", APP)
    assert '"item": "book"' in bare
    assert "Confirm" in bare
    assert "ada" in bare
    assert "Attempts" not in bare
    assert "With --app MODULE:NAME also each attempt" in bare
    assert "Error of incident" in whole
    assert "Attempts" in whole
    assert "ConnectionError: no answer" in whole
    assert "Traceback" in whole
    assert "incident" in whole
    (key,) = (call.key for step, call in world.calls if step == "charge")
    assert f"key of charge: {key}" in whole
    assert list(as_json["run"]["keys"].values()) == [key]
    assert "would be undone, in this order: reserve" in waiting
    assert "timer: after.waiting.0" in waiting
    assert as_json["run"]["data"]["item"] == "book"
    assert [one["outcome"] for one in as_json["attempts"]] == ["succeeded", "failed"]


def test_markup_in_data_is_shown_as_it_is(path: Path) -> None:
    """What came from outside is no instruction to the terminal."""
    with served(path) as runner:
        until(runner.start(Shop, Order("[bold red]x[/]", note="\x1b[31mred"), id="[b]o[/b]"), "waiting")
        assert "[b]o[/b]" in asked("runs", path).output
        shown = asked("show", path, "[b]o[/b]").output
    assert "[bold red]x[/]" in shown
    assert "\x1b[31m" not in shown


def test_the_tail_begins_where_it_is_told(path: Path) -> None:
    """The last lines of all runs, or of one."""
    with served(path) as runner:
        for name in ("o1", "o2"):
            until(runner.start(Shop, Order("book"), id=name), "waiting")
        lines = asked("tail", path, "--once", "--last", 3).output.splitlines()
        of_one = asked("tail", path, "--once", "--run", "o1", "--json").output.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [
        "o1  succeeded reserve -> waiting",
        "o2  start  -> reserving",
        "o2  succeeded reserve -> waiting",
    ]
    assert len(of_one) == 2


def test_numbers_tell_how_steps_do_and_what_waits(path: Path) -> None:
    """Attempts, failures, and where runs are."""
    world = World()
    with served(path, world) as runner:
        failing(runner, world, "o1")
        numbers = told("stats", path)
        (moved,) = (one["updated"] for one in told("runs", path))
        shown = asked("stats", path).output
    steps = {one["step"]: (one["attempts"], one["failed"]) for one in numbers["statistics"]["steps"]}
    assert steps == {"reserve": (1, 0), "charge": (1, 1)}
    assert numbers["statistics"]["waiting"] == [{"workflow": "shop", "state": ["charging"], "runs": 1, "since": moved}]
    assert numbers["file"] > 0
    assert "100.0%" in shown


def test_health_is_silent_about_nothing(path: Path) -> None:
    """Well while all is well; 1 and the reasons when a person is needed, nobody owns it, or deadlines have passed."""
    clock, world = VirtualClock(), World()
    with served(path, world, clock) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
        well = asked("health", path)
        assert (well.exit_code, "well: owned by" in well.output) == (0, True)
        failing(runner, world, "o2")
        ill = asked("health", path)
        assert ill.exit_code == 1
        assert "1 runs need a person" in ill.output
    alone = asked("health", path)
    assert "nobody moves the runs: 2 are under way" in alone.output
    assert asked("health", path, "--json").exit_code == 1


def test_the_doctor_looks_at_the_ground(path: Path) -> None:
    """SQLite, settings, schema, owner."""
    with served(path) as runner:
        facts = told("doctor", path)
        assert facts["owner"] != "nobody"
    assert facts["journal_mode"] == "wal"
    assert facts["schema"].endswith("current")
    assert facts["integrity"] == "ok"
    assert "statemachine is ours alone here" in asked("doctor", path).output
    assert runner is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("runs", "nowhere.db"), "does not exist"),
        (("runs", __file__), "not an SQLite database"),
        (("runs", "FILE", "--older", "soon"), "no span of time; say 90s, 15m, 12h, 7d or 4w"),
        (("runs", "FILE", "--tag", "north"), "'north' is no tag; say NAME=VALUE"),
        (("show", "FILE", "nobody"), "There is no run 'nobody'"),
        (("show", "FILE", "o1", "--app", "nowhere"), "say module:name"),
        (("verify", "FILE"), "--app MODULE:NAME"),
        (("diagram", APP, "--run", "o1"), "--run needs the journal: --file"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(path: Path, arguments: tuple[str, ...], said: str) -> None:
    """On standard error, with an exit code that is not 0."""
    with served(path):
        answer = asked(*(str(path) if one == "FILE" else one for one in arguments))
    assert answer.exit_code in {1, 2}
    assert said in " ".join(answer.stderr.split())
    assert "Traceback" not in answer.output
