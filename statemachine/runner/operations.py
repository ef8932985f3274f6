"""What an operator asks of a whole journal: whether all is well, and to remove what is over and old."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs
import msgspec

from persistence import AnswerRecord, Change, Journal, Query
from statemachine.runner.clock import from_micros, to_micros
from statemachine.runner.halting import Hold
from statemachine.runner.mover import Mover, Plan
from statemachine.runner.recording import NOBODY, Asked

REMEMBER = timedelta(days=30)
"""How long event ids are remembered after their runs were pruned, when nothing else is said."""
LATE = timedelta(minutes=1)
"""How long after its deadline a timer is overdue: its owner is dead, or does not keep up."""
COUNTED = 10_000
"""Up to how many overdue runs and waiting messages are counted."""


class PruneBody(msgspec.Struct, frozen=True):
    """A prune as a message. Times in microseconds."""

    before: int
    remember: int
    dry: bool


@attrs.frozen(eq=False)
class Pruning:
    """Remove what is over and was moved last before a time. Answers `Pruned`."""

    body: PruneBody
    asked: Asked = NOBODY
    run: str = ""

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`. It is a commit of its own, before those of the batch it is in."""
        body = self.body
        pruned = mover.journal.prune(mover.epoch, body.before, body.remember, dry=body.dry)
        if not body.dry:
            mover.forget()
        plan.answer = pruned
        if self.asked.message:
            told = AnswerRecord(number=self.asked.message, verdict="accepted", answer=msgspec.json.encode(pruned))
            plan.changes.append(Change(answers=(told,)))


@attrs.frozen
class Health:
    """How a journal is, at one point.

    Attributes:
        owner: Who moves its runs; None when nobody alive does.
        live: Runs that are not over.
        incidents: Runs that need a person.
        held: Runs that no workflow of the owner can move.
        overdue: Runs whose deadline passed more than a minute ago, counted up to 10,000.
        oldest: The earliest of these deadlines, UTC.
        messages: Messages that nobody has taken, counted up to 10,000.
        waiting: When the oldest of them was put, UTC.
        file: Bytes of the database.
        log: Bytes of its write-ahead log that are in use.
        holds: What a person holds back.
        unheard: Notices that nobody could be told of for more than a minute, counted up to 10,000.
        silent: When the oldest of them was written, UTC.
    """

    owner: str | None
    live: int
    incidents: int
    held: int
    overdue: int
    oldest: datetime | None
    messages: int
    waiting: datetime | None
    file: int
    log: int
    holds: tuple[Hold, ...] = ()
    unheard: int = 0
    silent: datetime | None = None


def health(journal: Journal, now: datetime) -> Health:
    """Look. Every question is answered by an index."""
    due = journal.due(to_micros(now - LATE), COUNTED)
    inbox = journal.inbox(0, COUNTED)
    unheard = [one for one in journal.notices(0, COUNTED) if one.at < to_micros(now - LATE)]
    file, log = journal.size()
    return Health(
        owner=journal.owner(),
        live=sum(group.runs for group in journal.live()),
        incidents=journal.count(Query(incident=True)),
        held=journal.count(Query(held=True)),
        overdue=len(due),
        oldest=from_micros(due[0][0]) if due else None,
        messages=len(inbox),
        waiting=from_micros(inbox[0].at) if inbox else None,
        file=file,
        log=log,
        holds=tuple(map(Hold.of, journal.holds())),
        unheard=len(unheard),
        silent=from_micros(unheard[0].at) if unheard else None,
    )
