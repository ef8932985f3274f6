"""Two owners: opening at once, opening while one runs, an owner that is suspended past its lease, a fork."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs

from tests.reliability import judge
from tests.reliability.desk import becomes, until
from tests.reliability.errand import Errand, Template, World
from tests.reliability.evidence import Row, Scale, Section, shown
from tests.reliability.judge import Death, Judge
from tests.reliability.ledger import Ledger
from tests.reliability.lives import DiedOtherwise, Life, side_by_side
from tests.reliability.owners import LEASE, TRIES, contend, fork_open, take_over, work_on

TITLE = "Two owners: one file, several processes that want to move it"
CONTENDERS = 6
SUSPENSIONS = 10
"""How often an owner is suspended that nobody could replace, for it was inside a commit."""
SUSPENDED = 5 * LEASE
"""Seconds after which nobody is expected to take over any more."""
ROUNDS = {"short": 3, "full": 50}


@attrs.frozen
class Round:
    """What came of one round: how much was tried, what did not hold, and what is to be said of it."""

    tried: int
    faults: tuple[str, ...]
    remark: str = ""


class Ground:
    """Where one round is played: a folder, its ledger, and the processes begun there."""

    def __init__(self, folder: Path, judging: Judge, chance: random.Random) -> None:
        self.ledger = Ledger(folder / "ledger")
        self.chance = chance
        self.deaths: list[Death] = []
        self._folder = folder
        self._judge = judging
        self._lives: list[Life] = []

    def begin(self, work: Callable[..., None], *arguments: Any) -> Life:
        """Begin a process."""
        life = Life(work, self._folder, *arguments)
        self._lives.append(life)
        return life

    def give(self, sign: str) -> None:
        """Give a sign for which processes wait."""
        (self._folder / sign).touch()

    def mourn(self) -> None:
        """From here on a process is taken for dead."""
        self.deaths.append(self._judge.death(self._folder, self.ledger.lines()))

    def mourn_unseen(self) -> None:
        """A takeover came at an instant that nobody saw: whatever was executed may have been begun once more by it."""
        executed = frozenset((line[0], line[1]) for line in self.ledger.lines() if line[0] in {"do", "undo"})
        self.deaths.append(Death(0, frozenset(), executed))

    def runs(self) -> set[str]:
        """The runs that the journal has."""
        return set(self._judge.kept(self._folder, folded=False))

    def faults(self) -> Iterator[str]:
        """What does not hold at the end."""
        lines = self.ledger.lines()
        kept = self._judge.kept(self._folder)
        yield from _rules(lines)
        yield from map(str, judge.faults(self._folder, kept, lines, self.deaths))
        yield from (f"{run} has not ended" for run, one in kept.items() if not one.record.over)

    def leave(self) -> None:
        """End what still runs."""
        for life in self._lives:
            life.kill()
        self.ledger.close()
        shutil.rmtree(self._folder)


Game = Callable[[Ground], tuple[int, str]]
"""Plays one round; gives how much was tried, and a remark."""


class Rounds:
    """Rounds in folders of their own, each with a copy of one prepared database."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._seed = seed
        self._template = Template(folder)
        self._judge = Judge(Errand(World(self._template.place)))

    def play(self, game: Game, number: int) -> Round:
        """One round of a game, judged."""
        folder = self._template.copy()
        ground = Ground(folder, self._judge, random.Random(f"{self._seed}:{number}"))
        try:
            tried, remark = game(ground)
            return Round(tried, tuple(ground.faults()), remark)
        except (DiedOtherwise, AssertionError) as error:
            return Round(1, (str(error),))
        finally:
            ground.leave()


def _rules(lines: list[tuple[str, ...]]) -> Iterator[str]:
    """What processes note only when something did not hold."""
    yield from (f"used after a fork: {line[1]}" for line in lines if line[0] == "used")
    opened = [line[1] for line in lines if line[0] == "opened"]
    if len(opened) > 1 or "beside" in opened:
        yield f"opened by {', '.join(opened)}"


