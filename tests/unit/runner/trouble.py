"""A journal that meets trouble when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from persistence import Change, MemoryJournal, RunRecord
from persistence.journal import Work


class TroubledJournal(MemoryJournal):
    """Fails to commit or to read while `trouble` is set; `lost` makes one commit happen and then fail."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: Exception | None = None
        self.blind: Exception | None = None
        self.lost: Exception | None = None
        self.spoil: Callable[[int, Sequence[Change | Work]], list[Exception | None]] | None = None
        self.refused = 0
        self.gate = threading.Event()
        self.gate.set()
        self.at_gate = threading.Event()

    def commit(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        """See `Journal.commit`."""
        if not self.gate.is_set():
            self.at_gate.set()
            self.gate.wait(10)
        if self.trouble is not None:
            self.refused += 1
            raise self.trouble
        if self.spoil is not None:
            spoil, self.spoil = self.spoil, None
            return spoil(epoch, changes)
        failures = super().commit(epoch, changes)
        if self.lost is not None:
            lost, self.lost = self.lost, None
            raise lost
        return failures

    def run(self, run: str) -> RunRecord | None:
        """See `Journal.run`."""
        if self.blind is not None:
            raise self.blind
        return super().run(run)

    def really(self, epoch: int, changes: Sequence[Any]) -> list[Exception | None]:
        """A commit without trouble."""
        return super().commit(epoch, changes)
