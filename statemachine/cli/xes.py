"""A journal as an XES event log (IEEE 1849): a trace a run, an event an entry, for tools that mine processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO
from xml.sax.saxutils import quoteattr

from statemachine.runner import Entry, RunSummary

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849.2016" xes.features="" xmlns="http://www.xes-standard.org/">
  <extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
  <extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
  <extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
  <extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>
  <global scope="trace">
    <string key="concept:name" value=""/>
  </global>
  <global scope="event">
    <string key="concept:name" value=""/>
    <date key="time:timestamp" value="1970-01-01T00:00:00+00:00"/>
  </global>
  <classifier name="Activity" keys="concept:name"/>
"""
LIFECYCLE = {
    "failed": "pi_abort",
    "undo-failed": "pi_abort",
    "kill": "ate_abort",
    "cancel": "withdraw",
    "pause": "suspend",
}


def write_xes(stream: TextIO, runs: Iterable[tuple[RunSummary, Iterable[Entry]]]) -> None:
    """Write the log."""
    stream.write(HEAD)
    for run, entries in runs:
        stream.write("  <trace>\n")
        stream.writelines(_attributes("    ", _of_run(run)))
        for entry in entries:
            stream.write("    <event>\n")
            stream.writelines(_attributes("      ", _of_entry(entry)))
            stream.write("    </event>\n")
        stream.write("  </trace>\n")
    stream.write("</log>\n")


def _of_run(run: RunSummary) -> Iterator[tuple[str, str, str]]:
    yield "string", "concept:name", run.id
    yield "string", "workflow", run.workflow
    yield "string", "status", run.status
    for name, value in run.tags.items():
        yield "string", f"tag:{name}", value


def _of_entry(entry: Entry) -> Iterator[tuple[str, str, str]]:
    yield (
        "string",
        "concept:name",
        f"{entry.kind} {entry.name}" if entry.kind != "event" and entry.name else entry.name or entry.kind,
    )
    yield "date", "time:timestamp", entry.at.isoformat(timespec="microseconds")
    yield "string", "lifecycle:transition", LIFECYCLE.get(entry.kind, "complete")
    yield "string", "kind", entry.kind
    yield "string", "state", ", ".join(entry.state)
    if entry.actor:
        yield "string", "org:resource", entry.actor
    if entry.reason:
        yield "string", "reason", entry.reason


def _attributes(indent: str, attributes: Iterator[tuple[str, str, str]]) -> Iterator[str]:
    for kind, key, value in attributes:
        yield f"{indent}<{kind} key={quoteattr(key)} value={quoteattr(_printable(value))}/>\n"


def _printable(text: str) -> str:
    """Without the control characters that XML 1.0 cannot hold."""
    return "".join(character if character >= " " or character in "\t\n\r" else "\ufffd" for character in text)
