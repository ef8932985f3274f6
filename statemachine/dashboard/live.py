"""Live updates: what is committed is told to open pages as server-sent events, by names only, never with data.

One look at the journal serves all pages, and none is made while nobody looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import attrs
import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from persistence import JournalError
from statemachine.dashboard.asking import Asking
from statemachine.errors import StateMachineError
from statemachine.runner import Entry

LOOK = 0.4
"""Seconds between two looks at the journal."""
BEAT = 15.0
"""Seconds of silence after which a page is told that the line is still there."""
MOST = 100
"""Pages that may listen at once."""
BEHIND = 256
"""Entries that a slow page may be behind; it is told to look anew after that."""
PAGE = 500

Listener = asyncio.Queue[bytes]


@attrs.define
class Live:
    """Tells open pages what was committed."""

    asking: Asking
    _listeners: set[Listener] = attrs.field(init=False, factory=set[Listener])
    _watching: asyncio.Task[None] | None = attrs.field(init=False, default=None)

    async def events(self, request: Request) -> Response:
        """The stream of one page."""
        if len(self._listeners) >= MOST:
            return PlainTextResponse("Too many pages listen; this one is not live.", 503)
        return StreamingResponse(self._stream(request), media_type="text/event-stream")

    async def _stream(self, request: Request) -> AsyncIterator[bytes]:
        listener: Listener = asyncio.Queue(BEHIND)
        self._listeners.add(listener)
        if not self._watched:
            last = await self._last()
            if not self._watched:
                self._watching = asyncio.create_task(self._watch(last))
        try:
            yield b"retry: 2000\n\n"
            while not await request.is_disconnected():
                try:
                    yield await asyncio.wait_for(listener.get(), BEAT)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._listeners.discard(listener)

    @property
    def _watched(self) -> bool:
        return self._watching is not None and not self._watching.done()

    async def _watch(self, last: int) -> None:
        """Look for as long as somebody listens, for what comes after an entry."""
        while self._listeners:
            with suppress(JournalError, StateMachineError):  # closed, or busy: the pages say so themselves
                found = await self.asking.ask(lambda runner: runner.log(after=last, limit=PAGE))  # noqa: B023 -- now
                if found:
                    last = found[-1].number
                    self._tell(found)
            await asyncio.sleep(LOOK)

    async def _last(self) -> int:
        with suppress(JournalError, StateMachineError):
            found = await self.asking.ask(lambda runner: runner.log(limit=1))
            return found[-1].number if found else 0
        return 0

    def _tell(self, entries: list[Entry]) -> None:
        message = b"".join(told(entry) for entry in entries)
        for listener in self._listeners:
            if listener.full():
                while not listener.empty():
                    listener.get_nowait()
                listener.put_nowait(b"event: behind\ndata: {}\n\n")
            listener.put_nowait(message)


def told(entry: Entry) -> bytes:
    """One entry as an event: its run and what it is, not its body."""
    said = {"run": entry.run, "seq": entry.seq, "kind": entry.kind, "state": entry.state, "at": entry.at}
    return b"event: entry\ndata: " + msgspec.json.encode(said) + b"\n\n"
