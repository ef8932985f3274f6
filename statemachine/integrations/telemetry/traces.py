"""Where a run's spans stand: their trace and their ids follow from the run, so every process that moves it agrees.

A trace is a run. Its id is made of the run's id and of the nonce that its start was given; the id of a span, of these
and of what the span is about. So nothing has to be kept, and a process that goes on with a run knows the trace and the
parent that the one before it used, though the parent is exported only when the run ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    TraceFlags,
    Tracer,
    TracerProvider,
    get_current_span,
    get_tracer_provider,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from statemachine.snapshot import Snapshot

SCOPE = "statemachine"
"""What spans and metrics say they are of."""
Attributes = Mapping[str, str | int | Sequence[str]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_propagator = TraceContextTextMapPropagator()
_ids: ContextVar[tuple[int, int] | None] = ContextVar("statemachine_span_ids", default=None)
"""The ids of trace and span that the next span gets."""


def nanoseconds(time: datetime) -> int:
    """A UTC time as OpenTelemetry has it: nanoseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND * 1000


def from_here() -> str | None:
    """The current span, as W3C `traceparent`; None outside of any."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def links_to(trace: str | None) -> list[Link]:
    """A link to a `traceparent`; none where there is none that can be read."""
    if trace is None:
        return []
    context = get_current_span(_propagator.extract({"traceparent": trace}, Context())).get_span_context()
    return [Link(context)] if context.is_valid else []


class Ids:
    """Gives the next span the ids that were chosen for it, and all others what the provider's own generator gives."""

    def __init__(self, others: Any) -> None:
        self._others = others

    def generate_trace_id(self) -> int:
        """The id of a new trace."""
        chosen = _ids.get()
        return int(self._others.generate_trace_id()) if chosen is None else chosen[0]

    def generate_span_id(self) -> int:
        """The id of a new span."""
        chosen = _ids.get()
        return int(self._others.generate_span_id()) if chosen is None else chosen[1]

    def is_trace_id_random(self) -> bool:
        """Whether a new trace's id is of chance alone."""
        return _ids.get() is None and bool(self._others.is_trace_id_random())


@attrs.frozen
class Place:
    """A run's trace."""

    run: str
    nonce: str

    @classmethod
    def of(cls, snapshot: Snapshot[Any]) -> Place:
        """The trace of a run."""
        return cls(snapshot.run, snapshot.nonce)

    @property
    def trace(self) -> int:
        """The trace's id."""
        return self._number(16, "trace")

    def span(self, *what: object) -> int:
        """The id of the span about something; about nothing, of that of the whole run."""
        return self._number(8, "span", *what)

    def _number(self, size: int, *what: object) -> int:
        said = "\0".join(map(str, (self.run, self.nonce, *what)))
        return int.from_bytes(hashlib.sha256(said.encode()).digest()[:size]) or 1


class Spans:
    """Begins spans.

    With the SDK's tracers a span gets the ids that were chosen for it, and a run is sampled as a whole. Others are
    given the trace and the parent, and choose ids of their own.
    """

    def __init__(self, provider: TracerProvider | None, version: str) -> None:
        self._provider = provider
        self._version = version
        self._known: Tracer | None = None

    @property
    def _tracer(self) -> Tracer:
        """The tracer; asked for until there is one that is final, as a provider may be set after this was made."""
        if self._known is not None:
            return self._known
        tracer: Any = (self._provider or get_tracer_provider()).get_tracer(SCOPE, self._version)
        ids = getattr(tracer, "id_generator", None)
        if ids is not None:
            if not isinstance(ids, Ids):
                tracer.id_generator = Ids(ids)
            self._known = tracer
        found: Tracer = tracer
        return found

    def of_run(self, place: Place, workflow: str) -> SpanContext:
        """The context of a run's own span, in any process, before that span is there."""
        sampler = getattr(self._tracer, "sampler", None)
        sampled, state = True, None
        if sampler is not None:
            about = {"statemachine.workflow": workflow, "statemachine.run": place.run}
            result = sampler.should_sample(None, place.trace, workflow, attributes=about)
            sampled, state = result.decision.is_sampled(), result.trace_state
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        return SpanContext(place.trace, place.span(), is_remote=True, trace_flags=flags, trace_state=state)

    def whole(self, place: Place, name: str, at: datetime, attributes: Attributes, links: Sequence[Link]) -> Span:
        """Begin the span of a whole run."""
        tracer = self._tracer
        if tracer is not self._known:  # it chooses the id itself, so the span stands below the one that is missing
            return self.within(place, name, name, at, attributes=attributes, links=links, what=("run",))
        with _chosen(place.trace, place.span()):
            return tracer.start_span(
                name, Context(), attributes=dict(attributes), links=links, start_time=nanoseconds(at)
            )

    def within(
        self,
        place: Place,
        workflow: str,
        name: str,
        at: datetime,
        *,
        attributes: Attributes,
        links: Sequence[Link] = (),
        what: Sequence[object],
    ) -> Span:
        """Begin a span of a run; `what` tells it from all others of the run."""
        parent = set_span_in_context(NonRecordingSpan(self.of_run(place, workflow)), Context())
        with _chosen(place.trace, place.span(*what)):
            return self._tracer.start_span(
                name, parent, attributes=dict(attributes), links=links, start_time=nanoseconds(at)
            )


@contextmanager
def _chosen(trace: int, span: int) -> Generator[None]:
    token = _ids.set((trace, span))
    try:
        yield
    finally:
        _ids.reset(token)
