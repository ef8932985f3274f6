"""SIGKILL of the loan desk of the examples at full load, and of its people, at random instants, until all has ended."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs

from examples.loan_desk_memory import MEMORY, read_entries
from examples.loan_desk_processes import BankProcess
from tests.reliability import judge
from tests.reliability.evidence import Row, Scale, Section, shown
from tests.reliability.judge import Death, Judge
from tests.reliability.ledger import Ledger
from tests.reliability.lending_desk import LOANS, checked, desk, people, prepare, serve
from tests.reliability.lives import DiedOtherwise, Life, side_by_side
from tests.reliability.random_kills import fight

TITLE = "Random kills of the loan desk of the examples at full load, and of its people"
CAMPAIGNS = {"short": 1, "full": 120}
KILLS = {"short": 8, "full": 40}
"""How often a campaign kills, at most: fewer when its loans have all ended before."""
CHECKED = "the desk's own checks"
PROMISES = {
    judge.LOST: "acknowledged applications and decisions",
    judge.AGAIN: "recorded outcomes, whose step or undo must not run again",
    judge.TOO_OFTEN: "keys, executed no more often than the journal began them",
    judge.RECEIVED: "orders at the bank, each carried out once by its key",
    CHECKED: "loans: each ended once, paid once or not at all, nothing held, booked once as paid",
    judge.UNFOLDED: "runs whose journal gives their snapshot (verify)",
}


@attrs.frozen
class Campaign:
    """What came of one desk and its deaths."""

    kills: int
    clients: int
    running: int
    """Steps and undos that were under way at those deaths."""
    tried: Counter[str]
    faults: list[tuple[str, str]]
    """Promises, and what broke them."""


def campaign(place: Path, seed: int, number: int, kills: int) -> Campaign:
    """One desk, killed so often. A process that died of anything but a kill is a fault."""
    folder = Path(tempfile.mkdtemp(dir=place))
    prepare(folder)
    ledger = Ledger(folder / "ledger")
    judging, deaths = Judge(desk(0)), list[Death]()

    def died() -> None:
        deaths.append(judging.death(folder, ledger.lines()))

    chance = random.Random(f"{seed}:{number}")
    with BankProcess(folder, seed=number) as bank:
        try:
            asking = partial(Life, people, folder, bank.port, number)
            clients = fight(partial(Life, serve, folder, bank.port), asking, died, chance, kills)
        except DiedOtherwise as error:
            return Campaign(len(deaths), 0, 0, Counter(), [(CHECKED, str(error)[-1500:])])
    lines = ledger.lines()
    ledger.close()
    kept = judging.kept(folder)
    orders = [(entry.op, entry.key) for entry in read_entries(folder / MEMORY) if entry.key]
    found = [(fault.promise, str(fault)) for fault in judge.faults(folder, kept, lines, deaths, booked=False)]
    found += [(judge.RECEIVED, f"{key} {times} times") for key, times in Counter(orders).items() if times > 1]
    found += [(CHECKED, fault) for fault in checked(folder)]
    shutil.rmtree(folder)
    tried = Counter(
        {
            judge.LOST: len({line for line in lines if line[0] == "acknowledged"}),
            judge.AGAIN: sum(len(list(judge.recorded(one))) for one in kept.values()),
            judge.TOO_OFTEN: len({line[:2] for line in lines if line[0] in {"do", "undo"}}),
            judge.RECEIVED: len(orders),
            CHECKED: LOANS,
            judge.UNFOLDED: len(kept),
        }
    )
    return Campaign(len(deaths), clients, sum(len(death.pending) for death in deaths), tried, found)


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    count, kills = CAMPAIGNS[scale], KILLS[scale]
    with tempfile.TemporaryDirectory() as place:
        played = side_by_side(lambda number: campaign(Path(place), seed, number, kills), range(1, count + 1))
        fought = list(shown("kills of the loan desk", played, count))
    return Section(TITLE, seed, tuple(_rows(fought)), time.monotonic() - began)


def _rows(fought: list[Campaign]) -> Iterator[Row]:
    kills, clients, running = (sum(getattr(one, name) for one in fought) for name in ("kills", "clients", "running"))
    note = f"{len(fought)} days; {running:,} times a step or undo was under way; {clients} kills of the people"
    yield Row("SIGKILLs of the worker", kills, sum(bool(one.faults) for one in fought), note, "days")
    for promise, what in PROMISES.items():
        broken = [said for one in fought for broken, said in one.faults if broken == promise]
        for said in broken:
            sys.stderr.write(f"{said}\n")
        yield Row(what, sum(one.tried[promise] for one in fought), len(broken), broken[0][:200] if broken else "")
