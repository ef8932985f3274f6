"""What commands print: tables for a person, JSON for a program."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from statemachine.runner import to_plain

COLOURS = {
    "running": "blue",
    "undoing": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
    "killed": "red",
}


def console() -> Console:
    """Where people read; made at each use, so that it is the stream of this moment."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def say_json(value: object) -> None:
    """One JSON document."""
    click.echo(msgspec.json.format(msgspec.json.encode(to_plain(value)), indent=2).decode())


def line_of(value: object) -> str:
    """One JSON document on a line of its own."""
    return msgspec.json.encode(to_plain(value)).decode() + "\n"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; a cell that is `Text` keeps its style, anything else is shown as it is, never as markup."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(_said(cell)) for cell in row))
    console().print(made)


def _said(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return moment(cell)
    if isinstance(cell, tuple | list):
        return ", ".join(str(one) for one in cell)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(cell)


def moment(at: datetime) -> str:
    """A UTC time, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def status(name: str, incidents: int = 0, *, paused: bool = False, held: str = "") -> Text:
    """A status with what else stands beside it."""
    text = Text(name, style=COLOURS.get(name, ""))
    for there, said in (
        (incidents, f" {incidents} incident{'s' if incidents > 1 else ''}"),
        (paused, " paused"),
        (held, " held"),
    ):
        if there:
            text.append(said, style="bold red")
    return text


def progress(said: str, total: int) -> Progress:
    """A bar for long work, on standard error; nothing where nobody looks."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    bar.add_task(said, total=total)
    return bar
