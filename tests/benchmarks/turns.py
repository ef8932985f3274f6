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
PATIENCE = 900
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
        ran = subprocess.run(
            command, cwd=ROOT, env=_surroundings(), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
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
    """A measure has failed; nothing is reported without it."""

    def __init__(self, command: Sequence[str], code: int, said: str) -> None:
        super().__init__(f"{' '.join(command)} ended with {code}:\n{said[-3000:]}")


@attrs.frozen
class Sample:
    """The values of several turns."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def over(self, other: Sample) -> Sample:
        """The ratio in each turn: what slows the machine for a while slows both in the same turn."""
        return Sample(tuple([mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)]))

    def less(self, other: Sample) -> Sample:
        """The difference in each turn."""
        return Sample(tuple([mine - theirs for mine, theirs in zip(self.values, other.values, strict=True)]))


@attrs.frozen
class Answers:
    """What a family's measures printed, by name, a list of turns each."""

    turns: Mapping[str, Sequence[Found]]

    def of(self, name: str, value: str) -> Sample:
        """One value of one measure over the turns."""
        return Sample(tuple([float(found[value]) for found in self.turns[name]]))

    def said(self, name: str, value: str) -> Any:
        """What a measure says of itself, in its last turn."""
        return self.turns[name][-1].get(value, "")


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
    with _emptied(place_of(name)) as place:
        for what, call in made.items():
            bar.show(f"{name}: making {what}")
            call.run(place)
            bar.step()
        turns: dict[str, list[Found]] = {what: [] for what in calls}
        for turn in range(repeats):
            for what, call in calls.items():
                bar.show(f"{name} {turn + 1}/{repeats}: {what}")
                with _emptied(place / "turn") as folder:
                    turns[what].append(call.run(folder))
                bar.step()
    return Answers(turns)


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
