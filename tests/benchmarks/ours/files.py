"""What the measures share: where a file lies, how a plain connection is opened, how values are summed up."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


def journal(asked: Mapping[str, Any]) -> Path:
    """The file to measure on: one that was made before, or a new one."""
    return Path(asked.get("made") or Path(asked["folder"]) / "journal.db")


def plain(path: Path) -> sqlite3.Connection:
    """A connection as the journal's own are: WAL, synchronous FULL. It checkpoints by itself, as a bare loop would."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def settle(path: Path) -> None:
    """Copy the log into the database, so that its size is all there is and a copy of it is whole."""
    connection = plain(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def about(path: Path) -> dict[str, str]:
    """Our version, and the durability that the journal's own connections have."""
    connection = plain(path)
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    return {"version": version_here(), "durability": f"journal_mode={mode}, synchronous=FULL"}


def version_here() -> str:
    """The version of this tree."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return next(line for line in text.splitlines() if line.startswith("version =")).split('"')[1]


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def expect(found: object, expected: object, what: str) -> None:
    """End the process, and so the benchmark, unless the work that was timed is the work that was meant."""
    if found != expected:
        said = f"{what}: {found!r} instead of {expected!r}"
        raise SystemExit(said)
