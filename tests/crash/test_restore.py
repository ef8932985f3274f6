"""Backed up under load, killed, restored: held until released, and then every effect under its old key."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from statemachine import Client, Runner
from statemachine.runner import restore
from tests.crash.restoring import Paying, Payout, Receiver
from tests.unit.runner.desk import becomes

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_backup_under_load_goes_on_under_the_old_keys(tmp_path: Path) -> None:
    """What was performed since the backup is performed again for a receiver that knows the key, or asks a person."""
    path, copy, receiver = tmp_path / "app.db", tmp_path / "copy.db", Receiver(tmp_path / "receiver.db")
    command = [sys.executable, "-m", "tests.crash.restoring", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "loaded\n"
            becomes(lambda: len(receiver.times()) > 20, 30)
            with Client(path) as client:
                client.backup(copy)
            then = set(receiver.times())
            becomes(lambda: len(receiver.times()) > len(then) + 20, 30)
        finally:
            child.send_signal(signal.SIGKILL)
    lost = tmp_path / "lost"
    lost.mkdir()
    for name in ("app.db", "app.db-wal", "app.db-shm"):
        if (tmp_path / name).exists():
            (tmp_path / name).rename(lost / name)

    found = restore(copy, path, [Paying(receiver)], reason="the disk is gone", actor="ops")
    before = receiver.times()
    listed = {one.key: one for one in found}
    assert found
    assert {(one.step, one.kind, one.pivot) for one in found} <= {
        ("reserve", "at-least-once", False),
        ("pay", "at-least-once", True),
        ("tell", "at-most-once", False),
    }
    with Runner(path, [Paying(receiver)]) as runner:
        (hold,) = runner.holds()
        assert (hold.workflow, hold.reason, hold.actor) == ("", "the disk is gone", "ops")
        known = [run.id for run in runner.list(limit=1000)]
        runner.start(Paying, Payout(1), id="new")
        assert {one.key for one in runner.uncertain() if one.run != "new"} == set(listed)
        assert receiver.times() == before
        runner.release(None)
        waiting = {one.run for one in found if one.step == "tell"}
        for run in [*known, "new"]:
            if run in waiting:
                becomes(lambda run=run: bool(runner.get(run).incidents), 30)  # type: ignore[misc]
                (incident,) = runner.get(run).incidents
                assert incident.kind == "lost"
                runner.get(run).done(incident.number, reason="the receiver has the key")
            assert runner.result(run, 60).state == ("told",)
            assert runner.verify(run).ok
    after = receiver.times()
    again = {key for key in after if after[key] > before.get(key, 0) and key in before}
    assert again
    assert all(key.split(":")[2] != "tell" for key in again & set(listed))
    # One key for each step of each run, whatever the lost file had come to: nobody was paid under two.
    steps = Counter(tuple(key.split(":")[::2][:2]) for key in after)
    assert set(steps.values()) == {1}
