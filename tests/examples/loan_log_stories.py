"""Made-up and spoilt bank logs, and a fold of them through the core alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import quoteattr

from examples.loan_log_events import Item, typed
from examples.loan_log_model import Loan, LoanCase
from examples.xes import LogEvent, Trace
from statemachine.events import event_name
from statemachine.inputs import Begin, Received
from statemachine.snapshot import Occurrence, Snapshot
from statemachine.transition import start, transition
from statemachine.workflow import bind

DEFINITION = bind(LoanCase())
BEGIN = datetime(2011, 10, 1, 8, tzinfo=UTC)
LIFE = {"+": "SCHEDULE", ">": "START", ".": "COMPLETE"}
"""How a story writes what happens to a work item: `+OFFERS` is scheduled, `>OFFERS` started, `.OFFERS` completed."""

FINAL = (
    "A_SUBMITTED A_PARTLYSUBMITTED A_PREACCEPTED +COMPLETION >COMPLETION A_ACCEPTED O_SELECTED A_FINALIZED O_CREATED"
)
OFFERED = f"{FINAL} O_SENT +OFFERS .COMPLETION >OFFERS .OFFERS"
ASSESSED = f"{OFFERED} >OFFERS O_SENT_BACK +ASSESSMENT .OFFERS >ASSESSMENT"
ENDINGS = (
    f"{ASSESSED} O_ACCEPTED A_REGISTERED A_ACTIVATED A_APPROVED .ASSESSMENT",
    f"{OFFERED} O_SENT_BACK O_SELECTED O_CANCELLED O_CREATED O_SENT A_CANCELLED O_CANCELLED",
    f"{ASSESSED} A_DECLINED O_DECLINED .ASSESSMENT",
    "A_SUBMITTED A_PARTLYSUBMITTED +LEADS >LEADS A_DECLINED .LEADS",
    "A_SUBMITTED A_PARTLYSUBMITTED A_DECLINED",
    OFFERED,
)


def story(text: str, begin: datetime = BEGIN) -> list[LogEvent]:
    """The events that a story tells, a minute apart; a `!` before one is left to who reads it."""
    return [_event(word.lstrip("!"), begin + timedelta(minutes=number)) for number, word in enumerate(text.split())]


def _event(word: str, at: datetime) -> LogEvent:
    if word[0] in LIFE:
        return LogEvent(f"W_{Item[word[1:]]}", LIFE[word[0]], at, "10862")
    return LogEvent(word, "COMPLETE", at, "112")


def fold(events: Iterable[LogEvent]) -> tuple[Snapshot[Loan], list[LogEvent]]:
    """A case through the core, without a runner: where it ends, and what was refused."""
    snapshot: Snapshot[Loan] = start(DEFINITION, "case", Begin(Loan(1000), "nonce"), BEGIN).snapshot
    refused: list[LogEvent] = []
    for event in events:
        sent = typed(event)
        name = event_name(type(sent))
        if name not in DEFINITION.events:
            refused.append(event)
            continue
        outcome = transition(DEFINITION, snapshot, Received(Occurrence(name, sent)), BEGIN)
        if outcome.verdict == "accepted":
            snapshot = outcome.snapshot
        else:
            refused.append(event)
    return snapshot, refused


def swapped(events: Sequence[LogEvent], chance: random.Random) -> list[LogEvent]:
    """The events with the names of two neighbouring, different A events exchanged; their times stay."""
    spoilt = sorted(events, key=lambda event: event.at)
    places = [place for place, event in enumerate(spoilt) if event.name.startswith("A_")]
    pairs = [(one, two) for one, two in pairwise(places) if spoilt[one].name != spoilt[two].name]
    one, two = chance.choice(pairs)
    first, second = spoilt[one], spoilt[two]
    spoilt[one] = LogEvent(second.name, second.transition, first.at, second.resource)
    spoilt[two] = LogEvent(first.name, first.transition, second.at, first.resource)
    return spoilt


def made(cases: int, seed: int) -> list[Trace]:
    """Cases of all endings that overlap in time, each with two of its A events swapped."""
    chance = random.Random(seed)
    traces: list[Trace] = []
    for number in range(cases):
        begin = BEGIN + timedelta(seconds=chance.randrange(3600))
        events = swapped(story(chance.choice(ENDINGS), begin), chance)
        traces.append(Trace(str(1000 + number), {"AMOUNT_REQ": str(500 * number)}, tuple(events)))
    return traces


def write(path: Path, traces: Iterable[Trace]) -> Path:
    """The traces as an XES file."""
    lines = ['<log xes.version="1.0" xmlns="http://www.xes-standard.org/">']
    for trace in traces:
        lines += ["<trace>", *_attributes({**trace.attributes, "concept:name": trace.case})]
        for event in trace.events:
            who = {"org:resource": event.resource} if event.resource else {}
            life = {"concept:name": event.name, "lifecycle:transition": event.transition}
            time = {"time:timestamp": event.at.isoformat()}
            lines += ["<event>", *_attributes({**who, **life, **time}), "</event>"]
        lines.append("</trace>")
    path.write_text("\n".join([*lines, "</log>"]), encoding="utf-8")
    return path


def _attributes(values: dict[str, str]) -> list[str]:
    return [f"<string key={quoteattr(key)} value={quoteattr(value)}/>" for key, value in values.items()]
