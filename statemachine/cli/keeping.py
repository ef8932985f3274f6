"""Commands that keep a journal: verify it, export it, prune what is over and old."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click

from statemachine.cli.frame import APP, FILE, JSON, ago, changing, looking, span
from statemachine.cli.looking import every
from statemachine.cli.tables import line_of, progress, say_json, table
from statemachine.cli.xes import write_xes
from statemachine.runner import Client, Entry, RunSummary, Verified


@click.command()
@FILE
@click.argument("runs", nargs=-1)
@APP
@JSON
def verify(file: Path, *, runs: tuple[str, ...], places: tuple[str, ...], as_json: bool) -> None:
    """Fold the journal of RUNS (all, when none is named) again and compare with what is stored. Needs --app."""
    if not places:
        message = "verify folds the journal with the application's workflows: --app MODULE:NAME"
        raise click.UsageError(message)
    with looking(file, places) as client:
        names = runs or tuple(one.id for one in every(client, {}, 1000))
        with progress("verify", len(names)) as bar:
            found: list[Verified] = []
            for name in names:
                found.append(client.verify(name))
                bar.advance(bar.task_ids[0])
    wrong = [one for one in found if not one.ok]
    if as_json:
        say_json({"runs": len(found), "wrong": wrong})
    elif wrong:
        rows = ((one.run, one.folded, one.reason or f"differs in {', '.join(one.different)}") for one in wrong)
        table(f"{len(wrong)} of {len(found)} runs do not agree with their journal", ("run", "folded", "why"), rows)
    else:
        click.echo(f"{len(found)} runs agree with their journal ({sum(one.folded for one in found):,} entries folded)")
    if wrong:
        raise SystemExit(1)


@click.command()
@FILE
@click.option("--format", "kind", type=click.Choice(["jsonl", "xes"]), default="jsonl", show_default=True)
@click.option("--workflow", help="Only runs of this workflow.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write here instead.")
def export(file: Path, *, kind: str, workflow: str | None, out: Path | None) -> None:
    """Export the journal: as JSON Lines, an entry a line, or as an XES event log for process mining (IEEE 1849)."""
    with looking(file) as client:
        stream = sys.stdout if out is None else out.open("w", encoding="utf-8")
        try:
            if kind == "xes":
                write_xes(stream, ((run, entries(client, run.id)) for run in every(client, {"workflow": workflow})))
            else:
                for entry in _logged(client, workflow):
                    stream.write(line_of(entry))
        finally:
            if out is not None:
                stream.close()


def entries(client: Client, run: str) -> Iterator[Entry]:
    """A run's whole journal, page by page."""
    after = 0
    while page := client.get(run).journal(after=after):
        yield from page
        after = page[-1].seq


def _logged(client: Client, workflow: str | None) -> Iterator[Entry]:
    known: set[str] | None = None
    if workflow is not None:
        runs: Iterator[RunSummary] = every(client, {"workflow": workflow}, 1000)
        known = {run.id for run in runs}
    after = 0
    while page := client.log(after=after):
        yield from (entry for entry in page if known is None or entry.run in known)
        after = page[-1].number


@click.command()
@FILE
@click.option("--older", type=span, metavar="AGE", required=True, help="Runs that ended so long ago, as in 90d.")
@click.option(
    "--remember", type=span, metavar="AGE", default="30d", show_default=True, help="How long their event ids are kept."
)
@click.option("--yes", is_flag=True, help="Remove them. Without it, they are only counted.")
@APP
@JSON
def prune(
    file: Path, *, older: timedelta, remember: timedelta, yes: bool, places: tuple[str, ...], as_json: bool
) -> None:
    """Remove runs that are over and old, with their journal, in one transaction. Only counts them without --yes."""
    with changing(file, places) as runner:
        pruned = runner.prune(ago(older), remember=remember, dry=not yes)
    if as_json:
        say_json({"removed": yes, **{name: getattr(pruned, name) for name in pruned.__struct_fields__}})
        return
    click.echo(
        f"{'Removed' if yes else 'Would remove'} {pruned.runs:,} runs, {pruned.entries:,} entries, "
        f"{pruned.items:,} outcomes of items and {pruned.messages:,} messages; "
        f"{pruned.remembered:,} event ids are remembered for {remember.days} days, "
        f"{pruned.forgotten:,} older ones forgotten; "
        f"{pruned.cached:,} results that were kept for other runs were too old."
    )
    if not yes and pruned.runs:
        click.echo("Nothing was changed. Repeat it with --yes.")


@click.command()
@FILE
@click.argument("run")
@click.option("--actor", default=getpass.getuser, show_default="your user name", help="Who does it.")
@click.option("--reason", required=True, help="Why; it stays in the journal.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@APP
@JSON
def erase(file: Path, *, run: str, actor: str, reason: str, yes: bool, places: tuple[str, ...], as_json: bool) -> None:
    """Blank the data of a RUN that is over, for good: its payloads, tags and reasons. States, times and ids stay."""
    if not yes:
        click.confirm(f"Erase what {file} has of run {run}? It cannot be brought back.", abort=True, err=True)
    with changing(file, places) as runner:
        runner.erase(run, actor=actor, reason=reason)
    if as_json:
        say_json({"run": run, "erased": True})
        return
    click.echo(f"Run {run} is erased. Backups and copies of {file} that were made before still have it.")
