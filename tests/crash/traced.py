"""A process whose spans are lines in a file; `python -m tests.crash.traced JOURNAL SPANS`.

It says `asking` when its second step has called, and hangs there when its standard input says nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import attrs
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from statemachine import Runner, State, Workflow, evolve, step
from statemachine.integrations.telemetry import Telemetry


class Lines(SpanExporter):
    """Appends each span to a file, where the death of its process does not reach it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write them."""
        with self._file.open("a", encoding="utf-8") as lines:
            lines.writelines(f"{span.to_json(indent=None)}\n" for span in spans)
        return SpanExportResult.SUCCESS


@attrs.frozen
class Parcel:
    weight: int
    weighed: bool = False


STARTED = threading.Event()
"""Whoever started the run has ended its span."""
PROVIDER = TracerProvider(shutdown_on_exit=False)


class Shipping(Workflow[Parcel], name="shipping"):
    weighing = State(initial=True)
    asking = State()
    sent = State(final=True)

    @step(weighing, to=asking)
    def weigh(self, parcel: Parcel) -> Parcel:
        return evolve(parcel, weighed=True)

    @step(asking, to=sent)
    def ask(self, parcel: Parcel) -> Parcel:
        with PROVIDER.get_tracer("carrier").start_as_current_span("POST /label"):
            pass
        STARTED.wait(10)
        sys.stdout.write("asking\n")
        sys.stdout.flush()
        sys.stdin.readline()
        return parcel


def main(journal: str, spans: str) -> None:
    """Move the one run to its end."""
    PROVIDER.add_span_processor(SimpleSpanProcessor(Lines(Path(spans))))
    with Runner(journal, [Shipping()], observer=Telemetry(tracer_provider=PROVIDER)) as runner:
        with PROVIDER.get_tracer("shop").start_as_current_span("POST /orders"):
            run = runner.start(Shipping, Parcel(7), id="parcel-1")
        STARTED.set()
        sys.stdout.write(f"{run.result(timeout=30).status}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
