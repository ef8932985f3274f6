"""A step in a process of its own does what it would do here, can be killed, and takes nobody with it when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

from persistence import MemoryJournal
from statemachine import Call, DefinitionError, Event, Retry, Runner, State, Workflow, evolve, on, step
from statemachine.runner.children import ChildDied
from statemachine.testing import Harness, VirtualClock, crash_at
from tests.unit.runner.desk import becomes

ROOT = Path(__file__).resolve().parents[3]


@attrs.frozen
class Epoch:
    number: int


@attrs.frozen
class Model:
    """What is trained, and what shall happen meanwhile."""

    folder: str = ""
    trouble: str = ""
    epochs: int = 3
    trained: tuple[int, ...] = ()
    by: int = 0


class Stop(Event, frozen=True):
    pass


class Broken(Exception):
    """Known to have had no effect."""


class Hopeless(Exception):
    """Not to be tried again."""


class Training(Workflow[Model], name="training"):
    training = State(initial=True)
    trained = State(final=True)
    broken = State(final=True)
    stopped = State(final=True)

    @step(
        training,
        to=trained,
        error={Broken: broken},
        process=True,
        timeout=3600,
        heartbeat=600,
        retry=Retry(2, delay=0, never=(Hopeless,)),
        effect=False,
    )
    def train(self, model: Model, call: Call[Epoch]) -> Model:
        epoch = call.saved or Epoch(0)
        done: tuple[int, ...] = ()
        while epoch.number < model.epochs:
            if epoch.number == 2 and call.attempt == 1:
                fall(model)
            epoch = Epoch(epoch.number + 1)
            call.save(epoch)
            call.emit(epoch)
            call.beat()
            done = (*done, epoch.number)
        return evolve(model, trained=done, by=os.getpid())

    stop = on(Stop, source=training, to=stopped)


def fall(model: Model) -> None:
    """Have the trouble that the model says."""
    if model.folder:
        (Path(model.folder) / "pid").write_text(str(os.getpid()))
    if model.trouble == "hang":
        time.sleep(60)
    elif model.trouble == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif model.trouble == "exits":
        os._exit(7)
    elif model.trouble:
        kinds: dict[str, type[Exception]] = {"broken": Broken, "hopeless": Hopeless, "raises": OSError}
        raise kinds[model.trouble](model.trouble)


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def begun(folder: Path) -> int:
    """The process of the step, once it is in trouble."""
    becomes(lambda: (folder / "pid").exists() and (folder / "pid").read_text() != "", 30)
    return int((folder / "pid").read_text())


def test_it_does_what_it_would_do_here() -> None:
    """Its result is typed, what it saves is kept, what it gives out is heard; it was another process."""
    with Runner(MemoryJournal(), [Training()]) as runner, runner.output("m") as output:
        run = runner.start(Training, Model(), id="m")
        data = run.result(120).data
        assert data == Model(trained=(1, 2, 3), by=data.by)
        assert data.by not in {0, os.getpid()}
        assert [one.value for one in output] == [{"number": 1}, {"number": 2}, {"number": 3}]
        assert gone(data.by)
    assert Training().train(Model(), Call()).by == os.getpid()


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("killed", "its process was ended by SIGKILL, as by a system that runs out of memory"),
        ("exits", "its process ended with status 7"),
        ("raises", "raises"),
    ],
)
def test_its_death_is_a_failed_attempt(trouble: str, said: str) -> None:
    """Which says how it died; the next one goes on from what was saved."""
    with Runner(MemoryJournal(), [Training()]) as runner:
        run = runner.start(Training, Model(trouble=trouble), id="m")
        result = run.result(120)
        assert result.data.trained == (3,)
        failed = next(entry for entry in run.journal() if entry.kind == "failed")
        assert said.encode() in failed.body


def test_what_it_raises_is_known_here() -> None:
    """A declared error takes its way; one that is never to be tried again ends it."""
    with Runner(MemoryJournal(), [Training()]) as runner:
        assert runner.start(Training, Model(trouble="broken"), id="b").result(120).state == ("broken",)
        result = runner.start(Training, Model(trouble="hopeless"), id="h").result(120)
        assert result.status == "failed"
        assert result.error is not None
        assert (result.error.type, "fall(model)" in result.error.traceback) == ("Hopeless", True)


@pytest.mark.parametrize(("passing", "said"), [(601, "StepSilent"), (3601, "")], ids=["silent", "slow"])
def test_one_that_takes_too_long_is_killed(tmp_path: Path, passing: float, said: str) -> None:
    """By its heartbeat or by its timeout; the next attempt goes on at once."""
    clock = VirtualClock()
    with Runner(MemoryJournal(), [Training()], clock=clock) as runner:
        run = runner.start(Training, Model(str(tmp_path), "hang"), id="m")
        pid = begun(tmp_path)
        while not gone(pid):  # again, where its last sign of life came after the clock had gone on
            clock.advance(passing)
            soon = time.monotonic() + 5
            while not gone(pid) and time.monotonic() < soon:
                time.sleep(0.005)
        becomes(lambda: any(entry.kind == "failed" for entry in run.journal()))
        clock.advance(1)
        assert run.result(120).data.trained == (3,)
        assert said.encode() in next(entry for entry in run.journal() if entry.kind == "failed").body


@pytest.mark.parametrize("how", ["event", "cancel", "close"])
def test_leaving_its_state_or_closing_kills_it(tmp_path: Path, how: str) -> None:
    """An event, a cancel, the end of the runner: none waits for it, and closing uses no attempt up."""
    journal = MemoryJournal()
    with Runner(journal, [Training()], grace=0) as runner:
        run = runner.start(Training, Model(str(tmp_path), "hang"), id="m")
        pid = begun(tmp_path)
        if how == "event":
            run.send(Stop())
            assert run.result(10).state == ("stopped",)
        elif how == "cancel":
            run.cancel()
            assert run.result(10).status == "cancelled"
    becomes(lambda: gone(pid))
    if how == "close":
        with Runner(journal, [Training()]) as runner:
            assert [entry.kind for entry in runner.get("m").journal()] == ["start"]
            runner.get("m").kill()


ORPHAN = """
import sys
from statemachine import Runner
from tests.unit.runner.test_children import Model, Training
if __name__ == "__main__":
    with Runner(sys.argv[1] + "/app.db", [Training()]) as runner:
        runner.start(Training, Model(sys.argv[1], "hang"), id="m").result()
