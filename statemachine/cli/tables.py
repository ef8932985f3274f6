"""What commands print: tables for a person, JSON for a program."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click
import msgspec
from rich.box import SIMPLE_HEAD
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
WIDE = 200
"""Columns of a table that is written to no terminal, where nobody said how many there are."""
WHOLE = "%Y-%m-%d %H:%M:%S"


def console() -> Console:
    """Where people read; made at each use, so that it is the stream of this moment."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, soft_wrap=True, width=None if "COLUMNS" in os.environ else WIDE)


def say_json(value: object) -> None:
    """One JSON document."""
    click.echo(msgspec.json.format(msgspec.json.encode(to_plain(value)), indent=2).decode())


def line_of(value: object) -> str:
    """One JSON document on a line of its own."""
    return msgspec.json.encode(to_plain(value)).decode() + "\n"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table, without the columns that say nothing in any row.

    A cell that is `Text` keeps its style, anything else is shown as it is, never as markup. Times and statuses are not
    broken over lines; on a terminal, times of today are told without the day.
    """
    out, shown = console(), list(rows)
    told = [number for number in range(len(columns)) if any(_says(row[number]) for row in shown)]
    made = Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold", header_style="bold")
    made.padding, made.pad_edge, made.show_edge = (0, 1, 0, 0), False, False
    for number in told:
        whole = any(isinstance(row[number], Text | datetime) for row in shown)
        made.add_column(columns[number], overflow="fold", no_wrap=whole)
    said = _briefly if out.is_terminal else _said
    for row in shown:
        cells = (row[number] for number in told)
        made.add_row(*(cell if isinstance(cell, Text) else Text(said(cell)) for cell in cells))
    out.print(made if shown else Text(f"{title}: none", style="bold"))


def _says(cell: object) -> bool:
    return bool(cell.plain if isinstance(cell, Text) else _said(cell))


def _briefly(cell: object) -> str:
    """A cell, a time of today without the day, one of this year without the year."""
    if not isinstance(cell, datetime):
        return _said(cell)
    at, now = cell.astimezone(UTC), datetime.now(UTC)  # noqa: TID251 -- a person's clock: no run is moved by it
    return at.strftime("%H:%M:%S" if at.date() == now.date() else "%m-%d %H:%M" if at.year == now.year else WHOLE)


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
    return at.astimezone(UTC).strftime(WHOLE)


def status(name: str, incidents: int = 0, *, paused: bool = False, held: str = "", erased: bool = False) -> Text:
    """A status with what else stands beside it."""
    text = Text(name, style=COLOURS.get(name, ""))
    for there, said in (
        (incidents, f" {incidents} incident{'s' if incidents > 1 else ''}"),
        (paused, " paused"),
        (held, " held"),
        (erased, " erased"),
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
