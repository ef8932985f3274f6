"""SIGKILL at each named point, each time it is passed, and a ledger outside the database that says what must hold."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from persistence import SQLiteJournal

ROOT = Path(__file__).resolve().parents[2]
POINTS = ("before-effect", "after-effect", "before-commit", "after-commit", "before-acknowledgement")


def prepare(folder: Path) -> None:
    """The application's own table is in the file before the journal is."""
    connection = sqlite3.connect(folder / "journal.db")
    connection.execute("CREATE TABLE bookings (key TEXT NOT NULL)")
    connection.commit()
    connection.close()
    SQLiteJournal(folder / "journal.db", adopt=True).close()


def live(folder: Path, point: str, nth: int) -> int:
    """Run the process; its exit status."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.app", str(folder), point, str(nth)],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()
    return done.returncode


def judge(folder: Path) -> None:
    """Nothing acknowledged is lost, nothing recorded ran twice, what could not go on was undone."""
    ledger = (folder / "ledger").read_text(encoding="utf-8").split("\n")
    journal = SQLiteJournal(folder / "journal.db")
    try:
        statuses = {run: record.states for run in ("paid", "undone") if (record := journal.run(run))}
        assert statuses == {"paid": ("sent",), "undone": ("rejected",)}
        entries = {run: journal.entries(run) for run in statuses}
    finally:
        journal.close()
    for run, kept in entries.items():
        kinds = Counter((entry.kind, entry.name) for entry in kept)
        assert kinds["start", ""] == 1
        assert kinds["event", "Confirm"] + kinds["event", "Reject"] == 1
        assert all(count == 1 for (kind, _), count in kinds.items() if kind == "succeeded"), run
    effects = Counter(line for line in ledger if line.startswith("effect "))
    undos = Counter(line for line in ledger if line.startswith("undo "))
    assert len(effects) == 3, effects  # two reservations and one payment, each under one key
    assert len(undos) == 1, undos
    assert next(iter(undos)).split()[1].startswith("undone:")
    assert all(count <= 2 for count in (effects | undos).values()), "one death repeats at most what it interrupted"
    with sqlite3.connect(folder / "journal.db") as connection:
        assert connection.execute("SELECT count(*) FROM bookings").fetchone() == (1,)


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_every_passing_of_a_point(point: str, tmp_path: Path) -> None:
    """However often the point was passed before, the process may die there, and the next one finishes the work."""
    for nth in range(1, 40):
        folder = tmp_path / f"{nth}"
        folder.mkdir()
        prepare(folder)
        died = live(folder, point, nth) != 0
        assert live(folder, "none", 0) == 0
        judge(folder)
        if not died:
            assert nth > 3, "the point was hardly passed"
            return
    pytest.fail("the process never lived through")
