"""Power loss: the power goes at every operation of a scripted run, and what was not synced is lost in every way.

The run is recorded once, through a VFS; the disk as the loss leaves it is worked out for each operation and each kind
of loss, and opened with the same journal. With FULL nothing acknowledged may be missing. With NORMAL the file must be
whole and what is lost a suffix of the commits; nothing is lost when only the process dies. Each survivor is moved on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import attrs

from persistence import JournalError
from persistence.contract import LEASE, start
from tests.reliability.disk.image import LOSSES, Folder, Loss, write
from tests.reliability.disk.script import (
    NAME,
    State,
    Synchronous,
    Tried,
    held,
    intact,
    live,
    open_journal,
    read,
    states,
)
from tests.reliability.disk.vfs import Disk, Operation
from tests.reliability.evidence import Row, Scale, Section, shown

LOCK = f"{NAME}.owner"
MODES: tuple[Synchronous, ...] = ("FULL", "NORMAL")


@attrs.frozen(eq=False)
class Recording:
    """A scripted run: what it did to the disk, and its ledger."""

    synchronous: Synchronous
    operations: Sequence[Operation]
    tried: Tried
    said: Sequence[State]
    lock: bytes
    """What stands in the owner's lock file, which is not SQLite's and never synced."""


def record(synchronous: Synchronous, random: Random) -> Recording:
    """Run the script once."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        disk = Disk(folder)
        tried = Tried(lambda: len(disk.operations))
        live(folder, disk.connect, tried, random, synchronous)
        disk.end()
        return Recording(synchronous, tuple(disk.operations), tried, states(tried.facts), (folder / LOCK).read_bytes())


@attrs.frozen
class Cut:
    """Where the power goes, how, and what is left."""

    position: int
    loss: Loss
    files: dict[str, bytes]


def cuts(recording: Recording, positions: Sequence[int], random: Random) -> Iterator[Cut]:
    """The disk after each of these numbers of operations, after each kind of loss."""
    folder = Folder()
    wanted = set(positions)
    for position in range(len(recording.operations) + 1):
        if position:
            folder.perform(recording.operations[position - 1])
        if position in wanted:
            losses: Sequence[Loss] = ("kept", *LOSSES) if folder.unsynced() else ("kept", "dropped")
            for loss in losses:
                yield Cut(position, loss, {**folder.left(loss, random), **_lock(recording.lock, random)})


def _lock(content: bytes, random: Random) -> dict[str, bytes]:
    """The owner's lock file may be gone, empty, torn or whole."""
    left = random.choice((None, b"", content[: len(content) // 2], bytes(len(content)), content))
    return {} if left is None else {LOCK: left}


def bounds(recording: Recording, cut: Cut, *, strict: bool) -> tuple[int, int]:
    """How many facts must at least be there, and how many at most."""
    acknowledged, begun = recording.tried.bounds(cut.position)
    return (acknowledged if strict or cut.loss == "kept" else 0), begun


def judge(folder: Path, said: Sequence[State], low: int, high: int, then: str = "after") -> tuple[str, list[Operation]]:
    """Open what is left and move it on. What is wrong, empty when nothing is; and what opening it did to the disk."""
    disk = Disk(folder)
    try:
        with closing(open_journal(folder, disk.connect)) as journal:
            wrong = intact(journal) or _missing(read(journal), said, low, high)
            epoch = journal.claim("the next", LEASE)
            if not wrong and journal.commit(epoch, [start(then)]) != [None]:
                wrong = "it does not go on"
    except JournalError as error:
        wrong = f"{type(error).__name__}: {error}"
    finally:
        disk.end()
    return wrong, disk.operations


def _missing(found: State, said: Sequence[State], low: int, high: int) -> str:
    if held(found, said, low, high) is not None:
        return ""
    earlier = held(found, said, 0, low - 1) if low else None
    if earlier is not None:
        return f"{low} commits were acknowledged, and {earlier} are there"
    return "what is there was never committed so"


def _again(
    cut: Cut, recording: Recording, operations: Sequence[Operation], random: Random, place: Path
) -> Iterator[str]:
    """The power goes again, at some operations of the recovery from the first loss."""
    low, high = bounds(recording, cut, strict=recording.synchronous == "FULL")
    # What the survivor says once it was opened must stay; then it was claimed and went on.
    for position in sorted(random.sample(range(len(operations)), min(3, len(operations)))):
        folder = Folder({name: content for name, content in cut.files.items() if name != LOCK})
        for operation in operations[:position]:
            folder.perform(operation)
        more = [
            *recording.said[: high + 1],
            *(state for one in recording.said[low : high + 1] for state in _goes_on(one)),
        ]
        write(folder.left(random.choice(LOSSES), random), place / f"{position}")
        yield judge(place / f"{position}", more, low, len(more) - 1, "again")[0]


def _goes_on(state: State) -> list[State]:
    """What `judge` makes of a survivor."""
    claimed = attrs.evolve(state, epoch=state.epoch + 1)
    return [claimed, claimed.after((start("after"),))]


def _rows(recording: Recording, scale: Scale, random: Random) -> list[Row]:
    every = range(len(recording.operations) + 1)
    positions = every if scale == "full" else sorted(random.sample(every, 20))
    strict = recording.synchronous == "FULL"
    tried: dict[str, int] = {}
    lost: dict[str, list[str]] = {}
    what = f"{recording.synchronous}, {len(recording.operations)} operations"
    for number, cut in enumerate(shown(what, cuts(recording, positions, random), 5 * len(positions))):
        with TemporaryDirectory() as place:
            low, high = bounds(recording, cut, strict=strict)
            write(cut.files, Path(place) / "first")
            wrong, operations = judge(Path(place) / "first", recording.said, low, high)
            _count(tried, lost, cut.loss, f"operation {cut.position}: {wrong}" if wrong else "")
            if number % 10 == 0 and cut.loss != "kept":
                for wrong in _again(cut, recording, operations, random, Path(place)):
                    _count(tried, lost, "again", f"operation {cut.position}: {wrong}" if wrong else "")
    return [
        Row(f"{recording.synchronous}: {_TITLES[loss]}", tried[loss], len(lost.get(loss, ())), _first(lost.get(loss)))
        for loss in _TITLES
        if loss in tried
    ]


_TITLES = {
    "kept": "the process dies, the system lives",
    "dropped": "power lost, unsynced writes dropped",
    "in part": "power lost, unsynced writes kept in part",
    "reordered": "power lost, unsynced writes kept in part and reordered",
    "torn": "power lost, unsynced writes torn at sectors",
    "garbled": "power lost, unsynced writes garbled",
    "again": "power lost again while recovering",
}


def _count(tried: dict[str, int], lost: dict[str, list[str]], what: str, wrong: str) -> None:
    tried[what] = tried.get(what, 0) + 1
    if wrong:
        lost.setdefault(what, []).append(wrong)


def _first(cases: Sequence[str] | None) -> str:
    return cases[0] if cases else ""


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    random = Random(seed)
    rows = [row for mode in MODES for row in _rows(record(mode, random), scale, random)]
    return Section("Power loss", seed, tuple(rows), time.monotonic() - began)
