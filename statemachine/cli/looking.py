"""Commands that look at runs: a listing, one run whole, and what happens now."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.text import Text

from statemachine.cli.frame import APP, FILE, JSON, ago, looking, span
from statemachine.cli.tables import console, line_of, moment, say_json, status, table
from statemachine.inputs import Taken
from statemachine.runner import Attempt, Client, Entry, RunSummary, RunView, Story

STATUSES = ("running", "undoing", "completed", "failed", "cancelled", "killed")
LOOK = 0.2
"""Seconds between two looks of `tail`."""


def filters(function: Any) -> Any:
    """The options that say which runs."""
    for option in (
        click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="With this tag. Repeatable."),
        click.option("--younger", type=span, metavar="AGE", help="Started since, as in 12h or 7d."),
        click.option("--older", type=span, metavar="AGE", help="Started before that."),
        click.option("--held", is_flag=True, default=None, help="Held: no workflow can move them."),
        click.option("--paused", is_flag=True, default=None, help="Paused by a person."),
        click.option("--incident", is_flag=True, default=None, help="With an open incident."),
        click.option("--status", "in_status", type=click.Choice(STATUSES), help="In this status."),
        click.option("--state", help="Within this state, by its dotted name."),
        click.option("--workflow", help="Of this workflow."),
    ):
        function = option(function)
    return function


def asked(
    *,
    workflow: str | None = None,
    state: str | None = None,
    in_status: str | None = None,
    incident: bool | None = None,
    paused: bool | None = None,
    held: bool | None = None,
    older: timedelta | None = None,
    younger: timedelta | None = None,
    tags: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The arguments of `Runner.list` that the options stand for."""
    wrong = [tag for tag in tags if "=" not in tag]
    if wrong:
        message = f"{wrong[0]!r} is no tag; say NAME=VALUE"
        raise click.UsageError(message)
    return {
        "workflow": workflow,
        "state": state,
        "status": in_status,
        "incident": incident,
        "paused": paused,
        "held": held,
        "tags": dict(tag.split("=", 1) for tag in tags),
        "started_before": None if older is None else ago(older),
        "started_after": None if younger is None else ago(younger),
    }


def every(client: Client | Any, conditions: dict[str, Any], page: int = 200) -> Iterator[RunSummary]:
    """All runs that match, page by page."""
    after: str | None = None
    while found := client.list(**conditions, limit=page, after=after):
        yield from found
        after = found[-1].id


@click.command()
@FILE
@filters
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many to show.")
@click.option("--after", help="Go on after this run: the last of the page before.")
@click.option("--count", is_flag=True, help="Only count them, by workflow, status and state.")
@JSON
def runs(file: Path, *, limit: int, after: str | None, count: bool, as_json: bool, **options: Any) -> None:
    """List the runs of FILE, the newest first."""
    with looking(file) as client:
        if count:
            _counted(client, asked(**options), as_json=as_json)
            return
        found = client.list(**asked(**options), limit=limit, after=after)
    if as_json:
        say_json(found)
        return
    if not found:
        click.echo("No run is like that.")
        return
    table(
        f"{len(found)} run{'' if len(found) == 1 else 's'}",
        ("run", "workflow", "status", "state", "started", "updated", "next deadline"),
        (
            (
                one.id,
                f"{one.workflow} {one.version}",
                status(one.status, one.incidents, paused=one.paused, held=one.held, erased=one.erased),
                one.state,
                one.started,
                one.updated,
                one.due,
            )
            for one in found
        ),
    )
    if len(found) == limit:
        click.echo(f"There may be more: --after {found[-1].id}")


def _counted(client: Client, conditions: dict[str, Any], *, as_json: bool) -> None:
    groups = Counter((one.workflow, one.status, ", ".join(one.state)) for one in every(client, conditions, 1000))
    rows = sorted(groups.items())
    if as_json:
        say_json([{"workflow": w, "status": s, "state": st, "runs": n} for (w, s, st), n in rows])
    else:
        table(
            f"{groups.total():,} runs",
            ("workflow", "status", "state", "runs"),
            ((w, status(s), st, n) for (w, s, st), n in rows),
        )


@click.command()
@FILE
@click.argument("run")
@APP
@JSON
def show(file: Path, run: str, *, places: tuple[str, ...], as_json: bool) -> None:
    """Show RUN whole: where it is, its data, its timeline, its attempts and errors, what would be undone.

    With --app also each attempt of its steps, when it began and how long it took.
    """
    with looking(file, places) as client:
        view = client.get(run).look(plain=True)
        story = client.get(run).story() if places else None
        entries = client.get(run).journal(limit=100_000)
    if as_json:
        say_json({"run": view, "journal": entries, "attempts": story.attempts if story else None})
        return
    _head(view)
    _timeline(entries)
    if story is not None and story.attempts:
        _attempts(story.attempts)
    _errors(view, story)
    if story is None:
        console().print(Text("With --app MODULE:NAME also each attempt of its steps, and its errors.", style="dim"))


def _head(view: RunView[Any]) -> None:
    out = console()
    line = Text(f"{view.id}  ", style="bold")
    line.append(f"{view.workflow}  ")
    line.append_text(status(view.status, len(view.incidents), paused=view.paused, held=view.held, erased=view.erased))
    line.append(f"  in {', '.join(view.state)}")
    out.print(line)
    out.print(Text(f"started {moment(view.started)}, last moved {moment(view.updated)} (UTC), {view.seq} transitions"))
    for said, style in _facts(view):
        out.print(Text(said, style=style))


