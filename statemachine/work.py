"""What the outcome of a step means for its run: data is laid over, the undo stack told, a transition taken.

Rules:

* A visit's step has one recorded outcome; one for a visit that was left only tells the undo stack.
* A declared error (`error=`) had no effect, is never tried again, and takes its own transition.
* Any other failure is tried again as `Retry` says. When that is used up the effect is unknown, so the undo stays on
  the stack: at a pivot that is an incident; else the step's `failed=` state is entered; else, before the pivot, the
  run is undone.
* Fields that a step changed are laid over the data as it is by now. A field that somebody else has changed since the
  visit began is a conflict: an incident that names both, never a silent overwrite.
* A step that is done for each of many items has one outcome, too: its host tells it when all items have theirs, or
  one has failed for good. As some may be done by then, its undo stays on the stack however it fails; the host knows
  which there are to undo.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import timedelta
from typing import Any

import msgspec

from statemachine import saga
from statemachine.data import changed as changed_fields
from statemachine.data import overlay
from statemachine.definition import StepSpec
from statemachine.inputs import Failed, Lost, Stopped, Succeeded
from statemachine.macrostep import fold
from statemachine.snapshot import Done, Ending, Failure, IncidentKind, Occurrence, Pending, Timer
from statemachine.turn import Turn

Deliver = Callable[[Turn, Occurrence, int], None]
"""Takes an occurrence of a visit through the statechart, an error in its functions becoming an incident."""


def succeeded(turn: Turn, told: Succeeded, deliver: Deliver) -> bool:
    """A step's outcome. False: nobody waits for it."""
    pending = turn.find_pending(told.visit)
    if pending is None:
        known = any(stopping.visit == told.visit for stopping in turn.stopping)
        left = turn.chart.steps.get(told.step)
        each = left is not None and left.each is not None
        saga.learn(turn, told.visit, Done(told.step, told.visit, told.changed, each=each))
        return known
    step = turn.chart.steps[told.step]
    occurrence = Occurrence(step.succeeded_event, told.result, "platform")
    failure = turn.deliver()
    if failure is not None:
        trouble = "recording what came of it" if turn.refused else "folding its result into the data"
        said = f"Step {step.name!r} took effect, but {trouble} raised {failure.type}: {failure.message}"
        _wait_for_a_person(turn, pending, "result", said, failure)
        return True
    if step.into is not None:
        changed = _fold(turn, step, pending, occurrence)
        if step.each is not None:  # nothing but the fold is given the results: they may be many
            occurrence = Occurrence(step.succeeded_event, None, "platform")
    else:
        changed = told.changed
        conflict = [field for field in changed if field in pending.overwritten]
        if conflict:
            _conflict(turn, pending, conflict, changed)
            return True
        _lay_over(turn, pending, changed)
    _arrive(turn, pending, changed)
    deliver(turn, occurrence, pending.visit)
    return True


def _fold(turn: Turn, step: StepSpec, pending: Pending, occurrence: Occurrence) -> dict[str, Any]:
    before = turn.data
    turn.occurrence = occurrence
    data = fold(turn, step.into or "")
    turn.write(data, _writer(pending), own=pending.visit)
    return changed_fields(before, data)


def _lay_over(turn: Turn, pending: Pending, changed: dict[str, Any]) -> None:
    if changed:
        turn.write(overlay(turn.data, changed), _writer(pending), own=pending.visit)


def _arrive(turn: Turn, pending: Pending, changed: dict[str, Any]) -> None:
    """The step is done: nobody waits for it any more, and the stack knows it."""
    settle_pending(turn, pending)
    saga.record(turn, Done(pending.step, pending.visit, changed, each=pending.each))


def settle_pending(turn: Turn, pending: Pending) -> None:
    """Forget a pending step, with its incident and its retry timer."""
    turn.replace_pending(pending, None)
    _stop_waiting(turn, pending)


def _stop_waiting(turn: Turn, pending: Pending) -> None:
    if pending.incident:
        turn.close_incident(pending.incident)
    if pending.waiting:
        turn.cancel_timers([timer for timer in turn.timers if timer.kind == "retry" and timer.visit == pending.visit])


