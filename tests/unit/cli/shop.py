"""A shop's journal for the command line, and the shop as `--app` names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from statemachine import Runner
from statemachine.cli.app import commands
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import Confirm, Order, Shop, World, until, until_incident

APP = f"{__name__}:Shop"
__all__ = ["APP", "Shop", "asked", "failing", "served", "told"]


def asked(*arguments: object) -> Result:
    """What a command answers."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(commands, [str(one) for one in arguments], catch_exceptions=False)


def told(*arguments: object) -> Any:
    """What a command answers as JSON; it must succeed."""
    answer = asked(*arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


@contextmanager
def served(path: Path, world: World | None = None, clock: VirtualClock | None = None) -> Iterator[Runner]:
    """The shop is open."""
    with Runner(path, [Shop(world or World())], clock=clock) as runner:
        yield runner


def failing(runner: Runner, world: World, *runs: str) -> list[int]:
    """Runs whose pivot nobody knows about; the numbers of their incidents."""
    numbers: list[int] = []
    for name in runs:
        run = runner.start(Shop, Order("book"), id=name)
        until(run, "waiting")
        world.failures = [ConnectionError("no answer")]
        run.send(Confirm(), actor="ada")
        numbers.append(until_incident(run))
    return numbers
