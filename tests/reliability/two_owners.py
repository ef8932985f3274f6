"""Two owners: opening at once, opening while one runs, an owner that is suspended past its lease, a fork."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import attrs

from tests.reliability import judge
from tests.reliability.desk import until
from tests.reliability.errand import Errand, World, prepare
from tests.reliability.evidence import Row, Scale, Section, shown
from tests.reliability.judge import Judge
from tests.reliability.ledger import Ledger
from tests.reliability.lives import DiedOtherwise, Life, side_by_side
from tests.reliability.owners import LEASE, TRIES, contend, fork_open, take_over, work_on

TITLE = "Two owners: one file, several processes that want to move it"
CONTENDERS = 6
ROUNDS = {"short": 3, "full": 60}


@attrs.frozen
class Round:
    """What came of one round: how much was tried, and what did not hold."""

    tried: int
    faults: tuple[str, ...]


class Rounds:
    """Rounds in folders of their own, each with a copy of one prepared database."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._template = folder / "template"
        self._template.mkdir()
        prepare(self._template)
        self._judge = Judge(Errand(World(self._template)))

    def play(self, game: Game, number: int) -> Round:
        """One round of a game, judged."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        shutil.copy(self._template / "journal.db", folder / "journal.db")
        ledger = Ledger(folder / "ledger")
        try:
            tried = game(folder, ledger, random.Random(f"{self._seed}:{number}"))
            lines = ledger.lines()
            kept = self._judge.kept(folder)
            faults = [*_rules(lines), *map(str, judge.faults(folder, kept, lines, []))]
            faults += [f"{run} has not ended" for run, one in kept.items() if not one.record.over]
        except (DiedOtherwise, AssertionError) as error:
            tried, faults = 1, [str(error)]
        finally:
            ledger.close()
            shutil.rmtree(folder)
        return Round(tried, tuple(faults))


Game = Callable[[Path, Ledger, random.Random], int]
"""Plays in a folder; gives how much was tried."""


def _rules(lines: list[tuple[str, ...]]) -> Iterator[str]:
    """What processes note only when something did not hold."""
    said = {"used": "used after a fork", "never-stopped": "not told that another has taken over"}
    yield from (f"{said[line[0]]}: {line[1]}" for line in lines if line[0] in said)
    opened = [line[1] for line in lines if line[0] == "opened"]
    if len(opened) > 1 or "beside" in opened:
        yield f"opened by {', '.join(opened)}"


def at_once(folder: Path, ledger: Ledger, _chance: random.Random) -> int:
    """All open at one sign; one owns, the others are refused, again and again while it works."""
    lives = [Life(contend, folder, f"p{number}") for number in range(CONTENDERS)]
    (folder / "go").touch()
    refused = CONTENDERS - 1
    until(
        lambda: len(ledger.lines("refused-again")) == refused * TRIES or len(ledger.lines("opened")) > 1,
        lambda: f"not all were answered: {ledger.lines()}",
    )
    (folder / "enough").touch()
    for life in lives:
        life.end()
    assert len(ledger.lines("opened")) == 1, f"opened by {ledger.lines('opened')}"
    return CONTENDERS + refused * TRIES


def suspended(folder: Path, ledger: Ledger, chance: random.Random) -> int:
    """The owner is suspended at a random instant, for longer than its lease; another takes over; it comes back."""
    first = Life(work_on, folder)
    until(lambda: bool(ledger.lines("owner")), lambda: "nobody owns the file")
    time.sleep(chance.uniform(0, 0.2))
    first.signal(SIGSTOP)
    second = Life(take_over, folder, 3)
    until(lambda: len(ledger.lines("owner")) == 2, lambda: "nobody took over")
    time.sleep(chance.uniform(0, LEASE))
    first.signal(SIGCONT)
    until(lambda: bool(ledger.lines("stopped")), lambda: "the first owner goes on")
    (folder / "enough").touch()
    first.end()
    second.end()
    return 1


def forked(folder: Path, ledger: Ledger, _chance: random.Random) -> int:
    """A child made by fork uses what its parent has open."""
    Life(fork_open, folder).end()
    assert ledger.lines("child-ended") == [("0",)], ledger.lines()
    assert ledger.lines("refused") == [("beside",)], ledger.lines()
    return len(ledger.lines("forbidden"))


GAMES: dict[str, Game] = {
    "opened at once by six processes, and again while one runs: one owns": at_once,
    "SIGSTOP past the lease, another takes over, SIGCONT: the late commit is refused": suspended,
    "used in a child made by fork: forbidden, and the parent still owns": forked,
}


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rounds = Rounds(Path(folder), seed)
        count = ROUNDS[scale]
        rows = [_row(what, list(_played(rounds, what, count)), count) for what in GAMES]
    return Section(TITLE, seed, tuple(rows), time.monotonic() - began)


def _played(rounds: Rounds, what: str, count: int) -> Iterator[Round]:
    played = side_by_side(lambda number: rounds.play(GAMES[what], number), range(count))
    return shown(f"two owners, {what}", played, count)


def _row(what: str, played: list[Round], count: int) -> Row:
    bad = [one for one in played if one.faults]
    note = "; ".join(bad[0].faults)[-300:] if bad else f"{count} rounds"
    return Row(what, sum(one.tried for one in played), len(bad), note)
