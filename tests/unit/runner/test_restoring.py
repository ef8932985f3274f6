"""Backups that are gone back to: held under a new epoch, nothing overwritten, what is uncertain listed by its key."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from persistence import Damaged, Journal, MemoryJournal, Owned, SealedCodec, SQLiteJournal, Unsuitable
from persistence.contract import LEASE
from statemachine import Client, Runner, State, Workflow, step
from statemachine.runner import restore
from tests.unit.cli.shop import APP, asked, told
from tests.unit.runner.desk import Confirm, Order, Reject, Shop, World, becomes, until, until_incident

MIRROR = SealedCodec(lambda raw: raw[::-1], lambda raw: raw[::-1])


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture(name="copy")
def _copy(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


def backed_up(path: Path, copy: Path, world: World, codec: SealedCodec | None = None) -> None:
    """A backup with a run whose step runs, one that waits for its clerk, and one whose undo has failed."""
    with Runner(path, [Shop(world)], codec=codec) as runner:
        until(runner.start(Shop, Order("pen"), id="waits"), "waiting")
        until(runner.start(Shop, Order("ink"), id="undoes"), "waiting")
        world.failures = [ConnectionError("no answer")]
        runner.send("undoes", Reject())
        becomes(lambda: runner.get("undoes").look().status == "undoing" and "release" in world.names())
        world.gate.clear()
        runner.start(Shop, Order("book"), id="runs")
        becomes(lambda: world.names().count("reserve") == 3)
        runner.backup(copy)
        world.gate.set()
        until(runner.get("runs"), "waiting")


def test_what_is_uncertain_is_listed_with_its_key(path: Path, copy: Path, world: World) -> None:
    """The keys are those that the receiver was given; the kind is known where the workflow is."""
    backed_up(path, copy, world)
    given = {call.undoes or call.key for what, call in world.calls if what in {"reserve", "release"}}
    found = restore(copy, path.with_name("again.db"), [Shop(world)])
    assert {(one.run, one.step, one.undo, one.kind, one.pivot) for one in found} == {
        ("runs", "reserve", False, "at-least-once", False),
        ("undoes", "reserve", True, "at-least-once", False),
    }
    assert {one.key for one in found} <= given
    assert {one.kind for one in restore(copy, path.with_name("third.db"))} == {None}


def test_nothing_moves_until_it_is_released(path: Path, copy: Path, world: World) -> None:
    """No step, no undo, no event; then each goes on from where the backup has it, under its old key."""
    backed_up(path, copy, world)
    again, fresh = path.with_name("again.db"), World()
    restore(copy, again, [Shop(fresh)], reason="a bad night", actor="ops")
    before = {(what, call.key) for what, call in world.calls}
    with Runner(again, [Shop(fresh)]) as runner:
        assert [(hold.workflow, hold.reason, hold.actor) for hold in runner.holds()] == [("", "a bad night", "ops")]
        assert runner.send("waits", Confirm(), id="m-1").verdict == "queued"
        assert [one.run for one in runner.uncertain()] == ["runs", "undoes"]
        assert fresh.calls == []
        runner.release(None)
        assert runner.result("waits", 10).state == ("sent",)
        until(runner.get("runs"), "waiting")
        assert ("reserve", next(call.key for what, call in fresh.calls if what == "reserve")) in before
        assert all(runner.verify(run).ok for run in ("waits", "runs", "undoes"))


def test_the_epoch_is_a_new_one_and_no_death_is_counted(path: Path, copy: Path, world: World) -> None:
    """What ran when the backup was made did not die then: three restores make no incident of it."""
    backed_up(path, copy, world)
    with closing(SQLiteJournal(copy)) as old:
        epochs = [old.claim("ada", LEASE)]
        old.release(epochs[0])
    source = copy
    for n in range(4):
        again = path.with_name(f"again{n}.db")
        restore(source, again)
        with closing(SQLiteJournal(again)) as journal:
            assert [(one.run, one.step) for one in journal.attempts()] == []
            epochs.append(journal.claim("bob", LEASE))
            journal.release(epochs[-1])
        source = again
    assert epochs == sorted(set(epochs))


class Once(Workflow[Order], name="once"):
    world: World

    telling = State(initial=True)
    told = State(final=True)
    given_up = State(final=True)

    @step(telling, to=told, once=True, failed=given_up)
    def tell(self, order: Order) -> Order:
        self.world.calls.append(("tell", None))  # type: ignore[arg-type]
        self.world.gate.wait(10)
        return order


def test_a_step_that_runs_at_most_once_becomes_an_incident(path: Path, copy: Path, world: World) -> None:
    """As after a crash: nobody knows whether it took effect, and it is not begun again."""
    world.gate.clear()
    with Runner(path, [Once(world)]) as runner:
        runner.start(Once, Order("book"), id="o-1")
        becomes(lambda: world.calls != [])
        runner.backup(copy)
        world.gate.set()
        runner.result("o-1", 10)
    again, fresh = path.with_name("again.db"), World()
    (one,) = restore(copy, again, [Once(fresh)])
    assert (one.kind, one.step) == ("at-most-once", "tell")
    with Runner(again, [Once(fresh)]) as runner:
        runner.release(None)
        number = until_incident(runner.get("o-1"))
        assert fresh.calls == []
        runner.get("o-1").done(number, reason="the receiver has it")
        assert runner.result("o-1", 10).state == ("told",)


def test_nothing_is_overwritten(path: Path, copy: Path, world: World) -> None:
    """Neither a file, nor beside the log of one, nor under an owner that still runs."""
    backed_up(path, copy, world)
    with pytest.raises(Unsuitable, match="is there already"):
        restore(copy, path)
    log = path.with_name("again.db-wal")
    log.write_bytes(b"of the file that was lost")
    with pytest.raises(Unsuitable, match="would take for a part of it"):
        restore(copy, path.with_name("again.db"))
    log.unlink()
    with Runner(path, [Shop(world)]):
        for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            file.rename(f"{file}.moved")
        with pytest.raises(Owned, match="still runs"):
            restore(copy, path)
        for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            Path(f"{file}.moved").rename(file)
    assert sorted(one.name for one in path.parent.iterdir() if "again" in one.name) == []


def test_a_backup_that_cannot_be_used_is_refused(path: Path, copy: Path, world: World) -> None:
    """Before anything has the name."""
    backed_up(path, copy, world)
    again = path.with_name("again.db")
    with pytest.raises(Unsuitable, match="There is no backup"):
        restore(path.with_name("nowhere.db"), again)
    other = path.with_name("other.db")
    with closing(sqlite3.connect(other)) as own:
        own.execute("CREATE TABLE loan (id TEXT)")
    with pytest.raises(Unsuitable, match="without a journal"):
        restore(other, again)
    whole = copy.read_bytes()
    copy.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    with pytest.raises(Damaged):
        restore(copy, again)
    assert not again.exists()


def test_a_backup_that_somebody_has_opened_is_read_with_its_log(path: Path, copy: Path, world: World) -> None:
    """What was committed in it since is in it."""
    backed_up(path, copy, world)
    with closing(sqlite3.connect(copy, isolation_level=None)) as own:
        own.execute("PRAGMA wal_autocheckpoint = 0")
        own.execute("CREATE TABLE loan (id TEXT)")
        assert Path(f"{copy}-wal").stat().st_size > 0
        restore(copy, path.with_name("again.db"))
    with closing(sqlite3.connect(path.with_name("again.db"))) as again:
        assert again.execute("SELECT COUNT(*) FROM loan").fetchone() == (0,)


def test_sealed_runs_are_listed_even_without_a_key(path: Path, copy: Path, world: World) -> None:
    """That they are there, and what to give to see more."""
    backed_up(path, copy, world, MIRROR)
    found = restore(copy, path.with_name("again.db"))
    assert {(one.run, one.step, one.key) for one in found} == {(run, "", "") for run in ("runs", "undoes", "waits")}
    found = restore(copy, path.with_name("third.db"), codec=MIRROR)
    assert {(one.run, one.step) for one in found} == {("runs", "reserve"), ("undoes", "reserve")}


def test_a_journal_in_memory_has_no_backup(tmp_path: Path, world: World) -> None:
    """It says what to do."""
    journal: Journal = MemoryJournal()
    with Runner(journal, [Shop(world)]) as runner, pytest.raises(Unsuitable, match="Keep it in a file"):
        runner.backup(tmp_path / "copy.db")


def test_the_worst_day_from_the_shell(path: Path, copy: Path, world: World) -> None:
    """backup, restore, uncertain, release: each says what comes next."""
    with Runner(path, [Shop(world)]) as runner:
        until(runner.start(Shop, Order("pen"), id="waits"), "waiting")
        world.gate.clear()
        runner.start(Shop, Order("book"), id="runs")
        becomes(lambda: world.names().count("reserve") == 2)
        made = asked("backup", path, copy)
        assert (made.exit_code, f"statemachine restore {copy}" in made.output) == (0, True)
        assert asked("backup", path, copy).exit_code == 1
        assert told("backup", path, path.with_name("second.db"))["bytes"] > 0
        world.gate.set()
    again = path.with_name("again.db")
    restored = asked("restore", copy, again, "--app", APP, "--actor", "ops", "--reason", "a bad night")
    assert restored.exit_code == 0
    assert f"statemachine release {again} --all" in " ".join(restored.output.split())
    assert "again, under this key" in restored.output
    (one,) = told("uncertain", again)
    assert (one["run"], one["step"], one["kind"]) == ("runs", "reserve", None)
    assert asked("release", again, "--all").exit_code == 0
    with Client(again) as client:
        assert client.health().owner is None
    with Runner(again, [Shop(World())]) as runner:
        until(runner.get("runs"), "waiting")
        assert runner.holds() == ()
