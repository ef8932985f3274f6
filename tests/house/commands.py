"""The reference of the command line, as its commands tell it: `python -m tests.house.commands` writes it anew."""

from __future__ import annotations

from pathlib import Path

import click
from click.testing import CliRunner

from statemachine.cli.app import commands

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
BEGIN = "<!-- The rest is what each command says of itself: `python -m tests.house.commands` writes it. -->"


def reference() -> str:
    """The help of every command, as it is on a terminal of 100 columns."""
    context = click.Context(commands)
    parts: list[str] = []
    for name in commands.list_commands(context):
        told = CliRunner(env={"COLUMNS": "100"}).invoke(commands, [name, "--help"], prog_name="statemachine")
        parts.append(f"## {name}\n\n```text\n{told.output.rstrip()}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page's second half."""
    head, _, _ = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n\n{reference()}", encoding="utf-8")


if __name__ == "__main__":
    main()
