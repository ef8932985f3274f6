"""Takes what others have put into the journal's inbox: clients, an application's own transactions, other runs.

Messages are asked of the writer in the order of their arrival, and stay in the inbox until the commit that answers
them. One that no workflow here can take (its run is held, or would be of a workflow that this runner was not given)
stays there for a later owner, and what is put behind it for the same run stays with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from persistence import JournalError, MessageRecord, Sealed
from statemachine.errors import RunHeld, RunnerClosed, StateMachineError, UnknownWorkflow
from statemachine.runner.erasing import ERASE
from statemachine.runner.holds import EVERYTHING, HeldBack
from statemachine.runner.logs import fields
from statemachine.runner.mover import Mover, Request
from statemachine.runner.requests import Answering, Holding, Reading, from_message
from statemachine.runner.waiting import first_of
from statemachine.runner.writer import Writer

log = logging.getLogger("statemachine")
PAGE = 256
"""Messages read at once."""


class Inbox:
    """See the module.

    Args:
        writer: Whom to ask.
        poll: Seconds between two looks for messages of other processes.
        released: Called when a message has released work.
    """

    def __init__(self, writer: Writer, poll: float, released: Callable[[], None]) -> None:
        self._writer = writer
        self._poll = poll
        self._woken = asyncio.Event()
        self._taken = 0
        self._untaken: set[str] = set()
        """Runs a message of which nobody here can take: those behind it wait with it."""
        self._released = released
        self._lock = asyncio.Lock()
        self._left: dict[int, str] = {}
        """Numbers of the messages that wait because a person holds back their run's workflow, with its name."""

    @property
    def taken(self) -> int:
        """Number of the last message that was taken."""
        return self._taken

    def wake(self) -> None:
        """There is a message that `Journal.pulse` does not tell of."""
        self._woken.set()

    async def watch(self) -> None:
        """Take messages as they come."""
        pulse = -1
        while True:
            beat: int = await self._writer.ask(Reading(lambda mover: mover.journal.pulse()), must=True)
            if beat != pulse or self._woken.is_set():
                pulse = beat
                self._woken.clear()
                await self.take()
            await first_of(asyncio.sleep(self._poll), self._woken.wait())

    async def take(self) -> None:
        """Take all that are there now."""
        async with self._lock:
            while True:
                page: list[MessageRecord] = await self._writer.ask(Reading(_after(self._taken)), must=True)
                for message in page:
                    if message.number > self._taken:
                        self._taken = message.number
                        self._take(message)
                if len(page) < PAGE:
                    return

    async def drain(self, opening: Request) -> None:
        """Take what waited for a release, in the order of its arrival and in front of all else; then ask `opening`."""
        async with self._lock:
            while waited := await self._writer.ask(Reading(self._waited), must=True):
                permit, messages = waited
                for message in messages:
                    self._left.pop(message.number, None)
                    if not message.verdict:
                        self._take(message, permit)
            await self._writer.ask(opening, must=True)

    def _waited(self, mover: Mover) -> tuple[int, list[MessageRecord]] | None:
        """The next messages of workflows that are held no more, and what lets them through."""
        held = {one.workflow for one in mover.journal.holds() if not one.step}
        left = {} if EVERYTHING in held else self._left
        numbers = sorted(number for number, workflow in list(left.items()) if workflow not in held)[:PAGE]
        found = (mover.journal.message(number) for number in numbers)
        return (mover.holds.added, [message for message in found if message is not None]) if numbers else None

    def _take(self, message: MessageRecord, permit: int = -1) -> None:
        if message.run in self._untaken:
            return
        try:
            request = from_message(self._writer.mover, message, permit)
        except (UnknownWorkflow, Sealed) as error:
            what = "start" if message.kind == "start" else f"{message.kind} {message.name}"
            log.warning("The %s of run %s waits: %s", what, message.run, error, extra=fields(None, message.run))
            self._untaken.add(message.run)
        except Exception as error:  # noqa: BLE001 -- whatever a client has put must not stop the others
            self._answer(message, error)
        else:
            # A must: one that were refused because the journal is busy would be overtaken by those behind it.
            self._writer.ask(request, must=True).add_done_callback(lambda done: self._answered(message, done))

    def _answered(self, message: MessageRecord, done: asyncio.Future[None]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if isinstance(error, HeldBack):
            self._left[message.number] = error.workflow
        elif message.name == "release" and error is None:
            self._released()
        elif error is None and (message.kind, message.name) == ("command", ERASE):
            self._writer.tell(Answering(message.run, message.number, "accepted", ""))
        elif isinstance(error, RunHeld):
            self._writer.tell(Holding(message.run, error.reason))
        elif error is not None and not isinstance(error, RunnerClosed | JournalError):
            self._answer(message, error)

    def _answer(self, message: MessageRecord, error: BaseException) -> None:
        kind = type(error).__qualname__
        sender = f", sent by run {message.actor}," if message.kind == "sent" else ""
        log.warning(
            "Message %s to run %s%s was refused: %s",
            message.id,
            message.run,
            sender,
            kind,
            extra=fields(None, message.run),
        )
        verdict = "refused" if isinstance(error, StateMachineError) else "failed"
        self._writer.tell(Answering(message.run, message.number, verdict, str(error)))


def _after(number: int) -> Callable[[Mover], list[MessageRecord]]:
    return lambda mover: mover.journal.inbox(number, PAGE)
