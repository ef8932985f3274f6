"""The process of one attempt of a step: it is given a task, does it, tells what came of it, and ends.

It never outlives its runner: the system kills it when the thread that waits for it is no more (Linux), and elsewhere it
ends when its pipe does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from persistence import Codec
from statemachine.calls import Call, Done
from statemachine.data import changed
from statemachine.definition import Code, Definition, StepSpec
from statemachine.errors import CannotSave, NotStored
from statemachine.runner.attempts import contained, failure_told
from statemachine.runner.piping import (
    Beat,
    Emit,
    Raised,
    Returned,
    Said,
    Save,
    Saved,
    Task,
    Unreturned,
    made,
    packed,
    saved_of,
    task_of,
)
from statemachine.workflow import bind

_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG (prctl(2)): the signal that comes when the thread which made this process ends."""


class OtherVersion(Exception):
    """The code has changed since the runner has loaded it."""

    def __init__(self, step: str) -> None:
        super().__init__(f"the workflow of step {step} is another now than the runner has; restart the runner")


def main(pipe: Connection, parent: int) -> None:
    """Do one task. Never comes back."""
    _tie_to(parent)
    with suppress(OSError):  # it is a leader already, where it is started by hand
        os.setpgid(0, 0)
    with suppress(OSError):  # where memory runs out, this one goes, and not its runner
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner decides when it ends
    task = task_of(pipe.recv_bytes())
    line = _Line(pipe)
    line.tell(_outcome(task, line))
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _tie_to(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before that
        os._exit(1)


def _outcome(task: Task, line: _Line) -> Said:
    try:
        definition = bind(made(task.maker))
        spec = next((step for step in definition.steps if step.name == task.step), None)
        if spec is None or definition.hash != task.definition:
            raise OtherVersion(task.step)  # noqa: TRY301 -- it is told like whatever else is raised here
    except Exception as error:  # noqa: BLE001 -- whatever importing raises is told
        return Raised(failure_told(error), None, False)
    return _done(task, line, definition, spec)


def _done(task: Task, line: _Line, definition: Definition, spec: StepSpec) -> Said:
    codec, code = Codec(), definition.code
    try:
        saved = None if task.saved is None else codec.decode(task.saved, code.saves[spec.name])
        behind = _Piped(line, codec, task, saved)
        call = Call[Any](key=task.key, run=task.run, attempt=task.attempt, deadline=task.deadline, behind=behind)
        result = contained(code.functions[spec.function], codec.decode(task.data, code.data), call)
    except Exception as error:  # noqa: BLE001 -- whatever a step raises is told
        arm = next((n for n, name in enumerate(spec.errors) if isinstance(error, code.exceptions[name])), None)
        return Raised(failure_told(error), arm, isinstance(error, spec.retry.never))
    try:
        return Returned(_result(codec, code, spec, task, result))
    except Exception as error:  # noqa: BLE001 -- it has taken effect, whatever is wrong with its result
        return Unreturned(failure_told(error))


def _result(codec: Codec, code: Code, spec: StepSpec, task: Task, result: Any) -> bytes:
    """What the runner is told. Raises where that would be another value than was returned."""
    kind = code.data if spec.into is None else code.results[spec.name]
    if spec.into is None:
        changed(codec.decode(task.data, kind), result)
    raw = codec.encode(result)
    if codec.decode(raw, kind) != result:
        raise NotStored(task.run, f"result of {spec.name}", "it is not equal once told and read again")
    return raw


class _Line:
    """The pipe to the runner, for all threads of this process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._telling = threading.Lock()
        self._asking = threading.Lock()
        self._answers: SimpleQueue[Saved] = SimpleQueue()
        threading.Thread(target=self._listen, name="statemachine-line", daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                self._answers.put(saved_of(self._pipe.recv_bytes()))
        except (EOFError, OSError):
            os._exit(1)  # the runner is no more, and nothing that is done here counts

    def tell(self, said: Said) -> None:
        """Say something."""
        raw = packed(said)
        with self._telling:
            self._pipe.send_bytes(raw)

    def ask(self, said: Save) -> Saved:
        """Say something, and wait for the answer."""
        with self._asking:
            self.tell(said)
            return self._answers.get()


class _Piped:
    """What stands behind the call of a step here: its runner, at the other end of the pipe."""

    emitted: Sequence[Any] = ()

    def __init__(self, line: _Line, codec: Codec, task: Task, saved: Any) -> None:
        self._line = line
        self._codec = codec
        self._task = task
        self.saved = saved

    def save(self, value: Any) -> Awaitable[None]:
        """See `Call.save`."""
        answer = self._line.ask(Save(self._codec.encode(value)))
        if answer.refused:
            raise CannotSave(self._task.run, self._task.step, answer.refused)
        self.saved = value
        return Done()

    def emit(self, value: Any) -> None:
        """See `Call.emit`."""
        self._line.tell(Emit(value))

    def beat(self) -> None:
        """See `Call.beat`."""
        self._line.tell(Beat())

    def perform(self, function: Callable[..., Any], data: Any, call: Call[Any]) -> Any:
        """Here."""
        return function(data, call)
