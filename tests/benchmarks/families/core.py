"""The pure core beside the state machine libraries that keep everything in memory."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.rows import Family, Row, Size, at_least, spread
from tests.benchmarks.turns import OURS, Answers, Call, peer

MACHINES = {
    "flat": "flat, a guard and an action",
    "compound": "compound: inside, out and back",
    "parallel": "two parallel regions, both move",
}
OWED = {
    ("transitions", "flat"): (3, 6),
    ("transitions", "compound"): (8, 15),
    ("transitions", "parallel"): (8, 15),
    ("python-statemachine", "flat"): (30, 60),
}


def family(size: Size) -> Family:
    """Three machines, three libraries."""
    return Family(
        name="core",
        title="Pure core: one event to completion, nothing stored",
        note=(
            "Each transition has a guard and an action that counts. Ours makes the event, and gives a new snapshot "
            "that could be stored; the peers change an object in place. transitions' Machine and "
            "HierarchicalMachine without auto transitions; python-statemachine's StateChart."
        ),
        repeats=size.of(7, 1),
        calls={
            "ours": Call(OURS, {"measure": "core", "events": size.of(30_000, 600)}),
            "transitions": Call(peer("transitions"), {"events": size.of(6_000, 300)}),
            "python-statemachine": Call(peer("python-statemachine"), {"events": size.of(1_500, 60)}),
        },
        rows=lambda answers: list(_rows(answers)),
        peers=("transitions", "python-statemachine"),
    )


def _rows(answers: Answers) -> Iterator[Row]:
    for machine, what in MACHINES.items():
        ours = answers.of("ours", machine)
        for name in ("transitions", "python-statemachine"):
            theirs = answers.of(name, machine)
            ratio = theirs.over(ours)
            owed = OWED.get((name, machine))
            held = at_least(ratio, *owed) if owed else {"ratio": spread(ratio, " ×")}
            yield Row(what, spread(ours, " µs"), name, spread(theirs, " µs"), **held)
