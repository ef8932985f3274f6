"""OpenTelemetry: a trace a run, a span an attempt, links to who started it and who sent, and metrics.

It needs the extra `[otel]`. ::

    with Runner("app.db", [LoanApproval(bank)], observer=Telemetry()) as runner: ...
"""

from __future__ import annotations

from statemachine import _clash as _clash
from statemachine.integrations.telemetry.observer import Telemetry

__all__ = ["Telemetry"]
