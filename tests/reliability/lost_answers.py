"""The answer that gets lost: a call on the journal commits, or does not, and nobody hears which."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, cast

from persistence import CommitUnknown, Journal
from tests.reliability import kill_matrix
from tests.reliability.desk import Desk
from tests.reliability.evidence import Scale, Section, shown
from tests.reliability.lives import side_by_side
from tests.reliability.scenarios import SCENARIOS, play_of
from tests.reliability.trials import Outcome, Trial, Trials, row

TITLE = "The answer that gets lost: a commit that nobody hears of"
KINDS = {"happened": "it was made", "did not happen": "it was not made"}
SLICE = 60
"""Trials of a short run."""


class Silence:
    """Counts the calls that commit, and loses the answer of the chosen one: after it, or instead of it."""

    def __init__(self, kind: str, nth: int) -> None:
        self.kind = kind
        self.calls = 0
        self._nth = nth
        self._lock = Lock()

    def pass_on(self, call: Callable[[], Any]) -> Any:
        """Make a call on the journal, unless it is the chosen one and is not to happen."""
        with self._lock:
            self.calls += 1
            lost = bool(self.kind) and self.calls == self._nth
        if lost and self.kind != "happened":
            raise CommitUnknown(self.kind)
        answer = call()
        if lost:
            raise CommitUnknown(self.kind)
        return answer


class _Silent:
    """A journal whose answers may get lost."""

    def __init__(self, journal: Journal, silence: Silence) -> None:
        self._journal = journal
        self._silence = silence

    def __getattr__(self, name: str) -> Any:
        there = getattr(self._journal, name)
        if name not in {"claim", "commit", "hold", "put"}:
            return there
        return lambda *arguments: self._silence.pass_on(lambda: there(*arguments))


def live(folder: Path, scenario: str, before: int, point: str, nth: int) -> None:
    """One life, in which one answer gets lost; a play that comes before it is killed at its point."""
    if before >= 0:
        kill_matrix.live(folder, scenario, before, point, nth)
        return
    silence = Silence(point, nth)
    play_of(scenario, before)(Desk(folder, lambda _: None, lambda journal: cast("Journal", _Silent(journal, silence))))
    passed = ["call"] * silence.calls + (["disturbed"] if point and silence.calls >= nth else [])
    (folder / "passed").write_text("\n".join(passed), encoding="utf-8")


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        trying = Trials(Path(folder), live)
        quiet = list(side_by_side(trying.quiet, SCENARIOS))
        trials = [
            Trial(outcome.trial.scenario, kind, nth)
            for outcome in quiet
            for kind in KINDS
            for nth in range(1, len(outcome.passed) + 1)
        ]
        if scale == "short":
            trials = random.Random(seed).sample(trials, SLICE)
        outcomes = [*quiet, *shown("lost answers", side_by_side(trying.attempt, trials), len(trials))]
    rows = tuple(row(f"CommitUnknown, and {said}", _of(kind, outcomes)) for kind, said in KINDS.items())
    return Section(TITLE, seed, rows, time.monotonic() - began)


def _of(kind: str, outcomes: list[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.trial.point == kind]
