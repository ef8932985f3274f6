"""Notices as a journal in memory keeps them: in their order, until somebody was told."""

from __future__ import annotations

import threading
from typing import Protocol

from msgspec.structs import replace

from persistence.records import Change, NoticeRecord


class Told:
    """See the module."""

    def __init__(self) -> None:
        self._kept: dict[int, NoticeRecord] = {}
        self._last = 0
        self.wanted: frozenset[str] = frozenset()

    def note(self, change: Change) -> None:
        """Do what a change says about notices."""
        for notice in change.notices:
            self._last += 1
            self._kept[self._last] = replace(notice, number=self._last)
        for number in change.delivered:
            self._kept.pop(number, None)
        if change.wanted is not None:
            self.wanted = frozenset(change.wanted)

    def forget(self, run: str) -> None:
        """The run was erased: nobody is to be told any more."""
        self._kept = {number: notice for number, notice in self._kept.items() if notice.run != run}

    def after(self, number: int, limit: int) -> list[NoticeRecord]:
        """See `Journal.notices`."""
        return [notice for place, notice in self._kept.items() if place > number][:limit]


class Keeps(Protocol):
    """What has them."""

    lock: threading.RLock
    told: Told


class ReadsNotices:
    """What a journal in memory answers of them."""

    _store: Keeps

    def notices(self, after: int, limit: int) -> list[NoticeRecord]:
        """See `Journal.notices`."""
        with self._store.lock:
            return self._store.told.after(after, limit)

    def wanted(self) -> frozenset[str]:
        """See `Journal.wanted`."""
        return self._store.told.wanted
