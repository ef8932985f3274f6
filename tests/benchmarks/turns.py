"""Runs measures in turn, each in a process and a folder of its own, and keeps what each printed."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench"
PEERS = Path(__file__).parent / "peers"
OURS = (sys.executable, "-m", "tests.benchmarks.ours")
PATIENCE = 300
"""Seconds after which a measure is given up."""
WIDTH = 30
Found = Mapping[str, Any]


def peer(name: str) -> tuple[str, ...]:
    """The command that runs a peer's script in the peer's own environment.

    `-I`: it sees neither this tree, whose package has the import name of one of the peers, nor the folder of the
    scripts, which are named for what they import.
    """
    return (str(BUILD / name / "bin" / "python"), "-I", str(PEERS / f"{name}.py"))


@attrs.frozen
class Call:
    """One measure: a command, and what it is asked, as JSON in its last argument."""

    command: tuple[str, ...]
    asked: Mapping[str, Any]
    raw: bool = False
    """The command is complete as it stands, and `{folder}` in it is the folder."""

    def run(self, folder: Path) -> dict[str, Any]:
        """What it found: the lines of JSON that it printed, put together."""
        command = [part.replace("{folder}", str(folder)) for part in self.command]
        if not self.raw:
            command.append(json.dumps({**self.asked, "folder": str(folder)}))
        try:
            ran = subprocess.run(
                command, cwd=ROOT, env=_surroundings(), capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            raise Broken(command, type(error).__name__, str(error)) from error
        if ran.returncode:
            raise Broken(command, ran.returncode, ran.stderr)
        found: dict[str, Any] = {}
        for line in ran.stdout.splitlines():
            if line.startswith("{"):
                found.update(json.loads(line))
        return found


def _surroundings() -> dict[str, str]:
    """Those of this process, but compiled modules are kept, as on any user's machine."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Broken(Exception):
    """A measure has failed: rows that need it say that it was not measured, and why."""

    def __init__(self, command: Sequence[str], code: object, said: str) -> None:
        super().__init__(f"{' '.join(command)} ended with {code}:\n{said[-3000:]}")
        self.short = f"it ended with {code}: {(said.strip().splitlines() or ['nothing said'])[-1][:200]}"


@attrs.frozen
class Sample:
    """The values of several turns; none where it was not measured."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def over(self, other: Sample) -> Sample:
        """The ratio in each turn: what slows the machine for a while slows both in the same turn."""
        return Sample(tuple([mine / theirs for mine, theirs in zip(self.values, other.values, strict=False)]))

    def less(self, other: Sample) -> Sample:
        """The difference in each turn."""
        return Sample(tuple([mine - theirs for mine, theirs in zip(self.values, other.values, strict=False)]))


@attrs.frozen
class Answers:
    """What a family's measures printed, by name, a list of turns each."""

    turns: Mapping[str, Sequence[Found]]
    broken: Mapping[str, str] = {}
    """Why a measure has no turns, by name."""
    where: Mapping[str, float] = {}
    """Microseconds of a transition by part of the program, where that was asked."""

    def of(self, name: str, value: str) -> Sample:
        """One value of one measure over the turns."""
        return Sample(tuple([float(found[value]) for found in self.turns[name]]))

    def said(self, name: str, value: str) -> Any:
        """What a measure says of itself, in its last turn."""
        return self.turns[name][-1].get(value, "") if self.turns[name] else ""


@attrs.define
class Bar:
    """A progress bar on standard error."""

    total: int
    done: int = 0

    def show(self, what: str) -> None:
        """Draw it, with what is measured now."""
        filled = WIDTH * self.done // max(1, self.total)
        print(f"\r\033[K{'█' * filled}{'░' * (WIDTH - filled)} {what}", end="", file=sys.stderr, flush=True)

    def step(self) -> None:
        """One is done."""
        self.done += 1

    def close(self) -> None:
        """Leave its line."""
        print(file=sys.stderr)


def in_turn(name: str, made: Mapping[str, Call], calls: Mapping[str, Call], repeats: int, bar: Bar) -> Answers:
    """Make what the measures need, then run them one after another, and all of that again, so many times."""
    turns: dict[str, list[Found]] = {what: [] for what in calls}
    broken: dict[str, str] = {}
    with _emptied(place_of(name)) as place:
        for what, call in made.items():
            bar.show(f"{name}: making {what}")
            try:
                call.run(place)
            except Broken as error:
                return Answers(turns, dict.fromkeys(calls, f"{what} could not be made: {error.short}"))
            bar.step()
        for turn in range(repeats):
            for what, call in calls.items():
                bar.show(f"{name} {turn + 1}/{repeats}: {what}")
                if what not in broken:
                    try:
                        turns[what].append(alone(call, place))
                    except Broken as error:
                        turns[what], broken[what] = [], error.short
                        print(f"\n{error}", file=sys.stderr)
                bar.step()
    return Answers(turns, broken)


def alone(call: Call, place: Path) -> Found:
    """What a measure finds in an empty folder."""
    with _emptied(place / "turn") as folder:
        return call.run(folder)


def place_of(name: str) -> Path:
    """Where a family's files lie while it is measured."""
    return BUILD / "work" / name


@contextmanager
def _emptied(folder: Path) -> Generator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
