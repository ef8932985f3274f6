"""SIGKILL at every passing of every crash point, in a scenario for each kind of transition; then a restart."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from statemachine.testing import KillAt, journal_points, step_points
from tests.reliability import judge
from tests.reliability.desk import Desk
from tests.reliability.errand import Errand, MemoSince, World, prepare
from tests.reliability.evidence import Row, Scale, Section, shown
from tests.reliability.judge import Death, Judge
from tests.reliability.ledger import Ledger
from tests.reliability.lives import DiedOtherwise, Life, side_by_side
from tests.reliability.scenarios import SCENARIOS

TITLE = "Kill matrix: SIGKILL at every commit boundary and around every effect"
UNREACHED: dict[str, str] = {
    "after step linger": "it never ends, and is stopped",
    "after step ask": "it raises",
    "after step attempt": "it raises",
}
"""Points that no scenario passes, and why."""


@attrs.frozen
class Trial:
    """Die at the `nth` passing of a point; at none when it is empty."""

    scenario: str
    point: str = ""
    nth: int = 0


@attrs.frozen
class Outcome:
    """What came of a trial. `passed` are the points of its last life, in order, when it was not to die there."""

    trial: Trial
    died: bool
    faults: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    ends: dict[str, Any] = attrs.field(factory=dict[str, Any])
    effects: Counter[Any] = attrs.field(factory=Counter[Any])


def live(folder: Path, scenario: str, before: int, point: str, nth: int) -> None:
    """One life: a play before the scenario's own (by its number), or that (-1), dying where it is told to."""
    chosen = SCENARIOS[scenario]
    play = chosen.play if before < 0 else chosen.before[before][0]
    passed: list[str] = []
    play(Desk(folder, KillAt(point, nth) if point else passed.append))
    (folder / "passed").write_text("\n".join(passed), encoding="utf-8")


class Matrix:
    """Tries in folders of its own, each begun with a copy of one prepared database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template"
        self._template.mkdir()
        prepare(self._template)
        self._judge = Judge(Errand(World(self._template)), MemoSince())
        self._quiet: dict[str, Outcome] = {}

    def quiet(self, scenario: str) -> Outcome:
        """The scenario as it goes when nobody is killed in it."""
        outcome = self._quiet[scenario] = self.attempt(Trial(scenario))
        return outcome

    def attempt(self, trial: Trial) -> Outcome:
        """Live, die, live again, and judge."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        shutil.copy(self._template / "journal.db", folder / "journal.db")
        try:
            return self._attempt(trial, folder)
        except DiedOtherwise as error:
            return Outcome(trial, died=False, faults=(str(error),))
        finally:
            shutil.rmtree(folder)

    def _attempt(self, trial: Trial, folder: Path) -> Outcome:
        ledger = Ledger(folder / "ledger")
        deaths: list[Death] = []
        for number, (_, point) in enumerate(SCENARIOS[trial.scenario].before):
            self._live(folder, ledger, deaths, trial.scenario, number, point, 1)
        died = self._live(folder, ledger, deaths, trial.scenario, -1, trial.point, trial.nth)
        if died:
            self._live(folder, ledger, deaths, trial.scenario, -1, "", 0)
        passed = tuple((folder / "passed").read_text(encoding="utf-8").splitlines())
        lines = ledger.lines()
        ledger.close()
        world = World(folder)
        kept = self._judge.kept(folder)
        found = list(judge.faults(folder, kept, lines, deaths))
        ended, effects = judge.ends(kept), judge.done(world.effects())
        world.ledger.close()
        if trial.point:
            quiet = self._quiet[trial.scenario]
            if ended != quiet.ends:
                found.append(f"ended {ended}, undisturbed {quiet.ends}")
            if effects != quiet.effects:
                found.append(f"the receiver took {effects}, undisturbed {quiet.effects}")
        return Outcome(trial, died, tuple(found), passed, ended, effects)

    def _live(self, folder: Path, ledger: Ledger, deaths: list[Death], *arguments: Any) -> bool:
        died = Life(live, folder, *arguments).end()
        if died:
            deaths.append(self._judge.death(folder, ledger.lines()))
        return died


def every_point() -> set[str]:
    """All points that the code can pass with these workflows."""
    workflow = Errand.definition
    return {*journal_points(), *step_points(workflow)}


def trials_of(quiet: Outcome) -> Iterator[Trial]:
    """A trial for each passing of each point of a scenario."""
    for point, times in Counter(quiet.passed).items():
        for nth in range(1, times + 1):
            yield Trial(quiet.trial.scenario, point, nth)


def sampled(trials: list[Trial], chance: random.Random) -> list[Trial]:
    """One trial for each point and at least one for each scenario."""
    chance.shuffle(trials)
    chosen = list({trial.point: trial for trial in trials}.values())
    present = {trial.scenario for trial in chosen}
    return chosen + list({trial.scenario: trial for trial in trials if trial.scenario not in present}.values())


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        matrix = Matrix(Path(folder))
        quiet = list(side_by_side(matrix.quiet, list(SCENARIOS)))
        trials = [trial for outcome in quiet for trial in trials_of(outcome)]
        if scale == "short":
            trials = sampled(trials, random.Random(seed))
        outcomes = [*quiet, *shown("kill matrix", side_by_side(matrix.attempt, trials), len(trials))]
    return Section(TITLE, seed, (*_rows(outcomes), _coverage(outcomes)), time.monotonic() - began)


def _rows(outcomes: list[Outcome]) -> Iterator[Row]:
    for scenario in SCENARIOS:
        mine = [outcome for outcome in outcomes if outcome.trial.scenario == scenario]
        bad = [outcome for outcome in mine if outcome.faults]
        points = len({outcome.trial.point for outcome in mine if outcome.died})
        note = f"{points} points"
        if bad:
            note = f"{bad[0].trial}: {'; '.join(bad[0].faults)}"
        yield Row(scenario, sum(outcome.died for outcome in mine), len(bad), note)


def _coverage(outcomes: list[Outcome]) -> Row:
    """A death at every point there can be."""
    reached = {outcome.trial.point for outcome in outcomes if outcome.died}
    wanted = every_point() - set(UNREACHED)
    missing = sorted(wanted - reached)
    note = f"no death at {', '.join(missing)}" if missing else f"{len(wanted)} points, a death at each"
    return Row("every crash point that the code can pass", 1, bool(missing), note)
