"""Back-pressure: the way in for starts and events, which wait outside, or are refused, while the runner is behind.

What is in memory is so bounded by what was configured and not by what is asked. Outcomes, undos and an operator's verbs
do not come this way: they never wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from statemachine.errors import Overloaded
from statemachine.runner.line import Lines
from statemachine.runner.requests import Sending, Starting
from statemachine.runner.writer import Writer


class Admission:
    """The way in for starts and events.

    Args:
        writer: Whom to ask.
        check: Raises what a runner that is not open any more is used with, once the waiting is over.
        lines: Where attempts wait.
        queue: How many starts and events may wait for the journal at once.
        refuse: Refuse what would have to wait outside.
    """

    def __init__(self, writer: Writer, check: Callable[[], None], lines: Lines, queue: int, *, refuse: bool) -> None:
        self._writer = writer
        self._check = check
        self._lines = lines
        self._queue = queue
        self._refuse = refuse
        self._places = asyncio.Semaphore(queue)

    async def start(self, request: Starting) -> None:
        """Ask for a start. Raises Overloaded, and what it is refused with."""
        workflow = request.hosted.definition.name
        line = self._lines.of(workflow)
        if self._refuse and line.full:
            why = f"the line of steps of {workflow} is full ({self._queue})"
            raise Overloaded(why)
        async with line.starting():
            await self.send(request)

    async def send(self, request: Starting | Sending) -> Any:
        """Ask for it once there is a place in the queue. Raises Overloaded, and what it is refused with."""
        if self._refuse and self._places.locked():
            why = f"the queue before the journal is full ({self._queue})"
            raise Overloaded(why)
        async with self._places:
            self._check()
            return await self._writer.ask(request)
