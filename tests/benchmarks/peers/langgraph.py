"""LangGraph with its SqliteSaver: a graph of ten nodes that do nothing, and what a state of some size costs on disk.

As its documentation has it: a `StateGraph`, compiled with the checkpointer that `SqliteSaver.from_conn_string` gives,
invoked with a thread id. `durability="sync"` writes a checkpoint before the next node begins, which is what the others
are measured at.
"""

from __future__ import annotations

import json
import operator
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")
asked = json.loads(sys.argv[1])
file = Path(asked["folder"]) / "langgraph.sqlite"


class Counted(TypedDict):
    """A state: a number, and a text of some size."""

    n: int
    text: str


class Summed(TypedDict):
    """What came of many items."""

    results: Annotated[list[int], operator.add]


def nothing(_state: Counted) -> dict[str, Any]:
    """Do nothing."""
    return {}


def count(state: Counted) -> dict[str, Any]:
    """Change the number and leave the text alone."""
    return {"n": state["n"] + 1}


def ten() -> Any:
    """Ten nodes in a row."""
    builder = StateGraph(Counted)
    for n in range(10):
        builder.add_node(f"node{n}", nothing)
        builder.add_edge(START if n == 0 else f"node{n - 1}", f"node{n}")
    builder.add_edge("node9", END)
    return builder


def many(items: int) -> Any:
    """One node for each item, and what came of them in a list."""
    builder = StateGraph(Summed)
    builder.add_node("item", lambda item: {"results": [item["n"]]})
    builder.add_conditional_edges(START, lambda _state: [Send("item", {"n": n}) for n in range(items)], ["item"])
    builder.add_edge("item", END)
    return builder


def items(saver: SqliteSaver, runs: int) -> dict[str, float]:
    """Items a second."""
    graph = many(runs).compile(checkpointer=saver)
    config = {"configurable": {"thread_id": "many"}, "max_concurrency": 64}
    begun = time.perf_counter()
    found = graph.invoke({"results": []}, config, durability="sync")
    seconds = time.perf_counter() - begun
    if sum(found["results"]) != runs * (runs - 1) // 2:
        sys.exit("not all items have come")
    return {"rate": runs / seconds}


def loop(times: int) -> Any:
    """One node, again and again."""
    builder = StateGraph(Counted)
    builder.add_node("count", count)
    builder.add_edge(START, "count")
    builder.add_conditional_edges("count", lambda state: END if state["n"] >= times else "count")
    return builder


def written() -> int:
    """Bytes this process has handed to the system for writing."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("wchar")).split()[1])


def sequential(saver: SqliteSaver, runs: int) -> dict[str, float]:
    """Runs a second, one after another."""
    graph = ten().compile(checkpointer=saver)
    graph.invoke({"n": 0, "text": ""}, {"configurable": {"thread_id": "first"}}, durability="sync")
    begun = time.perf_counter()
    for run in range(runs):
        graph.invoke({"n": 0, "text": ""}, {"configurable": {"thread_id": str(run)}}, durability="sync")
    return {"rate": runs / (time.perf_counter() - begun)}


def growth(saver: SqliteSaver, size: int, times: int) -> dict[str, float]:
    """Bytes by which the file grows, and bytes written, for each time the number changes beside a text of `size`."""
    graph = loop(times + 1).compile(checkpointer=saver)
    config = {"configurable": {"thread_id": "grows"}, "recursion_limit": times + 10}
    graph.invoke({"n": times, "text": "x" * size}, config, durability="sync")  # once round, so that the tables are made
    grown, before = occupied(saver), written()
    graph.invoke({"n": 1}, config, durability="sync")
    return {"bytes": (occupied(saver) - grown) / times, "written": (written() - before) / times}


def occupied(saver: SqliteSaver) -> int:
    """Bytes of the database, its log copied into it."""
    saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return file.stat().st_size


with SqliteSaver.from_conn_string(str(file)) as saver:
    if asked["measure"] == "sequential":
        print(json.dumps(sequential(saver, asked["runs"])))
    elif asked["measure"] == "items":
        print(json.dumps(items(saver, asked["runs"])))
    else:
        print(json.dumps(growth(saver, asked["size"], asked["times"])))
    mode = saver.conn.execute("PRAGMA journal_mode").fetchone()[0]
    synchronous = saver.conn.execute("PRAGMA synchronous").fetchone()[0]
    said = f"durability=sync, journal_mode={mode}, synchronous={SYNCHRONOUS[synchronous]}"
    versions = f"{version('langgraph')}, checkpoint-sqlite {version('langgraph-checkpoint-sqlite')}"
    print(json.dumps({"version": versions, "durability": said}))
