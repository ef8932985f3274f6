"""What the process of a step does, told here without a process; and what its runner does where there is trouble."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from persistence import Codec, MemoryJournal
from statemachine import Call, Runner, State, Workflow, step
from statemachine.runner import child, piping
from statemachine.runner.children import Child, ChildKilled, RaisedThere
from statemachine.runner.piping import Beat, Emit, Raised, Returned, Save, Saved, Task, Unreturned
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import becomes
from tests.unit.runner.test_children import Epoch, Fetching, Model, Scoring, Training, gone


class Line:
    """A pipe that leads nowhere, and answers each save."""

    def __init__(self, refused: str = "") -> None:
        self.said: list[object] = []
        self._refused = refused

    def tell(self, said: object) -> None:
        """Keep it."""
        self.said.append(said)

    def ask(self, said: Save) -> Saved:
        """Keep it, and answer."""
        self.said.append(said)
        return Saved(self._refused)


def task(kind: type[Workflow[Any]], step: str, model: Model, **more: Any) -> Task:
    """An attempt of a step of these tests."""
    plain: dict[str, Any] = {
        "maker": f"{kind.__module__}:{kind.__qualname__}",
        "definition": kind.definition.hash,
        "step": step,
        "data": Codec().encode(model),
        "saved": None,
        "key": "k",
        "run": "m",
        "attempt": 1,
        "deadline": None,
    }
    return Task(**{**plain, **more})


outcome: Callable[[Task, Any], piping.Said] = child._outcome


def test_a_task_is_done_from_what_was_saved() -> None:
    """Each save waits for its answer; what is given out and each sign of life are told."""
    line = Line()
    told = outcome(task(Training, "train", Model(), saved=b'{"number":2}', attempt=2), line)
    assert isinstance(told, Returned)
    assert msgspec.json.decode(told.value)["trained"] == [3]
    assert line.said == [Save(b'{"number":3}'), Emit({"number": 3}), Beat()]


@pytest.mark.parametrize(
    ("trouble", "arm", "final"), [("broken", 0, False), ("hopeless", None, True), ("raises", None, False)]
)
def test_what_it_raises_is_told_with_what_it_means(trouble: str, arm: int | None, final: bool) -> None:
    """By which declared error, and whether another attempt is forbidden."""
    told = outcome(task(Training, "train", Model(trouble=trouble)), Line())
    assert isinstance(told, Raised)
    assert (told.arm, told.final) == (arm, final)


def test_a_save_that_is_refused_is_raised_there() -> None:
    """With what the runner said."""
    told = outcome(task(Training, "train", Model()), Line("it is too large"))
    assert isinstance(told, Raised)
    assert told.failure.type == "CannotSave"
    assert "it is too large" in told.failure.message


def test_a_result_that_cannot_be_told_is_no_failure() -> None:
    """It took effect."""
    assert isinstance(outcome(task(Scoring, "score", Model()), Line()), Returned)
    told = outcome(task(Scoring, "wrong", Model()), Line())
    assert isinstance(told, Unreturned)
    assert told.failure.type == "OtherData"


def test_another_version_and_what_is_not_there_are_told() -> None:
    """As failures of the attempt."""
    for more in ({"definition": "another"}, {"maker": "tests.unit.runner.nowhere:Training"}):
        told = outcome(task(Training, "train", Model(), **more), Line())
        assert isinstance(told, Raised)
        assert told.failure.type in {"OtherVersion", "ModuleNotFoundError"}
    told = outcome(task(Fetching, "lack", Model()), Line())
    assert isinstance(told, Raised)
    assert told.failure.type == "AttributeError"
    made = outcome(task(Fetching, "fetch", Model(), maker="tests.unit.runner.test_children:make"), Line())
    assert isinstance(made, Returned)


class Deaf:
    """Hears nothing."""

    def beat(self) -> None:
        """It lives."""

    def emit(self, value: Any) -> None:
        """It gives something out."""

    def save_raw(self, raw: bytes) -> None:
        """It saves, and is refused."""
        raise OSError


def test_a_refused_save_reaches_the_process() -> None:
    """And what that raises reaches its runner."""
    with pytest.raises(RaisedThere, match="step train cannot save: OSError"):
        Child(task(Training, "train", Model()), killed=False).run(Deaf())


def test_one_that_was_killed_before_it_began_does_not_begin() -> None:
    """Its attempt was cancelled meanwhile."""
    with pytest.raises(ChildKilled):
        Child(task(Training, "train", Model()), killed=True).run(Deaf())


@attrs.frozen
class Helped:
    folder: str = ""


class Helping(Workflow[Helped], name="helping"):
    helping = State(initial=True)
    helped = State(final=True)

    @step(helping, to=helped, process=True, timeout=60, effect=False)
    def help(self, data: Helped, call: Call[Epoch]) -> Helped:
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as helper:
            (Path(data.folder) / "pid").write_text(f"{helper.pid} {os.getpid()}")
            time.sleep(60)
        return data


def test_what_it_has_started_is_killed_with_it(tmp_path: Path) -> None:
    """While it stays in its group."""
    clock = VirtualClock()
    with Runner(MemoryJournal(), [Helping()], clock=clock) as runner:
        run = runner.start(Helping, Helped(str(tmp_path)))
        note = tmp_path / "pid"
        becomes(lambda: note.exists() and " " in note.read_text(), 30)
        helper, process = map(int, note.read_text().split())
        clock.advance(61)
        assert run.result(10).status == "failed"
        becomes(lambda: gone(helper) and gone(process))
