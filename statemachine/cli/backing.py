"""Commands for the worst day: back a journal up, go back to a backup, see what a backup cannot know."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from statemachine.cli.frame import APP, FILE, JSON, codec, looking, who, workflows
from statemachine.cli.tables import moment, progress, say_json, table
from statemachine.runner import Uncertain
from statemachine.runner import restore as restored

EXPECTED = {
    "at-least-once": "again, under this key",
    "at-most-once": "not again: an incident",
    "transactional": "was in the file: not done",
    None: "with --app it is known",
}


@click.command()
@FILE
@click.argument("to", type=click.Path(dir_okay=False, path_type=Path))
@JSON
def backup(file: Path, *, to: Path, as_json: bool) -> None:
    """Copy FILE to a new file TO while it is in use: whole, as of one moment, and on the disk when this ends."""
    with looking(file) as client, progress("backup", 1) as bar:

        def told(copied: int, total: int) -> None:
            bar.update(bar.task_ids[0], completed=copied, total=total)

        client.backup(to, progress=told)
    if as_json:
        say_json({"file": str(to), "bytes": to.stat().st_size})
        return
    click.echo(f"{to}: {to.stat().st_size:,} bytes. `statemachine restore {to} FILE` opens it again, held.")


@click.command()
@click.argument("copy", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@who
@APP
@JSON
def restore(copy: Path, *, file: Path, actor: str, reason: str | None, places: tuple[str, ...], as_json: bool) -> None:
    """Make FILE from the backup COPY. It opens held: nothing moves before `release FILE --all`.

    Lists the steps whose later outcomes the backup cannot know. COPY stays as it is; nothing is overwritten.
    """
    found = restored(copy, file, workflows(places), reason=reason, actor=actor, codec=codec())
    if as_json:
        say_json(found)
        return
    _say(found)
    click.echo(f"{file} is restored and held. When its receivers were asked: statemachine release {file} --all")


@click.command()
@FILE
@APP
@JSON
def uncertain(file: Path, *, places: tuple[str, ...], as_json: bool) -> None:
    """List steps that were asked for and have no outcome: in a restored FILE, what to ask their receivers about."""
    with looking(file, places) as client:
        found = client.uncertain()
    if as_json:
        say_json(found)
    else:
        _say(found)


def _say(found: Iterable[Uncertain]) -> None:
    rows = [
        (
            one.run,
            f"undo of {one.step}" if one.undo else one.step or "sealed: give --codec",
            one.key,
            f"{one.kind or ''}{', pivot' if one.pivot else ''}",
            EXPECTED["at-least-once" if one.undo and one.kind else one.kind],
            moment(one.since) if one.since else "",
        )
        for one in found
    ]
    table(f"{len(rows)} steps without an outcome", ("run", "step", "key", "kind", "when released", "asked for"), rows)
