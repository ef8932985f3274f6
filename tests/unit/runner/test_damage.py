"""A run whose records cannot be read is told by its name, and keeps nobody else from going on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from persistence import Damaged
from statemachine import RunHeld, Runner
from tests.unit.runner.desk import Confirm, Order, Shop, World, until


def damage(path: Path, statement: str) -> None:
    """Two runs that wait for a clerk, of which one is then damaged by hand."""
    with Runner(path, [Shop(World())]) as runner:
        for run in ("bad", "good"):
            until(runner.start(Shop, Order("tea"), id=run), "waiting")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"{statement} WHERE run = 'bad'")
        connection.commit()


def test_a_snapshot_that_cannot_be_read_is_held_and_told(tmp_path: Path) -> None:
    """By looking at it, and by `verify`."""
    damage(tmp_path / "app.db", "UPDATE statemachine_run SET snapshot = x'00'")
    with Runner(tmp_path / "app.db", [Shop(World())]) as runner:
        with pytest.raises(RunHeld, match="bad"):
            runner.get("bad").look()
        found = runner.verify("bad")
        assert not found.ok
        assert "cannot be read" in found.reason
        runner.send("good", Confirm())
        assert runner.result("good", timeout=10).status == "completed"


def test_states_that_cannot_be_read_are_held_and_told(tmp_path: Path) -> None:
    """The runner opens, and says which row is damaged."""
    damage(tmp_path / "app.db", "UPDATE statemachine_run SET states = '{'")
    with Runner(tmp_path / "app.db", [Shop(World())]) as runner:
        with pytest.raises(Damaged, match=r"app\.db.*'bad'"):
            runner.send("bad", Confirm())
        runner.send("good", Confirm())
        assert runner.result("good", timeout=10).status == "completed"


def test_an_entry_that_cannot_be_read_is_told_by_verify(tmp_path: Path) -> None:
    """The run itself goes on: its snapshot has all that it needs."""
    damage(tmp_path / "app.db", "UPDATE statemachine_entry SET body = x'7b' FROM statemachine_run AS r")
    with Runner(tmp_path / "app.db", [Shop(World())]) as runner:
        assert "cannot be read" in runner.verify("bad").reason
        runner.send("bad", Confirm())
        assert runner.result("bad", timeout=10).status == "completed"
