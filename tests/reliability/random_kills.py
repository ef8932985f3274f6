"""SIGKILL of a busy runner, and of its client, at random instants; over and over, until all runs have ended."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any

import attrs

from tests.reliability import judge
from tests.reliability.errand import Template, World
from tests.reliability.evidence import Row, Scale, Section, shown
from tests.reliability.judge import Death, Fault, Judge, Kept
from tests.reliability.ledger import Ledger
from tests.reliability.lending import Lending, Treasury, ask, serve
from tests.reliability.lives import DiedOtherwise, Life, side_by_side

TITLE = "Random kills: SIGKILL of a busy runner and its client at random instants"
LONGEST_WAIT = 0.25
"""Seconds of a life, at most, before it is killed."""
CAMPAIGNS = {"short": 2, "full": 420}
KILLS = {"short": 12, "full": 40}
"""How often a campaign kills, at most: fewer when its runs have all ended before."""
PROMISES = {
    judge.LOST: "acknowledged starts, events and messages",
    judge.AGAIN: "recorded outcomes, whose step or undo must not run again",
    judge.TOO_OFTEN: "keys, executed no more often than the journal began them",
    judge.ONCE: "keys of a step at most once, executed once, and again only on the word of one who asked the receiver",
    judge.TRANSACTIONAL: "transactional steps and undos, done exactly once",
    judge.RECEIVED: "effects at a receiver that deduplicates by key, exactly the undisturbed ones",
    judge.ENDED: "runs, ended as undisturbed",
    judge.UNFOLDED: "runs whose journal gives their snapshot (verify)",
}


@attrs.frozen
class Campaign:
    """What came of one database and its deaths."""

    kills: int
    clients: int
    running: int
    """Steps and undos that were under way at those deaths."""
    tried: Counter[str]
    faults: list[Fault]
    ends: dict[str, Any]
    effects: Counter[Any]


def fight(
    owning: Callable[[], Life], asking: Callable[[], Life], died: Callable[[], None], chance: random.Random, kills: int
) -> int:
    """Kill the owner so often, at random instants, and now and then the client, and have both begun again.

    After the last kill both are let end. `died` is called after each death of the owner. Gives how often the client
    was killed.
    """
    client, clients, deaths = asking(), 0, 0
    while True:
        owner = owning()
        if deaths < kills:
            time.sleep(chance.uniform(0, LONGEST_WAIT))
            if chance.random() < 0.2:
                client.signal(SIGKILL)
            owner.signal(SIGKILL)
        else:
            clients += client.end()
            client = asking()
        if not owner.end():
            break
        deaths += 1
        died()
        if client.over():
            clients += client.end()
            client = asking()
    return clients + client.end()


class Campaigns:
    """Campaigns in folders of their own, all compared with one that nobody disturbs."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._seed = seed
        self._template = Template(folder)
        self._judge = Judge(Lending(World(self._template.place)), Treasury())
        self._quiet = self._fight(0, kills=0)

    def fight(self, number: int, kills: int) -> Campaign:
        """One campaign. A process that died of anything but a kill is a fault."""
        try:
            return self._fight(number, kills)
        except DiedOtherwise as error:
            return Campaign(1, 0, 0, Counter(), [Fault(judge.ENDED, str(error))], {}, Counter())

    def _fight(self, number: int, kills: int) -> Campaign:
        folder = self._template.copy()
        ledger = Ledger(folder / "ledger")
        chance = random.Random(f"{self._seed}:{number}")
        deaths: list[Death] = []

        def died() -> None:
            deaths.append(self._judge.death(folder, ledger.lines()))

        clients = fight(lambda: Life(serve, folder), lambda: Life(ask, folder), died, chance, kills)
        lines = ledger.lines()
        ledger.close()
        campaign = self._judged(folder, lines, deaths, clients)
        shutil.rmtree(folder)
        return campaign

    def _judged(self, folder: Path, lines: list[tuple[str, ...]], deaths: list[Death], clients: int) -> Campaign:
        kept = self._judge.kept(folder)
        world = World(folder)
        effects = judge.done(world.effects())
        world.ledger.close()
        ends = _in_any_order(judge.ends(kept))
        found = list(judge.faults(folder, kept, lines, deaths))
        if deaths:
            found += judge.compared(ends, self._quiet.ends, effects, self._quiet.effects)
        running = sum(len(death.pending) for death in deaths)
        return Campaign(len(deaths), clients, running, _tried(kept, lines, effects), found, ends, effects)


def _in_any_order(ends: dict[str, Any]) -> dict[str, Any]:
    """The treasury is told in whatever order the loans were paid."""
    status, states, purse = ends["treasury"]
    return {**ends, "treasury": (status, states, sorted(purse.paid))}


def _tried(kept: dict[str, Kept], lines: list[tuple[str, ...]], effects: Counter[Any]) -> Counter[str]:
    """How much there was of what each promise is about."""
    executed = {line[:2] for line in lines if line[0] in {"do", "undo", "once"}}
    recorded = [key for one in kept.values() for key in judge.recorded(one)]
    return Counter(
        {
            judge.LOST: len({line for line in lines if line[0] == "acknowledged"}),
            judge.AGAIN: len(recorded),
            judge.TOO_OFTEN: len(executed),
            judge.ONCE: sum(what == "once" for what, _ in executed),
            judge.TRANSACTIONAL: sum(key.split(":")[2] == "book" for _, key in recorded),
            judge.RECEIVED: effects.total(),
            judge.ENDED: len(kept),
            judge.UNFOLDED: len(kept),
        }
    )


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        campaigns = Campaigns(Path(folder), seed)
        count = CAMPAIGNS[scale]
        fought = list(
            shown(
                "random kills",
                side_by_side(lambda number: campaigns.fight(number, KILLS[scale]), range(1, count + 1)),
                count,
            )
        )
    return Section(TITLE, seed, tuple(_rows(fought)), time.monotonic() - began)


def _rows(fought: list[Campaign]) -> Iterator[Row]:
    bad = sum(bool(campaign.faults) for campaign in fought)
    kills, clients, running = (
        sum(getattr(campaign, name) for campaign in fought) for name in ("kills", "clients", "running")
    )
    note = f"{len(fought)} campaigns; {running:,} times a step or undo was under way; {clients} kills of the client"
    yield Row("SIGKILLs of the runner", kills, bad, note, "campaigns")
    for promise, what in PROMISES.items():
        broken = [fault for campaign in fought for fault in campaign.faults if fault.promise == promise]
        for fault in broken:
            sys.stderr.write(f"{fault}\n")
        tried = sum(campaign.tried[promise] for campaign in fought)
        yield Row(what, tried, len(broken), str(broken[0])[:200] if broken else "")
