"""The async face: start runs, send them events, wait for them, look at them, steer them.

Where the runner owns the journal, a verb returns when its commit is durable. Where it stands by, or is a `Client`,
what changes anything is put into the journal's inbox, durably, and the owner takes it from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, TypeVar

import msgspec

from statemachine.errors import NotOver, RefusedVerb, RunHeld, UnknownWorkflow
from statemachine.inputs import Cancel, IncidentVerb, Kill, Pause, Resolve, Resume
from statemachine.runner.body import Body, Watcher
from statemachine.runner.holds import HeldBack
from statemachine.runner.keeping import AsyncKeeping
from statemachine.runner.loaded import Loaded
from statemachine.runner.looking import AsyncLooking, Entries, state_name
from statemachine.runner.output import BUFFER, Emitted, Listener
from statemachine.runner.post import Beginning, Post
from statemachine.runner.recording import Asked
from statemachine.runner.requests import Commanding, Sending, Starting
from statemachine.runner.story import Story
from statemachine.runner.views import Plain, Receipt, Result, RunView, Transitioned
from statemachine.snapshot import OVER
from statemachine.states import Nested, State
from statemachine.workflow import Workflow

D = TypeVar("D")
_POLL = 0.02
"""Seconds between two looks at a run that another process moves."""


class AsyncRun(Generic[D]):
    """A handle on one run; it holds nothing but the id."""

    def __init__(self, runner: AsyncRunner, id: str) -> None:
        self._runner = runner
        self.id = id

    def __repr__(self) -> str:
        return f"AsyncRun({self.id!r})"

    async def look(self, *, plain: bool = False) -> RunView[D]:
        """See `AsyncRunner.look`."""
        return await self._runner.look(self.id, plain=plain)

    async def within(self, state: State | type[Nested] | str) -> bool:
        """Whether a state, or a compound by its class or name, is active."""
        return state_name(state) in (await self.look()).within

    async def send(
        self, event: object, *, id: str | None = None, actor: str | None = None, reason: str | None = None
    ) -> Receipt:
        """See `AsyncRunner.send`."""
        return await self._runner.send(self.id, event, id=id, actor=actor, reason=reason)

    async def result(self, timeout: float | None = None) -> Result[D]:
        """See `AsyncRunner.result`."""
        return await self._runner.result(self.id, timeout)

    async def cancel(self, *, reason: str | None = None, actor: str | None = None) -> None:
        """Undo what was done, then end as cancelled.

        Waits for a pivot that runs. Raises RefusedVerb after the pivot.
        """
        await self._runner.command(self.id, Cancel(actor, reason))

    async def kill(self, *, reason: str | None = None, actor: str | None = None) -> RunView[D]:
        """End now and undo nothing.

        The view's `undo` lists what was left. Its data is JSON values where the runner was not given its workflow.
        """
        await self._runner.command(self.id, Kill(actor, reason))
        try:
            return await self.look()
        except UnknownWorkflow:
            return await self.look(plain=True)

    async def erase(self, *, reason: str, actor: str | None = None) -> None:
        """See `AsyncRunner.erase`."""
        await self._runner.erase(self.id, reason=reason, actor=actor)

    async def pause(self, *, reason: str | None = None, actor: str | None = None) -> None:
        """Start nothing new; events wait."""
        await self._runner.command(self.id, Pause(actor, reason))

    async def resume(self, *, reason: str | None = None, actor: str | None = None) -> None:
        """Go on after `pause`."""
        await self._runner.command(self.id, Resume(actor, reason))

    async def retry(self, incident: int, *, reason: str | None = None, actor: str | None = None) -> None:
        """Decide an incident: try again, under the same key."""
        await self._resolve(incident, "retry", reason, actor)

    async def skip(self, incident: int, *, reason: str, actor: str | None = None) -> None:
        """Decide an incident: it had no effect (a step), or it stays not undone (an undo)."""
        await self._resolve(incident, "skip", reason, actor)

    async def done(self, incident: int, *, reason: str, actor: str | None = None) -> None:
        """Decide an incident: it took effect (a step), or was undone by hand (an undo)."""
        await self._resolve(incident, "done", reason, actor)

    async def _resolve(self, incident: int, verb: IncidentVerb, reason: str | None, actor: str | None) -> None:
        await self._runner.command(self.id, Resolve(incident, verb, actor, reason))

    def output(self, *, buffer: int = BUFFER) -> AbstractAsyncContextManager[AsyncIterator[Emitted]]:
        """See `AsyncRunner.output`."""
        return self._runner.output(self.id, buffer=buffer)

    async def journal(self, *, after: int = 0, limit: int = 1000) -> Entries:
        """Its journal from the line after number `after`, oldest first."""
        return await self._runner.journal(self.id, after=after, limit=limit)

    async def story(self) -> Story:
        """See `AsyncRunner.story`."""
        return await self._runner.story(self.id)


class AsyncRunner(AsyncLooking, AsyncKeeping):
    """What `async with Runner(...)` and `await Runner(...)` give. See `Runner` for its parameters."""

    def __init__(self, body: Body, leave: Callable[[], Awaitable[None]] | None = None) -> None:
        self._body = body
        self._post = Post(body)
        self._leave = leave or body.close

    async def close(self) -> None:
        """Close it: running steps get their grace. For a runner that was opened by `await Runner(...)`."""
        await self._leave()

    @property
    def owner(self) -> bool:
        """Whether this runner moves the journal's runs."""
        return self._body.owner

    async def start(
        self,
        workflow: type[Workflow[D]],
        data: D,
        *,
        id: str | None = None,
        tags: Mapping[str, str] | None = None,
        priority: int = 0,
        connection: Any = None,
        actor: str | None = None,
    ) -> AsyncRun[D]:
        """Start a run; once it returns, the run is durable. The same id with the same data again is the same run.

        Args:
            workflow: The workflow's class.
            data: The run's first data.
            id: The run's id, chosen by the caller; a random one when not given.
            tags: For finding it again with `list`.
            priority: Where its steps wait for their turn, a higher one goes first. What runs is not interrupted.
            connection: The application's own connection to the same database (DB-API, or Django's). The start becomes
                part of its transaction, and the run begins when that commits. Nothing is awaited then, for the
                transaction may have the file locked.
            actor: Who starts it.

        Raises:
            AlreadyStarted: The id belongs to a run that was started with something else.
            UnknownWorkflow: The runner was not given this workflow.
            TooLarge, NotStored: The data cannot be recorded.
            persistence.WrongConnection: It would not be part of a transaction on `connection`.
            Overloaded: It would have to wait for the journal or for the workflow's steps (see `Runner(refuse=True)`).
        """
        body = self._body
        body.check()
        hosted = body.workflows.of(workflow)
        run = id if id is not None else body.clock.nonce()
        if body.owner and connection is None:
            asked = Asked(actor=actor, trace=body.caller())
            await body.admission.start(Starting(run, hosted, data, dict(tags or {}), asked, priority))
        else:
            begun = Beginning(dict(tags or {}), priority, actor)
            await self._post.start(hosted, run, data, begun, connection=connection)
        return AsyncRun(self, run)

    async def send(
        self,
        run: str,
        event: object,
        *,
        id: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        connection: Any = None,
    ) -> Receipt:
        """Send an event to a run; once it returns, the event is durable.

        Args:
            run: The run's id.
            event: The event; or `Plain`, by its name and JSON values.
            id: By which a resend is known: the same event under the same id again gets the first verdict and changes
                nothing.
            actor: Who sends it.
            reason: Why.
            connection: The application's own connection to the same database; the event becomes part of its
                transaction.

        Returns:
            `accepted` or `deferred`; `queued` where another process moves the run, or the run is held (see `verdict`).

        Raises:
            NotAccepted: No transition is enabled by it now.
            RunOver, BeingUndone: The run takes no events any more.
            UndeclaredEvent: The workflow does not declare its type.
            AlreadySent: The id belongs to another event.
            NoSuchRun: There is no such run.
            RunHeld: The runner was not given its workflow.
            persistence.WrongConnection: It would not be part of a transaction on `connection`.
            Overloaded: It would have to wait for the journal (see `Runner(refuse=True)`).
        """
        body = self._body
        body.check()
        name = id if id is not None else body.clock.nonce()
        if body.owner and connection is None:
            asked = Asked(event_id=name, remember=id is not None, actor=actor, reason=reason, trace=body.caller())
            try:
                verdict = await body.send(_sending(run, event, asked))
            except RunHeld as held:
                if not isinstance(held, HeldBack):
                    await body.hold(held)
                if not self._post.knows(held.workflow):
                    raise
            else:
                return Receipt(run, name, verdict)
        return await self._post.send(run, name, event, connection=connection, actor=actor, reason=reason)

    async def verdict(self, receipt: Receipt, timeout: float | None = None) -> Receipt:
        """Wait for what became of a queued event.

        Raises:
            Refused: The run did not take it; the message says why.
            NotAnswered: Nobody has taken it yet. It stays queued.
        """
        if receipt.verdict != "queued":
            return receipt
        verdict = await self._post.answer(receipt.run, receipt.number, timeout)
        return Receipt(receipt.run, receipt.id, verdict, receipt.number)

    async def command(self, run: str, told: Cancel | Kill | Pause | Resume | Resolve) -> None:
        """Give a run an operator's verb.

        Raises:
            RefusedVerb: It does not fit the run.
            Refused: Likewise, said by the other process that moves the run.
            NotAnswered: That process has not answered in 30 seconds. The verb stays queued.
        """
        body = self._body
        body.check()
        asked = Asked(actor=told.actor, reason=told.reason)
        if body.owner:
            await body.ask(Commanding(run, told, asked))
            return
        await self._post.command(run, told)

    async def start_plain(
        self,
        workflow: str,
        data: Plain,
        *,
        id: str,
        tags: Mapping[str, str] | None = None,
        priority: int = 0,
        actor: str | None = None,
    ) -> Receipt:
        """Start a run of a workflow by name, with JSON values as its data; for tools that know no workflow.

        Returns:
            `queued`: whoever owns the journal takes it; `verdict` waits for that.
        """
        self._body.check()
        put = await self._post.start_plain(workflow, id, data, Beginning(dict(tags or {}), priority, actor))
        return Receipt(id, put.id, put.verdict or "queued", put.number)

    def get(self, id: str) -> AsyncRun[Any]:
        """A handle on a run, whether it exists or not."""
        return AsyncRun(self, id)

    async def result(self, run: str, timeout: float | None = None) -> Result[Any]:
        """Wait until a run is over.

        Args:
            run: Its id.
            timeout: Seconds to wait; None waits for as long as it takes.

        Raises:
            NotOver: It is not over by then. It goes on.
            NoSuchRun: There is no such run.
        """
        self._body.check()
        try:
            async with asyncio.timeout(timeout):
                ended = await self._over(run)
        except TimeoutError:
            record = await self.record(run)
            if not record.over:
                raise NotOver(run, record.status, record.states, timeout or 0.0) from None
            ended = None
        if ended is not None:
            return Result.of(ended.record, ended.snapshot)
        record = await self.record(run)
        return Result.of(record, Loaded.of(record, self._body.workflows.named(record.workflow)).snapshot)

    async def _over(self, run: str) -> Loaded | None:
        """Wait for the end of a run; what it ended as, where it is in memory."""
        if self._body.owner:
            return await self._body.ended(run)
        while True:
            self._body.check()
            record = await self._body.io(lambda: self._body.journal.run(run))
            if record is not None and record.over:
                return None
            await asyncio.sleep(_POLL)

    @asynccontextmanager
    async def watch(self, run: str) -> AsyncGenerator[AsyncIterator[Transitioned]]:
        """Subscribe to a run's transitions, each given after it was committed; ends with the run.

        The run need not be there yet. ::

            async with runner.watch("loan-42") as transitions:
                async for transition in transitions: ...

        Raises:
            RefusedVerb: Another process moves the journal's runs, and tells nobody of their transitions.
            RunnerClosed: While waiting for the next one: the runner was closed, or has lost its journal.
        """
        body = self._body
        body.check()
        if not body.owner:
            raise RefusedVerb(run, "watch", "another process moves it; look at it, or wait for its result")
        with body.watching(run) as watcher:
            record = await body.io(lambda: body.journal.run(run))
            yield _until_over(body, watcher, over=record is not None and record.over)

    @asynccontextmanager
    async def output(self, run: str, *, buffer: int = BUFFER) -> AsyncGenerator[AsyncIterator[Emitted]]:
        """Subscribe to what a run's steps give out by `call.emit` from now on; ends with the run, or the block.

        Nothing of it is kept: who does not listen does not hear it, and a crash or a new attempt may give out again
        what was heard. The run need not be there yet. ::

            async with runner.output("chat-7") as output:
                async for emitted in output: print(emitted.value, end="")

        Args:
            run: The run's id.
            buffer: How many may wait to be taken. The oldest go when there are more; `Emitted.lost` says how many.

        Raises:
            RefusedVerb: Another process moves the journal's runs, and is heard there alone.
            RunnerClosed: While waiting for the next one.
        """
        body = self._body
        body.check()
        if not body.owner:
            raise RefusedVerb(run, "listen to", "another process moves it, where alone it is heard")
        with body.outputs.listening(run, buffer) as listener:
            record = await body.io(lambda: body.journal.run(run))
            if record is not None and record.over:
                listener.end()
            yield _heard(body, run, listener)


async def _heard(body: Body, run: str, listener: Listener) -> AsyncIterator[Emitted]:
    async for emitted in listener.heard():
        yield emitted
    record = await body.io(lambda: body.journal.run(run)) if body.owner else None
    if record is None or not record.over:
        body.check()


def _sending(run: str, event: object, asked: Asked) -> Sending:
    if isinstance(event, Plain):
        return Sending(run, event.name, msgspec.Raw(msgspec.json.encode(event.fields)), asked)
    return Sending(run, None, event, asked)


async def _until_over(body: Body, watcher: Watcher, *, over: bool) -> AsyncIterator[Transitioned]:
    while not over or not watcher.empty():
        transitioned = await watcher.get()
        if transitioned is None:
            body.check()
            return
        yield transitioned
        over = over or transitioned.status in OVER
