"""The undo stack: what was done, or may have been, is undone in reverse; nothing is undone after the pivot.

Rules (sagas, Garcia-Molina and Salem 1987; the pivot after Richardson):

* A step with an undo stands on the stack from its recorded success on, and also when its effect is unknown: it was
  left while it ran, or its attempts are used up. A declared error takes it off: that is known to have had no effect.
* To undo a run, running attempts are cancelled first and awaited; timers and deferred events are dropped; then the top
  of the stack is undone, and the next when that has succeeded, until the stack is empty.
* An undo that fails is tried again as its own `Retry` says, then waits as an incident; so does one that was running at
  too many crashes. The run is `undoing` all the while.
* After the pivot the stack is empty and stays so: what follows goes forward, or becomes an incident.
"""

from __future__ import annotations

from statemachine.commands import Finish, StopChild, Undo
from statemachine.inputs import Lost, UndoFailed, Undone
from statemachine.macrostep import leave_all
from statemachine.snapshot import Done, Ending, Failure, Status, Undoing
from statemachine.turn import Turn


def complete(turn: Turn) -> None:
    """The machine has reached a top-level final state: done, or undone first if that state compensates."""
    nodes = turn.chart.nodes
    value = leave_all(turn)
    drop_waiting(turn)
    if any(nodes[leaf].spec.compensate for leaf in turn.leaves):
        undo_run(turn, Ending("completed"))
    else:
        turn.undo = ()
        finish(turn, "completed", value)


def undo_run(turn: Turn, ending: Ending) -> None:
    """Begin to undo the run; it ends as `ending` says once the stack is empty."""
    turn.status = "undoing"
    turn.ending = ending
    turn.internal.clear()
    drop_waiting(turn)
    go_on(turn)


def drop_waiting(turn: Turn) -> None:
    """Give up what the run was waiting for.

    Steps, timers, deferred events, child machines, incidents of what is left.
    """
    for pending in turn.pending:
        turn.leave_step(pending)
    turn.cancel_timers(list(turn.timers))
    turn.deferred = ()
    turn.incidents = ()
    turn.fresh.clear()
    for child in turn.children:
        turn.commands.append(StopChild(child.id))
    turn.children = ()


def go_on(turn: Turn) -> None:
    """Undo the next entry, or end; does nothing while attempts still have to stop or an undo is under way."""
    if turn.status != "undoing" or turn.stopping or turn.undoing is not None:
        return
    if not turn.undo:
        finish(turn, turn.ending.status if turn.ending else "failed")
        return
    turn.undoing = Undoing(turn.undo[-1].visit)
    attempt(turn)


def attempt(turn: Turn) -> None:
    """Ask for the undo that is under way, unless the run is paused."""
    if turn.undoing is not None and not turn.paused:
        done = turn.undo[-1]
        key = turn.key(done.step, done.visit)
        turn.commands.append(Undo(done.step, done.visit, turn.undoing.attempt, f"{key}:undo", key))


def finish(turn: Turn, status: Status, value: object = None) -> None:
    """End the run."""
    turn.status = status
    turn.commands.append(Finish(status, value))


def record(turn: Turn, done: Done) -> None:
    """Put a step that has succeeded on the stack, or drop the stack if it is the pivot."""
    step = turn.chart.steps[done.step]
    if step.pivot:
        turn.pivoted = True
        turn.undo = ()
    elif step.undo is not None and not turn.pivoted:
        turn.undo = (*turn.undo, done)


def learn(turn: Turn, visit: int, done: Done | None) -> None:
    """The outcome of a visit that was left: `done` replaces what the stack guessed, None takes it off (no effect)."""
    turn.stopping = tuple([stopping for stopping in turn.stopping if stopping.visit != visit])
    known = [done if entry.visit == visit and entry.unknown else entry for entry in turn.undo]
    if turn.undoing is None or turn.undoing.visit != visit:
        turn.undo = tuple([entry for entry in known if entry is not None])
    go_on(turn)


def undone(turn: Turn, told: Undone) -> bool:
    """The undo of the top has succeeded. False: that is not what is being undone."""
    if turn.undoing is None or turn.undoing.visit != told.visit:
        return False
    if turn.undoing.incident:
        turn.close_incident(turn.undoing.incident)
    turn.cancel_timers([timer for timer in turn.timers if timer.kind == "undo"])
    turn.undo = turn.undo[:-1]
    turn.undoing = None
    go_on(turn)
    return True


def undo_failed(turn: Turn, told: UndoFailed) -> bool:
    """The undo of the top has failed.

    Try again later, or wait for a person. False: that is not what is being undone.
    """
    undoing = turn.undoing
    if undoing is None or undoing.visit != told.visit or undoing.waiting or undoing.incident:
        return False
    name = turn.undo[-1].step
    step = turn.chart.steps[name]
    attempt = told.attempt or undoing.attempt
    wait = None if told.final or step.undo is None else step.undo.retry.wait(attempt, told.chance)
    if wait is not None:
        turn.undoing = Undoing(undoing.visit, undoing.attempt, waiting=True, left=undoing.left)
        turn.set_timer("undo", turn.deadline(wait), visit=undoing.visit)
        return True
    said = f"failed {attempt} time(s): {told.failure.type}: {told.failure.message}"
    _wait_for_a_person(turn, undoing, said, told.failure, told.item)
    return True


def undo_lost(turn: Turn, told: Lost) -> bool:
    """The undo of the top was running at so many crashes that it must not run again by itself.

    False: that is not what is being undone.
    """
    undoing = turn.undoing
    if undoing is None or undoing.visit != told.visit or undoing.waiting or undoing.incident:
        return False
    said = f"was running at {told.crashes} crashes in a row; it may be what ends the process. 'retry' runs it again."
    _wait_for_a_person(turn, undoing, said, item=told.item)
    return True


def _wait_for_a_person(
    turn: Turn, undoing: Undoing, said: str, failure: Failure | None = None, item: int | None = None
) -> None:
    name = turn.undo[-1].step
    which = f"step {name!r}" if item is None else f"item {item} of step {name!r}"
    message = f"The undo of {which} {said}"
    number = turn.open_incident("undo", message, step=name, visit=undoing.visit, failure=failure, item=item)
    turn.undoing = Undoing(undoing.visit, undoing.attempt, incident=number, left=undoing.left)
