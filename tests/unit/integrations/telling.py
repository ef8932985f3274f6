"""What the tests of telemetry share: spans and metrics kept in memory, and a workflow with a step of each kind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import attrs
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from statemachine import Call, Event, Retry, Run, Runner, State, Workflow, after, evolve, on, step, transaction
from statemachine.integrations.telemetry import Telemetry
from tests.unit.runner.desk import until


class Kept:
    """Telemetry whose spans and metrics stay in memory."""

    def __init__(self, *, texts: bool = False, sampler: Sampler | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.telemetry = Telemetry(tracer_provider=self.tracers, meter_provider=self.meters, texts=texts)

    @property
    def spans(self) -> list[ReadableSpan]:
        """What was exported, in that order."""
        return list(self.exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of that name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        """The one span of that name."""
        (span,) = self.named(name)
        return span

    def measured(self) -> dict[str, dict[tuple[Any, ...], Any]]:
        """Each metric's points, collected now: by the values of their attributes, the value, or how many there are."""
        data = self.reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: {
                tuple((point.attributes or {}).values()): point.count
                if isinstance(point, HistogramDataPoint)
                else getattr(point, "value", None)
                for point in metric.data.data_points
            }
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


def said(span: ReadableSpan) -> Mapping[str, Any]:
    """A span's attributes, without our prefix."""
    return {name.removeprefix("statemachine."): value for name, value in (span.attributes or {}).items()}


def ids(span: ReadableSpan) -> tuple[int, int]:
    """The ids of its trace and its own."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


@attrs.frozen
class Loan:
    amount: int
    score: int = 0


class Approve(Event, frozen=True):
    pass


class Decline(Event, frozen=True):
    pass


class Poor(Exception):
    """Known to have had no effect."""


class Desk:
    """What the steps call, where they note who called; `failures` are raised first."""

    def __init__(self, tracers: TracerProvider) -> None:
        self.tracer = tracers.get_tracer("desk")
        self.failures: list[Exception] = []
        self.keys: list[str] = []
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def ask(self, what: str) -> None:
        """A call with a span of its own, as an instrumented client makes it."""
        with self.tracer.start_as_current_span(f"ask {what}"):
            self.asked.append(what)
            self.gate.wait(10)
            if self.failures:
                raise self.failures.pop(0)


class Lending(Workflow[Loan], name="lending"):
    desk: Desk

    scoring = State(initial=True)
    review = State()
    holding = State()
    booking = State()
    booked = State(final=True)
    poor = State(final=True)
    declined = State(final=True, compensate=True)

    @step(scoring, to=review, error={Poor: poor}, retry=Retry(2, delay=60, jitter=0))
    async def score(self, loan: Loan, call: Call) -> Loan:
        self.desk.keys.append(call.key)
        self.desk.ask("bureau")
        return evolve(loan, score=7)

    @score.undo
    async def forget(self, loan: Loan, call: Call) -> None:
        self.desk.ask("bureau to forget")

    approve = on(Approve, source=review, to=holding)
    decline = on(Decline, source=review, to=declined)
    lapse = after(timedelta(days=7), source=review, to=declined)

    @step(holding, to=booking)
    def hold(self, loan: Loan) -> Loan:
        self.desk.ask("bank")
        return loan

    @hold.undo
    def release(self, loan: Loan) -> None:
        self.desk.ask("bank to release")

    @transaction(booking, to=booked)
    def book(self, loan: Loan, connection: Any) -> Loan:
        self.desk.ask("book")
        return loan


class Endless(Workflow[Loan], name="endless"):
    """Its step never ends by itself."""

    waiting = State(initial=True)
    over = State(final=True)

    @step(waiting, to=over)
    async def wait(self, loan: Loan) -> Loan:
        await asyncio.Event().wait()
        return loan


def booked(runner: Runner, kept: Kept, id: str = "loan-1") -> Run[Loan]:
    """A run that was started and approved under spans of the caller's, and is over."""
    views = kept.tracers.get_tracer("views")
    with views.start_as_current_span("POST /loans"):
        run = runner.start(Lending, Loan(500), id=id)
    until(run, "review")
    with views.start_as_current_span("POST /approve"):
        run.send(Approve())
    run.result(timeout=10)
    return run
