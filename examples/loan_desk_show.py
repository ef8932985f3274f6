"""What the loan desk shows: a progress bar at work, one loan's story from its journal, the table at the end."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TextIO

import attrs

from examples.loan_desk_checks import Check
from statemachine.runner import Entry

WIDTH = 24
NARROWEST = 6
"""Columns that the bar takes, at most and at least."""
INCIDENTS = {
    "PaymentQueried": "the bank wants to speak to a person before it pays",
    "crashes": "a step was running at three kills",
}
"""What incidents mean here, by what failed or else by their kind."""
PATH_LINES = 8
"""Lines of a story between its title and its last line."""


@attrs.define
class Tally:
    """What only those who were there can count."""

    outcomes: Counter[str] = attrs.field(factory=Counter[str])
    incidents: Counter[str] = attrs.field(factory=Counter[str])
    refused: int = 0
    kills: list[datetime] = attrs.field(factory=list[datetime])
    seconds: float = 0.0


class Progress:
    """One line that is drawn again and again on a terminal, and every tenth of the way anywhere else."""

    def __init__(self, total: int, *, to: TextIO = sys.stdout) -> None:
        self._total = total
        self._to = to
        self._live = to.isatty()
        self._began = time.monotonic()
        self._tenth = -1

    def say(self, news: str) -> None:
        """Something happened that is worth a line of its own."""
        wipe = "\r\x1b[K" if self._live else ""
        print(f"{wipe}{time.monotonic() - self._began:6.1f} s  {news}", file=self._to, flush=True)

    def show(self, done: int, rest: str) -> None:
        """Where it stands."""
        figures = f" {done:>4}/{self._total}  {rest}"
        if self._live:
            # A line that is wider than the terminal wraps, and then each drawing of it leaves a line behind.
            room = shutil.get_terminal_size().columns - 1
            drawn = self._bar(done, max(NARROWEST, min(WIDTH, room - len(figures)))) + figures
            print(f"\r\x1b[K{drawn[:room]}", end="", file=self._to, flush=True)
        elif done * 10 // self._total > self._tenth:
            self._tenth = done * 10 // self._total
            self.say(self._bar(done, WIDTH) + figures)

    def _bar(self, done: int, width: int) -> str:
        filled = width * done // self._total
        return "█" * filled + "░" * (width - filled)

    def end(self) -> None:
        """Leave the last bar where it is."""
        if self._live:
            print(file=self._to, flush=True)


@attrs.frozen
class Line:
    """One line of a story."""

    after: float
    what: str
    state: tuple[str, ...]


def story(title: str, entries: Sequence[Entry], last: str) -> list[str]:
    """A run's life in ten lines at most: a title, what its journal holds, a last word."""
    path = list(_path(entries))
    if len(path) > PATH_LINES:
        left_out = len(path) - PATH_LINES + 1
        path[3 : 3 + left_out] = [Line(path[3].after, f"… {left_out} more lines …", ())]
    told = (
        f"{line.after:6.2f} s  {line.what:<48}{' → ' if line.state else ''}{', '.join(line.state)}" for line in path
    )
    return [title, *(line.rstrip() for line in told), last]


def _path(entries: Sequence[Entry]) -> Iterable[Line]:
    """What happened. Attempts of one step share the line of the last; timers only lead from one attempt to the next."""
    told = [(entry, json.loads(entry.body)["input"]) for entry in entries if entry.kind in WORDS]
    steps: dict[int, str] = {}
    for place, (entry, said) in enumerate(told):
        visit = said.get("visit", 0)
        steps.setdefault(visit, entry.name)
        attempts = [
            other.kind for other, about in told if about.get("visit") == visit and other.kind in ATTEMPTS[entry.kind]
        ]
        later = [other.kind for other, about in told[place + 1 :] if about.get("visit") == visit]
        if not set(later) & set(ATTEMPTS[entry.kind]):
            words = WORDS[entry.kind](steps[visit], entry, said)
            tries = f" (attempt {len(attempts)})" if len(attempts) > 1 else ""
            yield Line((entry.at - entries[0].at).total_seconds(), words + tries, entry.state)


def _succeeded(step: str, _entry: Entry, said: dict[str, Any]) -> str:
    found = ", ".join(f"{name} {value}" for name, value in said.get("changed", {}).items() if name != "hold")
    return f"{step.replace('_', ' ')}{': ' if found else ''}{found}"


def _failed(step: str, _entry: Entry, said: dict[str, Any]) -> str:
    return f"{step.replace('_', ' ')} failed: {said['failure']['type']}"


WORDS: dict[str, Callable[[str, Entry, dict[str, Any]], str]] = {
    "succeeded": _succeeded,
    "failed": _failed,
    "event": lambda _step, entry, _said: f"{entry.name} by {entry.actor}",
    "undone": lambda step, _entry, _said: f"undone: {step}",
    "undo-failed": _failed,
    "resolve": lambda _step, entry, said: f"incident: {said['verb']}, said {entry.actor}",
    "lost": lambda step, _entry, said: f"{step} was running at {said['crashes']} kills",
}
"""How a line of the journal is told. What is not here is not told."""
ATTEMPTS: dict[str, tuple[str, ...]] = dict.fromkeys(WORDS, ()) | {
    "succeeded": ("succeeded", "failed"),
    "failed": ("succeeded", "failed"),
    "undone": ("undone", "undo-failed"),
    "undo-failed": ("undone", "undo-failed"),
}
"""Kinds of lines that are attempts at the same thing, when they are of the same visit."""


def table(rows: Iterable[tuple[str, int, str]], checks: Iterable[Check]) -> list[str]:
    """The sums, and the checks with what contradicts them."""
    lines = [f"  {name:<18}{number:>7,}   {note}".rstrip() for name, number, note in rows]
    lines.append("")
    for check in checks:
        lines.append(f"  {'✗' if check.against else '✓'} {check.sentence}")
        lines += [f"      {one}" for one in check.against[:5]]
        if len(check.against) > 5:
            lines.append(f"      and {len(check.against) - 5} more")
    return lines
