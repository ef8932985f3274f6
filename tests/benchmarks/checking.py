"""How long `check` takes on workflows of 200 states: `python -m tests.benchmarks.checking`."""

from __future__ import annotations

import random
import time

from statemachine.checking import check
from statemachine.definition import Definition
from tests.unit.checking.building import arc, final, machine, state, step
from tests.unit.checking.test_report import region_product

STATES = 200
ROUNDS = 5


def chain() -> Definition:
    """One after another, each with a step, and each may go back to the first."""
    names = [f"s{number}" for number in range(STATES - 1)]
    steps = tuple(step(f"w{name}", name, effect=False, failed=True) for name in names)
    ways = [arc(name, f"done.step.w{name}", after) for name, after in zip(names, (*names[1:], "end"), strict=True)]
    ways += [arc(name, f"failed.step.w{name}", "end") for name in names]
    ways += [arc(name, "Again", names[0], when="asked") for name in names]
    return machine((*map(state, names), final("end")), tuple(ways), steps=steps)


def web() -> Definition:
    """Each state with ten guarded ways to others, drawn by a seeded generator."""
    chance = random.Random(200)
    names = [f"s{number}" for number in range(STATES - 1)]
    ways = [
        arc(name, f"E{number}", chance.choice([*names, "end"]), when=f"g{number}")
        for name in names
        for number in range(10)
    ]
    return machine((*map(state, names), final("end")), (*ways, arc(names[0], "E10", "end")))


SHAPES = {
    "a chain of steps": chain(),
    "ten guarded ways out of each": web(),
    "2 regions of 97": region_product(2, 97),
    "4 regions of 48": region_product(4, 48),
    "14 regions of 13": region_product(14, 13),
    "38 regions of 4": region_product(38, 4),
}


def main() -> None:
    """Measure each shape by processor time, which other programs stretch little: the slowest of the rounds."""
    print("| shape | states | slowest of 5, processor time | configurations seen | whole |\n|---|---|---|---|---|")
    for shape, definition in SHAPES.items():
        taken: list[float] = []
        report = check(definition)
        for _ in range(ROUNDS):
            began = time.process_time()
            report = check(definition)
            taken.append(time.process_time() - began)
        whole = "yes" if report.explored.whole else "no"
        row = (shape, f"{len(definition.states)}", f"{max(taken):.2f} s", f"{report.explored.configurations:,}", whole)
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
