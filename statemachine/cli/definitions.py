"""Commands about workflows, before anything runs: check them, draw them."""

from __future__ import annotations

from pathlib import Path

import click

from statemachine.checking import check as checked
from statemachine.cli.frame import JSON, looking, workflows
from statemachine.cli.tables import say_json
from statemachine.diagrams import diagram as drawn

PLACE = "MODULE:NAME"
NOTATIONS = click.Choice(["mermaid", "dot", "svg"])


@click.command()
@click.argument("places", nargs=-1, required=True, metavar=f"{PLACE}...")
@JSON
def check(*, places: tuple[str, ...], as_json: bool) -> None:
    """Check workflows: what can never be, never ends, is ambiguous, or breaks a saga. Exits 1 on errors."""
    reports = [checked(definition) for definition in workflows(places)]
    if as_json:
        say_json(reports)
    else:
        click.echo("\n\n".join(str(report) for report in reports))
    if any(report.errors for report in reports):
        raise SystemExit(1)


@click.command()
@click.argument("place", metavar=PLACE)
@click.option("--format", "notation", type=NOTATIONS, default="mermaid", show_default=True)
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A journal, for --run.")
@click.option("--run", help="Also show where this run of the journal is, and the way it took.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write here instead.")
def diagram(*, place: str, notation: str, file: Path | None, run: str | None, out: Path | None) -> None:
    """Draw a workflow."""
    (definition, *more) = workflows([place])
    if more:
        message = f"{place} names several workflows; name one"
        raise click.UsageError(message)
    if run is None:
        picture = drawn(definition)
    elif file is None:
        message = "--run needs the journal: --file"
        raise click.UsageError(message)
    else:
        with looking(file, [place]) as client:
            picture = drawn(definition, client.get(run))
    text: str = getattr(picture, notation)
    if out is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        out.write_text(text, encoding="utf-8")
