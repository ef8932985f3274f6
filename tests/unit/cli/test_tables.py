"""What commands print for a person: tables that a terminal of 80 columns has room for."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from statemachine import Runner
from statemachine.cli.tables import table
from tests.unit.runner.desk import Order, Shop, World, until

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_column_that_says_nothing_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """And a table of nothing says so."""
    table("Two", ("name", "why", "at"), [("a", None, AT), ("b", "", AT)])
    table("Others", ("name", "why"), [])
    said = capsys.readouterr().out
    assert "name" in said
    assert "why" not in said
    assert "2026-03-04 05:06:07" in said
    assert "Others: none" in said


def test_a_terminal_of_80_columns_has_room(tmp_path: Path) -> None:
    """Nothing is broken over lines, and times of today are told without the day."""
    path = tmp_path / "shop.db"
    with Runner(path, [Shop(World())]) as runner:
        until(runner.start(Shop, Order("book"), id="order-0001"), "waiting")
        updated = runner.get("order-0001").look().updated
        near, far = pty.openpty()
        command = [sys.executable, "-m", "statemachine", "runs", str(path)]
        environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
        with subprocess.Popen(command, stdout=far, env=environment) as process:
            os.close(far)
            said = b""
            while part := _read(near):
                said += part
        assert process.returncode == 0
        os.close(near)
    lines = said.decode().splitlines()
    (line,) = (line for line in lines if "order-0001" in line)
    assert "waiting" in line
    assert f"{updated:%H:%M:%S}" in line


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # Linux tells the end of a terminal so
        return b""