def _conflict(turn: Turn, pending: Pending, fields: list[str], changed: dict[str, Any]) -> None:
    said = "; ".join(f"field {field!r} by {_writer(pending)} and by {pending.overwritten[field]}" for field in fields)
    _wait_for_a_person(
        turn,
        pending,
        "conflict",
        f"Changed by two writers at once: {said}. 'done' takes the step's values, 'skip' keeps the present ones.",
        changed=changed,
    )


def _writer(pending: Pending) -> str:
    return f"step {pending.step!r} (visit {pending.visit})"


def failed(turn: Turn, told: Failed, deliver: Deliver) -> bool:
    """A step's attempt failed. False: nobody waits for it."""
    pending = turn.find_pending(told.visit)
    harmless = told.arm is not None or not told.effect
    if pending is None:
        known = any(stopping.visit == told.visit for stopping in turn.stopping)
        left = turn.chart.steps.get(told.step)
        if harmless and (left is None or left.each is None):
            saga.learn(turn, told.visit, None)
        else:
            stopped(turn, Stopped(told.visit))
        return known
    if pending.waiting or pending.incident:
        return False
    step = turn.chart.steps[told.step]
    if told.arm is not None:
        settle_pending(turn, pending)
        _may_be_done(turn, step, pending, harmless=harmless)
        deliver(turn, Occurrence(step.error_event(told.arm), told.failure, "platform"), pending.visit)
    elif not told.recorded and not told.effect:
        said = f"What step {step.name!r} is to be done for cannot be told: {told.failure.type}: {told.failure.message}"
        _wait_for_a_person(turn, pending, "step", said, told.failure)
    elif told.again is not None:
        turn.replace_pending(pending, _with(pending, waiting=True))
        turn.set_timer("retry", turn.deadline(told.again), visit=pending.visit)
    elif not told.recorded:
        _wait_for_a_person(
            turn, pending, "result", f"Step {step.name!r} took effect, but: {told.failure.message}", told.failure
        )
    else:
        wait = None if told.final else _wait(turn, step, pending, told.chance)
        if wait is None:
            used_up(turn, step, pending, told.failure, harmless=harmless, deliver=deliver)
        else:
            turn.replace_pending(pending, _with(pending, waiting=True))
            turn.set_timer("retry", turn.deadline(wait), visit=pending.visit)
    return True


def _wait(turn: Turn, step: StepSpec, pending: Pending, chance: float) -> float | None:
    wait = step.retry.wait(pending.attempt, chance)
    if wait is None or step.overall is None or pending.since is None:
        return wait
    end = pending.since + timedelta(seconds=step.overall)
    return wait if turn.deadline(wait) < end else None


def used_up(
    turn: Turn, step: StepSpec, pending: Pending, failure: Failure, *, harmless: bool, deliver: Deliver
) -> None:
    """No further attempt is made."""
    said = f"{failure.type}: {failure.message}"
    if step.pivot and not harmless:
        _wait_for_a_person(
            turn,
            pending,
            "pivot",
            f"Whether pivot {step.name!r} took effect is unknown after {pending.attempt} attempt(s): {said}. "
            "Find out, then say 'done' if it did or 'skip' if it did not; 'retry' repeats it under the same key.",
            failure,
        )
        return
    if turn.pivoted and not step.failed:
        _wait_for_a_person(
            turn,
            pending,
            "step",
            f"Step {step.name!r} failed {pending.attempt} time(s) after the pivot, where nothing is undone: {said}.",
            failure,
        )
        return
    give_up(turn, step, pending, failure, harmless=harmless, deliver=deliver)


def give_up(
    turn: Turn, step: StepSpec, pending: Pending, failure: Failure, *, harmless: bool, deliver: Deliver
) -> None:
    """Go on without the step: to its `failed=` state if it names one, else the run is undone."""
    settle_pending(turn, pending)
    _may_be_done(turn, step, pending, harmless=harmless)
    if step.failed:
        deliver(turn, Occurrence(step.failed_event, failure, "platform"), pending.visit)
    else:
        saga.undo_run(turn, Ending("failed", failure))


def _may_be_done(turn: Turn, step: StepSpec, pending: Pending, *, harmless: bool) -> None:
    """Keep the undo of a step on the stack, unless it is known to have had no effect, for no item of it."""
    if step.undo is not None and not turn.pivoted and (not harmless or step.each is not None):
        turn.undo = (*turn.undo, Done(step.name, pending.visit, {}, unknown=True, each=pending.each))


