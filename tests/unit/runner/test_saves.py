"""What a step saves is given to its next attempt, and to nobody once its outcome is recorded."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from pathlib import Path

import attrs
import pytest

from persistence import MemoryJournal, SQLiteJournal
from statemachine import Call, Event, Retry, Runner, State, Workflow, evolve, on, step
from statemachine.testing import Harness, crash_at, every_crash
from tests.unit.runner.desk import becomes

ROOT = Path(__file__).resolve().parents[3]


@attrs.frozen
class Model:
    epochs: int = 10
    loss: float = 1.0


@attrs.frozen
class Epoch:
    number: int
    loss: float


class Stop(Event, frozen=True):
    pass


class Machine:
    """What trains, and fails at the start of some epochs."""

    def __init__(self, *failing: int) -> None:
        self.failing = list(failing)
        self.trained: list[int] = []

    def epoch(self, last: Epoch) -> Epoch:
        """One epoch."""
        number = last.number + 1
        if number in self.failing:
            self.failing.remove(number)
            message = f"epoch {number}"
            raise OSError(message)
        self.trained.append(number)
        return Epoch(number, last.loss / 2)


class Training(Workflow[Model], name="training"):
    machine: Machine

    training = State(initial=True)
    trained = State(final=True)
    stopped = State(final=True)

    @step(training, to=trained, retry=Retry(3, delay=0.001), effect=False)
    def train(self, model: Model, call: Call[Epoch]) -> Model:
        epoch = call.saved or Epoch(0, 1.0)
        while epoch.number < model.epochs:
            epoch = self.machine.epoch(epoch)
            call.save(epoch)
        return evolve(model, loss=epoch.loss)

    stop = on(Stop, source=training, to=stopped)


class TrainingLater(Workflow[Model], name="training-later"):
    machine: Machine

    training = State(initial=True)
    trained = State(final=True)

    @step(training, to=trained, retry=Retry(3, delay=0.001), effect=False)
    async def train(self, model: Model, call: Call[Epoch]) -> Model:
        epoch = call.saved or Epoch(0, 1.0)
        while epoch.number < model.epochs:
            epoch = self.machine.epoch(epoch)
            await call.save(epoch)
        return evolve(model, loss=epoch.loss)


@pytest.mark.parametrize("workflow", [Training, TrainingLater])
def test_the_next_attempt_goes_on_from_what_was_saved(workflow: type[Training]) -> None:
    """No epoch is trained twice; the run, its journal and its sequence know nothing of what was saved."""
    machine, journal = Machine(3, 7), MemoryJournal()
    with Runner(journal, [workflow(machine)]) as runner:
        run = runner.start(workflow, Model(), id="m")
        assert run.result(10).data == Model(loss=0.5**10)
        assert [entry.kind for entry in run.journal()] == ["start", "failed", "timer", "failed", "timer", "succeeded"]
        assert runner.verify("m").ok
    assert machine.trained == list(range(1, 11))
    assert journal.saves() == []


@pytest.mark.parametrize("in_file", [True, False])
def test_each_crash_goes_on_from_what_was_saved(tmp_path: Path, in_file: bool) -> None:
    """Killed before a save is durable, the epoch is trained again; after it, it is not."""
    for point, twice in (("before save", 1), ("after save", 0)):
        machine = Machine()
        file = tmp_path / f"{point}.db" if in_file else None
        with Harness(Training(machine), file=file, crash=crash_at(point, nth=7)) as desk:
            desk.start(Model())
            assert desk.finish().data.loss == 0.5**10
            assert desk.deaths == [point]
        assert sorted(machine.trained) == sorted([*range(1, 11), *twice * [7]])


def test_every_crash_comes_to_the_same_end() -> None:
    """Wherever the runner dies, the model is trained."""

    def scenario(desk: Harness[Training]) -> object:
        desk.start(Model(3))
        return desk.finish().data

    trial = every_crash(lambda: Training(Machine()), scenario)
    assert {"before save", "after save", "after succeeded"} <= {point for point, _ in trial.points}


KILLED = """
import sys, time
from statemachine import Runner
from tests.unit.runner.test_saves import Machine, Model, Training
class Slow(Machine):
    def epoch(self, last):
        if last.number == 6 and sys.argv[2] == "die":
            print("epoch 7", flush=True)
            time.sleep(60)
        print(last.number + 1, flush=True)
        return super().epoch(last)
with Runner(sys.argv[1], [Training(Slow())]) as runner:
    print(runner.start(Training, Model(), id="m").result(30).data.loss)
