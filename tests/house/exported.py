"""Runs a few hundred orders, erases one, does a step for many items; exports it all, and notes what a reader must find.

python -m tests.house.exported FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from click.testing import CliRunner

from statemachine import Client, Runner
from statemachine.cli.app import commands
from tests.unit.runner.desk import Confirm, Order, Reject, Shop, World, until
from tests.unit.runner.fanning import Gathering, Load, Shelf

ORDERS = 200


def main(folder: Path) -> None:
    """Write `log.xes` and `expected.json` into a folder."""
    journal = folder / "shop.db"
    journal.unlink(missing_ok=True)
    with Runner(journal, [Shop(World()), Gathering(Shelf())]) as runner:
        for number in range(ORDERS):
            run = runner.start(
                Shop, Order(f'<item "{number}" & more>'), id=f"order <{number}>", tags={"nth": str(number)}
            )
            until(run, "waiting")
            run.send(Reject() if number % 3 else Confirm(), actor="ada & bob")
            run.result(timeout=30)
        runner.erase("order <0>", actor="ada", reason="asked for")
        until(runner.start(Gathering, Load(("a", "b", "c")), id="many items"), "waiting")
    answer = CliRunner().invoke(commands, ["export", str(journal), "--format", "xes", "--out", str(folder / "log.xes")])
    assert answer.exit_code == 0, answer.output
    with Client(journal) as client:
        expected = {
            run.id: [
                entry.name if entry.kind == "event" else f"{entry.kind} {entry.name}".rstrip()
                for entry in client.get(run.id).journal()
            ]
            for run in client.list(limit=ORDERS + 1)
        }
    (folder / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
