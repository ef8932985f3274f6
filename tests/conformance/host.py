"""A host for documents: sessions on the pure core, their queues, and a clock that jumps to the next deadline.

It does what any host does: gives a run its inputs one at a time, keeps the snapshot, performs the commands. With
`reload`, nothing but bytes outlives an input: snapshot, commands and queued inputs are encoded and decoded each time.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import attrs
import msgspec

from statemachine.commands import Command, Finish, Forward, Invoke, Send, StopChild
from statemachine.definition import Definition
from statemachine.inputs import Begin, Cancel, Elapsed, Input, Received
from statemachine.snapshot import Occurrence, Snapshot
from statemachine.transition import Outcome, start, transition
from tests.conformance.datamodel import address
from tests.conformance.reader import DocumentBrokenError, local, read

S = TypeVar("S")

MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)
PATIENCE = 10_000
"""Inputs after which a document is taken never to come to rest."""


@attrs.define(eq=False)
class Session:
    """A run of a document. `parent` is the session that invoked it, as `invoke`; None once that was cancelled."""

    definition: Definition
    snapshot: Snapshot[dict[str, Any]]
    parent: Session | None = None
    invoke: str = ""

    @property
    def id(self) -> str:
        return self.snapshot.run


class Host:
    """Runs a document and those it invokes."""

    def __init__(self, base: Path, *, reload: bool = False) -> None:
        self._base = base
        self._reload = reload
        self._now = MIDNIGHT
        self._sessions: dict[str, Session] = {}
        self._waiting: deque[tuple[Session, Input]] = deque()
        self._errors: deque[tuple[Session, Input]] = deque()
        """Errors of communication, which SCXML has in the internal queue: they come before what waits."""
        self.trace: list[object] = []
        """What each input did, in order: for comparing two hosts."""

    def run(self, text: str) -> tuple[str, ...]:
        """The states in which a document comes to rest, once it is over or nothing more can happen."""
        main = self._begin(read(text, self._base, self._reaches), {}, None, "")
        for _ in range(PATIENCE):
            if main.snapshot.over:
                break
            told = self._next()
            if told is None:
                break
            session, happened = told
            if not session.snapshot.over:
                self._settle(session, transition(session.definition, session.snapshot, happened, self._now))
        return main.snapshot.states

    def _next(self) -> tuple[Session, Input] | None:
        """The next input: an error, then an event that waits, then the first timer, to which the clock jumps."""
        for queue in (self._errors, self._waiting):
            if queue:
                session, told = queue.popleft()
                return session, self._kept(told)
        timers = [
            (timer.due, timer.number, session)
            for session in self._sessions.values()
            for timer in session.snapshot.timers
        ]
        if not timers:
            return None
        due, number, session = min(timers, key=lambda timer: timer[:2])
        self._now = max(self._now, due)
        return session, Elapsed(number)

    def _begin(self, definition: Definition, data: dict[str, Any], parent: Session | None, invoke: str) -> Session:
        name = f"session{len(self._sessions) + 1}"
        blank = Snapshot(run=name, nonce="", workflow=definition.name, definition="", data=data, now=self._now)
        session = self._sessions[name] = Session(definition, blank, parent, invoke)
        self._settle(session, start(definition, name, Begin(data, nonce="n"), self._now))
        return session

    def _settle(self, session: Session, outcome: Outcome) -> None:
        """Keep the snapshot, then perform the commands."""
        snapshot = outcome.snapshot
        if self._reload:
            snapshot = msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot[dict[str, Any]])
        session.snapshot = snapshot
        self.trace.append((outcome.verdict, outcome.exited, outcome.entered, snapshot, outcome.commands))
        for command in outcome.commands:
            self._perform(session, self._kept(command))

    def _kept(self, value: S) -> S:
        """A command or an input as it is after it was stored."""
        return msgspec.json.decode(msgspec.json.encode(value), type=type(value)) if self._reload else value

    def _perform(self, session: Session, command: Command) -> None:
        match command:
            case Send():
                self._send(session, command)
            case Invoke():
                self._invoke(session, command)
            case StopChild():
                self._stop(self._child(session, command.id))
            case Forward():
                self._tell(self._child(session, command.id), command.occurrence)
            case Finish(status="completed") if session.parent is not None:
                done = Occurrence(
                    f"done.invoke.{session.invoke}", command.value, origin=session.id, invoke=session.invoke
                )
                self._tell(session.parent, done)
            case _:
                """Timers are read from the snapshot; documents have no steps."""

    def _send(self, session: Session, command: Send) -> None:
        receiver = self._resolve(session, command.to)
        if receiver is None:
            error = Occurrence("error.communication", f"nobody is at {command.to}", "platform", send_id=command.send_id)
            self._errors.append((session, Received(error)))
            return
        child = session.invoke if receiver is session.parent else None
        sent = Occurrence(command.name, command.value, send_id=command.send_id, origin=session.id, invoke=child)
        self._tell(receiver, sent)

    def _tell(self, receiver: Session | None, occurrence: Occurrence) -> None:
        if receiver is not None and not receiver.snapshot.over:
            self._waiting.append((receiver, Received(occurrence)))

    def _invoke(self, session: Session, command: Invoke) -> None:
        what = command.what
        try:
            text = what.content or local(what.src, self._base).read_text(encoding="utf-8")
            definition = read(text, self._base, self._reaches)
        except (OSError, DocumentBrokenError) as error:
            self._errors.append((session, Received(Occurrence("error.communication", str(error), "platform"))))
            return
        self._begin(definition, dict(what.data or {}), session, command.id)

    def _stop(self, child: Session | None) -> None:
        """Cancel a child. Nothing that it does from now on reaches its parent (SCXML 6.4)."""
        if child is not None:
            child.parent = None
            self._settle(child, transition(child.definition, child.snapshot, Cancel(), self._now))

    def _child(self, session: Session, invoke: str) -> Session | None:
        for child in reversed(self._sessions.values()):
            if child.parent is session and child.invoke == invoke and not child.snapshot.over:
                return child
        return None

    # Who is where (SCXML C.1).

    def _resolve(self, session: Session, target: str) -> Session | None:
        if not target or target == address(session.id):
            return session
        if target == "#_parent":
            return session.parent
        if target.startswith(address("")):
            other = self._sessions.get(target.removeprefix(address("")))
            return other if other is not None and not other.snapshot.over else None
        return self._child(session, target.removeprefix("#_"))

    def _reaches(self, session: str, target: str) -> bool:
        return self._resolve(self._sessions[session], target) is not None
