"""How the pages ask a runner: the async one on this loop, a sync one through a thread; and who acts for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import attrs

from statemachine.definition import Definition
from statemachine.runner import AsyncRunner, Runner

T = TypeVar("T")
Work = Callable[[AsyncRunner], Coroutine[Any, Any, T]]
Acting = Callable[[], AbstractContextManager[Runner]]


@attrs.frozen
class Asking:
    """A runner, to be asked from a server's loop.

    Attributes:
        runner: A sync runner or client, open by the time a page is asked for; or an async one of this loop.
        acting: Opens whom to ask for a change, where that is not the runner itself.
    """

    runner: Runner | AsyncRunner
    acting: Acting | None = None

    @property
    def definitions(self) -> dict[str, Definition]:
        """The workflows it knows, by their names, former ones too."""
        face = self.runner if isinstance(self.runner, AsyncRunner) else self.runner.face
        return {name: one for one in face.definitions for name in (one.name, *one.was)}

    def ask(self, work: Work[T]) -> Awaitable[T]:
        """What the work gives, or raises."""
        if isinstance(self.runner, AsyncRunner):
            return work(self.runner)
        return asyncio.to_thread(_asked, self.runner, work)

    def act(self, work: Work[T]) -> Awaitable[T]:
        """The same, for work that changes a run."""
        acting = self.acting
        if acting is None:
            return self.ask(work)
        return asyncio.to_thread(_acted, acting, work)


def _asked(runner: Runner, work: Work[T]) -> T:
    return runner.wait(work(runner.face))


def _acted(acting: Acting, work: Work[T]) -> T:
    with acting() as runner:
        return _asked(runner, work)
