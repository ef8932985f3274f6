"""Holding work back from the shell: beside the owner, where nobody owns the file, and where it is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.shop import asked, served, told
from tests.unit.runner.desk import Order, Shop, World, until


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def test_a_step_is_held_and_released(path: Path) -> None:
    """It is told wherever an operator looks: the run, the numbers, the health; health is still well."""
    world = World()
    with served(path, world) as runner:
        answer = asked("hold", path, "shop", "--step", "reserve", "--actor", "ada", "--reason", "stock-taking")
        assert (answer.exit_code, answer.output.splitlines()[0]) == (0, "hold step reserve of shop: done")
        runner.start(Shop, Order("book"), id="o1")
        for command in (("show", path, "o1"), ("stats", path), ("health", path)):
            said = asked(*command)
            assert said.exit_code == 0
            assert "stock-taking" in said.output
        assert told("health", path)["health"]["holds"][0]["step"] == "reserve"
        assert told("stats", path)["holds"][0]["actor"] == "ada"
        assert world.names() == []
        assert asked("release", path, "shop", "--step", "reserve").output == "release step reserve of shop: done\n"
        until(runner.get("o1"), "waiting")
        assert told("hold", path, "--all", "--reason", "night")["holds"][0]["reason"] == "night"
        assert told("release", path, "--all") == {"became": "done", "holds": []}


def test_without_an_owner_it_is_queued_for_the_next(path: Path) -> None:
    """It does not wait for one, and it says so."""
    with served(path):
        pass
    answer = asked("hold", path, "--all", "--reason", "night")
    assert answer.output == (
        f"hold every workflow: queued. Nobody owns {path}; whoever does next takes it before anything begins.\n"
    )
    with served(path):
        assert "night" in asked("health", path).output
    assert "if that is not its name, nothing will be held" in asked("hold", path, "shoq", "--reason", "night").output


def test_what_is_not_said_or_not_there_is_refused(path: Path) -> None:
    """Everything is held when one says so, and not when one says nothing."""
    with served(path):
        for arguments in ((), ("shop", "--all")):
            answer = asked("hold", path, *arguments)
            assert (answer.exit_code, "a workflow by its name, or --all" in answer.stderr) == (2, True)
        answer = asked("release", path, "shop")
        assert (answer.exit_code, "it is not held" in answer.stderr) == (1, True)
