"""The pure core's door: (definition, snapshot, input, now) -> the next snapshot and the commands.

The algorithm, in words:

1. Take the snapshot apart into a turn (`turn`).
2. Note what the input says by itself: an outcome on the undo stack and in the data (`work`, `saga`), a verb (`verbs`),
   a timer that is no longer set.
3. If that makes something happen in the statechart (an event, a step's outcome, a timer), run it to completion there
   (`macrostep`): SCXML's algorithm, one macrostep.
4. Events that were deferred and are accepted by now are taken next, in the order of their arrival, each a macrostep of
   its own.
5. If a final state was reached, the run is complete, or is undone first (`saga`).
6. Freeze the turn into the next snapshot.

A function of the workflow that raises while a sender waits (`Received`, not queued) leaves the run as it was: the
error is raised to the sender. Elsewhere the input stands, and the handling of it becomes an incident: as nothing here
is ever changed in place, the input is simply worked out again with the failure known.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec

from statemachine import plain, saga, straight, verbs, work
from statemachine.chart import Chart, chart_of
from statemachine.commands import Command, RunStep, Send, Undo
from statemachine.definition import Definition
from statemachine.errors import EndlessLoop, HandlerFailed
from statemachine.inputs import (
    Begin,
    Cancel,
    Elapsed,
    Failed,
    Input,
    Kill,
    Lost,
    Pause,
    Received,
    Resolve,
    Resume,
    Stopped,
    Succeeded,
    UndoFailed,
    Undone,
)
from statemachine.macrostep import answer, enter_machine, failure_of, select, unanswered
from statemachine.snapshot import OVER, Failure, Occurrence, Snapshot, Timer
from statemachine.turn import Turn, step_key

D = TypeVar("D")

Verdict = Literal["accepted", "deferred", "unmatched", "undoing", "over", "late"]
"""What became of an input.

accepted: it was taken. deferred: it waits in the run. unmatched: no transition is enabled by it now. undoing, over:
    the run takes no events any more. late: a timer, an outcome or an undo that nobody waits for. With the last four
    nothing happened, and a host keeps the snapshot it had; only a definition with SCXML's ways may have changed
    (finalize) on an unmatched event.
"""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What an input led to. `exited` and `entered` are states in order, for whoever tells the story."""

    snapshot: Snapshot[Any]
    commands: tuple[Command, ...]
    verdict: Verdict
    exited: tuple[str, ...] = ()
    entered: tuple[str, ...] = ()


def start(definition: Definition, run: str, begin: Begin, now: datetime) -> Outcome:
    """Start a run.

    Args:
        definition: The workflow, with its functions bound.
        run: The run's id.
        begin: Its data, and the nonce that keeps its keys apart from those of another run of the same id.
        now: The time, UTC.

    Raises:
        HandlerFailed: A function of the workflow raised.
        EndlessLoop: Its eventless transitions never come to rest.
    """
    blank = Snapshot(
        run=run,
        nonce=begin.nonce,
        workflow=definition.name,
        definition=definition.hash,
        data=begin.data,
        now=now,
        trace=begin.trace,
        priority=begin.priority,
    )
    return _work_out(chart_of(definition), blank, begin, now, raising=True)


def transition(
    definition: Definition,
    snapshot: Snapshot[D],
    told: Input,
    now: datetime,
    refused: Failure | None = None,
) -> Outcome:
    """Work out what an input does to a run.

    Args:
        definition: The workflow, with its functions bound; the snapshot is one of its runs.
        snapshot: The run as it is. It is not changed.
        told: What happened.
        now: The time, UTC; if it is before the run's last transition, that counts.
        refused: Why the host cannot record what handling this input gave when it was worked out before: the handling
            becomes an incident, as if it had raised that, and the run's data stays as it is.

    Raises:
        HandlerFailed: A function of the workflow raised, and a sender waits to hear of it.
        EndlessLoop: Likewise, for eventless transitions that never come to rest.
        RefusedVerb: An operator's verb does not fit the run.
    """
    chart = chart_of(definition)
    if isinstance(told, Succeeded) and refused is None:
        gone = straight.succeeded(chart, snapshot, told, now)
        if gone is not None:
            return Outcome(gone[0], gone[1], "accepted", gone[2].exits, gone[2].entries)
    if not isinstance(told, Received):
        return _work_out(chart, snapshot, told, now, raising=False, refused=refused)
    moved = plain.moved(chart, snapshot, told.occurrence, now) if refused is None else None
    if moved is not None:
        after, plan = moved
        return Outcome(after, (), "accepted", plan.exits, plan.entries)
    return _work_out(chart, snapshot, told, now, raising=not told.queued, refused=refused)


