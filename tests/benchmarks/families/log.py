"""The bank's event log, replayed whole, and whether its cost grows with its length alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.benchmarks.rows import Family, Row, Size, at_most, spread
from tests.benchmarks.turns import OURS, ROOT, Answers, Call, place_of

LOG = ROOT.parent / "shared" / "data" / "bpic2012-first-8000.xes.gz"
BOUND = 1.25
"""A cost for each event that grows by more than this from the short log to the whole one is not called linear."""


def family(size: Size) -> Family:
    """The whole log, and its first cases."""
    few = size.of(1_000, 50)
    short = place_of("log") / "short.xes"
    there = LOG.exists()
    whole = LOG if not size.quick else short
    return Family(
        name="log",
        title="The bank's event log, replayed",
        note=(
            f"`python -m examples.loan_log {LOG.name} --journal FILE`, one run for each case, every event durable "
            "when it is acknowledged; cases are on their way together, so events share commits. Reading the log is "
            "part of it."
            if there
            else f"Skipped: {LOG.name} is not beside this tree."
        ),
        made={"short log": Call(OURS, {"measure": "cut log", "log": str(LOG), "made": str(short), "cases": few})}
        if there
        else {},
        calls={"short": _replaying(str(short)), "whole": _replaying(str(whole))} if there else {},
        repeats=1,
        rows=lambda answers: list(_rows(answers)) if there else [],
    )


def _replaying(log: str) -> Call:
    command = (sys.executable, "-m", "examples.loan_log", log, "--journal", "{folder}/journal.db", "--json")
    return Call(command, {}, raw=True)


def _rows(answers: Answers) -> Iterator[Row]:
    short, whole = answers.of("short", "events_per_second"), answers.of("whole", "events_per_second")
    cases = f"{answers.said('short', 'cases'):,} cases", f"{answers.said('whole', 'cases'):,} cases"
    what = f"{answers.said('whole', 'events'):,} events of {cases[1]}"
    yield Row(what, spread(whole, " events/s"), cases[0], spread(short, " events/s"))
    owed = at_most(short.over(whole), BOUND)
    yield Row(
        "cost of an event, whole log to short one",
        spread(whole, " events/s"),
        cases[0],
        spread(short, " events/s"),
        **owed,
    )
