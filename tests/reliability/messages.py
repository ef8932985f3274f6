"""Messages: twice, out of order, too early, too late, ten thousand to one run, and from eight processes at once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from statemachine import Client, Runner, RunOver
from tests.reliability.counting import (
    A,
    Add,
    B,
    C,
    Close,
    Count,
    Counting,
    Read,
    Spelling,
    each,
    events_of,
    missing,
    whole,
)
from tests.reliability.evidence import Scale, Section
from tests.reliability.ledger import Ledger
from tests.reliability.lives import Life

TITLE = "Messages: twice, out of order, too early, too late, very many"
CLIENTS = 8
PATIENCE = 120.0
"""Seconds after which a verdict is taken for lost."""


def twice(folder: Path, chance: random.Random, events: int) -> Iterator[str]:
    """Each event comes again with its id, sooner or later, also from a runner that was opened anew."""
    file, ledger = folder / "journal.db", Ledger(folder / "ledger")
    sent = [number for number in range(events) for _ in range(2)]
    chance.shuffle(sent)
    with Runner(file, [Counting()]) as runner:
        runner.start(Counting, Count(), id="r")
    for part in (sent[:events], sent[events:]):
        with Runner(file, [Counting()]) as runner:
            for number in part:
                if runner.send("r", Add(number), id=f"e{number}").verdict != "accepted":
                    yield f"event {number} got another verdict than the first time"
                ledger.note("acknowledged", "r", f"e{number}")
    yield from counted(file, ledger, events)


def counted(file: Path, ledger: Ledger, events: int) -> Iterator[str]:
    """Whether a run has counted so many events, numbered from 0, each once; and the journal has what the ledger has."""
    with Runner(file, [Counting()]) as runner:
        data = runner.get("r").look().data
        if data != Count(events, sum(range(events))):
            yield f"counted {data} of {events}"
        if not runner.verify("r").ok:
            yield "the journal gives another snapshot"
    yield from (f"acknowledged and not there once: {event}" for event in missing(ledger, file, "r"))
    ledger.close()


def out_of_order(folder: Path, chance: random.Random) -> Iterator[str]:
    """Three events in any order, each before or in the state that takes it; the runner is opened anew in between."""
    file = folder / "journal.db"
    with Runner(file, [Spelling()]) as runner:
        runner.start(Spelling, Read(), id="r")
    order = [A(), B(), C()]
    chance.shuffle(order)
    said = "".join(type(event).__name__ for event in order)
    read = ""
    for event in order:
        with Runner(file, [Spelling()]) as runner:
            verdict = runner.send("r", event, id=type(event).__name__).verdict
            takes = type(event).__name__.lower() == "abc"[len(read)]
            if verdict != ("accepted" if takes else "deferred"):
                yield f"{said}: {event} was {verdict} after {read!r}"
            read = runner.get("r").look().data.letters
    with Runner(file, [Spelling()]) as runner:
        result = runner.get("r").result(timeout=PATIENCE)
        if (result.state, result.data) != (("abc",), Read("abc")):
            yield f"{said}: read {result}"


def after_the_end(folder: Path, chance: random.Random, events: int) -> Iterator[str]:
    """What comes after the end is refused, and changes nothing; what was accepted before still says so."""
    file = folder / "journal.db"
    with Runner(file, [Counting()]) as runner:
        runner.start(Counting, Count(), id="r")
        runner.send("r", Add(1), id="before")
        runner.send("r", Close(), id="close")
        before = runner.get("r").look()
    with Runner(file, [Counting()]) as runner:
        for number in range(events):
            if chance.random() < 0.3:
                if runner.send("r", Add(1), id="before").verdict != "accepted":
                    yield "what was accepted got another verdict after the end"
                continue
            try:
                runner.send("r", Add(number), id=f"late-{number}")
            except RunOver:
                continue
            yield f"event {number} was accepted after the end"
        if runner.get("r").look() != before:
            yield "a run that was over has changed"
    if sorted(events_of(file, "r")) != ["before", "close"]:
        yield f"its journal has {sorted(events_of(file, 'r'))}"


def very_many(folder: Path, events: int) -> Iterator[str]:
    """To one run, as fast as they go: all are counted, in the order in which they were sent."""
    file, ledger = folder / "journal.db", Ledger(folder / "ledger")

    async def send() -> None:
        async with Runner(file, [Counting()]) as runner:
            await runner.start(Counting, Count(), id="r")
            for begin in range(0, events, 500):
                numbers = range(begin, min(begin + 500, events))
                await asyncio.gather(*(runner.send("r", Add(number), id=f"e{number}") for number in numbers))
                for number in numbers:
                    ledger.note("acknowledged", "r", f"e{number}")

    asyncio.run(send())
    order = list(events_of(file, "r"))
    if any(int(one[1:]) > int(other[1:]) for one, other in pairwise(order)):
        yield "they were taken in another order than they were sent"
    yield from counted(file, ledger, events)


def client(folder: Path, name: int, events: int, seed: int) -> None:
    """One of the processes: sends its numbers, each twice, and notes what is acknowledged."""
    chance, ledger = random.Random(f"{seed} {name}"), Ledger(folder / "ledger")
    sent = [number for number in range(name, events, CLIENTS) for _ in range(2)]
    chance.shuffle(sent)
    with Client(folder / "journal.db", [Counting()]) as journal:
        receipts = []
        for number in sent:
            receipts.append(journal.send("r", Add(number), id=f"e{number}"))
            ledger.note("acknowledged", "r", f"e{number}")
        for receipt in receipts:
            assert journal.verdict(receipt, timeout=PATIENCE).verdict == "accepted"
    ledger.close()


def at_once(folder: Path, seed: int, events: int) -> Iterator[str]:
    """Eight client processes, while the owner moves the run."""
    file, ledger = folder / "journal.db", Ledger(folder / "ledger")
    with Runner(file, [Counting()]) as runner:
        runner.start(Counting, Count(), id="r")
        clients = [Life(client, folder, name, events, seed) for name in range(CLIENTS)]
        for one in clients:
            one.end(PATIENCE)
    yield from counted(file, ledger, events)


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    full = scale == "full"
    chance = random.Random(seed)
    many, again, late, shared = (10_000, 2_000, 1_000, 4_000) if full else (500, 100, 50, 200)
    rows = (
        whole("an event sent twice", again, lambda folder: twice(folder, chance, again)),
        each("three events in any order", 120 if full else 12, seed, out_of_order),
        whole("an event after the end", late, lambda folder: after_the_end(folder, chance, late)),
        whole("an event of very many to one run", many, lambda folder: very_many(folder, many)),
        whole(
            f"an event, twice, from {CLIENTS} processes at once", shared, lambda folder: at_once(folder, seed, shared)
        ),
    )
    return Section(TITLE, seed, rows, time.monotonic() - began)
