"""Commands that say how a journal is: its numbers, its health, and the ground it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from persistence import examine
from statemachine.cli.frame import FILE, JSON, looking, span
from statemachine.cli.holding import say_held
from statemachine.cli.tables import moment, say_json, table
from statemachine.runner import Health, Statistics

WAL = 64
"""MiB of write-ahead log past which something keeps the owner from checkpointing."""


@click.command()
@FILE
@click.option("--since", type=span, metavar="AGE", default="1h", show_default=True, help="Count since.")
@JSON
def stats(file: Path, *, since: timedelta, as_json: bool) -> None:
    """Count: how much happens, how long steps take and how often they fail, what waits where, how large the file is."""
    with looking(file) as client:
        numbers, well = client.statistics(since), client.health()
    if as_json:
        say_json({"statistics": numbers, "file": well.file, "log": well.log, "holds": well.holds})
        return
    more = "" if numbers.whole else " (the newest 100,000)"
    click.echo(f"{numbers.entries:,} transitions since {moment(numbers.since)} UTC{more}: {numbers.rate:.2f} a second")
    click.echo(", ".join(f"{kind} {count:,}" for kind, count in numbers.kinds.items()))
    click.echo(f"file {_size(well.file)}, write-ahead log {_size(well.log)}")
    say_held(well.holds)
    _steps(numbers)
    rows = ((one.workflow, one.state, one.runs, one.since) for one in numbers.waiting)
    table("Runs that are not over", ("workflow", "state", "runs", "the longest since"), rows)


def _steps(numbers: Statistics) -> None:
    rows = (
        (
            f"undo of {one.step}" if one.undo else one.step,
            one.attempts,
            f"{one.failed / max(one.attempts, 1):.1%}",
            _time(one.p50),
            _time(one.p95),
            one.taken or "",
        )
        for one in numbers.steps
    )
    table("Steps", ("step", "attempts", "failed", "p50", "p95", "taken"), rows)
    kept = ((one.step, one.results, _size(one.size), one.oldest) for one in numbers.shelves)
    if numbers.shelves:
        table("Results kept for other runs", ("step", "results", "size", "the oldest of"), kept)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f} s"


def _size(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"


@click.command()
@FILE
@click.option("--wal", default=WAL, show_default=True, help="MiB of write-ahead log that are too many.")
@JSON
def health(file: Path, *, wal: int, as_json: bool) -> None:
    """Say what is wrong, and exit 1 if anything is: incidents, overdue timers, a dead owner, a long log. For cron."""
    with looking(file) as client:
        found = client.health()
    wrong = list(_wrong(found, wal))
    if as_json:
        say_json({"health": found, "wrong": wrong})
    else:
        owner = f"owned by {found.owner}" if found.owner else "owned by nobody"
        click.echo("\n".join(wrong) or f"well: {owner}, {found.live:,} runs under way, no incident, nothing overdue")
        say_held(found.holds)
    if wrong:
        raise SystemExit(1)


def _wrong(found: Health, wal: int) -> Iterator[str]:
    if found.incidents:
        yield f"{found.incidents:,} runs need a person: statemachine runs FILE --incident"
    if found.held:
        yield f"{found.held:,} runs are held, no workflow of the owner fits them: statemachine runs FILE --held"
    if found.oldest is not None:
        yield f"{found.overdue:,} runs are past their deadline, the oldest since {moment(found.oldest)} UTC"
    if found.owner is None and (found.live or found.messages):
        yield f"nobody moves the runs: {found.live:,} are under way, {found.messages:,} messages wait"
    if found.silent is not None:
        yield f"{found.unheard:,} notices are not delivered, the oldest since {moment(found.silent)} UTC"
    if found.log > wal * 1024 * 1024:
        yield f"the write-ahead log is {_size(found.log)}: a reader holds it open, or nobody checkpoints"


def _import_name() -> str:
    try:
        theirs = version("python-statemachine")
    except PackageNotFoundError:
        return "statemachine is ours alone here"
    return f"python-statemachine {theirs} is installed too and owns the same import name: remove one of the two"


@click.command()
@FILE
@JSON
def doctor(file: Path, *, as_json: bool) -> None:
    """Look at the ground FILE stands on: SQLite, settings, schema, owner, others' tables, our import name."""
    with looking(file) as client:
        owner = client.health().owner
    facts = examine(file)
    facts["owner"] = owner or "nobody"
    facts["import name"] = _import_name()
    if as_json:
        say_json(facts)
        return
    width = max(map(len, facts))
    for name, said in facts.items():
        click.echo(f"{name:<{width}}  {said}")
