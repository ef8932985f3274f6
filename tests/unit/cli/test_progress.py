"""How far a fan-out is, where people look: on the command line and on the page of its run."""

from __future__ import annotations

from pathlib import Path

import httpx

from statemachine import Runner
from statemachine.dashboard import dashboard
from tests.unit.cli.shop import asked, told
from tests.unit.dashboard.serving import serving
from tests.unit.runner.desk import becomes
from tests.unit.runner.fanning import Gathering, Load, Shelf

SAID = "store: 3 of 3 done"


def test_it_is_shown_on_the_command_line_and_on_the_page(tmp_path: Path) -> None:
    """Whether the workflow is known there or not."""
    path = tmp_path / "app.db"
    with Runner(path, [Gathering(Shelf())]) as runner:
        run = runner.start(Gathering, Load(("a", "b", "c")), id="g1")
        becomes(lambda: run.state == ("waiting",))
        assert SAID in asked("show", path, "g1").output
        assert told("show", path, "g1")["run"]["progress"][0]["done"] == 3
        with serving(dashboard(runner)) as address:
            assert SAID in httpx.get(f"{address}/runs/g1").text
