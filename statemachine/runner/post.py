"""The way through the journal's inbox: what a client, or an application's own transaction, asks of the owner."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import msgspec

from persistence import MessageRecord, Pruned, RunRecord, opened
from statemachine.errors import AlreadySent, AlreadyStarted, NoSuchRun, NotAnswered, Refused
from statemachine.inputs import Cancel, Kill, Pause, Resolve, Resume
from statemachine.runner.body import Body
from statemachine.runner.clock import to_micros
from statemachine.runner.halting import Work
from statemachine.runner.hosted import Hosted
from statemachine.runner.operations import PruneBody
from statemachine.runner.recording import Asked
from statemachine.runner.requests import StartBody
from statemachine.runner.resends import same_event
from statemachine.runner.stored import digest
from statemachine.runner.views import Plain, Receipt

_POLL = 0.02
PATIENCE = 30.0
"""Seconds a client waits for the owner's answer to a verb."""


@attrs.frozen
class Beginning:
    """What is said of a start beside its data."""

    tags: dict[str, str]
    priority: int
    actor: str | None


class Post:
    """Puts messages, durably, and waits for what the owner answers."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def knows(self, workflow: str) -> bool:
        """Whether this runner was given a workflow, so that its events can be encoded."""
        return self._body.workflows.get(workflow) is not None

    async def start(self, hosted: Hosted, run: str, data: Any, begun: Beginning, *, connection: Any) -> None:
        """Put a start, unless the run exists. Raises AlreadyStarted, NotStored, TooLarge."""
        hosted.stored.data(run, data)
        codec = hosted.stored.codec
        raw = codec.encode(data)
        name = hosted.definition.name
        there = await self._found(run, connection)
        if there is not None and (
            self._body.workflows.get(there.workflow) is not hosted
            or (there.input != digest(codec.canonical(data)) and not there.erased)
        ):
            raise AlreadyStarted(run, there.workflow, name)
        if there is None:
            body = codec.encode(StartBody(name, msgspec.Raw(raw), begun.tags, begun.priority))
            put = await self._put(run, "start", "start", name, body, connection=connection, actor=begun.actor)
            if put.body != body:
                first = codec.decode(put.body, StartBody)
                # Equal data may have other bytes: a set is in another order in each process.
                if self._body.workflows.get(first.workflow) is not hosted or codec.canonical(data) != codec.canonical(
                    codec.decode(bytes(first.data), hosted.definition.code.data)
                ):
                    raise AlreadyStarted(run, first.workflow, name)

    async def start_plain(self, workflow: str, run: str, data: Plain, begun: Beginning) -> MessageRecord:
        """Put a start whose data nobody here knows the type of."""
        raw = msgspec.Raw(msgspec.json.encode(data.fields))
        body = msgspec.json.encode(StartBody(workflow, raw, begun.tags, begun.priority))
        return await self._put(run, "start", "start", workflow, body, connection=None, actor=begun.actor)

    async def send(
        self, run: str, id: str, event: object, *, connection: Any, actor: str | None, reason: str | None
    ) -> Receipt:
        """Put an event. Raises NoSuchRun, UndeclaredEvent, AlreadySent, NotStored, TooLarge."""
        hosted: Hosted | None = None
        if isinstance(event, Plain):
            event_name, raw = event.name, msgspec.json.encode(event.fields)
        else:
            hosted = await self._hosted(run, event, connection)
            event_name = hosted.event_name(event)
            hosted.stored.event(run, event_name, event)
            raw = hosted.stored.codec.encode(event)
        put = await self._put(run, id, "event", event_name, raw, connection=connection, actor=actor, reason=reason)
        if put.body and (put.name, put.body) != (event_name, raw):  # empty: of a run that was erased
            first = put.name, msgspec.Raw(put.body)
            if not same_event(hosted, first, (event_name, msgspec.Raw(raw))):
                raise AlreadySent(run, id, put.name, event_name)
        return Receipt(run, id, put.verdict or "queued", put.number)

    async def command(self, run: str, told: Cancel | Kill | Pause | Resume | Resolve) -> None:
        """Put an operator's verb and wait for the answer. Raises Refused, NotAnswered."""
        name = str(told.__struct_config__.tag)
        await self.verb(run, name, msgspec.json.encode(told), actor=told.actor, reason=told.reason)

    async def verb(self, run: str, name: str, raw: bytes, *, actor: str | None, reason: str | None) -> int:
        """Put what an operator asks and wait for the answer; the message's number. Raises Refused, NotAnswered."""
        nonce = self._body.clock.nonce()
        put = await self._put(run, nonce, "command", name, raw, connection=None, actor=actor, reason=reason)
        await self.answer(run, put.number, PATIENCE)
        return put.number

    async def prune(self, body: PruneBody) -> Pruned:
        """Put a prune and wait for what was removed. Raises Refused, NotAnswered."""
        number = await self.verb("", "prune", msgspec.json.encode(body), actor=None, reason=None)
        message = await self._body.io(lambda: self._body.journal.message(number))
        return msgspec.json.decode(message.answer if message else b"{}", type=Pruned)

    async def keep(self, verb: str, work: Work, asked: Asked, timeout: float) -> None:
        """Put a hold or a release and wait for the answer. Raises Refused, NotAnswered."""
        raw, nonce = msgspec.json.encode(work), self._body.clock.nonce()
        put = await self._put("", nonce, "command", verb, raw, connection=None, actor=asked.actor, reason=asked.reason)
        await self.answer("", put.number, timeout)

    async def _found(self, run: str, connection: Any) -> RunRecord | None:
        """The run; with an application's own connection, without a wait.

        Its transaction may have the file locked. What else this loop ran meanwhile could wait for just that lock, and
        keep the loop from ever coming back here.
        """
        if connection is not None:
            return self._body.journal.run(run)
        return await self._body.io(lambda: self._body.journal.run(run))

    async def _hosted(self, run: str, event: object, connection: Any) -> Hosted:
        """The run's workflow; where its start is still queued, one that declares the event."""
        record = await self._found(run, connection)
        workflows = self._body.workflows
        if record is not None:
            return workflows.named(record.workflow)
        if not workflows.all:
            raise NoSuchRun(run, self._body.journal.name)
        return next((hosted for hosted in workflows.all if type(event) in hosted.names), workflows.all[0])

    async def _put(
        self,
        run: str,
        id: str,
        kind: Any,
        name: str,
        raw: bytes,
        *,
        connection: Any,
        actor: str | None,
        reason: str | None = None,
    ) -> MessageRecord:
        at = to_micros(self._body.clock.now())
        message = MessageRecord(
            run=run,
            id=id,
            kind=kind,
            name=name,
            body=raw,
            at=at,
            actor=actor,
            reason=reason,
            trace=self._body.caller(),
        )
        if connection is not None:
            return self._body.journal.put(message, connection)
        return await self._body.io(lambda: self._body.journal.put(message))

    async def answer(self, run: str, number: int, timeout: float | None) -> str:
        """Wait for the verdict on a message. Raises Refused, NotAnswered."""
        try:
            async with asyncio.timeout(timeout):
                return await self._answer(run, number)
        except TimeoutError:
            raise NotAnswered(run, self._body.journal.name, timeout) from None

    async def _answer(self, run: str, number: int) -> str:
        while True:
            self._body.check()
            message = await self._body.io(lambda: self._body.journal.message(number))
            if message is not None and message.verdict:
                if message.verdict in {"refused", "failed"}:
                    raise Refused(run, opened(message.answer).decode())
                return message.verdict
            await asyncio.sleep(_POLL)
