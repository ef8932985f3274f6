"""The runbook has every kind of incident and every alarm, and all that it tells an operator to type exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

import persistence
import statemachine
from statemachine.cli.app import commands
from statemachine.cli.numbers import WAL, _wrong
from statemachine.runner import Health
from statemachine.snapshot import IncidentKind

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
BASES = {"DefinitionError", "JournalError", "NotStorable", "Stale", "StateMachineError"}
"""Errors that nobody meets at night: bases, what is found at import, and what the runner keeps to itself."""
TYPED = re.compile(r"(?:^|`)statemachine (\w+)([^`#\n]*)", re.MULTILINE)


def test_every_kind_of_incident_has_its_section() -> None:
    """And no section is about a kind that does not exist."""
    assert set(SECTIONS) == set(get_args(IncidentKind))


@pytest.mark.parametrize("kind", get_args(IncidentKind))
def test_a_section_says_what_to_type(kind: str) -> None:
    """At least one command."""
    assert TYPED.findall(SECTIONS[kind])


def test_every_alarm_is_explained() -> None:
    """Each sentence that `health` can say begins a row of the table."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    ill = Health(
        owner=None,
        live=2,
        incidents=3,
        held=4,
        overdue=5,
        oldest=at,
        messages=6,
        waiting=at,
        file=1,
        log=2**40,
        unheard=7,
        silent=at,
    )
    said = [re.sub(r"\d[\d,.]*", "N", re.split(r"[:,] ", line)[0]) for line in _wrong(ill, WAL)]
    assert len(said) == 6
    assert [line for line in said if f"| {line} |" not in RUNBOOK] == []


def test_every_error_that_an_application_can_raise_is_explained() -> None:
    """In a row of the table of errors, and no row is about one that does not exist."""
    rows = re.findall(r"^\| (`[^|]+) \|", RUNBOOK.partition("Errors that it raises")[2], re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    raised = {
        name
        for package in (statemachine, persistence)
        for name in package.__all__
        if isinstance(one := getattr(package, name), type) and issubclass(one, Exception)
    }
    assert raised - BASES - explained == set()
    assert explained - raised == {"StepTimeout", "StepSilent", "ChildDied", "show"}


def test_every_warning_of_the_log_is_explained() -> None:
    """Each has words of a row of the table of lines, and each row is of a line."""
    table = RUNBOOK.partition("Lines of its log")[2].partition("\n## ")[0]
    quoted = [
        quote for row in re.findall(r"^\| (\".+?) \|", table, re.MULTILINE) for quote in re.findall(r'"(.+?)"', row)
    ]
    lines = list(_logged())
    assert len(lines) > 15
    assert [line for line in lines if not any(_says(line, quote) for quote in quoted)] == []
    assert [quote for quote in quoted if not any(_says(line, quote) for line in lines)] == []


def _says(line: str, quote: str) -> bool:
    return re.search(re.escape(quote).replace("…", ".+"), line) is not None


def _logged() -> Iterator[str]:
    """What the package logs as a warning or worse, with `%s` where something is filled in."""
    aloud = {f"log.{level}" for level in ("warning", "error", "critical")}
    for path in [*(ROOT / "statemachine").rglob("*.py"), *(ROOT / "persistence").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in aloud
                and isinstance(node.args[0], ast.Constant)
            ):
                yield str(node.args[0].value)


def test_every_command_exists_with_its_options() -> None:
    """A name or an option that the command line does not know would be found out at 3 a.m."""
    unknown = [
        f"{name} {option}".rstrip()
        for name, rest in TYPED.findall(RUNBOOK)
        for option in ["", *re.findall(r"--[a-z-]+", rest)]
        if not _known(name, option)
    ]
    assert unknown == []


def _known(name: str, option: str) -> bool:
    command = commands.commands.get(name)
    return command is not None and (not option or any(option in one.opts for one in command.params))