"""


def test_it_does_not_outlive_its_runner(tmp_path: Path) -> None:
    """Killed, the runner takes the process with it; the next runner goes on from what was saved."""
    script = tmp_path / "app.py"
    script.write_text(ORPHAN)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, script, str(tmp_path)], env=environment) as process:
        pid = begun(tmp_path)
        process.kill()
    becomes(lambda: gone(pid))
    (tmp_path / "pid").unlink()
    with Runner(tmp_path / "app.db", [Training()]) as runner:
        pid = begun(tmp_path)
        os.kill(pid, signal.SIGKILL)
        assert runner.get("m").result(120).data.trained == (3,)


def test_a_runner_that_dies_in_a_test_is_followed_by_another() -> None:
    """The points of the step are passed around its process, and that goes on from what was saved."""
    with Harness(Training(), crash=crash_at("after save")) as desk:
        desk.start(Model())
        assert desk.finish().data.trained == (2, 3)
        assert desk.deaths == ["after save"]
        assert {"before step train", "after step train"} <= set(desk.passed)


class Depot:
    """A collaborator."""

    def __init__(self, name: str) -> None:
        self.name = name


def make() -> Fetching:
    """What makes the workflow in the process of its step."""
    return Fetching(Depot("there"))


class Fetching(Workflow[Model], name="fetching"):
    depot: Depot

    fetching = State(initial=True)
    lacking = State()
    fetched = State(final=True)

    @step(fetching, to=lacking, process=make, effect=False)
    def fetch(self, model: Model) -> Model:
        return evolve(model, trouble=self.depot.name)

    @step(lacking, to=fetched, process=True, effect=False)
    def lack(self, model: Model) -> Model:
        return evolve(model, trouble=self.depot.name)


def test_a_collaborator_is_made_there_or_missed() -> None:
    """A function makes the workflow there; without one, asking for what is not there says what to do."""
    with Runner(MemoryJournal(), [Fetching(Depot("here"))]) as runner:
        result = runner.start(Fetching, Model(), id="f").result(120)
    assert result.data.trouble == "there"
    assert result.error is not None
    assert result.error.message == (
        "collaborator 'depot' (asked for 'name') is not in the process of this step; give process= a function that "
        "makes the workflow there"
    )


def with_score(model: Model, score: float) -> Model:
    """Folds a result."""
    return evolve(model, by=int(score))


class Scoring(Workflow[Model], name="scoring"):
    scoring = State(initial=True)
    returning = State()
    scored = State(final=True)

    @step(scoring, to=returning, into=with_score, process=True, effect=False)
    def score(self, model: Model) -> float:
        return 7.0

    @step(returning, to=scored, process=True, effect=False)
    def wrong(self, model: Model) -> Model:
        return Epoch(1)  # type: ignore[return-value]


def test_its_result_is_folded_or_asks_a_person() -> None:
    """One that cannot be recorded is an incident and no failed attempt, as it would be here: it took effect."""
    with Runner(MemoryJournal(), [Scoring()]) as runner:
        run = runner.start(Scoring, Model(), id="s")
        becomes(lambda: bool(run.incidents), 30)
        assert run.data.by == 7
        assert run.incidents[0].kind == "result"
        assert "OtherData" in str(run.incidents[0].failure)
        run.kill()


def test_what_another_process_cannot_find_is_refused() -> None:
    """An async step, many items, a class within a function: when the class is made."""
    with pytest.raises(DefinitionError, match="has process= and is async"):

        class Later(Workflow[Model]):
            working = State(initial=True)
            finished = State(final=True)

            @step(working, to=finished, process=True)
            async def work(self, model: Model) -> Model:
                return model

    with pytest.raises(DefinitionError, match=r"another process cannot import .*Hidden; define it at the top"):

        class Hidden(Workflow[Model]):
            working = State(initial=True)
            finished = State(final=True)

            @step(working, to=finished, process=True)
            def work(self, model: Model) -> Model:
                return model


CONSOLE = """
import attrs
from statemachine import Runner, State, Workflow, step
@attrs.frozen
class Model:
    name: str = ""
class Training(Workflow[Model]):
    training = State(initial=True)
    trained = State(final=True)
    @step(training, to=trained, process=True)
    def train(self, model: Model) -> Model:
        return model
try:
    Runner("never.db", [Training()])
except Exception as error:
    print(error)
"""


def test_what_was_typed_into_a_console_is_refused_by_the_runner() -> None:
    """No other process finds it."""
    done = subprocess.run([sys.executable, "-c", CONSOLE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "step train has process=, and Training was defined where no other process finds it" in done.stdout


def test_how_a_process_died_is_said() -> None:
    """By name where the signal has one."""
    assert str(ChildDied(-signal.SIGSEGV)).startswith("its process was ended by SIGSEGV,")
    assert str(ChildDied(-99)).startswith("its process was ended by signal 99,")
    assert str(ChildDied(None)).startswith("its process closed its pipe,")
