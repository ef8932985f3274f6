"""What a journal in memory answers of what stands beside its runs: holds, and what steps have saved."""

from __future__ import annotations

import threading
from typing import Protocol

from persistence.records import HoldRecord, SavedRecord


class Keeps(Protocol):
    """What has it."""

    lock: threading.RLock
    holds: dict[tuple[str, str], HoldRecord]
    saved: dict[tuple[str, int], SavedRecord]


class ReadsAside:
    """See the module."""

    _store: Keeps

    def holds(self) -> list[HoldRecord]:
        """See `Journal.holds`."""
        with self._store.lock:
            return [self._store.holds[key] for key in sorted(self._store.holds)]

    def saved(self, run: str, visit: int) -> SavedRecord | None:
        """See `Journal.saved`."""
        return self._store.saved.get((run, visit))

    def saves(self) -> list[tuple[str, int]]:
        """See `Journal.saves`."""
        with self._store.lock:
            return sorted(self._store.saved)
