"""Tells OpenTelemetry of what a runner commits.

A span or a count stands for something that is in the journal: it is made after the commit. A process that is killed
between the two loses it; none is made twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import attrs
from opentelemetry.context import Context, attach
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Link, Span, Status, StatusCode, TracerProvider, set_span_in_context

from statemachine.commands import RunStep, Undo
from statemachine.inputs import Begin, Failed, Lost, Received, Stopped, Succeeded, UndoFailed
from statemachine.integrations.telemetry.measures import Ended, Measures, due_of, is_of_undo, outcome_of
from statemachine.integrations.telemetry.traces import Attributes, Place, Spans, from_here, links_to, nanoseconds
from statemachine.runner import Committed, ItemVerdict, Observer
from statemachine.snapshot import Failure, Snapshot
from statemachine.turn import step_key


@attrs.frozen(eq=False)
class _Running:
    span: Span
    began: datetime
    step: str
    undo: bool


class Telemetry(Observer):
    """Tells OpenTelemetry of runs. Give it to `Runner(observer=)`, and to a `Client` whose callers are to be linked to.

    Args:
        tracer_provider: Where spans go; the global provider when not given.
        meter_provider: Where metrics go; likewise.
        texts: Whether spans carry the messages and tracebacks of exceptions, which may have personal data in them, and
            not only their types.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        texts: bool = False,
    ) -> None:
        ours = _version()
        self._spans = Spans(tracer_provider, ours)
        self._measures = Measures(meter_provider, ours)
        self._texts = texts
        self._running: dict[Place, dict[str, _Running]] = {}
        """The attempts that run here, by their keys."""

    def caller(self) -> str | None:
        """The current span of whoever starts or sends."""
        return from_here()

    def sender(self, run: Snapshot[Any], /) -> str | None:
        """The span of the run that sends."""
        context = self._spans.of_run(Place.of(run), run.workflow)
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"

    def begins(self, run: Snapshot[Any], work: RunStep | Undo, at: datetime, /) -> None:
        """Begin the attempt's span, and make it the current one of its function."""
        place, undo = Place.of(run), isinstance(work, Undo)
        attributes: dict[str, Any] = {
            **_about(run),
            "statemachine.step": work.step,
            "statemachine.attempt": work.attempt,
            "statemachine.key": work.key,
        }
        name = f"undo {work.step}" if undo else work.step
        what = (work.key, work.attempt, _round(run, work))
        span = self._spans.within(place, run.workflow, name, at, attributes=attributes, what=what)
        self._running.setdefault(place, {})[work.key] = _Running(span, at, work.step, undo)
        attach(set_span_in_context(span, Context()))

    def recorded(
        self, run: Snapshot[Any], key: str, outcome: ItemVerdict, failure: Failure | None, at: datetime, /
    ) -> None:
        """End the span of an item's attempt."""
        place = Place.of(run)
        running = self._running.get(place, {}).pop(key, None)
        if running is not None:
            self._measures.item(run.workflow, running.step, outcome, undo=running.undo)
            self._end(running, outcome, failure, at)
        self._forget(place)

    def wrote(self, seconds: float, waiting: int, /) -> None:
        """Measure a commit."""
        self._measures.wrote(seconds, waiting)

    def moved(self, committed: Committed, /) -> None:
        """End the attempt's span, or make one of the transition's own; and at the run's end, the run's."""
        self._measures.moved(committed)
        before, after = committed.before, committed.outcome.snapshot
        place, told = Place.of(after), committed.told
        running = self._ended(place, committed.name, told, after.now) if isinstance(told, Ended) else None
        if running is not None and isinstance(told, Ended):
            self._attempted(committed, told, running)
        else:
            self._transition(place, committed)
        if after.over and (before is None or not before.over):
            self._over(place, committed)

    def _ended(self, place: Place, step: str, told: Ended, now: datetime) -> _Running | None:
        """The attempt that has ended, where it began here. Of a run that waits nothing is kept."""
        here = self._running.get(place, {})
        key = step_key(place.run, place.nonce, step, told.visit)
        running = here.pop(f"{key}:undo" if is_of_undo(told) else key, None)
        for name in [name for name in here if name.startswith(f"{key}:")]:
            if isinstance(told, Failed | UndoFailed) and name.removesuffix(":undo") == f"{key}:{told.item}":
                self._end(here.pop(name), outcome_of(told), told.failure, now)
            else:
                self._end(here.pop(name), "stopped", None, now)
        self._forget(place)
        return running

    def _forget(self, place: Place) -> None:
        if not self._running.get(place, True):
            del self._running[place]

    def _end(self, running: _Running, outcome: str, failure: Failure | None, at: datetime) -> None:
        """End the span of one of many items."""
        running.span.set_attribute("statemachine.outcome", outcome)
        if failure is not None:
            self._failure(running.span, failure, wrong=outcome == "failed")
        running.span.end(nanoseconds(at))

    def _attempted(self, committed: Committed, told: Ended, running: _Running) -> None:
        span, after = running.span, committed.outcome.snapshot
        outcome = outcome_of(told)
        span.set_attribute("statemachine.outcome", outcome)
        if isinstance(told, Failed | UndoFailed):
            self._failure(span, told.failure, wrong=outcome == "failed")
        took = None if isinstance(told, Lost | Stopped) else told.took
        end = after.now if took is None else running.began + timedelta(seconds=took)
        for timer in after.timers:
            if timer.visit == told.visit and timer.kind in {"retry", "undo"}:
                span.add_event("retry", {"statemachine.due": timer.due.isoformat()}, nanoseconds(end))
        span.add_event("recorded", {"statemachine.state": after.states}, nanoseconds(after.now))
        self._incidents(span, committed)
        span.end(nanoseconds(end))

    def _transition(self, place: Place, committed: Committed) -> None:
        """From when it was acknowledged or due to when it was taken."""
        told, after = committed.told, committed.outcome.snapshot
        attributes: dict[str, Any] = _about(after)
        links: list[Link] = []
        begins = due_of(committed) or after.now
        if isinstance(told, Received):
            attributes["statemachine.verdict"] = committed.outcome.verdict
            links = links_to(told.occurrence.trace)
            begins = told.occurrence.at or after.now
        elif isinstance(told, Succeeded) and told.taken is not None:
            attributes["statemachine.outcome"] = outcome_of(told)
            attributes["statemachine.taken.run"] = told.taken.run
        elif isinstance(told, Begin):
            links = links_to(told.trace)
        span = self._spans.within(
            place,
            after.workflow,
            f"{committed.kind} {committed.name}".rstrip(),
            min(begins, after.now),
            attributes=attributes,
            links=links,
            what=("transition", after.seq),
        )
        self._incidents(span, committed)
        span.end(nanoseconds(after.now))

    def _over(self, place: Place, committed: Committed) -> None:
        after = committed.outcome.snapshot
        for left in self._running.pop(place, {}).values():
            left.span.set_attribute("statemachine.outcome", "left")
            left.span.end(nanoseconds(after.now))
        attributes: Attributes = {**_about(after), "statemachine.status": after.status}
        span = self._spans.whole(place, after.workflow, committed.started, attributes, links_to(after.trace))
        failure = after.ending.failure if after.ending else None
        if failure is not None:
            self._failure(span, failure, wrong=after.status == "failed")
        span.end(nanoseconds(after.now))

    def _failure(self, span: Span, failure: Failure, *, wrong: bool) -> None:
        attributes = {"exception.type": failure.type}
        if self._texts:
            attributes |= {"exception.message": failure.message, "exception.stacktrace": failure.traceback}
        span.add_event("exception", attributes)
        if wrong:
            said = f"{failure.type}: {failure.message}" if self._texts else failure.type
            span.set_status(Status(StatusCode.ERROR, said))

    def _incidents(self, span: Span, committed: Committed) -> None:
        for incident in committed.opened:
            span.add_event(
                "incident",
                {"statemachine.incident": incident.kind, "statemachine.number": incident.number},
                nanoseconds(incident.at),
            )


def _about(run: Snapshot[Any]) -> dict[str, Any]:
    return {"statemachine.workflow": run.workflow, "statemachine.run": run.run, "statemachine.state": run.states}


def _round(run: Snapshot[Any], work: RunStep | Undo) -> object:
    """What tells the first attempt from that which a person asked for once all were used up: both are number 1.

    It is the same in every process that begins this attempt; of an undo, unless a verb or a new version has moved the
    run meanwhile.
    """
    if isinstance(work, Undo):
        return run.seq
    return next((pending.since for pending in run.pending if pending.visit == work.visit), None)


def _version() -> str:
    try:
        return version("durable-statemachine")
    except PackageNotFoundError:
        return ""
