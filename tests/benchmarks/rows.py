"""What a benchmark comes to: rows of a table, each held to the floor that is owed and to the aim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from tests.benchmarks.turns import Answers, Call, Sample

MISSED = "**not reached**"
MISSING = "not measured"


@attrs.frozen
class Row:
    """A line of the table; all of it is text, put together by its family."""

    what: str
    ours: str
    against: str
    theirs: str
    ratio: str = ""
    owed: str = "stated"
    reached: str = ""


@attrs.frozen(kw_only=True)
class Family:
    """Measures that are taken in turn, and the rows that follow from them."""

    name: str
    title: str
    note: str
    """How it was measured: what a reader must know to judge it."""
    calls: Mapping[str, Call]
    rows: Callable[[Answers], Sequence[Row]]
    made: Mapping[str, Call] = {}
    """Run once, before the turns."""
    repeats: int = 3
    where: Call | None = None
    """Where its time goes; asked only when a row has not reached its floor."""
    peers: Sequence[str] = ()
    """Names of calls that say `version` and `durability` of themselves."""


@attrs.frozen
class Size:
    """How much is measured: all of it, or enough to see that the command works."""

    quick: bool

    def of(self, whole: int, quick: int) -> int:
        """One number or the other."""
        return quick if self.quick else whole


def number(value: float) -> str:
    """Three digits that count, grouped by thousands."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(sample: Sample, unit: str = "") -> str:
    """The median, and the least and the greatest beside it."""
    if not sample.values:
        return MISSING
    if len(sample.values) == 1:
        return f"{number(sample.median)}{unit}"
    return f"{number(sample.median)}{unit} ({number(min(sample.values))}–{number(max(sample.values))})"


def at_least(ratio: Sample, floor: float, aim: float | None = None) -> dict[str, str]:
    """A ratio that is to be large."""
    owed = f"≥ {floor:g} ×" + (f", aim {aim:g} ×" if aim is not None else "")
    if not ratio.values:
        return {"ratio": MISSING, "owed": owed, "reached": f"**{MISSING}**"}
    reached = _reached(met=ratio.median >= floor, best=aim is not None and ratio.median >= aim, aim=aim)
    return {"ratio": spread(ratio, " ×"), "owed": owed, "reached": reached}


def at_most(ratio: Sample, bound: float, unit: str = " ×") -> dict[str, str]:
    """A ratio (or another value) that is to be small."""
    if not ratio.values:
        return {"ratio": MISSING, "owed": f"≤ {bound:g}{unit}", "reached": f"**{MISSING}**"}
    return {
        "ratio": spread(ratio, unit),
        "owed": f"≤ {bound:g}{unit}",
        "reached": _reached(met=ratio.median <= bound, best=False, aim=None),
    }


def _reached(*, met: bool, best: bool, aim: float | None) -> str:
    if best:
        return "aim reached"
    if met:
        return "reached" if aim is None else "floor reached"
    return MISSED
