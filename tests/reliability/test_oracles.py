"""The judges of time and messages see what they are there to see: a deadline that is late, an event that is gone."""

from __future__ import annotations

import random
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from statemachine import Runner
from statemachine.turn import Turn
from tests.reliability import messages, passing_time
from tests.reliability.counting import Add, Count, Counting, missing
from tests.reliability.ledger import Ledger


@pytest.mark.parametrize("late", [timedelta(minutes=-90), timedelta(hours=1)], ids=["early", "late"])
def test_deadlines_at_another_time_are_found(late: timedelta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every deadline is an hour late, or comes before its time, both kinds of trial say so."""
    deadline = Turn.deadline

    def wrong(self: Turn, delay: float | datetime) -> datetime:
        return deadline(self, delay) + late

    monkeypatch.setattr(Turn, "deadline", wrong)
    monkeypatch.setattr(passing_time, "PATIENCE", 0.5)
    for name, trial in (("jumps", passing_time.jumps), ("races", passing_time.races)):
        found: list[str] = []
        for number in range(8):
            folder = tmp_path / f"{name}-{number}"
            folder.mkdir()
            found += trial(folder, random.Random(number))
        assert found, name


def test_an_event_that_is_gone_from_the_journal_is_found(tmp_path: Path) -> None:
    """The ledger has it, the journal has not."""
    file, ledger = tmp_path / "journal.db", Ledger(tmp_path / "ledger")
    with Runner(file, [Counting()]) as runner:
        runner.start(Counting, Count(), id="r")
        for number in range(3):
            runner.send("r", Add(number), id=f"e{number}")
            ledger.note("acknowledged", "r", f"e{number}")
    assert missing(ledger, file, "r") == []
    assert list(messages.counted(file, ledger, 3)) == []
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("DELETE FROM statemachine_entry WHERE event_id = 'e1'")
    connection.close()
    ledger = Ledger(tmp_path / "ledger")
    assert missing(ledger, file, "r") == ["e1"]
    assert "acknowledged and not there once: e1" in list(messages.counted(file, ledger, 3))
