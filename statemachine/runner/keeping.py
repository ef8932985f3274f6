"""What an operator asks of a whole journal, on both faces."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from persistence import Pruned
from statemachine.runner.body import Body
from statemachine.runner.clock import to_micros
from statemachine.runner.erasing import ERASE, Erasing
from statemachine.runner.halting import Hold, HoldingBack, Releasing, Work
from statemachine.runner.holds import EVERYTHING
from statemachine.runner.operations import REMEMBER, PruneBody, Pruning
from statemachine.runner.post import PATIENCE, Post
from statemachine.runner.recording import Asked
from statemachine.runner.restoring import Uncertain, uncertain
from statemachine.steps import Bindable
from statemachine.workflow import Workflow

T = TypeVar("T")
Held = type[Workflow[Any]] | Bindable[Any] | str | None
"""What may be held."""


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

    async def hold(
        self,
        what: Held,
        *,
        step: str = "",
        reason: str | None = None,
        actor: str | None = None,
        timeout: float = PATIENCE,
    ) -> None:
        """Hold work back, durably, until it is released: once this returns, nothing of it is begun any more.

        What runs already runs on, and its outcome is recorded. Of a *step* no new attempt begins; its runs go on
        otherwise, and its undo is not held. Of a *workflow* no attempt and no undo begins, events to its runs wait in
        their order and deadlines wait behind them; starts and the verbs of an operator are taken.

        Args:
            what: A workflow, or a step of one: `LoanApproval`, `LoanApproval.pay`; or a workflow's name. None: all.
            step: With a workflow's name, the name of the step.
            reason: Why; it is shown wherever the hold is.
            actor: Who does it.
            timeout: Seconds to wait, where another process moves the runs, for its answer.

        Raises:
            ValueError: This runner cannot tell whose step is meant; give names.
            RefusedVerb: There is no such workflow or step.
            Refused: Likewise, said by the other process that moves the runs.
            NotAnswered: Nobody has taken it yet. It stays queued: whoever owns the journal next takes it before
                anything is begun.
        """
        await self._ask("hold", self._work(what, step), Asked(actor=actor, reason=reason), timeout)

    async def release(
        self,
        what: Held,
        *,
        step: str = "",
        reason: str | None = None,
        actor: str | None = None,
        timeout: float = PATIENCE,
    ) -> None:
        """End a hold. What was queued meanwhile is taken in its order, then deadlines that have passed, each once.

        The same arguments as `hold`, and it raises the same; what is not held cannot be released.
        """
        await self._ask("release", self._work(what, step), Asked(actor=actor, reason=reason), timeout)

    async def holds(self) -> tuple[Hold, ...]:
        """What is held back, by whom and why."""
        self._body.check()
        return tuple(map(Hold.of, await self._body.io(self._body.journal.holds)))

    def _work(self, what: Held, step: str) -> Work:
        if what is None or isinstance(what, str):
            return Work(what or EVERYTHING, step)
        return Work(*self._body.workflows.called(what))

    async def _ask(self, verb: Literal["hold", "release"], work: Work, asked: Asked, timeout: float) -> None:
        body = self._body
        body.check()
        if not body.owner:
            await self._post.keep(verb, work, asked, timeout)
            return
        try:
            await body.ask(HoldingBack(work, asked) if verb == "hold" else Releasing(work, asked))
        finally:
            body.reopening.want()  # of a hold too: one that could not be committed is not to be seen any more

    async def erase(self, run: str, *, reason: str, actor: str | None = None) -> None:
        """Blank what the journal has of a run's data, in one commit; what the run was, and when, stays.

        Blanked are data, events, results, errors, messages, tags and reasons. Its id, workflow, states, times, event
        ids and who did what stay, with this and its reason as the last line. Once it returns, the bytes are gone from
        the file, too, unless another program reads a view from before; then they go soon after that ends, or when the
        run is erased once more. Backups keep what they have. The same start or event again counts as the first one, for
        there is nothing left to compare it with.

        Args:
            run: Its id.
            reason: Why; it stays in the journal.
            actor: Who asks for it; it stays in the journal.

        Raises:
            RefusedVerb: It is not over.
            NoSuchRun: There is none.
            Refused, NotAnswered: Where another process moves the runs: it refused, or nobody took it.
        """
        self._body.check()
        if self._body.owner:
            await self._body.ask(Erasing(run, Asked(actor=actor, reason=reason)))
        else:
            await self._post.verb(run, ERASE, b"{}", actor=actor, reason=reason)

    async def backup(self, to: str | Path, *, progress: Callable[[int, int], object] | None = None) -> None:
        """Copy the journal, as it is at one moment, into a new file, while it is in use. See `restore`.

        The application's own tables in the same file are copied with it. Nobody waits for it; it is done in a thread,
        and is durable once this returns.

        Args:
            to: Where to; there must be no such file.
            progress: Called now and then, in that thread, with bytes copied, and of how many.

        Raises:
            persistence.Unsuitable: There is something of that name, or the journal is in memory.
            persistence.JournalError: It could not be written; nothing of that name was left.
        """
        self._body.check()
        await asyncio.to_thread(self._body.journal.backup, Path(to), progress)

    async def uncertain(self) -> tuple[Uncertain, ...]:
        """The steps and undos that were asked for and have no outcome: after `restore`, what to look at first."""
        self._body.check()
        body = self._body
        return await asyncio.to_thread(lambda: tuple(uncertain(body.journal, body.workflows)))


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

    def hold(
        self,
        what: Held,
        *,
        step: str = "",
        reason: str | None = None,
        actor: str | None = None,
        timeout: float = PATIENCE,
    ) -> None:
        """See `AsyncRunner.hold`."""
        self.wait(self.face.hold(what, step=step, reason=reason, actor=actor, timeout=timeout))

    def release(
        self,
        what: Held,
        *,
        step: str = "",
        reason: str | None = None,
        actor: str | None = None,
        timeout: float = PATIENCE,
    ) -> None:
        """See `AsyncRunner.release`."""
        self.wait(self.face.release(what, step=step, reason=reason, actor=actor, timeout=timeout))

    def holds(self) -> tuple[Hold, ...]:
        """See `AsyncRunner.holds`."""
        return self.wait(self.face.holds())

    def erase(self, run: str, *, reason: str, actor: str | None = None) -> None:
        """See `AsyncRunner.erase`."""
        self.wait(self.face.erase(run, reason=reason, actor=actor))

    def backup(self, to: str | Path, *, progress: Callable[[int, int], object] | None = None) -> None:
        """See `AsyncRunner.backup`."""
        self.wait(self.face.backup(to, progress=progress))

    def uncertain(self) -> tuple[Uncertain, ...]:
        """See `AsyncRunner.uncertain`."""
        return self.wait(self.face.uncertain())
