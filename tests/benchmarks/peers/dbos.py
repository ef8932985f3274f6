"""DBOS Transact on SQLite: ten steps that do nothing, one run after another or all at once.

As its documentation has it: a `@DBOS.workflow` that calls a `@DBOS.step`, `launch`, a call or `start_workflow`, and
`get_result`. "As shipped" leaves the file as DBOS makes it (rollback journal). "WAL" only makes the file beforehand, in
WAL mode, which SQLite keeps; synchronous stays what it is on DBOS's own connections.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import sqlalchemy
from dbos import DBOS

SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")
asked = json.loads(sys.argv[1])
file = Path(asked["folder"]) / "dbos.sqlite"


@DBOS.step()
def nothing() -> None:
    """Do nothing."""


@DBOS.workflow()
def ten() -> None:
    """Ten steps."""
    for _ in range(10):
        nothing()


def sequential(runs: int) -> float:
    """Seconds for so many runs, one after another."""
    begun = time.perf_counter()
    for _ in range(runs):
        ten()
    return time.perf_counter() - begun


def concurrent(runs: int) -> float:
    """Seconds for so many runs, all started before any is waited for."""
    begun = time.perf_counter()
    handles = [DBOS.start_workflow(ten) for _ in range(runs)]
    for handle in handles:
        handle.get_result()
    return time.perf_counter() - begun


@DBOS.workflow()
def one(number: int) -> int:
    """One step."""
    nothing()
    return number


def items(runs: int) -> float:
    """Seconds for so many items on a queue, which looks for more twenty times as often as it is shipped to."""
    queue = DBOS.register_queue("items", worker_concurrency=64, polling_interval_sec=0.05)
    begun = time.perf_counter()
    handles = [queue.enqueue(one, number) for number in range(runs)]
    for handle in handles:
        handle.get_result()
    return time.perf_counter() - begun


if asked["wal"]:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
dbos = DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{file}", "log_level": "ERROR"})
DBOS.launch()
ten()
seconds = {"sequential": sequential, "concurrent": concurrent, "items": items}[asked["measure"]](asked["runs"])
with dbos._sys_db.engine.connect() as own:  # what holds on the connections that DBOS itself made
    mode = own.execute(sqlalchemy.text("PRAGMA journal_mode")).scalar()
    synchronous = own.execute(sqlalchemy.text("PRAGMA synchronous")).scalar()
    done = own.execute(sqlalchemy.text("SELECT COUNT(*) FROM operation_outputs")).scalar()
DBOS.destroy()
expected = asked["runs"] + 10 if asked["measure"] == "items" else (asked["runs"] + 1) * 10
if done != expected:
    sys.exit(f"{done} steps are recorded, not {expected}")
print(json.dumps({"rate": asked["runs"] / seconds}))
print(
    json.dumps(
        {
            "version": version("dbos"),
            "durability": f"journal_mode={mode}, synchronous={SYNCHRONOUS[synchronous]}",
        }
    )
)
