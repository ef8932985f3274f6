"""What importing costs a process that starts often."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.benchmarks.rows import Family, Row, Size, at_most, spread
from tests.benchmarks.turns import Answers, Call, peer

NEEDED = "import attrs, msgspec, asyncio, sqlite3"
PEERS = {
    "dbos": "from dbos import DBOS",
    "langgraph": "from langgraph.graph import StateGraph; from langgraph.checkpoint.sqlite import SqliteSaver",
    "transitions": "from transitions import Machine",
    "python-statemachine": "from statemachine import StateChart",
}


def family(size: Size) -> Family:
    """Ours, what ours cannot do without, and the peers'."""
    return Family(
        name="imports",
        title="import statemachine",
        note=(
            "Milliseconds of the import alone, in a process that has only started, after one import has left compiled "
            "modules. The second row imports the runner too, which is loaded at its first use."
        ),
        repeats=size.of(9, 2),
        made={"compiled modules": _importing(sys.executable, "from statemachine import Runner")},
        calls={
            "ours": _importing(sys.executable, "import statemachine"),
            "needed": _importing(sys.executable, NEEDED),
            "runner": _importing(sys.executable, "from statemachine import Runner"),
            **{name: _importing(peer(name)[0], statement, "-I") for name, statement in PEERS.items()},
        },
        rows=lambda answers: list(_rows(answers)),
    )


def _importing(python: str, statement: str, *flags: str) -> Call:
    said = "print(json.dumps({'ms': (time.perf_counter() - begun) * 1e3}))"
    code = f"import json, time; begun = time.perf_counter(); {statement}; {said}"
    return Call((python, *flags, "-c", code), {}, raw=True)


def _rows(answers: Answers) -> Iterator[Row]:
    ours, needed, runner = answers.of("ours", "ms"), answers.of("needed", "ms"), answers.of("runner", "ms")
    yield Row(
        "import statemachine", spread(ours, " ms"), NEEDED, spread(needed, " ms"), **at_most(ours.over(needed), 1.3)
    )
    yield Row(
        "from statemachine import Runner",
        spread(runner, " ms"),
        NEEDED,
        spread(needed, " ms"),
        spread(runner.over(needed), " ×"),
    )
    for name in PEERS:
        theirs = answers.of(name, "ms")
        yield Row(
            "import statemachine", spread(ours, " ms"), name, spread(theirs, " ms"), spread(theirs.over(ours), " ×")
        )