def outstanding(snapshot: Snapshot[Any]) -> tuple[RunStep | Undo, ...]:
    """What a host that has lost its memory has to perform for this run: its commands whose outcome is awaited, again.

    Attempts listed in `snapshot.stopping` do not run any more after such a loss: report `Stopped` for each.
    """
    if snapshot.paused or snapshot.over:
        return ()
    commands: list[RunStep | Undo] = [
        RunStep(pending.step, pending.visit, pending.attempt, _key(snapshot, pending.step, pending.visit))
        for pending in snapshot.pending
        if not pending.waiting and not pending.incident
    ]
    undoing = snapshot.undoing
    if undoing is not None and not undoing.waiting and not undoing.incident:
        done = snapshot.undo[-1]
        key = _key(snapshot, done.step, done.visit)
        commands.append(Undo(done.step, done.visit, undoing.attempt, f"{key}:undo", key))
    return tuple(commands)


def _key(snapshot: Snapshot[Any], step: str, visit: int) -> str:
    return step_key(snapshot.run, snapshot.nonce, step, visit)


def accepted_events(definition: Definition, snapshot: Snapshot[Any]) -> tuple[str, ...]:
    """The declared events that some active state has a transition for, guards aside, in the order of their names."""
    chart = chart_of(definition)
    return tuple(
        event
        for event in definition.events
        if snapshot.status == "running" and chart.candidates(snapshot.states, event)
    )


def refusal(definition: Definition, snapshot: Snapshot[Any], event: str) -> tuple[str, ...]:
    """Why an unmatched event was not taken: the sentence of each guard that stood in its way."""
    chart = chart_of(definition)
    return tuple(
        dict.fromkeys(
            definition.code.refusals.get(arc.guard_name, arc.guard_name)
            for chain in chart.candidates(snapshot.states, event)
            for arc in chain
            if arc.guard is not None
        )
    )


def _work_out(
    chart: Chart, snapshot: Snapshot[Any], told: Input, now: datetime, *, raising: bool, refused: Failure | None = None
) -> Outcome:
    broken: dict[int, Failure] = {}
    while True:
        turn = Turn(chart, snapshot, now, broken, refused)
        try:
            verdict = _INPUTS[type(told)](turn, told)
            _recall(turn)
            if turn.status == "completed" and snapshot.status == "running":
                saga.complete(turn)
        except (HandlerFailed, EndlessLoop) as error:
            if (raising and turn.deliveries <= 1) or turn.deliveries in broken or not turn.deliveries:
                raise
            broken[turn.deliveries] = failure_of(error.__cause__ or error)
            continue
        if verdict in {"undoing", "over", "late"}:
            return Outcome(snapshot, (), verdict)
        return Outcome(turn.freeze(), tuple(turn.commands), verdict, tuple(turn.exited), tuple(turn.entered))


def _deliver(turn: Turn, occurrence: Occurrence, visit: int = 0) -> None:
    """Take an occurrence of the machine's own, of a visit if it is of one, through the statechart."""
    if not _try(turn, occurrence, visit):
        _unhandled(turn, occurrence, visit)


def _try(turn: Turn, occurrence: Occurrence, visit: int = 0) -> bool:
    """Whether a transition was enabled by an occurrence.

    If its handling is known to raise, an incident stands in for it.
    """
    failure = turn.deliver()
    if failure is not None:
        turn.open_incident(
            "handler",
            f"Handling {occurrence.name!r} raised {failure.type}: {failure.message}",
            visit=visit,
            failure=failure,
            event=occurrence,
        )
        return True
    return answer(turn, occurrence)


def _unhandled(turn: Turn, occurrence: Occurrence, visit: int) -> None:
    """An outcome or a raised event without a transition leaves the run where it is.

    Guards of an outcome whose order has no last arm are refused earlier.
    """
    raised = occurrence.kind == "internal"
    if raised or occurrence.name.startswith(("done.step.", "error.step.", "failed.step.")):
        unanswered(turn, occurrence, visit)


