"""What an operator asks of work: to hold it back, and to release it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import attrs
import msgspec

from persistence import AnswerRecord, Change, HoldRecord, MessageRecord, Sealed, opened
from statemachine.errors import RefusedVerb, RunHeld
from statemachine.runner.clock import from_micros, to_micros
from statemachine.runner.holds import EVERYTHING
from statemachine.runner.mover import Mover, Plan
from statemachine.runner.recording import Asked

VERBS = ("hold", "release")


@attrs.frozen
class Hold:
    """Work that is held back until it is released.

    Attributes:
        workflow: Its name; empty: every workflow.
        step: The name of one step of it; empty: all of the workflow.
        reason: Why.
        actor: By whom.
        at: Since when, UTC.
    """

    workflow: str
    step: str
    reason: str | None
    actor: str | None
    at: datetime

    @classmethod
    def of(cls, record: HoldRecord) -> Hold:
        """From a journal's record."""
        return cls(record.workflow, record.step, record.reason, record.actor, from_micros(record.at))

    def __str__(self) -> str:
        what = f"step {self.step} of {self.workflow}" if self.step else self.workflow or "every workflow"
        return f"{what}{f' by {self.actor}' if self.actor else ''}{f': {self.reason}' if self.reason else ''}"


class Work(msgspec.Struct, frozen=True):
    """What is to be held or released, as a message has it."""

    workflow: str
    step: str = ""

    def __str__(self) -> str:
        return f"step {self.step} of {self.workflow}" if self.step else self.workflow or "every workflow"


@attrs.frozen(eq=False)
class HoldingBack:
    """Hold work back. From the moment that this is planned nothing of it is begun."""

    work: Work
    asked: Asked
    run: str = ""

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        at = to_micros(mover.clock.now())
        records = tuple(
            HoldRecord(workflow=name, step=self.work.step, reason=self.asked.reason, actor=self.asked.actor, at=at)
            for name in self._names(mover)
        )
        plan.changes.append(Change(holds=records, answers=_answers(self.asked)))
        mover.holds.add(records)

    def _names(self, mover: Mover) -> tuple[str, ...]:
        """The workflow's names: its runs keep the one that they were made under until they are moved."""
        work = self.work
        hosted = mover.workflows.get(work.workflow)
        if work.workflow == EVERYTHING:
            if work.step:
                raise _refused(work, "hold", f"step {work.step!r} is of no workflow; name its workflow")
            return (EVERYTHING,)
        if hosted is None:
            if not work.step and any(group.workflow == work.workflow for group in mover.journal.live()):
                return (work.workflow,)
            known = ", ".join(one.definition.name for one in mover.workflows.all) or "none"
            raise _refused(work, "hold", f"its owner has no such workflow; it has: {known}")
        if work.step and work.step not in hosted.steps:
            known = ", ".join(hosted.steps) or "none"
            raise _refused(work, "hold", f"the workflow has no such step; it has: {known}")
        return (hosted.definition.name, *hosted.definition.was)


@attrs.frozen(eq=False)
class Releasing:
    """Release work. It is begun once what was queued meanwhile has been taken: see `reopening`."""

    work: Work
    asked: Asked
    run: str = ""

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        held = {(one.workflow, one.step) for one in mover.journal.holds()}
        hosted = mover.workflows.get(self.work.workflow)
        names = {self.work.workflow} if hosted is None else {hosted.definition.name, *hosted.definition.was}
        ends = tuple(sorted(key for key in held if key[0] in names and key[1] == self.work.step))
        if not ends:
            known = "; ".join(str(Work(*key)) for key in sorted(held)) or "nothing"
            raise _refused(self.work, "release", f"it is not held; held is: {known}")
        plan.changes.append(Change(released=ends, answers=_answers(self.asked)))


@attrs.frozen(eq=False)
class Opening:
    """See the holds as the journal has them by now."""

    run: str = ""

    def plan(self, mover: Mover, _plan: Plan, /) -> None:
        """See `Request.plan`."""
        mover.holds.load(mover.journal)


@attrs.frozen(eq=False)
class GoingOn:
    """Ask again for the work of a run that was held back."""

    run: str

    def plan(self, mover: Mover, plan: Plan, /) -> None:
        """See `Request.plan`."""
        with suppress(RunHeld):  # no workflow here can move it any more: nobody begins it
            plan.resumed = mover.find(self.run)


def of_message(verb: str, raw: bytes, asked: Asked) -> HoldingBack | Releasing:
    """What a message asks."""
    work = msgspec.json.decode(raw, type=Work)
    return HoldingBack(work, asked) if verb == "hold" else Releasing(work, asked)


def take_queued(mover: Mover) -> None:
    """Hold and release what was asked for while nobody owned the journal, before anything is begun."""
    for message in _queued(mover):
        asked = Asked(actor=message.actor, reason=message.reason, message=message.number)
        plan = Plan()
        try:
            of_message(message.name, opened(message.body), asked).plan(mover, plan)
        except Sealed:
            continue  # it waits for whoever has the key; the inbox says so
        except (RefusedVerb, msgspec.DecodeError) as error:
            verdict = "refused" if isinstance(error, RefusedVerb) else "failed"
            answer = AnswerRecord(number=message.number, verdict=verdict, answer=str(error).encode())
            plan.changes = [Change(answers=(answer,))]
        mover.journal.commit(mover.epoch, plan.changes)


def _queued(mover: Mover) -> Iterator[MessageRecord]:
    after = 0
    while page := mover.journal.inbox(after, 500):
        yield from (one for one in page if one.kind == "command" and one.name in VERBS)
        after = page[-1].number


def _refused(work: Work, verb: str, reason: str) -> RefusedVerb:
    return RefusedVerb("", verb, reason, what=str(work))


def _answers(asked: Asked) -> tuple[AnswerRecord, ...]:
    return (AnswerRecord(number=asked.message, verdict="accepted"),) if asked.message else ()
