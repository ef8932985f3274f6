"""A process dies around the telling: before the run has failed nobody is told, and afterwards somebody is."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def told(file: Path, out: Path, point: str) -> tuple[int, list[str]]:
    """How the process ended, and whom it has told of so far."""
    command = [sys.executable, "-m", "tests.crash.teller", str(file), str(out), point]
    ended = subprocess.run(command, cwd=ROOT, check=False, stderr=subprocess.DEVNULL)
    return ended.returncode, out.read_text(encoding="utf-8").splitlines() if out.exists() else []


@pytest.mark.parametrize(
    ("point", "first", "last"),
    [
        ("before failed", 0, 1),  # the failure was not committed, and neither was the notice
        ("after failed", 0, 1),  # both were, and nobody was told
        ("before notice", 1, 2),  # told, and that was not committed: told again
        ("after notice", 1, 1),
    ],
)
def test_whoever_owns_the_file_next_tells_what_was_not_told(tmp_path: Path, point: str, first: int, last: int) -> None:
    """With the same id, whichever process tells it."""
    file, out = tmp_path / "app.db", tmp_path / "told"
    code, ids = told(file, out, point)
    assert (code, len(ids)) == (-signal.SIGKILL, first)
    code, ids = told(file, out, "nowhere")
    assert (code, len(ids), len(set(ids))) == (0, last, 1)