def _recall(turn: Turn) -> None:
    """Take deferred events that are accepted by now, oldest first; after each, look again from the oldest."""
    waiting = 0
    while turn.deferred and turn.status == "running" and not turn.paused and waiting < len(turn.deferred):
        occurrence = turn.deferred[waiting]
        kept = turn.deferred
        turn.deferred = (*kept[:waiting], *kept[waiting + 1 :])
        if _takes(turn, occurrence) and _try(turn, occurrence):
            waiting = 0
        else:
            turn.deferred = kept
            waiting += 1


def _takes(turn: Turn, occurrence: Occurrence) -> bool:
    """Whether a deferred event may be taken now; where it would become an incident, whether it surely would be."""
    if turn.refused is None:
        return bool(turn.chart.candidates(turn.leaves, occurrence.name))
    turn.occurrence = occurrence
    return bool(select(turn, occurrence.name))


def _begin(turn: Turn, _told: Begin) -> Verdict:
    turn.deliver()
    enter_machine(turn)
    return "accepted"


def _received(turn: Turn, told: Received) -> Verdict:
    occurrence = told.occurrence
    if turn.status != "running":
        return "over" if turn.status in OVER else "undoing"
    if turn.paused:
        turn.deferred = (*turn.deferred, occurrence)
        return "deferred"
    if _try(turn, occurrence):
        return "accepted"
    return "deferred" if turn.defer(occurrence) else "unmatched"


def _elapsed(turn: Turn, told: Elapsed) -> Verdict:
    timer = next((timer for timer in turn.timers if timer.number == told.timer), None)
    if timer is None or turn.status in OVER:
        return "late"
    turn.timers = tuple([other for other in turn.timers if other is not timer])
    if timer.kind == "retry":
        return "accepted" if work.attempt_again(turn, timer) else "late"
    if timer.kind == "undo":
        return _undo_again(turn)
    if timer.kind == "after":
        _deliver(turn, Occurrence(timer.event, timer.value, "platform", at=timer.due), timer.visit)
    elif timer.target:
        turn.commands.append(Send(timer.target, timer.event, timer.value, _sent_id(turn, timer), timer.send_id))
    else:
        sent = Occurrence(timer.event, timer.value, id=timer.id, at=timer.due, send_id=timer.send_id, origin=turn.run)
        if not _try(turn, sent):
            turn.defer(sent)
    return "accepted"


def _sent_id(turn: Turn, timer: Timer) -> str:
    return timer.id or turn.key("send", timer.number)


def _undo_again(turn: Turn) -> Verdict:
    undoing = turn.undoing
    if undoing is None or not undoing.waiting:
        return "late"
    turn.undoing = msgspec.structs.replace(undoing, attempt=undoing.attempt + 1, waiting=False)
    saga.attempt(turn)
    return "accepted"


def _said(turn: Turn, happened: bool) -> Verdict:
    return "accepted" if happened else ("over" if turn.status in OVER else "late")


def _verb(verb: Callable[[Turn, Any], None]) -> Callable[[Turn, Any], Verdict]:
    def take(turn: Turn, told: Any) -> Verdict:
        verb(turn, told)
        return "accepted"

    return take


_INPUTS: dict[type, Callable[[Turn, Any], Verdict]] = {
    Begin: _begin,
    Received: _received,
    Elapsed: _elapsed,
    Succeeded: lambda turn, told: _said(turn, work.succeeded(turn, told, _deliver)),
    Failed: lambda turn, told: _said(turn, work.failed(turn, told, _deliver)),
    Stopped: lambda turn, told: _said(turn, work.stopped(turn, told)),
    Lost: lambda turn, told: _said(turn, work.lost(turn, told)),
    Undone: lambda turn, told: _said(turn, saga.undone(turn, told)),
    UndoFailed: lambda turn, told: _said(turn, saga.undo_failed(turn, told)),
    Cancel: _verb(verbs.cancel),
    Kill: _verb(verbs.kill),
    Pause: _verb(verbs.pause),
    Resume: _verb(verbs.resume),
    Resolve: _verb(lambda turn, told: verbs.resolve(turn, told, _deliver)),
}
