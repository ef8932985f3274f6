"""What a section of the evidence is: rows that say what was tried, how often, and what was lost."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import Literal, Protocol, TypeVar

import attrs

T = TypeVar("T")
Scale = Literal["short", "full"]
"""`short`: seconds, in every run of the tests; `full`: minutes, for the table."""


@attrs.frozen
class Row:
    """One thing that was tried `tried` times; `lost` counts those in which a promise did not hold."""

    what: str
    tried: int
    lost: int
    note: str = ""
    """What more is to be known; where something was lost, the first case of it and how to repeat it."""
    lost_of: str = ""
    """What `lost` counts, where that is not what `tried` counts: whole campaigns, rounds, faults found."""


@attrs.frozen
class Section:
    """All rows of one way to fail. `seconds` is how long it took."""

    title: str
    seed: int
    rows: tuple[Row, ...]
    seconds: float


class Evidence(Protocol):
    """A module that gathers one section."""

    __name__: str

    def gather(self, scale: Scale, seed: int) -> Section:
        """Try, count and judge. The same seed tries the same again."""
        ...


def shown(title: str, trials: Iterable[T], total: int | None = None) -> Iterator[T]:
    """Each trial in turn, with a bar on standard error of how many there were, where somebody looks at it."""
    count = total if total is not None or not isinstance(trials, Sized) else len(trials)
    looked_at = sys.stderr.isatty()
    done = 0
    for done, trial in enumerate(trials, 1):
        if looked_at:
            filled = 0 if not count else 30 * done // count
            bar = f"[{'#' * filled:<30}] " if count else ""
            sys.stderr.write(f"\r{title}: {bar}{done}{f' of {count}' if count else ''} ")
            sys.stderr.flush()
        yield trial
    if looked_at and done:
        sys.stderr.write("\r\033[K")
