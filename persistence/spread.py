"""What a journal in memory keeps of fan-outs: the items of a visit, and what came of each."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Protocol

from msgspec.structs import replace

from persistence.records import Change, FanCount, FanRecord, GivenRecord, ItemRecord


class Fans:
    """See the module. Everything in it is read and written under the store's lock."""

    def __init__(self) -> None:
        self._fans: dict[str, dict[int, FanRecord]] = {}
        self._given: dict[tuple[str, int], list[GivenRecord]] = {}
        self._items: dict[tuple[str, int, bool], dict[int, ItemRecord]] = {}
        """By run, visit and direction; then by number."""

    def has(self, given: GivenRecord) -> bool:
        """Whether these items are there already."""
        return any(given.first == page.first for page in self._given.get((given.run, given.visit), ()))

    def note(self, change: Change) -> None:
        """Keep what a change says."""
        for fan in change.fans:
            self._fans.setdefault(fan.run, {})[fan.visit] = fan
        for given in change.given:
            self._given.setdefault((given.run, given.visit), []).append(given)
        for item in change.items:
            self._items.setdefault((item.run, item.visit, item.back), {})[item.number] = item

    def drop(self, run: str) -> None:
        """Forget a run."""
        for visit in self._fans.pop(run, ()):
            self._given.pop((run, visit), None)
            self._items.pop((run, visit, False), None)
            self._items.pop((run, visit, True), None)

    def outcomes(self, run: str) -> int:
        """How many outcomes of items a run has."""
        return sum(len(items) for (of, *_), items in self._items.items() if of == run)

    def one(self, run: str, visit: int) -> FanRecord | None:
        """See `Journal.fan`."""
        return self._fans.get(run, {}).get(visit)

    def counts(self, run: str) -> list[FanCount]:
        """See `Journal.fans`."""
        return [
            FanCount(fan=fan, forward=self._states(run, visit, back=False), back=self._states(run, visit, back=True))
            for visit, fan in sorted(self._fans.get(run, {}).items())
        ]

    def _states(self, run: str, visit: int, *, back: bool) -> dict[str, int]:
        return dict(Counter(item.state for item in self._items.get((run, visit, back), {}).values()))

    def page(self, run: str, visit: int, number: int) -> GivenRecord | None:
        """See `Journal.given`."""
        pages = [page for page in self._given.get((run, visit), ()) if page.first <= number]
        return max(pages, key=lambda page: page.first, default=None)

    def some(self, key: tuple[str, int, bool], after: int, limit: int, *, bodies: bool) -> list[ItemRecord]:
        """See `Journal.items`."""
        there = self._items.get(key, {})
        found = [there[number] for number in sorted(there) if number > after][:limit]
        return found if bodies else [replace(item, body=b"") for item in found]


class Keeps(Protocol):
    """What has them."""

    lock: threading.RLock
    fans: Fans


class ReadsFans:
    """What a journal in memory answers of them."""

    _store: Keeps

    def fan(self, run: str, visit: int) -> FanRecord | None:
        """See `Journal.fan`."""
        return self._store.fans.one(run, visit)

    def fans(self, run: str) -> list[FanCount]:
        """See `Journal.fans`."""
        with self._store.lock:
            return self._store.fans.counts(run)

    def given(self, run: str, visit: int, number: int) -> GivenRecord | None:
        """See `Journal.given`."""
        with self._store.lock:
            return self._store.fans.page(run, visit, number)

    def items(
        self, run: str, visit: int, *, back: bool = False, after: int = -1, limit: int = 1000, bodies: bool = True
    ) -> list[ItemRecord]:
        """See `Journal.items`."""
        with self._store.lock:
            return self._store.fans.some((run, visit, back), after, limit, bodies=bodies)
