"""Numbers of a journal's recent past: how much happened, how long steps took and how often they failed, what waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
import msgspec

from persistence import EntryRecord, Journal, ShelfRecord, opened
from statemachine.runner.clock import from_micros, to_micros

HOUR = timedelta(hours=1)
MOST = 100_000
"""Up to how many of the newest entries are looked at."""
PAGE = 5_000
OUTCOMES = {"succeeded": False, "failed": True, "undone": False, "undo-failed": True}


@attrs.frozen
class StepNumbers:
    """How a step, or its undo, did.

    Attributes:
        step: Its name.
        undo: Whether these are attempts to undo it.
        attempts: Attempts that ended.
        taken: Results that were taken from another run, instead of an attempt.
        failed: How many of them failed.
        p50: Seconds that half of them took at most; None where none was measured.
        p95: Seconds that 95 of 100 took at most.
    """

    step: str
    undo: bool
    attempts: int
    failed: int
    p50: float | None
    p95: float | None
    taken: int = 0


@attrs.frozen
class Waiting:
    """How many runs that are not over are in a state.

    Attributes:
        workflow: Its name.
        state: The active leaves.
        runs: How many.
        since: When the one that has stood still longest was moved last, UTC.
    """

    workflow: str
    state: tuple[str, ...]
    runs: int
    since: datetime


@attrs.frozen
class KeptResults:
    """What is kept of a step's results for other runs to take.

    Attributes:
        step: Its workflow and name.
        results: How many.
        size: How many bytes.
        oldest: When the oldest was recorded, UTC.
    """

    step: str
    results: int
    size: int
    oldest: datetime

    @classmethod
    def of(cls, shelf: ShelfRecord) -> KeptResults:
        """From a journal's record."""
        return cls(shelf.shelf, shelf.results, shelf.size, from_micros(shelf.oldest))


@attrs.frozen
class Statistics:
    """The numbers.

    Attributes:
        since: From when on entries were counted, UTC.
        whole: False where there were more than 100,000 since then; `since` is then the oldest that was counted.
        entries: How many there were.
        rate: Entries a second.
        kinds: How many of each kind.
        steps: How each step did.
        waiting: What waits where, the most first.
        shelves: What is kept of results for other runs to take, by workflow and step.
    """

    since: datetime
    whole: bool
    entries: int
    rate: float
    kinds: dict[str, int]
    steps: tuple[StepNumbers, ...]
    waiting: tuple[Waiting, ...]
    shelves: tuple[KeptResults, ...] = ()


class _Input(msgspec.Struct):
    step: str = ""
    took: float | None = None
    taken: dict[str, Any] | None = None


class _Told(msgspec.Struct):
    input: _Input


_decode = msgspec.json.Decoder(_Told).decode


def _told(entry: EntryRecord) -> _Input:
    try:
        return _decode(opened(entry.body)).input
    except msgspec.MsgspecError:  # sealed with a key that was not given here
        return _Input()


def statistics(journal: Journal, now: datetime, span: timedelta) -> Statistics:
    """Count what was committed in the last `span`."""
    since = now - span
    newest = _newest(journal, to_micros(since))
    counted = [entry for entry in newest if entry.at >= to_micros(since)]
    whole = len(counted) < MOST
    if not whole:
        since = from_micros(counted[0].at)
    seconds = max((now - since).total_seconds(), 1e-6)
    return Statistics(
        since=since,
        whole=whole,
        entries=len(counted),
        rate=len(counted) / seconds,
        kinds=dict(Counter(entry.kind for entry in counted).most_common()),
        steps=tuple(_steps(counted)),
        waiting=tuple(waiting(journal)),
        shelves=tuple(map(KeptResults.of, journal.shelves())),
    )


def _newest(journal: Journal, since: int) -> list[EntryRecord]:
    """The newest entries, page by page, until one is older than `since`; at most `MOST` of them."""
    found = journal.log(-1, PAGE)
    below = found[0].number - 1 if found else 0
    while below > 0 and found[0].at >= since and len(found) < MOST:
        page = [entry for entry in journal.log(max(0, below - PAGE), PAGE) if entry.number <= below]
        found = page + found
        below -= PAGE
    return found[-MOST:]


def _steps(entries: Sequence[EntryRecord]) -> Iterable[StepNumbers]:
    took: dict[tuple[str, bool], list[float]] = {}
    attempts: Counter[tuple[str, bool]] = Counter()
    failed: Counter[tuple[str, bool]] = Counter()
    taken: Counter[tuple[str, bool]] = Counter()
    for entry in entries:
        if entry.kind in OUTCOMES:
            told = _told(entry)
            key = (told.step or entry.name, entry.kind.startswith("undo"))
            attempts[key] += told.taken is None
            taken[key] += told.taken is not None
            failed[key] += OUTCOMES[entry.kind]
            if told.took is not None:
                took.setdefault(key, []).append(told.took)
    for step, undo in sorted(attempts):
        key = (step, undo)
        times = sorted(took.get(key, ()))
        yield StepNumbers(step, undo, attempts[key], failed[key], _share(times, 0.5), _share(times, 0.95), taken[key])


def _share(times: Sequence[float], share: float) -> float | None:
    """The smallest time that this share of them does not exceed."""
    return times[max(0, -int(-share * len(times) // 1) - 1)] if times else None


def waiting(journal: Journal) -> list[Waiting]:
    """What waits where, the most first."""
    found: Counter[tuple[str, tuple[str, ...]]] = Counter()
    stood: dict[tuple[str, tuple[str, ...]], int] = {}
    for group in journal.live():
        place = (group.workflow, group.states)
        found[place] += group.runs
        stood[place] = min(group.stood, stood.get(place, group.stood))
    return [Waiting(*place, runs, from_micros(stood[place])) for place, runs in found.most_common()]
