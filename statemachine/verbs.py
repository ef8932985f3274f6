"""An operator's verbs on a run: cancel, kill, pause, resume, and the three that decide an incident.

| incident | retry | skip | done |
|---|---|---|---|
| step, pivot, lost, crashes | attempt it again, same key | it had no effect | it took effect: go on |
| result | attempt it again, same key | go on without it: it is undone | go on without its result |
| conflict | — | keep the present values | take the step's values |
| handler | handle the event again | drop the event | — |
| undo | attempt it again | leave it not undone | it is undone |

A step that is skipped goes to its `failed=` state, or the run is undone. A pivot that took effect cannot be skipped.
"""

from __future__ import annotations

from statemachine import saga, work
from statemachine.errors import RefusedVerb
from statemachine.inputs import Cancel, Kill, Pause, Resolve, Resume
from statemachine.macrostep import leave_all
from statemachine.snapshot import OVER, Done, Ending, Failure, Incident, Occurrence, Pending, Undoing
from statemachine.turn import Turn
from statemachine.work import Deliver


def cancel(turn: Turn, told: Cancel) -> None:
    """Undo the run, then end it as cancelled; refused once the pivot is done, or while nobody knows whether it is."""
    _refuse_over(turn, "cancel")
    if turn.status == "undoing":
        raise RefusedVerb(turn.run, "cancel", "it is being undone already")
    if turn.pivoted:
        raise RefusedVerb(turn.run, "cancel", "its pivot is done, after which nothing is undone")
    for pending in turn.pending:
        if turn.chart.steps[pending.step].pivot:
            if pending.incident:
                raise RefusedVerb(
                    turn.run, "cancel", f"nobody knows whether pivot {pending.step!r} took effect; decide its incident"
                )
            raise RefusedVerb(turn.run, "cancel", f"pivot {pending.step!r} is under way", wait=True)
    if turn.chart.definition.descriptors:
        leave_all(turn)  # a cancelled session exits as one that has reached its end (SCXML 6.4)
    saga.undo_run(turn, Ending("cancelled", Failure("Cancelled", told.reason or ""), told.actor, told.reason))


def kill(turn: Turn, told: Kill) -> None:
    """End now and undo nothing; the undo stack stays in the snapshot as the list of what was left.

    A pivot that nobody knows the outcome of is on that list, too.
    """
    _refuse_over(turn, "kill")
    pivots = [pending for pending in turn.pending if turn.chart.steps[pending.step].pivot]
    saga.drop_waiting(turn)
    turn.undo = (*turn.undo, *(Done(pivot.step, pivot.visit, unknown=True) for pivot in pivots))
    turn.undoing = None
    turn.stopping = ()
    turn.ending = Ending("cancelled", Failure("Killed", told.reason or ""), told.actor, told.reason)
    saga.finish(turn, "killed")


def pause(turn: Turn, _told: Pause) -> None:
    """Start nothing new: no step, no undo, no timer; events wait. What runs, runs on, and its outcome is recorded."""
    _refuse_over(turn, "pause")
    turn.paused = True


def resume(turn: Turn, _told: Resume) -> None:
    """Go on: ask for all that waits. A host that runs one of these attempts already ignores the request."""
    _refuse_over(turn, "resume")
    if not turn.paused:
        return
    turn.paused = False
    for pending in turn.pending:
        if not pending.waiting and not pending.incident:
            turn.run_step(pending)
    if turn.undoing is not None and not turn.undoing.waiting and not turn.undoing.incident:
        saga.attempt(turn)


def resolve(turn: Turn, told: Resolve, deliver: Deliver) -> None:
    """A person decides an incident; see the table above."""
    incident = turn.find_incident(told.incident)
    if incident is None:
        numbers = ", ".join(str(incident.number) for incident in turn.incidents) or "none"
        raise RefusedVerb(turn.run, told.verb, f"it has no open incident {told.incident}; open: {numbers}")
    if told.verb != "retry" and not told.reason:
        raise RefusedVerb(turn.run, told.verb, "say why: a reason is required")
    if incident.kind == "undo":
        _resolve_undo(turn, told, incident)
    elif incident.kind == "handler":
        _resolve_handler(turn, told, incident, deliver)
    else:
        pending = turn.find_pending(incident.visit)
        if pending is None:
            turn.close_incident(incident.number)
        elif incident.kind == "conflict":
            _resolve_conflict(turn, told, incident, pending, deliver)
        else:
            _resolve_step(turn, told, incident, pending, deliver)


def _resolve_step(turn: Turn, told: Resolve, incident: Incident, pending: Pending, deliver: Deliver) -> None:
    took_effect = incident.kind == "result"
    if told.verb == "retry":
        work.retry_step(turn, pending)
    elif told.verb == "done":
        work.take_as_done(turn, pending, deliver, {})
    elif took_effect and turn.chart.steps[pending.step].pivot:
        raise RefusedVerb(
            turn.run, "skip", f"pivot {pending.step!r} took effect; say 'done', or 'retry' for its result"
        )
    else:
        work.go_on_without(turn, pending, told.reason or "", harmless=not took_effect, deliver=deliver)


def _resolve_conflict(turn: Turn, told: Resolve, incident: Incident, pending: Pending, deliver: Deliver) -> None:
    if told.verb == "retry":
        message = "the step took effect; say 'done' to take its values or 'skip' to keep the present ones"
        raise RefusedVerb(turn.run, "retry", message)
    kept = pending.overwritten if told.verb == "skip" else ()
    work.take_as_done(turn, pending, deliver, incident.changed, kept)


def _resolve_handler(turn: Turn, told: Resolve, incident: Incident, deliver: Deliver) -> None:
    if told.verb == "done":
        raise RefusedVerb(turn.run, "done", "an event is handled by the workflow only; say 'retry' or 'skip'")
    if told.verb == "retry" and incident.visit and incident.visit not in turn.visits.values():
        raise RefusedVerb(turn.run, "retry", "it is about a state that was left since; say 'skip'")
    turn.close_incident(incident.number)
    if told.verb == "retry":
        deliver(turn, incident.event or Occurrence(""), incident.visit)


def _resolve_undo(turn: Turn, told: Resolve, incident: Incident) -> None:
    turn.close_incident(told.incident)
    undoing = turn.undoing
    if undoing is not None and told.verb == "retry":
        turn.undoing = Undoing(undoing.visit, left=undoing.left)
        saga.attempt(turn)
    elif undoing is not None and incident.item is not None:  # of the others nothing was decided
        turn.undoing = Undoing(undoing.visit, left=(*undoing.left, incident.item))
        saga.attempt(turn)
    else:
        turn.undo = turn.undo[:-1]
        turn.undoing = None
        saga.go_on(turn)


def _refuse_over(turn: Turn, verb: str) -> None:
    if turn.status in OVER:
        raise RefusedVerb(turn.run, verb, f"it is over ({turn.status})")
