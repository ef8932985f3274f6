"""Payments in a long line under SIGKILL: none twice, and only those need a person that had begun."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from statemachine import Client
from tests.crash.queueing import Paying
from tests.unit.runner.desk import becomes

MANY = 150
AT_ONCE = 2
JUST_COME = 2
"""Whose note may not have been written yet: starts come one after the other."""
KILLS = 6


def paid(ledger: Path) -> list[str]:
    """The payments that were begun so far, by number."""
    return [line.split()[1] for line in ledger.read_text().splitlines()] if ledger.exists() else []


def _has(ledger: Path, payments: int) -> bool:
    return len(paid(ledger)) >= payments


@pytest.mark.slow
def test_what_stood_in_line_is_paid_once_without_a_person(tmp_path: Path) -> None:
    """Killed at random moments: of each life, at most as many are lost as may run at once, and what had just come."""
    path, ledger = tmp_path / "app.db", tmp_path / "ledger"
    chance = random.Random(11)
    for life in range(KILLS + 1):
        done = len(paid(ledger))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.queueing", str(path), str(ledger), str(MANY)],
            cwd=Path(__file__).parents[2],
        )
        if life < KILLS:
            becomes(partial(_has, ledger, done + chance.randint(2, MANY // (KILLS + 2))), 30)
            process.send_signal(signal.SIGKILL)
        assert process.wait(300) in {0, -signal.SIGKILL}
    begun = paid(ledger)
    assert len(begun) == len(set(begun))
    with Client(path, [Paying.definition]) as client:
        runs = client.list(limit=MANY + 1)
        lost = {one.id.removeprefix("p-") for one in runs if one.incidents}
        assert len(runs) == MANY
        assert {one.status for one in runs if not one.incidents} == {"completed"}
        assert len(lost) <= (AT_ONCE + JUST_COME) * KILLS
        assert {str(number) for number in range(MANY)} == set(begun) | lost
