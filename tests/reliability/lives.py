"""Lives of processes, made by fork from one that has imported everything, so that thousands of them are cheap."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
LONGEST = 90.0
"""Seconds after which a life is taken for hung."""
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.reliability.sections"])


class DiedOtherwise(Exception):
    """A process ended neither in peace nor by the kill that was planned for it."""


class Life:
    """A process that does `work(folder, *arguments)`, its standard error in a file of the folder."""

    def __init__(self, work: Callable[..., None], folder: Path, *arguments: Any) -> None:
        self.folder = folder
        self._process = _forks.Process(target=_live, args=(work, folder, arguments), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def alive(self) -> bool:
        """Whether it lives."""
        return self._process.is_alive()

    def end(self, patience: float = LONGEST) -> bool:
        """Wait for its end; whether it was killed. Raises DiedOtherwise."""
        self._process.join(patience)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            self._process.join()
        if code not in {0, -signal.SIGKILL}:
            said = (self.folder / "stderr").read_text(encoding="utf-8")[-2000:]
            raise DiedOtherwise(f"hung for {patience} s: {said}" if code is None else f"exit code {code}: {said}")
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
