"""What an operator asks of a whole journal, on both faces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from persistence import Pruned
from statemachine.runner.body import Body
from statemachine.runner.clock import to_micros
from statemachine.runner.operations import REMEMBER, PruneBody, Pruning
from statemachine.runner.post import Post

T = TypeVar("T")


class AsyncKeeping:
    """The part of `AsyncRunner` that keeps its journal. All of it works beside the owner, too."""

    _body: Body
    _post: Post

    async def prune(self, before: datetime, *, remember: timedelta = REMEMBER, dry: bool = False) -> Pruned:
        """Remove, in one commit, the runs that ended before a time, with their journal and answered messages.

        Args:
            before: The UTC time.
            remember: How long from now their event ids are remembered, so that a late resend gets its first verdict.
            dry: Only count.

        Raises:
            Refused, NotAnswered: Where another process moves the runs: it refused, or nobody took it.
        """
        self._body.check()
        until = self._body.clock.now() + remember
        body = PruneBody(to_micros(before), to_micros(until), dry)
        if self._body.owner:
            pruned: Pruned = await self._body.ask(Pruning(body))
            return pruned
        return await self._post.prune(body)


class Keeping(ABC):
    """The part of `Runner` that keeps its journal: the async one, waited for."""

    @abstractmethod
    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Hand a coroutine over to the runner's loop and wait for it."""

    @property
    @abstractmethod
    def face(self) -> AsyncKeeping:
        """The async face, whose coroutines `wait` takes."""

    def prune(self, before: datetime, *, remember: timedelta = REMEMBER, dry: bool = False) -> Pruned:
        """See `AsyncRunner.prune`."""
        return self.wait(self.face.prune(before, remember=remember, dry=dry))
