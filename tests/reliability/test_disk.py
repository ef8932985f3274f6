"""The disk that fails does what it says, and the ledger finds what is lost: a judge must be able to condemn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import attrs
import pytest

from tests.reliability.disk.image import Folder, write
from tests.reliability.disk.vfs import Operation
from tests.reliability.power_loss import Recording, bounds, cuts, judge, record

SYNCED = (Operation("create", "f"), Operation("write", "f", 0, b"a" * 1024), Operation("sync", "f"))
FOLDER = Operation("folder", "f")


def folder(*operations: Operation) -> Folder:
    """A folder after these."""
    made = Folder()
    for operation in operations:
        made.perform(operation)
    return made


def test_what_was_synced_stays_and_the_rest_is_dropped() -> None:
    """And the death of the process alone loses nothing."""
    made = folder(*SYNCED, FOLDER, Operation("write", "f", 512, b"b" * 512), Operation("truncate", "f", 600))
    assert made.left("dropped", Random(1)) == {"f": b"a" * 1024}
    assert made.left("kept", Random(1)) == {"f": b"a" * 512 + b"b" * 88}
    assert made.unsynced()


def test_a_file_is_there_when_its_folder_was_synced() -> None:
    """Its own sync does not name it."""
    assert folder(*SYNCED).left("dropped", Random(1)) == {}
    assert folder(*SYNCED, FOLDER, Operation("delete", "f")).left("dropped", Random(1)) == {"f": b"a" * 1024}
    assert {len(folder(*SYNCED).left("in part", Random(seed))) for seed in range(20)} == {0, 1}


def test_a_sync_that_failed_loses_what_it_should_have_kept() -> None:
    """The next one does not bring it back."""
    made = folder(*SYNCED, FOLDER, Operation("write", "f", 0, b"b"), Operation("lost", "f"), Operation("sync", "f"))
    assert made.left("dropped", Random(1)) == {"f": b"a" * 1024}
    assert made.left("kept", Random(1))["f"].startswith(b"b")


def test_writes_are_torn_at_sectors_and_come_in_any_order() -> None:
    """Every mixture of old and new sectors comes up; out of order, the older write may be what stays."""
    torn = folder(*SYNCED, FOLDER, Operation("write", "f", 0, b"b" * 1024))
    found = {torn.left("torn", Random(seed))["f"] for seed in range(50)}
    assert found == {first * 512 + second * 512 for first in (b"a", b"b") for second in (b"a", b"b")}
    twice = folder(*SYNCED, FOLDER, Operation("write", "f", 0, b"b" * 1024), Operation("write", "f", 0, b"c" * 1024))
    assert {twice.left("reordered", Random(seed))["f"][:1] for seed in range(50)} == {b"a", b"b", b"c"}
    assert any(torn.left("garbled", Random(seed))["f"][:1] not in b"ab" for seed in range(50))


@pytest.fixture(name="normal", scope="module")
def _normal() -> Recording:
    return record("NORMAL", Random(1))


def condemned(recording: Recording, tmp_path: Path, *, strict: bool, positions: Sequence[int]) -> list[str]:
    """What is wrong after a cut at each of these positions."""
    found = []
    for number, cut in enumerate(cuts(recording, positions, Random(1))):
        write(cut.files, tmp_path / f"{number}")
        found.append(judge(tmp_path / f"{number}", recording.said, *bounds(recording, cut, strict=strict))[0])
    return [wrong for wrong in found if wrong]


def late(recording: Recording) -> list[int]:
    """The last positions, at which much was acknowledged."""
    return list(range(len(recording.operations) - 120, len(recording.operations), 12))


def test_the_ledger_finds_a_commit_that_was_not_synced(normal: Recording, tmp_path: Path) -> None:
    """NORMAL does not keep what FULL promises; judged by FULL's promise it is condemned, by its own it is not."""
    assert any(
        "were acknowledged" in wrong
        for wrong in condemned(normal, tmp_path / "strict", strict=True, positions=late(normal))
    )
    assert condemned(normal, tmp_path / "own", strict=False, positions=late(normal)) == []


def test_the_ledger_finds_a_disk_that_lies(tmp_path: Path) -> None:
    """Without a single sync of the write-ahead log, FULL loses what it acknowledged, or the file is damaged."""
    full = record("FULL", Random(1))
    lying = attrs.evolve(
        full, operations=tuple(one if one.kind != "sync" else attrs.evolve(one, kind="lost") for one in full.operations)
    )
    assert condemned(lying, tmp_path, strict=True, positions=late(lying))


def test_the_ledger_finds_half_a_commit(normal: Recording, tmp_path: Path) -> None:
    """What is there must be what some commit left, whole."""
    position = len(normal.operations)
    (cut, *_) = cuts(normal, [position], Random(1))
    write(cut.files, tmp_path / "left")
    said = [attrs.evolve(state, entries={**state.entries, "run-0": ()}) for state in normal.said]
    assert judge(tmp_path / "left", said, 0, len(said) - 1)[0] == "what is there was never committed so"
