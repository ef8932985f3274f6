"""Providers of tracers: samplers, tracers that are not the SDK's, and a provider that is set up later."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import NoOpTracer, Span, Tracer, TracerProvider

from persistence import MemoryJournal
from statemachine import Runner
from statemachine.integrations.telemetry import Telemetry
from tests.unit.integrations.telling import Approve, Desk, Kept, Lending, Loan, booked, ids
from tests.unit.runner.desk import until


@pytest.mark.parametrize("root", [True, False])
def test_a_run_is_sampled_whole_or_not_at_all(root: bool) -> None:
    """Whichever sampler: no attempt without its run, and no run without its attempts; the user's spans follow."""
    kept = Kept(sampler=ParentBased(TraceIdRatioBased(0.5)) if root else TraceIdRatioBased(0.5))
    with Runner(MemoryJournal(), [Lending(Desk(kept.tracers))], observer=kept.telemetry) as runner:
        runs = [runner.start(Lending, Loan(1), id=f"loan-{number}") for number in range(40)]
        for run in runs:
            until(run, "review")
            run.send(Approve())
            run.result(timeout=10)
    traces: dict[int, list[str]] = {}
    for span in kept.spans:
        traces.setdefault(ids(span)[0], []).append(span.name)
    whole = sorted(["start", "ask bureau", "score", "event Approve", "ask bank", "hold", "ask book", "book", "lending"])
    assert all(sorted(names) == whole for names in traces.values())
    assert 0 < len(traces) < 40


def test_nothing_is_told_when_nothing_is_sampled() -> None:
    """And the runs go on."""
    kept = Kept(sampler=ALWAYS_OFF)
    with Runner(MemoryJournal(), [Lending(Desk(kept.tracers))], observer=kept.telemetry) as runner:
        booked(runner, kept)
    assert kept.spans == []


class Plainly(TracerProvider):
    """A provider whose tracers are not the SDK's to look at: only what the API promises; none until `there`."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self.there = True

    def get_tracer(self, *args: Any, **kwargs: Any) -> Tracer:
        """One that hides what it is made of."""
        return Hidden(self._kept.tracers.get_tracer(*args, **kwargs)) if self.there else NoOpTracer()


class Hidden(Tracer):
    """Begins spans, and has nothing else to say."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        """Begin one."""
        return self._tracer.start_span(*args, **kwargs)

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        """Nobody here asks for that."""
        raise NotImplementedError


def test_another_tracer_than_the_sdks_keeps_a_run_in_one_trace() -> None:
    """It chooses the ids of spans, so the run's own stands below the one that the others name as their parent."""
    kept = Kept()
    telemetry = Telemetry(tracer_provider=Plainly(kept), meter_provider=kept.meters)
    with Runner(MemoryJournal(), [Lending(Desk(kept.tracers))], observer=telemetry) as runner:
        booked(runner, kept)
    mine = [span for span in kept.spans if not span.name.startswith("POST")]
    assert len({ids(span)[0] for span in mine}) == 1
    parents = {span.parent.span_id for span in mine if span.parent and not span.name.startswith("ask")}
    assert len(parents) == 1
    assert ids(kept.one("lending"))[1] not in parents


def test_a_provider_that_is_set_up_later_is_found() -> None:
    """What was committed before is told to nobody."""
    kept = Kept()
    provider = Plainly(kept)
    provider.there = False
    telemetry = Telemetry(tracer_provider=provider, meter_provider=kept.meters)
    with Runner(MemoryJournal(), [Lending(Desk(kept.tracers))], observer=telemetry) as runner:
        run = runner.start(Lending, Loan(500))
        until(run, "review")
        provider.there = True
        run.send(Approve())
        run.result(timeout=10)
    mine = [span.name for span in kept.spans if not span.name.startswith("ask")]
    assert mine == ["event Approve", "hold", "book", "lending"]