def at_once(ground: Ground) -> tuple[int, str]:
    """All open at one sign; one owns, the others are refused, again and again while it works."""
    lives = [ground.begin(contend, f"p{number}") for number in range(CONTENDERS)]
    ground.give("go")
    ledger, refused = ground.ledger, CONTENDERS - 1
    until(
        lambda: len(ledger.lines("refused-again")) == refused * TRIES or len(ledger.lines("opened")) > 1,
        lambda: f"not all were answered: {ledger.lines()}",
    )
    ground.give("enough")
    for life in lives:
        life.end()
    assert len(ledger.lines("opened")) == 1, f"opened by {ledger.lines('opened')}"
    return CONTENDERS + refused * TRIES, ""


def suspended(ground: Ground) -> tuple[int, str]:
    """The owner is suspended at a random instant, for longer than its lease; another takes over; it comes back."""
    ledger = ground.ledger
    first = ground.begin(work_on, False)
    until(lambda: bool(ledger.lines("owner")), lambda: "nobody owns the file")
    time.sleep(ground.chance.uniform(0, 0.2))
    first.suspend()
    ground.mourn()
    second = ground.begin(take_over, 3)
    replaced = becomes(lambda: len(ledger.lines("owner")) == 2, SUSPENDED)
    time.sleep(ground.chance.uniform(0, LEASE))
    first.resume()
    if replaced:
        until(lambda: bool(ledger.lines("stopped")), lambda: "the first owner goes on beside the second")
    ground.give("enough")
    first.end()
    second.end()
    if not replaced:
        ground.mourn_unseen()
    return 1, "" if replaced else "the owner was suspended inside a commit, and SQLite's lock let nobody take over"


def late_commits(ground: Ground) -> tuple[int, str]:
    """The same, again and again until it is replaced: what it commits then is refused, and nothing of it is there."""
    ledger = ground.ledger
    first = ground.begin(work_on, True)
    until(lambda: bool(ledger.lines("owner")), lambda: "nobody owns the file")
    second = ground.begin(take_over, 1)
    for suspension in range(SUSPENSIONS):
        time.sleep(ground.chance.uniform(0, 0.1))
        first.suspend()
        if suspension:  # it may have been replaced when it had come out of its commit
            ground.mourn_unseen()
        ground.mourn()
        replaced = becomes(lambda: len(ledger.lines("owner")) == 2, SUSPENDED)
        first.resume()
        if replaced:
            break
    until(lambda: bool(ledger.lines("stopped")), lambda: "the first owner goes on beside the second")
    ground.give("enough")
    first.end()
    second.end()
    late = ledger.lines("late-commit")
    assert late, "no commit came late"
    there = ground.runs() & {run for (runs,) in late for run in runs.split(",")}
    assert not there, f"of a commit that was refused there is {', '.join(there)}"
    return len(late), ""


def forked(ground: Ground) -> tuple[int, str]:
    """A child made by fork uses what its parent has open."""
    ground.begin(fork_open).end()
    ledger = ground.ledger
    assert ledger.lines("child-ended") == [("0",)], ledger.lines()
    assert ledger.lines("refused") == [("beside",)], ledger.lines()
    return len(ledger.lines("forbidden")), ""


GAMES: dict[str, Game] = {
    "opened at once by six processes, and again while one runs: one owns": at_once,
    "the owner suspended past its lease, then woken: once it is replaced, it stops": suspended,
    "commits of an owner that was replaced while it was suspended: refused (`Fenced`)": late_commits,
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
    remarks = Counter(one.remark for one in played if one.remark)
    said = "; ".join([f"{count} rounds", *(f"in {times}, {remark}" for remark, times in remarks.items())])
    for one in bad:
        sys.stderr.write(f"{what}: {'; '.join(one.faults)}\n")
    note = "; ".join(bad[0].faults)[-200:] if bad else said
    return Row(what, sum(one.tried for one in played), len(bad), note, "rounds")