def lost(turn: Turn, told: Lost) -> bool:
    """A step found started after a crash is an incident, never simply repeated. False: nobody waits for it."""
    if told.undo:
        return saga.undo_lost(turn, told)
    pending = turn.find_pending(told.visit)
    if pending is None:
        return stopped(turn, Stopped(told.visit))
    if pending.waiting or pending.incident:
        return False
    if turn.chart.steps[told.step].kind == "at-most-once":
        _wait_for_a_person(
            turn,
            pending,
            "lost",
            f"Step {told.step!r} runs at most once and was running when the process died; its effect is unknown. "
            "Find out, then say 'done' if it happened or 'skip' if it did not.",
        )
    else:
        _wait_for_a_person(
            turn,
            pending,
            "crashes",
            f"{_which(told)} was running at {told.crashes} crashes in a row; it may be what ends the process. "
            "'retry' runs it again.",
            item=told.item,
        )
    return True


def _which(told: Lost) -> str:
    return f"Step {told.step!r}" if told.item is None else f"Item {told.item} of step {told.step!r}"


def stopped(turn: Turn, told: Stopped) -> bool:
    """An attempt of a visit that was left has ended without an outcome. False: nobody waits for that."""
    if not any(stopping.visit == told.visit for stopping in turn.stopping):
        return False
    turn.stopping = tuple([stopping for stopping in turn.stopping if stopping.visit != told.visit])
    saga.go_on(turn)
    return True


def attempt_again(turn: Turn, timer: Timer) -> bool:
    """A retry timer has elapsed. False: the step no longer waits."""
    pending = turn.find_pending(timer.visit)
    if pending is None or not pending.waiting:
        return False
    again = _with(pending, attempt=pending.attempt + 1)
    turn.replace_pending(pending, again)
    turn.run_step(again)
    return True


def retry_step(turn: Turn, pending: Pending) -> None:
    """A person wants the step attempted again, under the same key, with all its attempts and its overall time."""
    turn.close_incident(pending.incident)
    again = msgspec.structs.replace(_with(pending, attempt=1), since=turn.now)
    turn.replace_pending(pending, again)
    turn.run_step(again)


def take_as_done(
    turn: Turn, pending: Pending, deliver: Deliver, changed: dict[str, Any], kept: Container[str] = ()
) -> None:
    """A person says that the step took effect: go on as after its success.

    Of the fields it changed, those `kept` stay as they are in the data; its undo is given them all.
    """
    step = turn.chart.steps[pending.step]
    _lay_over(turn, pending, {field: value for field, value in changed.items() if field not in kept})
    _arrive(turn, pending, changed)
    deliver(turn, Occurrence(step.succeeded_event, None, "platform"), pending.visit)


def go_on_without(turn: Turn, pending: Pending, reason: str, *, harmless: bool, deliver: Deliver) -> None:
    """A person gives the step up; `harmless` if it had no effect. After the pivot, the run goes on as after success."""
    step = turn.chart.steps[pending.step]
    if turn.pivoted and not step.failed:
        settle_pending(turn, pending)
        deliver(turn, Occurrence(step.succeeded_event, None, "platform"), pending.visit)
    else:
        give_up(turn, step, pending, Failure("Skipped", reason), harmless=harmless, deliver=deliver)


def _wait_for_a_person(
    turn: Turn,
    pending: Pending,
    kind: IncidentKind,
    message: str,
    failure: Failure | None = None,
    *,
    changed: dict[str, Any] | None = None,
    item: int | None = None,
) -> None:
    _stop_waiting(turn, pending)
    number = turn.open_incident(
        kind, message, step=pending.step, visit=pending.visit, failure=failure, changed=changed, item=item
    )
    turn.replace_pending(pending, _with(pending, attempt=pending.attempt, incident=number))


def _with(pending: Pending, *, attempt: int | None = None, waiting: bool = False, incident: int = 0) -> Pending:
    return Pending(
        step=pending.step,
        visit=pending.visit,
        attempt=pending.attempt if attempt is None else attempt,
        waiting=waiting,
        since=pending.since,
        base=pending.base,
        moved=pending.moved,
        overwritten=pending.overwritten,
        incident=incident,
        each=pending.each,
    )
