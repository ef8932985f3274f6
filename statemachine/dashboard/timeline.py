"""A run's time, work apart from waiting: who worked when, what it waited for, and how much of each there was.

Waits are hours where work is milliseconds, so the picture gives each stretch between two happenings a width by the
logarithm of its length: the order and what is beside what are true, the widths are not to scale.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

import attrs

from statemachine.definition import Definition
from statemachine.runner import Attempt, Story

BarKind = Literal["worked", "failed", "running", "stopped", "retry", "person"]
WIDTH, ROW, LEFT = 1000, 26, 190
"""Of the picture: the width, the height of a lane and the room for its name, in units of its own."""
LEAST = 6.0
SHORT = 60.0
"""Seconds up to which thousandths are told."""


@attrs.frozen
class Bar:
    """A stretch of time in a lane. Times are UTC."""

    kind: BarKind
    began: datetime
    ended: datetime
    said: str
    x: float = 0.0
    width: float = 0.0


@attrs.frozen
class Lane:
    """What one step, its undo, or one role did or waited for."""

    name: str
    bars: tuple[Bar, ...]


@attrs.frozen
class Tick:
    """A point of time under the picture."""

    x: float
    at: datetime


@attrs.frozen
class Timeline:
    """The picture and the sums, in seconds."""

    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    worked: float
    person: float
    retry: float
    other: float

    @property
    def short(self) -> bool:
        """Whether seconds are too long to tell its moments apart."""
        return len(self.ticks) > 1 and (self.ticks[-1].at - self.ticks[0].at).total_seconds() < SHORT

    @property
    def height(self) -> int:
        """Of the picture."""
        return ROW * len(self.lanes) + 26


def timeline(definition: Definition, story: Story, until: datetime) -> Timeline:
    """Lay a run's story out in time, up to its end or to now."""
    bars = [*_attempts(story.attempts, until), *_persons(definition, story, until)]
    moments = sorted({story.lines[0].entry.at, until, *(at for _, bar in bars for at in (bar.began, bar.ended))})
    scale = _Scale(moments)
    lanes: dict[str, list[Bar]] = {}
    for name, bar in bars:
        x, end = scale.x(bar.began), scale.x(bar.ended)
        lanes.setdefault(name, []).append(attrs.evolve(bar, x=x, width=max(end - x, LEAST)))
    worked = _length(bar for _, bar in bars if bar.kind in {"worked", "failed", "running", "stopped"})
    everything = _length(bar for _, bar in bars)
    retry_only = _length(bar for _, bar in bars if bar.kind != "person") - worked
    whole = (moments[-1] - moments[0]).total_seconds()
    return Timeline(
        lanes=tuple(Lane(name, tuple(of)) for name, of in lanes.items()),
        ticks=tuple(scale.ticks()),
        worked=worked,
        person=everything - worked - retry_only,
        retry=retry_only,
        other=max(whole - everything, 0.0),
    )


def _attempts(attempts: Iterable[Attempt], until: datetime) -> Iterator[tuple[str, Bar]]:
    """Each attempt, and the wait for the next one after a failure."""
    every = [one for one in attempts if one.outcome != "held"]
    for place, one in enumerate(every):
        name = f"undo of {one.step}" if one.undo else one.step
        ended = one.ended or until
        yield name, Bar(_kind(one), one.began, max(ended, one.began), _said(one))
        if one.again is not None and one.ended is not None:
            follows = (
                other.began for other in every[place + 1 :] if (other.visit, other.undo) == (one.visit, one.undo)
            )
            again = next(follows, min(one.again, until))
            yield name, Bar("retry", one.ended, max(again, one.ended), f"waits for attempt {one.number + 1}")


def _kind(one: Attempt) -> BarKind:
    if one.outcome == "running":
        return "running"
    if one.outcome == "succeeded":
        return "worked"
    return "failed" if one.outcome in {"failed", "lost"} else "stopped"


def _said(one: Attempt) -> str:
    if one.taken is not None:
        return f"result taken from {one.taken.run}, visit {one.taken.visit}"
    took = f" in {span((one.ended - one.began).total_seconds())}" if one.ended else ""
    failure = f": {one.failure.type}" if one.failure else ""
    return f"attempt {one.number} {one.outcome}{took}{failure}"


def _persons(definition: Definition, story: Story, until: datetime) -> Iterator[tuple[str, Bar]]:
    """The stretches in which the run was in a state that waits for a person."""
    roles = {spec.name: spec.waits_for for spec in definition.states if spec.waits_for}
    since: dict[str, datetime] = {}
    for line in story.lines:
        for state in line.exited:
            if state in since:
                yield f"waits for {roles[state]}", Bar("person", since.pop(state), line.entry.at, state)
        since.update({state: line.entry.at for state in line.entered if state in roles})
    for state, began in since.items():
        yield f"waits for {roles[state]}", Bar("person", began, max(until, began), f"{state}, still")


def _length(bars: Iterable[Bar]) -> float:
    """Seconds that are in at least one of them."""
    total, reached = 0.0, None
    for began, ended in sorted((bar.began, bar.ended) for bar in bars):
        if reached is not None:
            began = max(began, reached)  # noqa: PLW2901 -- what was counted is not counted again
        if ended > began:
            total += (ended - began).total_seconds()
        reached = ended if reached is None else max(reached, ended)
    return total


class _Scale:
    """Times to widths: each stretch between two moments gets the logarithm of its milliseconds."""

    def __init__(self, moments: Sequence[datetime]) -> None:
        self._moments = moments
        weights = [math.log1p((b - a).total_seconds() * 1000) for a, b in pairwise(moments)]
        total = sum(weights) or 1.0
        room = WIDTH - LEFT - LEAST
        self._places = [float(LEFT)]
        for weight in weights:
            self._places.append(self._places[-1] + room * weight / total)

    def x(self, at: datetime) -> float:
        """Where a moment is."""
        return self._places[bisect_right(self._moments, at) - 1]

    def ticks(self) -> Iterator[Tick]:
        """Moments that have room to be named."""
        last = -1000.0
        for at, place in zip(self._moments, self._places, strict=True):
            if place - last >= 130 and place < WIDTH - 60:
                last = place
                yield Tick(place, at)


def span(seconds: float) -> str:
    """A length of time as people say it, in its two largest units."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = seconds // 60, seconds // 3600
    if hours < 1:
        return f"{minutes:.0f} min {seconds % 60:.0f} s"
    if hours < 48:
        return f"{hours:.0f} h {minutes % 60:.0f} min"
    return f"{hours // 24:.0f} days {hours % 24:.0f} h"
