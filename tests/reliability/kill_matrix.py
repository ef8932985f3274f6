"""SIGKILL at every passing of every crash point, in a scenario for each kind of transition; then a restart."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from statemachine.testing import KillAt, journal_points, step_points
from tests.reliability.desk import Desk
from tests.reliability.errand import Errand
from tests.reliability.evidence import Row, Scale, Section, shown
from tests.reliability.lives import side_by_side
from tests.reliability.scenarios import SCENARIOS, play_of
from tests.reliability.trials import Outcome, Trial, Trials, row

TITLE = "Kill matrix: SIGKILL at every commit boundary and around every effect"
UNREACHED: dict[str, str] = {
    "after step linger": "it never ends, and is stopped",
    "after step ask": "it raises",
    "after step attempt": "it raises",
}
"""Points that the workflow's own steps cannot pass, and why."""


def live(folder: Path, scenario: str, before: int, point: str, nth: int) -> None:
    """One life, which ends at its point."""
    passed: list[str] = []
    play_of(scenario, before)(Desk(folder, KillAt(point, nth) if point else passed.append))
    (folder / "passed").write_text("\n".join(passed), encoding="utf-8")


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
        matrix = Trials(Path(folder), live)
        quiet = list(side_by_side(matrix.quiet, SCENARIOS))
        trials = [trial for outcome in quiet for trial in trials_of(outcome)]
        if scale == "short":
            trials = sampled(trials, random.Random(seed))
        outcomes = [*quiet, *shown("kill matrix", side_by_side(matrix.attempt, trials), len(trials))]
    return Section(TITLE, seed, (*_rows(outcomes), _coverage(outcomes)), time.monotonic() - began)


def _rows(outcomes: list[Outcome]) -> Iterator[Row]:
    for scenario in SCENARIOS:
        mine = [outcome for outcome in outcomes if outcome.trial.scenario == scenario]
        points = len({outcome.trial.point for outcome in mine if outcome.disturbed})
        yield row(scenario, mine, f"{points} point{'s' if points > 1 else ''}")


def _coverage(outcomes: list[Outcome]) -> Row:
    """A death at every point there can be."""
    wanted = {*journal_points(), *step_points(Errand.definition)} - set(UNREACHED)
    missing = sorted(wanted - {outcome.trial.point for outcome in outcomes if outcome.disturbed})
    note = f"no death at {', '.join(missing)}" if missing else f"{len(wanted)} points, a death at each"
    return Row("every crash point that the code can pass", 1, bool(missing), note)
