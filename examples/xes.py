"""Reads an event log in XES (IEEE 1849), plain or gzipped, one trace at a time.

It keeps no more than the trace it is in. What is wrong with a log is told with its line and its case. It takes of an
event `concept:name`, `lifecycle:transition`, `time:timestamp` and `org:resource`, and of a trace its attributes.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NoReturn
from xml.parsers import expat

import msgspec

CHUNK = 1 << 16
"""Bytes that are read at once."""
GZIP = b"\x1f\x8b"
ATTRIBUTES = frozenset(("string", "date", "int", "float", "boolean", "id"))
IN_LOG = ATTRIBUTES | {"extension", "global", "classifier", "trace", "event", "list", "container"}
"""What may stand directly in a log."""


class LogEvent(msgspec.Struct, frozen=True):
    """Something that happened to a case."""

    name: str
    transition: str
    """`SCHEDULE`, `START`, `COMPLETE` …; empty when the log does not say."""
    at: datetime
    """With its zone; a time without one is read as UTC."""
    resource: str | None = None


class Trace(msgspec.Struct, frozen=True):
    """A case: its attributes, and its events in the order of the file."""

    case: str
    attributes: Mapping[str, str]
    events: tuple[LogEvent, ...]


class NotReadable(Exception):
    """The log cannot be read: what is wrong with it, and where."""

    def __init__(self, path: Path, what: str, line: int | None = None, case: str | None = None) -> None:
        self.line = line
        self.case = case
        where = [f"case {case}"] if case else []
        where += [f"line {line}"] if line else []
        super().__init__(f"{path}: {what}" + (f" ({', '.join(where)})" if where else ""))


def read(path: Path) -> Iterator[Trace]:
    """The traces of a log, in the order of the file.

    Raises:
        NotReadable: The file is absent, is not XES, is cut off, has a case twice, or an event has no name or no time.
    """
    reader = _Reader(path)
    try:
        with path.open("rb") as raw:
            packed = raw.read(len(GZIP)) == GZIP
            raw.seek(0)
            file: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
            while chunk := file.read(CHUNK):
                reader.feed(chunk)
                yield from reader.taken()
            reader.feed(b"", last=True)
            yield from reader.taken()
    except EOFError:
        reader.refuse("the gzip is cut off; fetch the file again")
    except (gzip.BadGzipFile, zlib.error) as error:
        reader.refuse(f"the gzip is damaged: {error}")
    except OSError as error:
        raise NotReadable(path, f"cannot be read: {error.strerror or error}") from None


class _Reader:
    """Follows the elements of the file and gathers traces."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._open: list[str] = []
        self._cases: set[str] = set()
        self._traces: list[Trace] = []
        self._number = 0
        self._trace: dict[str, str] | None = None
        self._event: dict[str, str] = {}
        self._events: list[LogEvent] = []
        self._line = 0
        self._wrong: tuple[str, int] | None = None

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        """Read on. Raises NotReadable."""
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            cut = last and self._open
            what = "it is cut off" if cut else f"it is not XES: {expat.ErrorString(error.code)}"
            self.refuse(what)

    def taken(self) -> list[Trace]:
        """The traces that were finished since this was asked last."""
        traces, self._traces = self._traces, []
        return traces

    def refuse(self, what: str, line: int | None = None) -> NoReturn:
        """Say what is wrong, with the place and the case that is being read there. Raises NotReadable."""
        case = None
        if self._trace is not None:
            case = self._trace.get("concept:name") or f"number {self._number}, which has no name yet"
        raise NotReadable(self._path, what, line or self._parser.CurrentLineNumber, case) from None

    def _doctype(self, *_: object) -> None:
        self.refuse("it is not XES: XES has no DOCTYPE")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        parent = self._open[-1] if self._open else ""
        if not parent and name != "log":
            self.refuse(f"it is not XES: it begins with <{tag}>, not with <log>")
        if parent == "log" and name not in IN_LOG:
            self.refuse(f"it is not XES: <{tag}> stands in <log>")
        if name == "event":
            if parent != "trace":
                self.refuse("an event belongs to no case: it stands outside a trace")
            self._event, self._line = {}, self._parser.CurrentLineNumber
        elif name == "trace":
            self._number += 1
            self._trace, self._events, self._wrong = {}, [], None
        elif name in ATTRIBUTES:
            self._attribute(parent, attributes)
        self._open.append(name)

    def _attribute(self, parent: str, attributes: dict[str, str]) -> None:
        """Keep an attribute of a trace or an event; those of other attributes say nothing here."""
        if parent == "event":
            self._event[attributes.get("key", "")] = attributes.get("value", "")
        elif parent == "trace" and self._trace is not None:
            self._trace[attributes.get("key", "")] = attributes.get("value", "")

    def _end(self, _tag: str) -> None:
        name = self._open.pop()
        if name == "event":
            self._end_event()
        elif name == "trace":
            self._end_trace()

    def _end_event(self) -> None:
        """Take the event; what is wrong with it is told when the case's name is sure to be known."""
        event = self._event
        name, time = event.get("concept:name"), event.get("time:timestamp")
        at = _time(time)
        if name and at:
            self._events.append(
                LogEvent(name, event.get("lifecycle:transition", "").upper(), at, event.get("org:resource") or None)
            )
        elif self._wrong is None:
            what = f"event {name} has the time {time!r}, which is none" if time else f"event {name} has no time"
            self._wrong = (what if name else "an event has no name", self._line)

    def _end_trace(self) -> None:
        attributes = self._trace or {}
        case = attributes.get("concept:name")
        if not case:
            self.refuse("a trace has no name, so its case is not known")
        if case in self._cases:
            self.refuse("the case stands in the log twice")
        if self._wrong is not None:
            self.refuse(*self._wrong)
        self._cases.add(case)
        self._traces.append(Trace(case, attributes, tuple(self._events)))
        self._trace = None


def _time(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
