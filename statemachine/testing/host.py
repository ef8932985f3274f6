"""A host of the pure core that performs nothing: a test says what becomes of each command, and when the host dies.

After every input it encodes and decodes the snapshot and holds both equal, so each test of the core also tests that;
`retold` folds the inputs again and must give the same run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from persistence import Codec
from statemachine.commands import CancelStep, CancelTimer, Command, Finish, RunStep, Send, SetTimer, Undo
from statemachine.definition import Definition
from statemachine.inputs import (
    Begin,
    Cancel,
    Elapsed,
    Failed,
    IncidentVerb,
    Input,
    Received,
    Resolve,
    Stopped,
    Succeeded,
    UndoFailed,
    Undone,
)
from statemachine.runner.stored import Stored
from statemachine.snapshot import Failure, Incident, Occurrence, Pending, Snapshot
from statemachine.transition import Outcome, outstanding, start, transition

START = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)
CODEC = Codec()


def stored(definition: Definition) -> Stored:
    """The bytes of this definition's runs."""
    return Stored(definition, CODEC, 1 << 20, verify=True)


@attrs.frozen
class Deed:
    """What the world saw: a step's effect, or its undo. `fields` is what the undo was given."""

    what: str
    step: str
    visit: int
    key: str
    fields: tuple[tuple[str, Any], ...] = ()