"""


def test_killed_in_epoch_seven_it_goes_on_at_seven(tmp_path: Path) -> None:
    """SIGKILL of the process, and another process."""
    command = [sys.executable, "-c", KILLED, str(tmp_path / "journal.db")]
    with subprocess.Popen([*command, "die"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline().strip() for _ in range(7)] == [*"123456", "epoch 7"]
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
    done = subprocess.run([*command, "live"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["7", "8", "9", "10", str(0.5**10)]


class Gated(Workflow[Model], name="gated"):
    """Its step waits in a thread, and tells what became of saving."""

    gate: threading.Event
    told: list[object]

    training = State(initial=True)
    trained = State(final=True)
    stopped = State(final=True)

    @step(training, to=trained, timeout=0.2, effect=False)
    def train(self, model: Model, call: Call[Epoch]) -> Model:
        self.told.append("begun")
        self.gate.wait(10)
        try:
            call.save(Epoch(1, 0.5))
        except Exception as error:
            self.told.append(error)
            raise
        self.told.append("saved")
        return model

    stop = on(Stop, source=training, to=stopped)


def test_an_attempt_that_is_over_saves_nothing() -> None:
    """A thread that outlives its attempt is told that nobody waits for it any more."""
    gate, told, journal = threading.Event(), list[object](), MemoryJournal()
    with Runner(journal, [Gated(gate, told)]) as runner:
        run = runner.start(Gated, Model(), id="m")
        until_failed = run.result(10)
        assert until_failed.status == "failed"
        gate.set()
        becomes(lambda: len(told) == 2)
        assert str(told[1]) == "Run 'm': step train cannot save: nobody waits for its attempt 1 any more."
    assert journal.saves() == []


def test_a_lost_owner_saves_nothing(tmp_path: Path) -> None:
    """Its epoch is behind: what its thread saves late is refused, and what the next owner has stays."""
    gate, told, path = threading.Event(), list[object](), tmp_path / "journal.db"
    slow = SQLiteJournal(path)
    with Runner(slow, [Gated(gate, told)], lease=0.0, grace=0.0) as runner:
        runner.start(Gated, Model(), id="m")
        becomes(lambda: told == ["begun"])
        with SQLiteTaken(path):
            gate.set()
            becomes(lambda: len(told) == 2)
            assert type(told[1]).__name__ in {"Fenced", "RunnerClosed"}
    slow.close()


class SQLiteTaken:
    """Another owner has the file, as after a takeover from a process that was suspended."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Bump the epoch, as a claim does."""
        import sqlite3

        with sqlite3.connect(self._path) as connection:
            connection.execute("UPDATE statemachine_owner SET epoch = epoch + 1, owner = 'other'")
        connection.close()

    def __exit__(self, *_: object) -> None:
        """Nothing of it may be saved."""
        journal = SQLiteJournal(self._path)
        assert journal.saves() == []
        journal.close()


def test_what_was_saved_is_dropped_when_the_step_is_left() -> None:
    """By an event, by a kill, at an undo: whichever transition nobody waits for the step after."""
    journal = MemoryJournal()
    for leave in ("stop", "cancel", "kill"):
        gate = threading.Event()
        with Runner(journal, [Slow(gate)]) as runner:
            run = runner.start(Slow, Model(), id=leave)
            becomes(lambda: len(journal.saves()) == 1)
            if leave == "stop":
                run.send(Stop())
            elif leave == "cancel":
                run.cancel()
            else:
                run.kill()
            gate.set()
            assert run.result(10).status in {"completed", "cancelled", "killed"}
        assert journal.saves() == []


class Slow(Workflow[Model], name="slow"):
    gate: threading.Event

    training = State(initial=True)
    trained = State(final=True)
    stopped = State(final=True)

    @step(training, to=trained, effect=False)
    def train(self, model: Model, call: Call[int]) -> Model:
        call.save(1)
        self.gate.wait(10)
        return model

    stop = on(Stop, source=training, to=stopped)


def test_a_call_of_a_test_keeps_what_is_saved() -> None:
    """A step is tested as the plain function it is."""
    call = Call[Epoch]()
    assert Training(Machine()).train(Model(), call).loss == 0.5**10
    assert call.saved == Epoch(10, 0.5**10)
    machine = Machine()
    asyncio.run(TrainingLater(machine).train(Model(), Call(saved=Epoch(8, 0.1))))
    assert machine.trained == [9, 10]


class Other(Workflow[Model], name="slow", version=2):
    """As it is deployed over `Slow`: it saves something else."""

    training = State(initial=True)
    trained = State(final=True)
    stopped = State(final=True)

    @step(training, to=trained, effect=False)
    def train(self, model: Model, call: Call[Epoch]) -> Model:
        return model

    stop = on(Stop, source=training, to=stopped)


class Silent(Workflow[Model], name="slow", version=3):
    """As it is deployed over `Slow`: it saves nothing."""

    training = State(initial=True)
    trained = State(final=True)
    stopped = State(final=True)

    @step(training, to=trained, effect=False)
    def train(self, model: Model) -> Model:
        return model

    stop = on(Stop, source=training, to=stopped)


def test_what_was_saved_must_fit_the_version_that_goes_on(tmp_path: Path) -> None:
    """Else the run is held, and says why; the version that can read it goes on with it."""
    gate, path = threading.Event(), tmp_path / "journal.db"
    with Runner(path, [Slow(gate)], grace=0) as runner:
        runner.start(Slow, Model(), id="m")
        becomes(lambda: bool(runner._body and runner._body.journal.saves()))
    gate.set()
    for version, said in ((Other, "what step train has saved does not fit"), (Silent, "saves nothing, and has saved")):
        with Runner(path, [version()]) as runner:
            becomes(lambda: bool(runner.list(held=True)))
            assert said in runner.list(held=True)[0].held
    with Runner(path, [Slow(gate)]) as runner:
        assert runner.get("m").result(10).status == "completed"


class Late(Workflow[Model], name="late"):
    machine: Machine

    paying = State(initial=True)
    training = State()
    trained = State(final=True)

    @step(paying, to=training, pivot=True)
    def pay(self, model: Model) -> Model:
        return model

    @step(training, to=trained)
    def train(self, model: Model, call: Call[Epoch]) -> Model:
        epoch = call.saved or Epoch(0, 1.0)
        while epoch.number < model.epochs:
            epoch = self.machine.epoch(epoch)
            call.save(epoch)
        return evolve(model, loss=epoch.loss)


def test_a_person_who_retries_a_step_gives_it_what_was_saved() -> None:
    """After its last attempt, past a pivot, it waits for a person; then it goes on where it was."""
    machine = Machine(3)
    with Runner(MemoryJournal(), [Late(machine)]) as runner:
        run = runner.start(Late, Model(), id="m")
        becomes(lambda: bool(run.incidents))
        run.retry(run.incidents[0].number)
        assert run.result(10).state == ("trained",)
    assert machine.trained == list(range(1, 11))
