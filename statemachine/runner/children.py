"""Steps in processes of their own: they can be killed, and one that dies takes nobody with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol

from statemachine.runner.child import main
from statemachine.runner.piping import Beat, Emit, Raised, Returned, Save, Saved, Task, Unreturned, packed, said_of

PATIENCE = 5.0
"""Seconds that a process is given to end once its outcome is there or its pipe is closed."""


class ChildDied(Exception):
    """The process of a step ended without an outcome."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"its process {_said(code)}, before it had an outcome")


class ChildKilled(Exception):
    """The process of a step was killed by its runner, which knows why."""


class RaisedThere(Exception):
    """What a step raised in its process."""

    def __init__(self, raised: Raised) -> None:
        super().__init__(raised.failure.message)
        self.raised = raised


class Hears(Protocol):
    """What is told what a step says while it works."""

    def beat(self) -> None:
        """It lives."""
        ...

    def emit(self, value: Any) -> None:
        """It gives something out."""
        ...

    def save_raw(self, raw: bytes) -> None:
        """It saves. Raises what the save was refused with."""
        ...


class Child:
    """The process of one attempt. `run` is called in a thread, `kill` from anywhere."""

    def __init__(self, task: Task, *, killed: bool) -> None:
        self._task = task
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._killed = killed

    def run(self, hears: Hears) -> bytes | Unreturned:
        """Do the task; its result, as bytes.

        The thread that calls this must live as long as the process: its end is the process's end.

        Raises:
            RaisedThere: What the step raised.
            ChildDied: It ended without an outcome.
            ChildKilled: `kill` was called.
        """
        here, there = get_context("spawn").Pipe()
        process = get_context("spawn").Process(target=main, args=(there, os.getpid()), name=f"step {self._task.step}")
        try:
            with self._lock:
                if self._killed:
                    raise ChildKilled
                process.start()
                self._process = process
            there.close()
            return self._outcome(here, process, hears)
        finally:
            here.close()
            there.close()
            self._end(process)

    def _outcome(self, pipe: Connection, process: SpawnProcess, hears: Hears) -> bytes | Unreturned:
        try:
            pipe.send_bytes(packed(self._task))
            while True:
                said = said_of(pipe.recv_bytes())
                if isinstance(said, Returned):
                    return said.value
                if isinstance(said, Unreturned):
                    return said
                if isinstance(said, Raised):
                    raise RaisedThere(said)
                _hear(said, pipe, hears)
        except (EOFError, OSError) as error:
            process.join(PATIENCE)
            raise ChildKilled if self._killed else ChildDied(process.exitcode) from error

    def kill(self) -> None:
        """End it now, with all that it has started and that has stayed in its group."""
        with self._lock:
            self._killed = True
            process = self._process
        if process is not None:
            _kill(process)

    def _end(self, process: SpawnProcess) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            process.join(PATIENCE)
            if process.is_alive():
                _kill(process)
                process.join()
            process.close()
            self._process = None


def _hear(said: Beat | Emit | Save, pipe: Connection, hears: Hears) -> None:
    if isinstance(said, Emit):
        hears.emit(said.value)
    elif isinstance(said, Beat):
        hears.beat()
    else:
        pipe.send_bytes(packed(Saved(_refused(hears.save_raw, said.value))))


def _refused(save: Callable[[bytes], None], raw: bytes) -> str:
    try:
        save(raw)
    except Exception as error:  # noqa: BLE001 -- the step hears of it, whatever it is
        return str(error) or type(error).__qualname__
    return ""


def _kill(process: SpawnProcess) -> None:
    with suppress(ValueError):  # it was closed, so it has ended
        if process.pid:
            with suppress(ProcessLookupError, PermissionError):  # it leads no group yet
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()


def _said(code: int | None) -> str:
    if code is None:
        return "closed its pipe"
    if code >= 0:
        return f"ended with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was ended by {name}{', as by a system that runs out of memory' if -code == signal.SIGKILL else ''}"
