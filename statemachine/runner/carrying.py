"""Carries attempts that end without waiting for anything through one task, one after another.

A task, its callbacks and an alarm cost more than a step that only computes. So async steps are called one after another
in one task, until one of them waits: the task is then its own from there on, its alarm is set, and those behind it get
tasks of their own, as does every later attempt of that step. None can tell the difference: where one leaves its mark on
the task (a context variable, a cancellation), no other is called in it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context, copy_context

import attrs

from statemachine.runner.attempts import Attempt
from statemachine.runner.clock import Clock
from statemachine.runner.hosted import HostedStep


@attrs.define(eq=False)
class _Go:
    """One task on its way from attempt to attempt."""

    step: HostedStep | None = None
    """Whose attempt it is at; None: at none."""
    attempt: Attempt | None = None


class Carrier:
    """See the module. Used on the runner's loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[tuple[HostedStep, Attempt]] = deque()
        self._slow: set[HostedStep] = set()
        """Steps that have waited for something, or left a mark."""
        self._going: asyncio.Task[None] | None = None

    def takes(self, step: HostedStep) -> bool:
        """Whether attempts of this step are carried."""
        return step.brief and step not in self._slow

    def add(self, step: HostedStep, attempt: Attempt) -> None:
        """Begin an attempt as soon as the loop comes to it."""
        self._waiting.append((step, attempt))
        if self._going is None:
            self._going = asyncio.get_running_loop().create_task(self._carry(_Go()))

    async def _carry(self, go: _Go) -> None:
        task, context = asyncio.current_task(), copy_context()
        # It is called when this task has come to its end, or to an attempt that waits.
        asyncio.get_running_loop().call_soon(self._look, go)
        while self._waiting and task is not None:
            go.step, go.attempt = step, attempt = self._waiting.popleft()
            if attempt.begun:  # somebody had to have its task before
                continue
            attempt.carry(task)
            await attempt.work(attempt)
            if not attempt.carried:
                return
            attempt.ended(attempt)
            if task.cancelling() or _marked(context):
                self._slow.add(step)
                break
        go.attempt = None
        context.run(self._spread)  # a task takes over the context that it is made in

    def _look(self, go: _Go) -> None:
        """Leave a task to the attempt that waits in it."""
        if go.attempt is not None and go.step is not None:
            self._slow.add(go.step)
            go.attempt.own(self._clock)
            self._spread()

    def _spread(self) -> None:
        """Give each that is left a task of its own."""
        self._going = None
        while self._waiting:
            _, attempt = self._waiting.popleft()
            if not attempt.begun:
                attempt.start()


def _marked(context: Context) -> bool:
    """Whether the context is another by now, or cannot be compared."""
    try:
        return copy_context() != context
    except Exception:  # noqa: BLE001 -- the values are of others, and so is how they compare
        return True
