"""Trials of a scenario: lived through once undisturbed, then with one disturbance each, judged, and compared."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from tests.reliability import judge
from tests.reliability.errand import Errand, Many, MemoSince, Template, World
from tests.reliability.evidence import Row
from tests.reliability.judge import Death, Judge
from tests.reliability.ledger import Ledger
from tests.reliability.lives import DiedOtherwise, Life
from tests.reliability.scenarios import SCENARIOS


@attrs.frozen
class Trial:
    """Disturb a scenario the `nth` time it comes by a point; not at all when that is empty."""

    scenario: str
    point: str = ""
    nth: int = 0


@attrs.frozen
class Outcome:
    """What came of a trial: whether it was disturbed as planned, and the points that its last life passed."""

    trial: Trial
    disturbed: bool
    faults: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    ends: dict[str, Any] = attrs.field(factory=dict[str, Any])
    effects: Counter[Any] = attrs.field(factory=Counter[Any])


class Trials:
    """Tries in folders of its own, each begun with a copy of one prepared database.

    Args:
        folder: Where they are.
        live: One life: `(folder, scenario, before, point, nth)`; `before` numbers a play that comes before the
            scenario's own, which is -1. It writes the points it passed, a line each, to the file `passed`, and
            `disturbed` as the last one when it was disturbed and lives.
    """

    def __init__(self, folder: Path, live: Callable[[Path, str, int, str, int], None]) -> None:
        self._life = live
        self._template = Template(folder)
        self._judge = Judge(Errand(World(self._template.place)), MemoSince(), Many())
        self._quiet: dict[str, Outcome] = {}

    def quiet(self, scenario: str) -> Outcome:
        """The scenario as it goes undisturbed."""
        outcome = self._quiet[scenario] = self.attempt(Trial(scenario))
        return outcome

    def attempt(self, trial: Trial) -> Outcome:
        """Live, be disturbed, live again if that was death, and judge."""
        folder = self._template.copy()
        try:
            return self._attempt(trial, folder)
        except DiedOtherwise as error:
            return Outcome(trial, disturbed=bool(trial.point), faults=(str(error),))
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
        ended, effects = judge.ends(kept), judge.done(world.effects())
        world.ledger.close()
        found = list(judge.faults(folder, kept, lines, deaths))
        if trial.point:
            quiet = self._quiet[trial.scenario]
            found += judge.compared(ended, quiet.ends, effects, quiet.effects)
        return Outcome(trial, died or "disturbed" in passed, tuple(map(str, found)), passed, ended, effects)

    def _live(self, folder: Path, ledger: Ledger, deaths: list[Death], *arguments: Any) -> bool:
        died = Life(self._life, folder, *arguments).end()
        if died:
            deaths.append(self._judge.death(folder, ledger.lines()))
        return died


def row(what: str, outcomes: Sequence[Outcome], note: str = "") -> Row:
    """A row of the table: how many were disturbed, and the first after which something did not hold."""
    bad = [outcome for outcome in outcomes if outcome.faults]
    for outcome in bad:
        sys.stderr.write(f"{outcome.trial}: {'; '.join(outcome.faults)}\n")
    if bad:
        note = f"{bad[0].trial}: {'; '.join(bad[0].faults)[:200]}"
    return Row(what, sum(outcome.disturbed for outcome in outcomes), len(bad), note)
