"""Lives of processes, made by fork from one that has imported everything, so that thousands of them are cheap."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
LONGEST = 90.0
"""Seconds after which a life is taken for hung."""
_asking = Lock()
"""A process may be asked for its end once: starting another asks all that were started, too."""
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.reliability.sections"])


class DiedOtherwise(Exception):
    """A process ended neither in peace nor by the kill that was planned for it."""


class Life:
    """A process that does `work(folder, *arguments)`, its standard error in a file of the folder."""

    def __init__(self, work: Callable[..., None], folder: Path, *arguments: Any) -> None:
        self.folder = folder
        self._process = _forks.Process(target=_live, args=(work, folder, arguments), daemon=True)
        with _asking:
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def suspend(self) -> None:
        """Suspend it; come back when none of its threads runs any more, or when it has ended."""
        self.signal(signal.SIGSTOP)
        look = ["ps", "-o", "stat=", "-p", str(self.pid)]
        while not self.over() and "T" not in subprocess.run(look, check=False, capture_output=True, text=True).stdout:
            time.sleep(0.001)

    def resume(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        with _asking:
            self._process.join()

    def over(self) -> bool:
        """Whether it has ended."""
        return bool(wait([self._process.sentinel], 0))

    def end(self, patience: float = LONGEST) -> bool:
        """Wait for its end; whether it was killed. Raises DiedOtherwise."""
        hung = not wait([self._process.sentinel], patience)
        if hung:
            self._process.kill()
        with _asking:
            self._process.join()
            code = self._process.exitcode
        if hung or code not in {0, -signal.SIGKILL}:
            written = self.folder / "stderr"
            said = written.read_text(encoding="utf-8")[-2000:] if written.exists() else ""
            raise DiedOtherwise(f"hung for {patience} s: {said}" if hung else f"exit code {code}: {said}")
        return code != 0


def _live(work: Callable[..., None], folder: Path, arguments: tuple[Any, ...]) -> None:
    error = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(error, sys.stderr.fileno())
    try:
        work(folder, *arguments)
    except BaseException:  # noqa: BLE001 -- whoever waits for it reads what it died of
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def side_by_side(work: Callable[[T], R], trials: Iterable[T]) -> Iterator[R]:
    """The outcomes of all trials, in their order, as many at once as there are processors."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from pool.map(work, trials)
