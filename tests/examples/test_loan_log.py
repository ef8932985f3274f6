"""Replaying a log: its figures, what is printed, and that no kill changes any of it."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.loan_log import main
from examples.loan_log_model import OUTCOMES, LoanCase
from examples.loan_log_replay import BATCH, Book, Log, Replay, Replayed, replay
from examples.xes import Trace, read
from persistence import MemoryJournal
from statemachine import AsyncRunner, Runner
from tests.examples.loan_log_stories import fold, made, story, swapped, write

ROOT = Path(__file__).parents[2]
LASTING = {"cases", "events", "accepted", "refused", "outcomes"}
"""The figures that are the log's, however often it was interrupted."""


def ignore(_done: int) -> None:
    """Watch nothing."""


async def in_journal(journal: MemoryJournal | Path, log: Log, watch: Callable[[int], None] = ignore) -> Replayed:
    """Replay a log in this process."""
    async with Runner(journal, [LoanCase(), Replay()]) as runner:
        return await replay(runner, log, watch)


def expected(traces: Iterable[Trace]) -> dict[str, Any]:
    """The figures of a log, by folding each case through the core alone."""
    cases, events, refused, outcomes = 0, 0, Counter[str](), Counter[str]()
    for trace in traces:
        snapshot, not_taken = fold(sorted(trace.events, key=lambda event: event.at))
        cases, events = cases + 1, events + len(trace.events)
        refused.update(event.name for event in not_taken)
        outcome = [name for name, states in OUTCOMES.items() if {state.name for state in states} & set(snapshot.visits)]
        outcomes.update(outcome or ["open"])
    return {
        "cases": cases,
        "events": events,
        "accepted": events - refused.total(),
        "refused": dict(sorted(refused.items())),
        "outcomes": {name: outcomes[name] for name in (*OUTCOMES, "open")},
    }


def lasting(figures: dict[str, Any]) -> dict[str, Any]:
    """What must not depend on how often the replay was interrupted."""
    return {name: figures[name] for name in LASTING}


