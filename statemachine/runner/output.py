"""What steps give out while they work (tokens, progress): told to whoever listens now, and kept nowhere.

A listener has a buffer of its own. One that is slow loses the oldest, and is told how many; the step never waits.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from typing import Any

import attrs

BUFFER = 1024
"""How much of what was given out waits for a listener."""


@attrs.frozen
class Emitted:
    """What a step gave out.

    Attributes:
        run: The run's id.
        step: The step's name.
        visit: The visit of its state.
        attempt: Counted from 1. A new one begins anew: what the one before gave out may come again.
        value: As JSON values.
        lost: How many this listener has lost just before this one, because it was slow.
    """

    run: str
    step: str
    visit: int
    attempt: int
    value: Any
    lost: int = 0


class Listener:
    """What one listener is still to hear. Filled from any thread, emptied on the loop on which it was made."""

    def __init__(self, buffer: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._lock = threading.Lock()
        self._waiting: deque[Emitted] = deque()
        self._buffer = max(buffer, 1)
        self._lost = 0
        self._woken = False
        self._over = False

    def tell(self, emitted: Emitted) -> None:
        """One more; the oldest goes where there is no room."""
        with self._lock:
            if len(self._waiting) >= self._buffer:
                self._waiting.popleft()
                self._lost += 1
            self._waiting.append(emitted)
            self._wake()

    def end(self) -> None:
        """There will be no more."""
        with self._lock:
            self._over = True
            self._wake()

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # its loop is closed, and nobody listens any more
                self._loop.call_soon_threadsafe(self._ready.set)

    async def heard(self) -> AsyncIterator[Emitted]:
        """Each in its turn, until the end."""
        while True:
            with self._lock:
                emitted = self._waiting.popleft() if self._waiting else None
                lost, self._lost = (self._lost, 0) if emitted is not None else (0, self._lost)
                if emitted is None:
                    if self._over:
                        return
                    self._woken = False
                    self._ready.clear()
            if emitted is None:
                await self._ready.wait()
            else:
                yield attrs.evolve(emitted, lost=lost) if lost else emitted


class Outputs:
    """Who listens to which run. Changed on the loop; told from any thread."""

    def __init__(self) -> None:
        self._listeners: dict[str, tuple[Listener, ...]] = {}

    def tell(self, emitted: Emitted) -> None:
        """Tell whoever listens."""
        for listener in self._listeners.get(emitted.run, ()):
            listener.tell(emitted)

    @contextmanager
    def listening(self, run: str, buffer: int) -> Generator[Listener]:
        """Hear what a run's steps give out from now on."""
        listener = Listener(buffer)
        self._listeners[run] = (*self._listeners.get(run, ()), listener)
        try:
            yield listener
        finally:
            listener.end()
            left = tuple(one for one in self._listeners.get(run, ()) if one is not listener)
            if left:
                self._listeners[run] = left
            else:
                self._listeners.pop(run, None)

    def end(self, run: str) -> None:
        """The run is over."""
        for listener in self._listeners.get(run, ()):
            listener.end()

    def close(self) -> None:
        """The runner closes."""
        for run in tuple(self._listeners):
            self.end(run)
