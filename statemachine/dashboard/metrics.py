"""The journal's numbers in the text format of Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from statemachine.dashboard.rendering import now
from statemachine.runner import Health, Statistics

CONTENT = "text/plain; version=0.0.4"
Samples = Iterator[tuple[dict[str, str], float]]


def metrics(well: Health, numbers: Statistics, entries: int) -> str:
    """The document. Step numbers are of the last hour, so they are gauges; `entries_total` alone only grows."""
    lines: list[str] = []
    for name, kind, told, samples in (
        ("entries_total", "counter", "Transitions committed to the journal", _one(entries)),
        ("owner_up", "gauge", "1 while somebody moves the journal's runs", _one(well.owner is not None)),
        ("runs_live", "gauge", "Runs that are not over, by workflow and state", _live(numbers)),
        ("runs_stood_seconds", "gauge", "For how long the one that stands still longest has", _stood(numbers)),
        ("runs_with_incident", "gauge", "Runs that need a person", _one(well.incidents)),
        ("runs_held", "gauge", "Runs that no workflow of the owner fits", _one(well.held)),
        ("holds", "gauge", "Workflows and steps that a person holds back", _one(len(well.holds))),
        ("notices_undelivered", "gauge", "Notices more than a minute old that nobody was told of", _one(well.unheard)),
        ("notices_oldest_seconds", "gauge", "Age of the oldest of these notices", _one(_age(well.silent))),
        ("runs_overdue", "gauge", "Runs more than a minute past their deadline", _one(well.overdue)),
        ("overdue_seconds", "gauge", "Age of the oldest deadline that was missed", _one(_age(well.oldest))),
        ("inbox_messages", "gauge", "Messages that nobody has taken", _one(well.messages)),
        ("inbox_oldest_seconds", "gauge", "Age of the oldest message that nobody has taken", _one(_age(well.waiting))),
        ("file_bytes", "gauge", "Size of the database", _one(well.file)),
        ("wal_bytes", "gauge", "Size of the write-ahead log in use", _one(well.log)),
        ("entries_per_second", "gauge", "Transitions a second in the last hour", _one(numbers.rate)),
        ("step_attempts", "gauge", "Attempts of steps that ended in the last hour", _attempts(numbers)),
        ("step_seconds", "gauge", "How long attempts took in the last hour", _took(numbers)),
    ):
        found = [f"statemachine_{name}{_labels(labels)} {_said(value)}" for labels, value in samples]
        if found:
            lines += [f"# HELP statemachine_{name} {told}", f"# TYPE statemachine_{name} {kind}", *found]
    return "\n".join(lines) + "\n"


def _one(value: float) -> Samples:
    yield {}, value


def _age(at: datetime | None) -> float:
    return max((now() - at).total_seconds(), 0.0) if at is not None else 0.0


def _live(numbers: Statistics) -> Samples:
    for group in numbers.waiting:
        yield {"workflow": group.workflow, "state": " ".join(group.state)}, group.runs


def _stood(numbers: Statistics) -> Samples:
    for group in numbers.waiting:
        yield {"workflow": group.workflow, "state": " ".join(group.state)}, _age(group.since)


def _attempts(numbers: Statistics) -> Samples:
    for step in numbers.steps:
        labels = {"step": step.step, "undo": str(step.undo).lower()}
        yield {**labels, "outcome": "failed"}, step.failed
        yield {**labels, "outcome": "succeeded"}, step.attempts - step.failed


def _took(numbers: Statistics) -> Samples:
    for step in numbers.steps:
        labels = {"step": step.step, "undo": str(step.undo).lower()}
        for quantile, seconds in (("0.5", step.p50), ("0.95", step.p95)):
            if seconds is not None:
                yield {**labels, "quantile": quantile}, seconds


def _labels(labels: dict[str, str]) -> str:
    said = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{said}}}" if said else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _said(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6g}"
