"""Commands that hold work back, and release it: a workflow, one step of it, or everything."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from statemachine.cli.frame import FILE, JSON, looking, who
from statemachine.cli.tables import say_json, table
from statemachine.errors import NotAnswered
from statemachine.runner import Hold

PATIENCE = 30.0
"""Seconds to wait for the owner's answer."""
QUEUED = ". Nobody owns {file}; whoever does next takes it before anything begins."


def meant(function: Any) -> Any:
    """The arguments that say what is meant."""
    for option in (
        click.option("--all", "everything", is_flag=True, help="Every workflow."),
        click.option("--step", default="", help="Only this step of it."),
        who,
        JSON,
        click.argument("workflow", required=False),
        FILE,
    ):
        function = option(function)
    return function


@click.command()
@meant
def hold(file: Path, **options: Any) -> None:
    """Hold back WORKFLOW, or one step of it: what is held is not begun, until `release`.

    What runs already runs on. Where nobody owns FILE it is queued, and taken before anything else is begun.
    """
    _ask(file, "hold", **options)


@click.command()
@meant
def release(file: Path, **options: Any) -> None:
    """Release WORKFLOW, or one step of it. What was queued meanwhile is taken in its order."""
    _ask(file, "release", **options)


def _ask(
    file: Path,
    verb: str,
    *,
    workflow: str | None,
    step: str,
    everything: bool,
    actor: str,
    reason: str | None,
    as_json: bool,
) -> None:
    if everything == (workflow is not None):
        message = f"say what to {verb}: a workflow by its name, or --all"
        raise click.UsageError(message)
    with looking(file) as client:
        owned = client.health().owner is not None
        do, became = (client.hold if verb == "hold" else client.release), "done"
        try:
            do(workflow, step=step, actor=actor, reason=reason, timeout=PATIENCE if owned else 0)
        except NotAnswered:
            if owned:
                raise
            became = "queued"
        holds = client.holds()
        unknown = not owned and workflow is not None and not client.count(workflow=workflow)
    if as_json:
        say_json({"became": became, "holds": holds})
        return
    what = f"step {step} of {workflow}" if step else workflow or "every workflow"
    click.echo(f"{verb} {what}: {became}{QUEUED.format(file=file) if became == 'queued' else ''}")
    if unknown:
        click.echo(f"No run there is of a workflow {workflow!r}: if that is not its name, nothing will be held.")
    say_held(holds)


def say_held(holds: Iterable[Hold]) -> None:
    """What is held back, if anything is."""
    rows = [(one.workflow or "(every workflow)", one.step, one.at, one.actor, one.reason) for one in holds]
    if rows:
        table("Held back", ("workflow", "step", "since (UTC)", "by", "why"), rows)
