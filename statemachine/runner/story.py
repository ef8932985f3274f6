"""A run's story, told from its journal: what each entry left and entered, and each attempt of its work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

import attrs

from persistence import EntryRecord, RunRecord
from statemachine.commands import RunStep, Undo
from statemachine.definition import Definition
from statemachine.inputs import Failed, Kill, Lost, Stopped, Succeeded, Taken, UndoFailed, Undone
from statemachine.runner.fans import ReadItems
from statemachine.runner.folding import Folded, UnfoldableError, fold
from statemachine.runner.holds import Holds
from statemachine.runner.hosted import Hosted
from statemachine.runner.views import Entry
from statemachine.snapshot import Failure, Incident, Snapshot

Ended = Literal["running", "succeeded", "failed", "stopped", "lost", "left", "held"]


@attrs.frozen
class StoryLine:
    """One entry of the journal and what came of it.

    Attributes:
        entry: The entry.
        exited: States it left, in that order.
        entered: States it entered, in that order.
        failure: What a step or an undo failed with.
        incidents: The incidents it opened.
    """

    entry: Entry
    exited: tuple[str, ...] = ()
    entered: tuple[str, ...] = ()
    failure: Failure | None = None
    incidents: tuple[Incident, ...] = ()


@attrs.frozen
class Attempt:
    """One attempt of a step, or of its undo. Times are UTC.

    Attributes:
        step: The step.
        visit: The visit it belongs to.
        number: Counted from 1.
        undo: Whether it is an attempt to undo.
        began: When it was asked for.
        ended: When its end was recorded; None while it runs.
        outcome: `stopped`: cancelled as its state was left. `lost`: found running after a crash. `left`: its run was
            killed. `held`: a person holds it back, and it has not begun.
        failure: What it failed with.
        again: When the next attempt is due.
        taken: It was not made: the result is one that another visit had recorded, which this names.
    """

    step: str
    visit: int
    number: int
    undo: bool
    began: datetime
    ended: datetime | None = None
    outcome: Ended = "running"
    failure: Failure | None = None
    again: datetime | None = None
    taken: Taken | None = None


@attrs.frozen
class Story:
    """A run's story.

    Attributes:
        lines: Its entries, oldest first. What stood before an adoption by another version has no states.
        attempts: Attempts of its steps and undos, in the order in which they began.
        broken: Why the journal could not be folded to its end; empty when it could.
    """

    lines: tuple[StoryLine, ...]
    attempts: tuple[Attempt, ...]
    broken: str = ""


def tell(hosted: Hosted, record: RunRecord, entries: Iterable[EntryRecord], items: ReadItems) -> Story:
    """Tell the story of a run. Takes time and memory in proportion to its journal."""
    every = list(entries)
    folded: dict[int, StoryLine] = {}
    attempts = _Attempts()
    broken = ""
    before: Snapshot[Any] | None = None
    try:
        for one in fold(hosted, record, every, items):
            folded[one.entry.seq] = _line(one, before)
            attempts.take(one)
            before = one.outcome.snapshot
    except UnfoldableError as error:
        broken = str(error)
    lines = (folded.get(entry.seq) or StoryLine(Entry.of(entry)) for entry in every)
    return Story(tuple(lines), tuple(attempts.all.values()), broken)


def held_back(story: Story, definition: Definition, holds: Holds) -> Story:
    """The story, with the attempts that were asked for under a hold told as held: no such attempt has begun."""

    def told(one: Attempt) -> Attempt:
        waits = one.outcome == "running" and holds.under(definition, "" if one.undo else one.step, one.began)
        return attrs.evolve(one, outcome="held") if waits else one

    return attrs.evolve(story, attempts=tuple(map(told, story.attempts)))


def _line(one: Folded, before: Snapshot[Any] | None) -> StoryLine:
    known = {incident.number for incident in before.incidents} if before else set[int]()
    return StoryLine(
        entry=Entry.of(one.entry),
        exited=one.outcome.exited,
        entered=one.outcome.entered,
        failure=one.told.failure if isinstance(one.told, Failed | UndoFailed) else None,
        incidents=tuple(incident for incident in one.outcome.snapshot.incidents if incident.number not in known),
    )


class _Attempts:
    """Follows attempts from the command that asks for one to the input that tells its end."""

    def __init__(self) -> None:
        self.all: dict[tuple[int, bool, int], Attempt] = {}
        self._running: dict[tuple[int, bool], tuple[int, bool, int]] = {}

    def take(self, one: Folded) -> None:
        at = Entry.of(one.entry).at
        self._end(one, at)
        for command in one.outcome.commands:
            if isinstance(command, RunStep | Undo):
                self._begin(command, at)

    def _begin(self, command: RunStep | Undo, at: datetime) -> None:
        undo = isinstance(command, Undo)
        number = command.attempt
        running = self._running.get((command.visit, undo))
        if running is not None and self.all[running].number == number:
            return
        key = (command.visit, undo, len(self.all))
        self._running[command.visit, undo] = key
        self.all[key] = Attempt(command.step, command.visit, number, undo, at)

    def _end(self, one: Folded, at: datetime) -> None:
        told = one.told
        if isinstance(told, Kill):
            for key in self._running.values():
                self.all[key] = attrs.evolve(self.all[key], ended=at, outcome="left")
            self._running.clear()
        elif isinstance(told, Succeeded | Failed | Lost | Stopped | Undone | UndoFailed):
            undo = isinstance(told, Undone | UndoFailed) or (isinstance(told, Lost) and told.undo)
            ended = self._running.pop((told.visit, undo), None)
            if ended is not None:
                self.all[ended] = attrs.evolve(
                    self.all[ended],
                    ended=at,
                    outcome=_OUTCOMES[type(told)],
                    failure=told.failure if isinstance(told, Failed | UndoFailed) else None,
                    again=_again(one.outcome.snapshot, told.visit, undo=undo),
                    taken=told.taken if isinstance(told, Succeeded) else None,
                )


def _again(snapshot: Snapshot[Any], visit: int, *, undo: bool) -> datetime | None:
    kind = "undo" if undo else "retry"
    return next((timer.due for timer in snapshot.timers if timer.kind == kind and timer.visit == visit), None)


_OUTCOMES: dict[type, Ended] = {
    Succeeded: "succeeded",
    Failed: "failed",
    Lost: "lost",
    Stopped: "stopped",
    Undone: "succeeded",
    UndoFailed: "failed",
}
