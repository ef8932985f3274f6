"""Ten thousand items under SIGKILL: each life does what is missing, and nothing that was recorded before it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from persistence import SQLiteJournal
from statemachine import Client
from tests.crash.storing import Storing
from tests.unit.runner.desk import becomes

MANY = 10_000
KILLS = 20


def recorded(path: Path) -> set[int]:
    """The items with an outcome, as the journal has them now."""
    if not path.exists():
        return set()
    journal = SQLiteJournal(path)
    try:
        return {item.number for item in journal.items("r", 1, limit=MANY) if item.state == "done"}
    finally:
        journal.close()


def called(ledger: Path) -> list[list[str]]:
    """Process, number and key of each call so far."""
    return [line.split() for line in ledger.read_text().splitlines()] if ledger.exists() else []


def _has(ledger: Path, calls: int) -> bool:
    return len(called(ledger)) >= calls


@pytest.mark.slow
def test_a_restart_does_what_is_missing(tmp_path: Path) -> None:
    """Killed at random moments, under one key an item, until all are there."""
    path, ledger = tmp_path / "app.db", tmp_path / "ledger"
    chance = random.Random(7)
    for life in range(KILLS + 1):
        before, done = recorded(path), len(called(ledger))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.storing", str(path), str(ledger), str(MANY)],
            cwd=Path(__file__).parents[2],
        )
        if life < KILLS:
            enough = done + chance.randint(20, MANY // (KILLS + 2))
            becomes(partial(_has, ledger, enough), 30)
            process.send_signal(signal.SIGKILL)
        assert process.wait(300) in {0, -signal.SIGKILL}
        again = {int(number) for _, number, _ in called(ledger)[done:]} & before
        assert again == set()
    calls = called(ledger)
    keys = {number: key for _, number, key in calls}
    assert len(keys) == len(set(keys.values())) == MANY
    assert all(keys[number] == key for _, number, key in calls)
    most = Counter(number for _, number, _ in calls).most_common(1)[0][1]
    assert most <= KILLS + 1
    assert len(calls) <= MANY + 8 * KILLS
    with Client(path, [Storing.definition]) as client:
        view = client.get("r").look()
        assert (view.status, view.data.total) == ("completed", sum(range(MANY)))
        assert client.verify("r").ok
