"""One input's worth of change, while it is being worked out: a snapshot taken apart, and the commands so far.

The only mutable thing in the core. It is made from a snapshot, worked on by the algorithm (`macrostep`) and the saga
rules (`saga`, `work`), and frozen into the next snapshot; nothing outside ever sees it half done.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

from statemachine.chart import Chart
from statemachine.commands import CancelStep, CancelTimer, Command, RunStep, Send, SetTimer
from statemachine.data import changed as changed_fields
from statemachine.definition import StepSpec
from statemachine.errors import UndeclaredEvent
from statemachine.scope import Scope, SendRequest
from statemachine.snapshot import (
    Child,
    Done,
    Ending,
    Failure,
    Incident,
    IncidentKind,
    Occurrence,
    Pending,
    Snapshot,
    Status,
    Stopping,
    Timer,
    TimerKind,
    Undoing,
)


class Turn:
    """See the module. Its fields are those of `Snapshot`, and what belongs to this input alone."""

    __slots__ = (
        "_began",
        "_sends",
        "broken",
        "chart",
        "children",
        "commands",
        "data",
        "deferred",
        "deliveries",
        "ending",
        "entered",
        "exited",
        "fresh",
        "history",
        "incidents",
        "internal",
        "leaves",
        "now",
        "occurrence",
        "paused",
        "pending",
        "pivoted",
        "refused",
        "run",
        "scope",
        "serial",
        "status",
        "stopping",
        "timers",
        "undo",
        "undoing",
        "visits",
    )

    def __init__(
        self,
        chart: Chart,
        began: Snapshot[Any],
        now: datetime,
        broken: dict[int, Failure],
        refused: Failure | None = None,
    ) -> None:
        self._began = began
        self.chart = chart
        self.now = max(began.now, now)
        self.run = began.run
        self.data = began.data
        self.leaves = began.states
        self.status: Status = began.status
        self.serial = began.serial
        self.visits = dict(began.visits)
        self.history = began.history
        self.pending = began.pending
        self.stopping = began.stopping
        self.timers = began.timers
        self.deferred = began.deferred
        self.undo = began.undo
        self.undoing: Undoing | None = began.undoing
        self.pivoted = began.pivoted
        self.ending: Ending | None = began.ending
        self.incidents = began.incidents
        self.children = began.children
        self.paused = began.paused
        self.commands: list[Command] = []
        self.internal: deque[Occurrence] = deque()
        self.occurrence: Occurrence | None = None
        self.fresh: list[str] = []
        """States entered in this macrostep; their work is begun at its end if they are still active (SCXML 6.4)."""
        self.entered: list[str] = []
        self.exited: list[str] = []
        self.broken = broken
        """Deliveries, by their number, whose functions are known to raise: they become incidents."""
        self.refused = refused
        """Why nothing that the workflow's functions give can be recorded: each delivery becomes an incident."""
        self.deliveries = 0
        self._sends = 0
        self.scope = Scope(self)

    @property
    def before(self) -> tuple[str, ...]:
        """The active leaves that this input found, to which the run is left if a function raises."""
        return self._began.states

    def freeze(self) -> Snapshot[Any]:
        """The next snapshot."""
        began = self._began
        return Snapshot(  # by position, as this is done for every input: naming the fields takes seven times as long
            began.run,
            began.nonce,
            began.workflow,
            began.definition,
            self.data,
            self.now,
            self.leaves,
            self.status,
            began.seq + 1,
            self.serial,
            self.visits,
            self.history,
            self.pending,
            self.stopping,
            self.timers,
            self.deferred,
            self.undo,
            self.undoing,
            self.pivoted,
            self.ending,
            self.incidents,
            self.children,
            self.paused,
            began.trace,
            began.priority,
        )

    def deliver(self) -> Failure | None:
        """Begin the next delivery, one call of the workflow's functions; why it is known to fail, if it is."""
        self.deliveries += 1
        return self.broken.get(self.deliveries, self.refused)

    def number(self) -> int:
        """The next number of the run, for a visit, a timer or an incident."""
        self.serial += 1
        return self.serial

    def key(self, step: str, visit: int) -> str:
        """The idempotency key of a visit's step: the same over attempts, restarts and hosts, and no other visit's."""
        return step_key(self.run, self._began.nonce, step, visit)

    def write(self, data: Any, writer: str, own: int = 0) -> None:
        """Replace the data. Steps under way keep what their visit began with, and learn who has changed what since.

        Args:
            data: The new data.
            writer: Who changed it, for a conflict's message.
            own: The visit whose own outcome this is.
        """
        before = self.data
        if data is before:
            return
        if self.pending:
            fields = changed_fields(before, data)
            if fields:
                self.pending = tuple(
                    pending if pending.visit == own else _moved(pending, before, dict.fromkeys(fields, writer))
                    for pending in self.pending
                )
        self.data = data

    # Noted by functions through their scope; in effect when the turn is committed.

    def note_raise(self, occurrence: Occurrence) -> None:
        """Take an event into the internal queue.

        Raises:
            UndeclaredEvent: The workflow has no such event, so nothing could ever answer it.
        """
        definition = self.chart.definition
        if occurrence.kind == "internal" and not definition.descriptors and occurrence.name not in definition.events:
            raise UndeclaredEvent(definition.name, occurrence.name, definition.events)
        self.internal.append(occurrence)

    def defer(self, occurrence: Occurrence) -> bool:
        """Keep an event that nothing takes now, if an active state defers it."""
        if self.chart.deferring(self.leaves, occurrence.name) is None:
            return False
        self.deferred = (*self.deferred, occurrence)
        return True

    def note_send(self, request: SendRequest) -> None:
        """Note an event to send, now or by a timer."""
        self._sends += 1
        at = self.deadline(request.delay)
        if at > self.now:
            self.set_timer(
                "send",
                at,
                event=request.name,
                value=request.value,
                send_id=request.send_id,
                target=request.to,
                id=request.id or "",
            )
        else:
            name = request.id or f"{self.run}:{self._began.nonce}:{self._began.seq + 1}:{self._sends}"
            self.commands.append(Send(request.to, request.name, request.value, name, request.send_id))

    def note_unsend(self, send_id: str) -> None:
        """Forget a delayed send."""
        self.cancel_timers([timer for timer in self.timers if timer.kind == "send" and timer.send_id == send_id])

    # Timers.

    def deadline(self, delay: float | datetime) -> datetime:
        """An absolute UTC time from a delay in seconds, or from one that is absolute already.

        Raises:
            ValueError: A time without a zone, which says nothing absolute.
        """
        if isinstance(delay, datetime):
            if delay.tzinfo is None:
                message = f"the deadline {delay} has no zone; give it as UTC: datetime(…, tzinfo=UTC)"
                raise ValueError(message)
            return delay.astimezone(UTC)
        return self.now + timedelta(seconds=delay)

    def set_timer(
        self,
        kind: TimerKind,
        due: datetime,
        *,
        visit: int = 0,
        event: str = "",
        value: Any = None,
        send_id: str | None = None,
        target: str | None = None,
        id: str = "",
    ) -> None:
        """Set a timer and say so to the host."""
        timer = Timer(self.number(), due, kind, visit, event, value, send_id, target, id)
        self.timers = (*self.timers, timer)
        self.commands.append(SetTimer(timer.number, due))

    def cancel_timers(self, timers: list[Timer]) -> None:
        """Cancel timers and say so to the host."""
        if timers:
            self.timers = tuple([timer for timer in self.timers if timer not in timers])
            self.commands.extend([CancelTimer(timer.number) for timer in timers])

    # Work.

    def begin_step(self, step: StepSpec, visit: int) -> None:
        """Note a step as pending and, unless the run is paused, ask for its first attempt."""
        pending = Pending(step.name, visit, since=self.now, each=step.each is not None)
        self.pending = (*self.pending, pending)
        self.run_step(pending)

    def run_step(self, pending: Pending) -> None:
        """Ask for the attempt of a pending step, unless the run is paused."""
        if not self.paused:
            key = self.key(pending.step, pending.visit)
            self.commands.append(RunStep(pending.step, pending.visit, pending.attempt, key))

    def find_pending(self, visit: int) -> Pending | None:
        """The step of a visit whose outcome is awaited."""
        for pending in self.pending:
            if pending.visit == visit:
                return pending
        return None

    def replace_pending(self, old: Pending, new: Pending | None) -> None:
        """Put `new` in the place of the step of `old`'s visit, or drop it."""
        kept = [new if pending.visit == old.visit else pending for pending in self.pending]
        self.pending = tuple([pending for pending in kept if pending is not None])

    def leave_step(self, pending: Pending) -> None:
        """Give up a step whose state is left: its effect is unknown, and an attempt that runs is cancelled."""
        self.replace_pending(pending, None)
        incident = self.find_incident(pending.incident)
        fields: dict[str, Any] = {}
        if incident is not None:
            fields = incident.changed
            self.close_incident(incident.number)
        if self.chart.steps[pending.step].undo is not None and not self.pivoted:
            unknown = incident is None or not fields
            self.undo = (*self.undo, Done(pending.step, pending.visit, fields, unknown, pending.each))
        if not pending.waiting and not pending.incident:
            self.stopping = (*self.stopping, Stopping(pending.step, pending.visit))
            self.commands.append(CancelStep(pending.step, pending.visit))

    # Incidents.

    def open_incident(
        self,
        kind: IncidentKind,
        message: str,
        *,
        step: str | None = None,
        visit: int = 0,
        failure: Failure | None = None,
        changed: dict[str, Any] | None = None,
        event: Occurrence | None = None,
        item: int | None = None,
    ) -> int:
        """Open an incident; gives its number."""
        number = self.number()
        incident = Incident(number, kind, self.now, message, step, visit, failure, changed or {}, event, item)
        self.incidents = (*self.incidents, incident)
        return number

    def find_incident(self, number: int) -> Incident | None:
        """The open incident of that number."""
        for incident in self.incidents:
            if incident.number == number:
                return incident
        return None

    def close_incident(self, number: int) -> None:
        """Close an incident; harmless when it is not open."""
        self.incidents = tuple([incident for incident in self.incidents if incident.number != number])

    def drop_child(self, child: Child) -> None:
        """Forget a child machine."""
        self.children = tuple([other for other in self.children if other is not child])


def step_key(run: str, nonce: str, step: str, visit: int) -> str:
    """See `Turn.key`."""
    return f"{run}:{nonce}:{step}:{visit}"


def _moved(pending: Pending, before: Any, writers: dict[str, str]) -> Pending:
    return Pending(
        step=pending.step,
        visit=pending.visit,
        attempt=pending.attempt,
        waiting=pending.waiting,
        since=pending.since,
        base=pending.base if pending.moved else before,
        moved=True,
        overwritten={**pending.overwritten, **writers},
        incident=pending.incident,
        each=pending.each,
    )