def run(*arguments: str | Path) -> dict[str, Any]:
    """The command in a process of its own; what it prints as JSON."""
    command = [sys.executable, "-m", "examples.loan_log", *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def killed(path: Path, journal: Path, reports: int) -> bool:
    """Start the command and SIGKILL it when it has drawn its bar so often; False when it ended before that."""
    command = [sys.executable, "-m", "examples.loan_log", str(path), "--journal", str(journal)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        seen = 0
        while seen < reports and (drawn := process.stderr.read(1)):
            seen += drawn == b"\r"
        process.kill()
        return process.wait() == -9


def runs_in(journal: Path) -> dict[str, tuple[int, tuple[str, ...], Any]]:
    """Every case of a journal: how many transitions it made, where it is, its data."""
    with Runner(journal, [LoanCase(), Replay()]) as runner:
        found: dict[str, tuple[int, tuple[str, ...], Any]] = {}
        last = None
        while page := runner.list(workflow=LoanCase, limit=500, after=last):
            for one in page:
                view = runner.get(one.id).look()
                found[one.id] = (view.seq, view.state, view.data)
            last = page[-1].id
        return found


def test_the_figures_are_those_of_each_case_by_itself(tmp_path: Path) -> None:
    """Nothing of what happens side by side in the runner changes a case."""
    traces = made(150, seed=1)
    figures = run(write(tmp_path / "log.xes", traces))
    assert lasting(figures) == expected(traces)
    assert sum(figures["refused"].values()) > 100
    assert min(figures["outcomes"].values()) > 0
    assert list(figures) == [
        "cases",
        "events",
        "accepted",
        "refused",
        "outcomes",
        "resumed_at",
        "seconds",
        "events_per_second",
    ]
    assert (figures["resumed_at"], figures["seconds"] > 0, figures["events_per_second"] > 0) == (0, True, True)


def test_a_case_without_events_is_open(tmp_path: Path) -> None:
    """It is a case, though nothing ever happened to it."""
    figures = run(write(tmp_path / "log.xes", [Trace("1", {}, ()), Trace("2", {}, tuple(story("A_SUBMITTED")))]))
    assert lasting(figures) == {
        "cases": 2,
        "events": 1,
        "accepted": 1,
        "refused": {},
        "outcomes": {"approved": 0, "declined": 0, "cancelled": 0, "open": 2},
    }


def test_a_log_of_another_process_is_refused_event_by_event(tmp_path: Path) -> None:
    """It is XES, so it can be read; nothing in it is the bank's."""
    figures = run(write(tmp_path / "log.xes", [Trace("1", {}, tuple(story("register check register")))]))
    assert (figures["accepted"], figures["refused"]) == (0, {"check": 1, "register": 2})


def test_a_finished_replay_is_not_made_again(tmp_path: Path) -> None:
    """Started once more it says the same, at once."""
    path, journal = write(tmp_path / "log.xes", made(30, seed=2)), tmp_path / "journal.db"
    first, second = run(path, "--journal", journal), run(path, "--journal", journal)
    assert lasting(first) == lasting(second)
    assert (first["resumed_at"], second["resumed_at"]) == (0, first["events"])


def test_a_journal_belongs_to_one_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Positions in one log mean nothing in another."""
    journal = str(tmp_path / "journal.db")
    assert main([str(write(tmp_path / "one.xes", made(3, seed=3))), "--journal", journal, "--json"]) == 0
    capsys.readouterr()
    assert main([str(write(tmp_path / "two.xes", made(3, seed=4))), "--journal", journal, "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"loan_log: {journal} belongs to the replay of another log.")


def test_a_journal_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, and the file stays as it was."""
    path, journal = write(tmp_path / "log.xes", made(3, seed=3)), tmp_path / "notes.txt"
    journal.write_text("not a database, but something of mine\n" * 100)
    before = journal.read_bytes()
    assert main([str(path), "--journal", str(journal)]) == 1
    assert capsys.readouterr().err.startswith("loan_log: ")
    assert journal.read_bytes() == before


def test_the_table_and_the_bar_are_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bar is on standard error, the table on standard output."""
    traces = made(40, seed=5)
    assert main([str(write(tmp_path / "log.xes", traces))]) == 0
    printed, figures = capsys.readouterr(), expected(traces)
    rows = [tuple(line.rsplit(maxsplit=1)) for line in printed.out.splitlines()]
    assert ("cases", "40") in rows
    assert ("  approved", str(figures["outcomes"]["approved"])) in rows
    assert ("  refused", str(sum(figures["refused"].values()))) in rows
    assert printed.err.endswith(f"█ {figures['events']:,} of {figures['events']:,} events\n")


class Interrupted(Exception):
    """Stands for a kill, in the same process."""


async def interrupted(journal: MemoryJournal, log: Log, after: int) -> bool:
    """Replay until so many events are dealt with, then leave everything as it is. Whether it came to that."""
    told = 0

    def watch(_done: int) -> None:
        nonlocal told
        told += 1
        if told == after:
            raise Interrupted

    try:
        await in_journal(journal, log, watch)
    except Interrupted:
        return True
    return False


async def interrupted_often(log: Log, kills: list[int]) -> Replayed:
    """Replay in one journal, interrupted and started again for each number, and then to the end."""
    first = MemoryJournal()
    for after in kills:
        await interrupted(MemoryJournal(beside=first), log, after)
    return await in_journal(MemoryJournal(beside=first), log)


@settings(max_examples=25)
@given(kills=st.lists(st.integers(1, 200), max_size=6))
def test_no_interruption_changes_the_figures(kills: list[int]) -> None:
    """Wherever it is broken off, also amid refusals, the book and the outcomes are those of a quiet replay."""
    traces = made(12, seed=6)
    log = _log_of(traces)
    replayed, wanted = asyncio.run(interrupted_often(log, kills)), expected(traces)
    assert dict(sorted(replayed.book.refused.items())) == wanted["refused"]
    assert replayed.outcomes == wanted["outcomes"]


def _log_of(traces: list[Trace]) -> Log:
    return Log.of(traces, Path("made"))


def test_what_was_refused_stays_refused_when_it_is_sent_again_later() -> None:
    """Sent after a kill, a refused event might be accepted by a case that has gone on; the book prevents it."""
    log = _log_of([Trace("1", {}, tuple(story("A_PARTLYSUBMITTED A_SUBMITTED A_DECLINED")))])

    async def go_on() -> tuple[Replayed, Book, tuple[str, ...]]:
        first = MemoryJournal()
        assert await interrupted(MemoryJournal(beside=first), log, after=2)
        async with Runner(MemoryJournal(beside=first), [LoanCase(), Replay()]) as runner:
            book: Book = (await runner.look("replay")).data
            replayed = await replay(runner, log, ignore)
            return replayed, book, (await runner.look("case-1")).state

    replayed, book, state = asyncio.run(go_on())
    assert (book.reached, book.ahead, book.refused) == (0, (0,), {"A_PARTLYSUBMITTED": 1})
    assert (replayed.book.reached, replayed.book.ahead) == (3, ())
    assert replayed.book.refused == {"A_PARTLYSUBMITTED": 1, "A_DECLINED": 1}
    assert state[0] == "Case.Application.submitted"


def test_the_position_is_noted_after_each_batch() -> None:
    """So that a start after a kill does not begin at the beginning."""
    events = story("A_SUBMITTED A_PARTLYSUBMITTED A_DECLINED")
    log = _log_of([Trace(str(number), {}, tuple(events)) for number in range(BATCH)])

    async def twice() -> Replayed:
        first = MemoryJournal()
        assert await interrupted(MemoryJournal(beside=first), log, after=BATCH + 5)
        return await in_journal(MemoryJournal(beside=first), log)

    replayed = asyncio.run(twice())
    assert (replayed.resumed_at, replayed.book.reached) == (BATCH, 3 * BATCH)
    assert (replayed.book.refused, replayed.outcomes["declined"]) == ({}, BATCH)


def test_the_events_of_a_case_are_sent_in_its_order_each_once(tmp_path: Path) -> None:
    """The journal of a case has what was accepted, with its position in the log and who did it."""
    traces = made(20, seed=7)
    path = write(tmp_path / "log.xes", traces)
    log = Log.load(path)

    async def journals() -> list[tuple[str, list[tuple[str, str | None]]]]:
        async with Runner(tmp_path / "journal.db", [LoanCase(), Replay()]) as runner:
            await replay(runner, log, ignore)
            return [(trace.case, await _accepted(runner, trace.case)) for trace in traces]

    for case, accepted in asyncio.run(journals()):
        _, refused = fold(step.event for step in log.steps if step.case == case)
        wanted = [
            (str(position), step.event.resource)
            for position, step in enumerate(log.steps)
            if step.case == case and step.event not in refused
        ]
        assert accepted == wanted


async def _accepted(runner: AsyncRunner, case: str) -> list[tuple[str, str | None]]:
    entries = await runner.journal(f"case-{case}")
    return [(entry.event_id, entry.actor) for entry in entries if entry.kind == "event"]


def _cut(traces: Iterable[Trace], seed: int) -> list[Trace]:
    """The first cases, spoilt, so that there are refusals to survive."""
    chance = random.Random(seed)
    return [Trace(trace.case, trace.attributes, tuple(swapped(trace.events, chance))) for trace in islice(traces, 150)]


@pytest.mark.slow
@pytest.mark.parametrize("real", [False, True], ids=["made", "real"])
def test_no_kill_changes_anything(real: bool, tmp_path: Path, shared: Callable[[str], Path]) -> None:
    """SIGKILLed again and again: the figures, and every case, are those of one quiet replay."""
    traces = _cut(read(shared("data/bpic2012-first-8000.xes.gz")), 8) if real else made(200, seed=8)
    path = write(tmp_path / "log.xes", traces)
    quiet = run(path, "--journal", tmp_path / "quiet.db")
    chance = random.Random(9)
    kills = sum(killed(path, tmp_path / "killed.db", chance.randint(1, 24)) for _ in range(10))
    figures = run(path, "--journal", tmp_path / "killed.db")
    assert kills >= 5
    assert lasting(figures) == lasting(quiet) == expected(traces)
    assert runs_in(tmp_path / "killed.db") == runs_in(tmp_path / "quiet.db")


@pytest.mark.slow
def test_the_whole_log_has_the_figures_of_its_readme(shared: Callable[[str], Path]) -> None:
    """All 8,000 cases, through a runner."""
    figures = run(shared("data/bpic2012-first-8000.xes.gz"))
    decisions = {name: count for name, count in figures["refused"].items() if name[0] in "AO"}
    assert (figures["cases"], figures["events"]) == (8_000, 162_303)
    assert figures["accepted"] + sum(figures["refused"].values()) == figures["events"]
    assert figures["outcomes"] == {"approved": 1430, "declined": 4724, "cancelled": 1843, "open": 3}
    assert sum(decisions.values()) <= 0.01 * 56_552