class Host:
    """One run, and the world its steps act on.

    Args:
        definition: Its workflow.
        data: Its first data.
        forgetful: Whether the host dies after every input and goes on from the decoded snapshot.
        run: Its id.
    """

    def __init__(self, definition: Definition, data: Any, *, forgetful: bool = False, run: str = "r-1") -> None:
        self.definition = definition
        self.forgetful = forgetful
        self.stored = stored(definition)
        self.now = START
        self.inputs: list[tuple[Input, datetime]] = []
        self.running: dict[int, RunStep] = {}
        self.cancelling: dict[int, CancelStep] = {}
        self.undoing: Undo | None = None
        self.timers: dict[int, datetime] = {}
        self.sent: list[Send] = []
        self.finished: list[Finish] = []
        self.deeds: list[Deed] = []
        self.begun: list[RunStep] = []
        self.run = run
        begin = Begin(data, "nonce")
        self.last = start(definition, run, begin, self.now)
        self.snapshot: Snapshot[Any] = self.last.snapshot
        self._note(begin, self.last)

    # Telling.

    def tell(self, told: Input) -> Outcome:
        """Work out an input, take its snapshot and note its commands."""
        outcome = transition(self.definition, self.snapshot, told, self.now)
        self.last = outcome
        if outcome.verdict in {"accepted", "deferred"}:
            self.snapshot = outcome.snapshot
            self._note(told, outcome)
        else:
            assert outcome.commands == ()
        return outcome

    def _note(self, told: Input, outcome: Outcome) -> None:
        self.inputs.append((told, self.now))
        for command in outcome.commands:
            self._command(command)
        again = self.stored.thaw(self.stored.freeze(self.snapshot, None))
        assert again == self.snapshot
        assert {timer.number: timer.due for timer in self.snapshot.timers} == self.timers
        if self.forgetful:
            self.crash()

    def _command(self, command: Command) -> None:
        if isinstance(command, RunStep):
            self.running[command.visit] = command
            self.begun.append(command)
        elif isinstance(command, CancelStep):
            self.running.pop(command.visit, None)  # none runs after a crash while paused
            self.cancelling[command.visit] = command
        elif isinstance(command, Undo):
            assert self.undoing in {None, command}, "two undos at once"
            assert not self.cancelling, "an undo beside an attempt that still runs"
            self.undoing = command
        elif isinstance(command, SetTimer):
            self.timers[command.number] = command.due
        elif isinstance(command, CancelTimer):
            del self.timers[command.number]
        elif isinstance(command, Send):
            self.sent.append(command)
        elif isinstance(command, Finish):
            self.finished.append(command)

    def crash(self) -> None:
        """Lose everything but the bytes, and go on from them as a host that restarts does."""
        running, undoing = dict(self.running), self.undoing
        self.snapshot = self.stored.thaw(self.stored.freeze(self.snapshot, None))
        self.running.clear()
        self.undoing = None
        for command in outstanding(self.snapshot):
            if isinstance(command, RunStep):
                self.running[command.visit] = command
            else:
                self.undoing = command
        if not self.snapshot.paused:
            assert self.running == running, "a restart asks for other attempts than those that were under way"
            assert self.undoing == undoing
        if self.cancelling:
            lost = list(self.cancelling)
            self.cancelling.clear()
            for visit in lost:
                self.tell(Stopped(visit))

    # What becomes of commands.

    def visit(self, step: str) -> int:
        """The visit of the attempt of this step that runs."""
        found = [visit for visit, command in self.running.items() if command.step == step]
        assert len(found) == 1, f"{step}: {self.running}"
        return found[0]

    def act(self, step: str) -> None:
        """The step's effect happens, once for each key."""
        command = self.running[self.visit(step)]
        if all(deed.key != command.key for deed in self.deeds):
            self.deeds.append(Deed("do", step, command.visit, command.key))

    def succeed(self, step: str, result: Any = None, **changed: Any) -> Outcome:
        """The running attempt of a step takes effect and returns."""
        visit = self.visit(step)
        self.act(step)
        del self.running[visit]
        return self.tell(Succeeded(step, visit, changed, result))

    def fail(self, step: str, *, message: str = "no", **how: Any) -> Outcome:
        """The running attempt of a step raises. `how` are fields of `Failed`."""
        visit = self.visit(step)
        del self.running[visit]
        return self.tell(Failed(step, visit, Failure("Trouble", message), **how))

    def stop(self, step: str) -> Outcome:
        """A cancelled attempt of a step has ended."""
        visit = next(visit for visit, command in self.cancelling.items() if command.step == step)
        del self.cancelling[visit]
        return self.tell(Stopped(visit))

    def undo(self) -> Outcome:
        """The undo that was asked for succeeds."""
        undo = self.undoing
        assert undo is not None
        self.undoing = None
        fields = tuple(sorted(self.snapshot.undo[-1].fields.items()))
        self.deeds.append(Deed("undo", undo.step, undo.visit, undo.undoes, fields))
        return self.tell(Undone(undo.visit))

    def fail_undo(self, *, final: bool = False) -> Outcome:
        """The undo that was asked for raises."""
        undo = self.undoing
        assert undo is not None
        self.undoing = None
        return self.tell(UndoFailed(undo.visit, Failure("Trouble", "cannot undo"), final=final))

    def unwind(self, also: Callable[[], object] = lambda: None) -> None:
        """Stop what is being cancelled, then undo until nothing more is asked for. `also` is called before each."""
        while self.cancelling or self.undoing is not None:
            if self.cancelling:
                self.stop(next(iter(self.cancelling.values())).step)
            else:
                also()
                self.undo()

    def undo_under_way(self) -> str | None:
        """The step whose undo is being attempted."""
        return None if self.undoing is None else self.undoing.step

    # Events, time, people.

    def send(self, name: str, value: Any = None, *, queued: bool = False) -> Outcome:
        """Send an event."""
        return self.tell(Received(Occurrence(name, value, at=self.now), queued=queued))

    def wait(self, seconds: float) -> None:
        """Let time pass; timers do not fire by that."""
        self.now += timedelta(seconds=seconds)

    def elapse(self, kind: str | None = None) -> Outcome:
        """The next timer (of a kind) is due."""
        timer = min(
            (timer for timer in self.snapshot.timers if kind in {None, timer.kind}),
            key=lambda timer: (timer.due, timer.number),
        )
        self.now = max(self.now, timer.due)
        self.timers.pop(timer.number)
        return self.tell(Elapsed(timer.number))

    def cancel(self) -> Outcome:
        """Somebody cancels the run."""
        return self.tell(Cancel("ops", "because"))

    def resolve(self, verb: IncidentVerb, incident: Incident | None = None) -> Outcome:
        """A person decides the one open incident (or that one)."""
        return self.tell(Resolve((incident or self.incident).number, verb, "ops", "because"))

    @property
    def incident(self) -> Incident:
        """The one open incident."""
        (incident,) = self.snapshot.incidents
        return incident

    def pending(self, step: str) -> Pending:
        """What the snapshot says of a step that is awaited."""
        (pending,) = [pending for pending in self.snapshot.pending if pending.step == step]
        return pending

    # What came of it.

    @property
    def state(self) -> tuple[str, ...]:
        """The active leaves."""
        return self.snapshot.states

    @property
    def status(self) -> str:
        """The run's status."""
        return self.snapshot.status

    def done(self) -> list[tuple[str, int]]:
        """Steps and visits whose effect happened, in order."""
        return [(deed.step, deed.visit) for deed in self.deeds if deed.what == "do"]

    def undone(self) -> list[tuple[str, int]]:
        """Steps and visits whose undo succeeded, in order."""
        return [(deed.step, deed.visit) for deed in self.deeds if deed.what == "undo"]

    def ended(self) -> str:
        """How the run ended; it did so once, and left nothing to perform."""
        (finish,) = self.finished
        assert self.snapshot.over
        assert finish.status == self.status
        assert not self.running
        assert self.undoing is None
        assert not self.timers
        assert not self.snapshot.incidents
        assert outstanding(self.snapshot) == ()
        return self.status

    def retold(self) -> Snapshot[Any]:
        """The run as its inputs give it again, each through its bytes."""
        return fold(self.definition, self.run, self.inputs)


def fold(definition: Definition, run: str, inputs: list[tuple[Input, datetime]]) -> Snapshot[Any]:
    """The snapshot that inputs give, each encoded and decoded as the journal keeps it."""
    keep = stored(definition)
    snapshot: Snapshot[Any] | None = None
    for told, now in inputs:
        again, _ = keep.retold(keep.told(told))
        if snapshot is None:
            assert isinstance(again, Begin)
            snapshot = start(definition, run, again, now).snapshot
        else:
            snapshot = transition(definition, snapshot, again, now).snapshot
    assert snapshot is not None
    return snapshot
