"""The pytest plugin: its fixtures as a project uses them, and what it costs a project that does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
WITH_PLUGIN = ["-p", "statemachine.testing.plugin", "-p", "no:randomly", "-p", "no:cacheprovider"]
WORKFLOW = """
from datetime import timedelta
import attrs, pytest
from statemachine import Event, State, Workflow, after, on, step

@attrs.frozen
class Note:
    text: str = ""

class Reply(Event, frozen=True):
    pass

class Waiting(Workflow[Note]):
    sending = State(initial=True)
    asked = State()
    answered = State(final=True)
    forgotten = State(final=True)

    @step(sending, to=asked, effect=False)
    async def send(self, note: Note) -> Note:
        return note

    reply = on(Reply, source=asked, to=answered)
    lapse = after(timedelta(days=30), source=asked, to=forgotten)
"""


def project(folder: Path, tests: str, *options: str) -> subprocess.CompletedProcess[str]:
    """What pytest says of a project with these tests."""
    (folder / "test_it.py").write_text(WORKFLOW + textwrap.dedent(tests), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-W",
        "error",
        *WITH_PLUGIN,
        "--rootdir",
        str(folder),
        *options,
        str(folder),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_fixtures_do_what_they_say(tmp_path: Path) -> None:
    """A clock, a runner in memory and a harness on it, and deaths by chance."""
    run = project(
        tmp_path,
        """
        def test_a_month(virtual_clock, memory_runner):
            run = memory_runner(Waiting()).start(Waiting, Note("a"))
            while run.state != ("asked",):
                pass
            virtual_clock.advance(timedelta(days=30))
            assert run.result(timeout=20).state == ("forgotten",)

        def test_a_harness(virtual_clock, workflow_harness, crash_schedule):
            desk = workflow_harness(Waiting(), crash=crash_schedule)
            begun = virtual_clock.now()
            desk.start(Note())
            assert desk.finish().state == ("forgotten",)
            assert virtual_clock.now() == begun + timedelta(days=30)
        """,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 passed" in run.stdout


def test_a_failure_tells_the_seed_and_the_seed_repeats_it(tmp_path: Path) -> None:
    """The printed option leads to the same deaths."""
    failing = """
        def test_it(workflow_harness, crash_schedule):
            crash_schedule.chance = 0.5
            desk = workflow_harness(Waiting(), crash=crash_schedule)
            desk.start(Note())
            assert desk.deaths == "another"
        """
    first = project(tmp_path, failing)
    assert first.returncode == 1, first.stdout + first.stderr
    (told,) = {line for line in first.stdout.splitlines() if line.startswith("crash_schedule:")}
    again = project(tmp_path, failing, *told.partition("with ")[2].split())
    assert told in again.stdout
    reason = [line for line in first.stdout.splitlines() if line.startswith("E       AssertionError")]
    assert reason == [line for line in again.stdout.splitlines() if line.startswith("E       AssertionError")]


def test_a_project_without_hypothesis_pays_nothing() -> None:
    """The plugin loads neither hypothesis nor the runner; nor does importing the room."""
    code = "import json, sys, {}; print(json.dumps(list(sys.modules)))"
    for module in ("statemachine.testing.plugin", "statemachine.testing"):
        command = [sys.executable, "-c", code.format(module)]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
        loaded = set(json.loads(said))
        assert not loaded & {"hypothesis", "statemachine.runner", "persistence", "sqlite3", "statemachine.testing.play"}


def test_it_is_found_by_pytest_where_the_package_is_installed() -> None:
    """The entry point names the module; hypothesis and pytest come with the extra, and not without."""
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert whole["entry-points"]["pytest11"] == {"statemachine": "statemachine.testing.plugin"}
    assert [line.partition(">")[0] for line in whole["optional-dependencies"]["testing"]] == ["hypothesis", "pytest"]
