"""Time: the clock is set, the machine is off for a month, ten thousand deadlines come at once, a message races one."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from statemachine import Client, NotAccepted, Runner, RunOver
from statemachine.runner.clock import to_micros
from statemachine.testing import VirtualClock
from tests.reliability.counting import (
    OPEN_FOR,
    Add,
    Close,
    Count,
    Counting,
    JumpingClock,
    each,
    entries,
    missing,
    whole,
)
from tests.reliability.evidence import Scale, Section
from tests.reliability.ledger import Ledger

TITLE = "Time: clocks that jump, a month away, ten thousand deadlines at once"
PATIENCE = 120.0
"""Seconds after which a deadline that has passed is taken for lost."""
HOUR = timedelta(hours=1)
MOVES = 8


def jumps(folder: Path, chance: random.Random) -> Iterator[str]:
    """The system's clock is set an hour on or back, while the runner is there and while it is not.

    The oracle is arithmetic: the deadline stands two hours after the start, by the clock; once the clock has shown
    that, the run has lapsed, and before it has not. Nothing acknowledged is forgotten, and a run's own time never goes
    back.
    """
    file, ledger = folder / "journal.db", Ledger(folder / "ledger")
    clock = JumpingClock()
    with Runner(file, [Counting()], clock=clock) as runner:
        runner.start(Counting, Count(), id="r")
    ahead = timedelta()  # of the time of the start
    for move in range(MOVES):
        closed = chance.random() < 0.5
        jump = chance.choice((HOUR, -HOUR, HOUR, -HOUR, timedelta(minutes=7)))
        if closed:
            clock.ahead += jump
        with Runner(file, [Counting()], clock=clock) as runner:
            if not closed:
                clock.ahead += jump
            ahead += jump
            if ahead >= OPEN_FOR:
                yield from _lapsed(runner)
                break
            try:
                runner.send("r", Add(move), id=f"add-{move}")
            except (NotAccepted, RunOver) as refused:
                yield f"its deadline has not come, {ahead} after its start, and it says: {refused}"
                break
            ledger.note("acknowledged", "r", f"add-{move}")
    with Runner(file, [Counting()], clock=clock) as runner:
        clock.ahead += MOVES * HOUR + 2 * OPEN_FOR  # however often it was set back
        yield from _lapsed(runner)
        times = [line.at for line in runner.get("r").journal()]
        if times != sorted(times):
            yield f"its time went back: {times}"
        if not runner.verify("r").ok:
            yield "the journal gives another snapshot"
        if (added := runner.get("r").look().data.added) != len(ledger.lines()):
            yield f"{added} of {len(ledger.lines())} events were counted"
    if len(entries(file, "timer")) != 1:
        yield f"its deadline came {len(entries(file, 'timer'))} times"
    yield from missing(ledger, file, "r")
    ledger.close()


def _lapsed(runner: Runner) -> Iterator[str]:
    try:
        result = runner.get("r").result(timeout=PATIENCE)
    except TimeoutError:
        yield f"its deadline has passed, and after {PATIENCE} s it is {runner.get('r').state}"
        return
    if result.state != ("lapsed",):
        yield f"its deadline has passed, and it is {result.state}"


def races(folder: Path, chance: random.Random) -> Iterator[str]:
    """A client's message is acknowledged around the deadline, and the owner looks at both only later.

    The oracle is arithmetic on the time at which the message was acknowledged.
    """
    file, clock = folder / "journal.db", VirtualClock()
    with Runner(file, [Counting()], clock=clock) as runner:
        runner.start(Counting, Count(), id="r")
    early = chance.choice((1, 1_000, 60_000_000, -1, -1_000, -60_000_000))  # microseconds before the deadline
    clock.advance(OPEN_FOR - timedelta(microseconds=early))
    with Client(file, [Counting()], clock=clock) as client:
        client.send("r", Close(), id="close")
    clock.advance(timedelta(hours=chance.randrange(1, 100)))
    with Runner(file, [Counting()], clock=clock) as runner:
        state = runner.get("r").result(timeout=PATIENCE).state
    wanted = ("closed",) if early > 0 else ("lapsed",)
    if state != wanted:
        yield f"acknowledged {early} microseconds before its deadline, and is {state}, not {wanted}"


def month(folder: Path, chance: random.Random, runs: int) -> Iterator[str]:
    """Runs are started over some days, and then nothing runs for thirty. Their deadlines come once, and in order."""
    file, clock = folder / "journal.db", VirtualClock()
    due: dict[str, int] = {}
    with Runner(file, [Counting()], clock=clock) as runner:
        for number in chance.sample(range(runs), runs):
            clock.advance(timedelta(seconds=chance.uniform(0.001, OPEN_FOR.total_seconds() / runs / 2)))
            due[f"r{number}"] = to_micros(clock.now() + OPEN_FOR)
            runner.start(Counting, Count(), id=f"r{number}")
    clock.advance(timedelta(days=30))
    with Runner(file, [Counting()], clock=clock) as runner:
        for run in due:
            runner.get(run).result(timeout=PATIENCE)
    fired = [run for run, _ in entries(file, "timer")]
    if sorted(fired) != sorted(due):
        yield f"{len(fired)} deadlines came of {len(due)}"
    wrong = next(((one, other) for one, other in pairwise(fired) if due[one] > due[other]), None)
    if wrong is not None:
        yield f"the deadline of {wrong[0]} is after that of {wrong[1]}, and came before it"


def at_once(folder: Path, runs: int) -> Iterator[str]:
    """Deadlines of the same moment: each comes, once."""
    file, clock = folder / "journal.db", VirtualClock()

    async def all_of_them() -> None:
        async with Runner(file, [Counting()], clock=clock) as runner:
            await asyncio.gather(*(runner.start(Counting, Count(), id=f"r{number}") for number in range(runs)))
            clock.advance(OPEN_FOR)
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(runner.result(f"r{number}") for number in range(runs)))

    asyncio.run(all_of_them())
    fired = sorted(run for run, _ in entries(file, "timer"))
    if fired != sorted(f"r{number}" for number in range(runs)):
        yield f"{len(fired)} deadlines came of {runs}"


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    full = scale == "full"
    many = 10_000 if full else 300
    away = 1_000 if full else 50
    rows = (
        each("the clock set ± 1 hour", 100 if full else 6, seed, jumps),
        each("a message against a deadline", 300 if full else 12, seed, races),
        whole("a deadline in 30 days of downtime", away, lambda folder: month(folder, random.Random(seed), away)),
        whole("a deadline of very many due at once", many, lambda folder: at_once(folder, many)),
    )
    return Section(TITLE, seed, rows, time.monotonic() - began)
