"""The metrics of runs: how many, how they ended, how their steps did, and how the journal and the timers keep up."""

from __future__ import annotations

from datetime import datetime

from opentelemetry.metrics import MeterProvider, get_meter_provider

from statemachine.inputs import Begin, Elapsed, Failed, Lost, Stopped, Succeeded, UndoFailed, Undone
from statemachine.integrations.telemetry.traces import SCOPE
from statemachine.runner import Committed

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Bounds of the buckets; those that are the default fit milliseconds."""
Ended = Succeeded | Failed | Lost | Stopped | Undone | UndoFailed
_OUTCOMES: dict[type[Ended], str] = {
    Succeeded: "succeeded",
    Failed: "failed",
    Lost: "lost",
    Stopped: "stopped",
    Undone: "succeeded",
    UndoFailed: "failed",
}


def outcome_of(told: Ended) -> str:
    """How an attempt ended: succeeded, failed, declared (with an exception that `error=` names), stopped or lost.

    Or that none was made, since the result was taken from another run: taken.
    """
    if isinstance(told, Succeeded) and told.taken is not None:
        return "taken"
    return "declared" if isinstance(told, Failed) and told.arm is not None else _OUTCOMES[type(told)]


def is_of_undo(told: Ended) -> bool:
    """Whether it is the end of an attempt to undo."""
    return isinstance(told, Undone | UndoFailed) or (isinstance(told, Lost) and told.undo)


def due_of(committed: Committed) -> datetime | None:
    """When the timer that was taken was due, UTC; None where it was none."""
    told, before = committed.told, committed.before
    if not isinstance(told, Elapsed) or before is None:
        return None
    return next((timer.due for timer in before.timers if timer.number == told.timer), None)


class Measures:
    """See the module. Attributes are of few values: workflows, steps, outcomes; never a run's id."""

    def __init__(self, provider: MeterProvider | None, version: str) -> None:
        meter = (provider or get_meter_provider()).get_meter(SCOPE, version)
        self._started = meter.create_counter("statemachine.runs.started", "{run}", "Runs that were started.")
        self._ended = meter.create_counter("statemachine.runs.ended", "{run}", "Runs that are over.")
        self._attempts = meter.create_counter(
            "statemachine.step.attempts", "{attempt}", "Attempts of steps and undos whose end is recorded."
        )
        self._items = meter.create_counter(
            "statemachine.item.attempts", "{attempt}", "Attempts, and undos, of one of many items that are recorded."
        )
        self._took = meter.create_histogram(
            "statemachine.step.duration",
            "s",
            "How long the function of an attempt ran.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._incidents = meter.create_counter("statemachine.incidents", "{incident}", "Incidents that were opened.")
        self._lag = meter.create_histogram(
            "statemachine.timer.lag",
            "s",
            "How long after its deadline a timer was taken.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._commits = meter.create_histogram(
            "statemachine.commit.duration",
            "s",
            "How long it took to work out and commit the transitions that were ready.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._queue = meter.create_gauge("statemachine.queue", "{request}", "Requests that wait for the next commit.")

    def wrote(self, seconds: float, waiting: int) -> None:
        """See `Observer.wrote`."""
        self._commits.record(max(seconds, 0.0))
        self._queue.set(waiting)

    def item(self, workflow: str, step: str, outcome: str, *, undo: bool) -> None:
        """Count what came of one of many items."""
        self._items.add(
            1,
            {
                "statemachine.workflow": workflow,
                "statemachine.step": step,
                "statemachine.undo": undo,
                "statemachine.outcome": outcome,
            },
        )

    def moved(self, committed: Committed) -> None:
        """See `Observer.moved`."""
        told, before, after = committed.told, committed.before, committed.outcome.snapshot
        workflow = {"statemachine.workflow": after.workflow}
        if isinstance(told, Begin):
            self._started.add(1, workflow)
        elif isinstance(told, Ended):
            self._attempt(committed, told, workflow)
        elif (due := due_of(committed)) is not None:
            self._lag.record(max((after.now - due).total_seconds(), 0.0), workflow)
        for incident in committed.opened:
            self._incidents.add(1, {**workflow, "statemachine.incident": incident.kind})
        if after.over and (before is None or not before.over):
            self._ended.add(1, {**workflow, "statemachine.status": after.status})

    def _attempt(self, committed: Committed, told: Ended, workflow: dict[str, str]) -> None:
        step: dict[str, str | bool] = {
            **workflow,
            "statemachine.step": committed.name,
            "statemachine.undo": is_of_undo(told),
        }
        self._attempts.add(1, {**step, "statemachine.outcome": outcome_of(told)})
        took = None if isinstance(told, Lost | Stopped) else told.took
        if took is not None:
            self._took.record(took, step)
