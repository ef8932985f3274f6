"""Starts an example's server as its user would, on a free port, and ends it with all its workers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import attrs
import httpx

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds a condition may take on a busy machine."""
T = TypeVar("T")


@attrs.frozen
class Serving:
    """A server that listens."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def serving(module: str, folder: Path, *arguments: str) -> Iterator[Serving]:
    """`python -m module … --port 0` while the block runs; what it says goes to a file in `folder`."""
    log = folder / f"{module}.log"
    command = [sys.executable, "-m", module, *arguments, "--port", "0"]
    with log.open("wb") as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, start_new_session=True)
    try:
        yield Serving(until(lambda: _listens(process, log), "it listens"), process, log)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        with suppress(ProcessLookupError):  # workers that their parent has left behind
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _listens(process: subprocess.Popen[bytes], log: Path) -> str | None:
    said = log.read_text(encoding="utf-8", errors="replace")
    assert process.poll() is None, said
    found = re.search(r"http://127\.0\.0\.1:\d+", said)
    return found and found[0]


def until(look: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """What `look` gives, once it gives something."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    message = f"waited {patience} s in vain until {what}"
    raise AssertionError(message)


def insist(method: str, url: str, *, key: str | None = None, json: object = None, **params: str) -> httpx.Response:
    """The answer of whichever worker gives one: a caller that repeats its request under the same ids."""
    headers = {} if key is None else {"Idempotency-Key": key}

    def ask() -> httpx.Response | None:
        try:
            answer = httpx.request(method, url, params=params, json=json, headers=headers, timeout=30)
        except httpx.TransportError:  # the worker that had it has died
            return None
        return None if answer.status_code == 503 else answer

    return until(ask, f"{method} {url} is answered")