def _facts(view: RunView[Any]) -> Iterator[tuple[str, str]]:
    """What else there is to say of a run, each line with its style."""
    if view.tags:
        yield "tags: " + ", ".join(f"{name}={value}" for name, value in view.tags.items()), ""
    if view.priority:
        yield f"priority: {view.priority}", ""
    if view.held:
        yield f"held: {view.held}", "red"
    for hold in view.held_back:
        yield f"held back since {moment(hold.at)}: {hold}", "red"
    if view.erased:
        yield "its data, tags and reasons were erased", "dim"
    else:
        yield "data: " + msgspec.json.format(msgspec.json.encode(view.data), indent=2).decode(), ""
    yield from ((said, "") for said in _under_way(view))
    for incident in view.incidents:
        yield f"incident {incident.number} ({incident.kind}): {incident.message}", "bold red"
        if incident.number in view.keys:
            yield f"  key of {incident.step}: {view.keys[incident.number]}", ""


def _under_way(view: RunView[Any]) -> Iterator[str]:
    """How far its steps are, what it waits for, and what would be undone."""
    for one in view.progress:
        yield f"{one.step}: {one}"
    for saved in view.saved:
        yield f"{saved.step} saved at {moment(saved.at)}: {msgspec.json.encode(saved.value).decode()}"
    for timer in view.timers:
        yield f"timer: {timer.event or timer.kind} at {moment(timer.due)}"
    if view.undo:
        steps = ", ".join(f"{done.step}{' (unknown)' if done.unknown else ''}" for done in reversed(view.undo))
        yield f"{'left not undone' if view.status == 'killed' else 'would be undone, in this order'}: {steps}"


def _timeline(entries: list[Entry]) -> None:
    rows = ((one.seq, one.at, one.kind, _named(one), one.state, one.actor, one.reason) for one in entries)
    table("Journal", ("#", "at (UTC)", "what", "name", "then in", "actor", "reason"), rows)


class _Input(msgspec.Struct, frozen=True):
    taken: Taken | None = None


class _Told(msgspec.Struct, frozen=True):
    input: _Input = _Input()


def _named(entry: Entry) -> str:
    """The event or step; of a result that was not of an attempt, also whose it was."""
    if entry.kind != "succeeded":
        return entry.name
    try:
        taken = msgspec.json.decode(entry.body, type=_Told).input.taken
    except msgspec.MsgspecError:  # sealed with a key that was not given here, or erased
        taken = None
    return entry.name if taken is None else f"{entry.name}, {whose(taken)}"


def whose(taken: Taken) -> str:
    """Where a result was taken from."""
    return f"taken from {taken.run}, visit {taken.visit}"


def _attempts(attempts: tuple[Attempt, ...]) -> None:
    rows = [
        (
            f"{'undo of ' if one.undo else ''}{one.step}",
            one.number,
            one.began,
            "" if one.ended is None else f"{(one.ended - one.began).total_seconds():.3f} s",
            one.outcome if one.taken is None else whose(one.taken),
            f"{one.failure.type}: {one.failure.message}" if one.failure else "",
            one.again,
        )
        for one in attempts
    ]
    table("Attempts", ("step", "attempt", "began (UTC)", "took", "outcome", "error", "next"), rows)


def _errors(view: RunView[Any], story: Story | None) -> None:
    failures = [(f"incident {incident.number}", incident.failure) for incident in view.incidents]
    failures.append(("what ended the run", view.error))
    attempts = story.attempts if story else ()
    failures += [(f"{'undo of ' if one.undo else ''}{one.step}, attempt {one.number}", one.failure) for one in attempts]
    seen: set[str] = set()
    for whose, failure in failures:
        if failure is not None and failure.traceback and failure.traceback not in seen:
            seen.add(failure.traceback)
            console().print(Text(f"Error of {whose}", style="bold"))
            console().print(Text(failure.traceback.rstrip(), style="dim"), soft_wrap=True)


@click.command()
@FILE
@click.option("--run", help="Only this run.")
@click.option("--last", default=10, show_default=True, type=click.IntRange(0), help="Begin with the last so many.")
@click.option("--once", is_flag=True, help="Print them and end.")
@JSON
def tail(file: Path, *, run: str | None, last: int, once: bool, as_json: bool) -> None:
    """Follow what is committed to FILE, live, until interrupted."""
    with looking(file) as client:
        entries = client.log(after=-1, limit=max(last, 1))
        after = entries[-1].number if entries else 0
        _tell(entries[-last:] if last else [], run, as_json=as_json)
        while not once:
            time.sleep(LOOK)  # noqa: TID251 -- a person waits; no run is moved by it
            while entries := client.log(after=after, limit=1000):
                after = entries[-1].number
                _tell(entries, run, as_json=as_json)


def _tell(entries: list[Entry], run: str | None, *, as_json: bool) -> None:
    for entry in entries:
        if run is not None and entry.run != run:
            continue
        if as_json:
            click.echo(line_of(entry), nl=False)
        else:
            by = f" by {entry.actor}" if entry.actor else ""
            click.echo(f"{moment(entry.at)}  {entry.run}  {entry.kind} {entry.name}{by} -> {', '.join(entry.state)}")
    sys.stdout.flush()
