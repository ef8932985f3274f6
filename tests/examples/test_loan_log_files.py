"""Reading an event log: what is taken from it, and what is said of a broken one."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from examples.loan_log import main
from examples.loan_log_events import Completed, Foreign, Item, OfferSentBack, Submitted, typed
from examples.loan_log_replay import Log
from examples.xes import LogEvent, NotReadable, read

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<log xes.version="1.0" xmlns="http://www.xes-standard.org/">\n'
AT = datetime(2011, 10, 1, tzinfo=UTC)


def event(name: str | None = "A_SUBMITTED", time: str | None = "2011-10-01T00:38:44.546+02:00", more: str = "") -> str:
    """An event, on a line of its own."""
    text = more
    text += f'<string key="concept:name" value="{name}"/>' if name is not None else ""
    text += f'<date key="time:timestamp" value="{time}"/>' if time is not None else ""
    return f"<event>{text}</event>\n"


def trace(case: str | None, *events: str) -> str:
    """A case, whose first event is on its second line."""
    name = f'<string key="concept:name" value="{case}"/>' if case is not None else ""
    return f"<trace>{name}\n{''.join(events)}</trace>\n"


def log(*traces: str) -> str:
    """A whole log; the first trace begins on line 3."""
    return HEAD + "".join(traces) + "</log>\n"


def written(folder: Path, content: str | bytes) -> Path:
    """The content as a file."""
    path = folder / "log.xes"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_log_is_read_with_what_a_replay_needs(tmp_path: Path) -> None:
    """Case, attributes, and of each event its name, life cycle, time with its zone, and who did it."""
    who = '<string key="org:resource" value="112"/><string key="lifecycle:transition" value="complete"/>'
    path = written(tmp_path, log(trace("1", event(more=who), event("A_X", "2011-10-01T00:38:44Z")), trace("2")))
    first, second = read(path)
    assert (first.case, first.attributes, second.case, second.events) == ("1", {"concept:name": "1"}, "2", ())
    at = datetime(2011, 10, 1, 0, 38, 44, 546000, timezone(timedelta(hours=2)))
    assert first.events[0] == LogEvent("A_SUBMITTED", "COMPLETE", at, "112")
    assert first.events[1] == LogEvent("A_X", "", datetime(2011, 10, 1, 0, 38, 44, tzinfo=UTC), None)


def test_a_packed_log_reads_like_a_plain_one(tmp_path: Path) -> None:
    """It is told by its first bytes, whatever its name is."""
    content = log(*(trace(str(number), event()) for number in range(3000)))
    plain = list(read(written(tmp_path, content)))
    assert list(read(written(tmp_path, gzip.compress(content.encode())))) == plain
    assert len(plain) == 3000


def test_what_is_nested_in_attributes_is_not_the_events_own(tmp_path: Path) -> None:
    """XES allows attributes of attributes; and of classifiers, globals and the log itself."""
    inner = '<string key="note" value="x"><string key="concept:name" value="INNER"/></string>'
    outer = '<global scope="event"><string key="concept:name" value="UNKNOWN"/></global>\n'
    (only,) = read(written(tmp_path, HEAD + outer + trace("1", event(more=inner)) + "</log>"))
    assert [one.name for one in only.events] == ["A_SUBMITTED"]


BROKEN: dict[str, tuple[str, list[str]]] = {
    "an event without a name": (log(trace("7", event(), event(None))), ["no name", "case 7", "line 5"]),
    "an event with an empty name": (log(trace("7", event(""))), ["no name", "case 7", "line 4"]),
    "an event without a time": (log(trace("7", event(time=None))), ["A_SUBMITTED has no time", "case 7", "line 4"]),
    "a time that is none": (log(trace("7", event(time="yesterday"))), ["'yesterday'", "case 7", "line 4"]),
    "a case that comes twice": (log(trace("7", event()), trace("7", event())), ["twice", "case 7", "line 8"]),
    "a case without a name": (log(trace("1"), trace(None, event())), ["no name", "case number 2", "line 7"]),
    "an event outside a case": (log(event()), ["outside a trace", "line 3"]),
    "another XML": ("<html><body/></html>", ["not XES", "<html>", "line 1"]),
    "another log in XML": ("<log><logentry/></log>", ["not XES", "<logentry>", "line 1"]),
    "no XML": ("case;event;time\n1;A;2011", ["not XES", "line 1"]),
    "an empty file": ("", ["not XES"]),
    "a document type": ('<!DOCTYPE log [<!ENTITY a "b">]><log/>', ["DOCTYPE", "line 1"]),
    "a log that is cut off": (log(trace("7", event()))[:-30], ["cut off", "case 7"]),
    "an amount that is none": (
        log(trace("7", event()).replace("\n", '<string key="AMOUNT_REQ" value="much"/>\n', 1)),
        ["AMOUNT_REQ", "'much'", "case 7"],
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_log_is_refused_with_case_and_line(what: str, tmp_path: Path) -> None:
    """Whoever has to mend the log must find the place."""
    content, said = BROKEN[what]
    with pytest.raises(NotReadable) as raised:
        Log.load(written(tmp_path, content))
    message = str(raised.value)
    assert [part for part in said if part not in message] == []


def test_a_truncated_gzip_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    """Even when all the XML is there and only the checksum is missing."""
    packed = gzip.compress(log(*(trace(str(number), event()) for number in range(50))).encode())
    for length in (*range(2, len(packed), 97), len(packed) - 1):
        with pytest.raises(NotReadable, match="the gzip is cut off"):
            list(read(written(tmp_path, packed[:length])))


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    """One flipped bit is enough."""
    packed = bytearray(gzip.compress(log(trace("1", event())).encode()))
    packed[-5] ^= 1
    with pytest.raises(NotReadable, match="the gzip is damaged"):
        list(read(written(tmp_path, bytes(packed))))


def test_an_absent_log_is_refused(tmp_path: Path) -> None:
    """With the name that was given."""
    with pytest.raises(NotReadable, match=r"nowhere\.xes: cannot be read: No such file"):
        list(read(tmp_path / "nowhere.xes"))


@pytest.mark.parametrize("what", ["an event without a name", "a log that is cut off", "no XML"])
def test_nothing_is_half_done_with_a_broken_log(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says why in one line, and makes no journal."""
    path, journal = written(tmp_path, BROKEN[what][0]), tmp_path / "journal.db"
    assert main([str(path), "--journal", str(journal), "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"loan_log: {path}: ")
    assert printed.err.count("\n") == 1
    assert [one.name for one in tmp_path.iterdir()] == ["log.xes"]


def test_events_are_ordered_by_time_over_all_cases_and_ties_as_in_the_file(tmp_path: Path) -> None:
    """The zone counts: ten in Amsterdam is before nine in Greenwich."""
    early, late = "2011-10-01T10:00:00+02:00", "2011-10-01T09:00:00+00:00"
    content = log(trace("1", event("B", late), event("C", late)), trace("2", event("A", early), event("D", late)))
    steps = Log.load(written(tmp_path, content)).steps
    assert [step.event.name for step in steps] == ["A", "B", "C", "D"]
    assert [step.case for step in steps if step.first] == ["2", "1"]


def test_records_of_the_log_become_typed_events() -> None:
    """And what the bank's process does not know becomes an event that no workflow declares."""
    assert typed(LogEvent("A_SUBMITTED", "COMPLETE", AT)) == Submitted(AT)
    assert typed(LogEvent("O_SENT_BACK", "", AT)) == OfferSentBack(AT)
    assert typed(LogEvent("W_Nabellen offertes", "COMPLETE", AT)) == Completed(AT, Item.OFFERS)
    for name, transition in [
        ("A_SUBMITTED", "START"),
        ("A_LOST", "COMPLETE"),
        ("W_Slapen", "START"),
        ("Nabellen offertes", "START"),
        ("W_Nabellen offertes", "RESUME"),
        ("W_START", "COMPLETE"),
    ]:
        assert typed(LogEvent(name, transition, AT)) == Foreign(name)
