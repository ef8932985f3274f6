"""Results that were recorded for runs to come, in memory: found by their key, within bounds, the oldest out."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from persistence.records import CachedRecord, ShelfRecord


class _Kept(NamedTuple):
    record: CachedRecord
    number: int
    below: int
    """Bytes that were put on the shelf before it."""

    @property
    def end(self) -> int:
        return self.below + len(self.record.value)


class Shelves:
    """See the module. Each shelf has its results in the order in which they were put there."""

    def __init__(self) -> None:
        self._shelves: dict[str, dict[str, _Kept]] = {}

    def keep(self, cached: CachedRecord) -> None:
        """Put a result on its shelf, and take the oldest off it that are too many."""
        shelf = self._shelves.setdefault(cached.shelf, {})
        last = next(reversed(shelf.values()), None)
        shelf.pop(cached.key, None)
        kept = _Kept(
            replace(cached, most=0, size=0), last.number + 1 if last is not None else 1, last.end if last else 0
        )
        shelf[cached.key] = kept
        for old in list(shelf.values()):
            if old.number > kept.number - cached.most and old.below >= kept.end - cached.size:
                return
            del shelf[old.record.key]

    def find(self, shelf: str, key: str) -> CachedRecord | None:
        """See `Journal.cached`."""
        kept = self._shelves.get(shelf, {}).get(key)
        return None if kept is None else kept.record

    def stale(self, before: int, *, drop: bool) -> int:
        """How many are of use no longer than until before a time; `drop` them."""
        old = [kept.record for shelf in self._shelves.values() for kept in shelf.values() if kept.record.until < before]
        for record in old if drop else ():
            del self._shelves[record.shelf][record.key]
        return len(old)

    def erase(self, run: str) -> None:
        """Take off what a run has put there."""
        for name, shelf in self._shelves.items():
            self._shelves[name] = {key: kept for key, kept in shelf.items() if kept.record.run != run}

    def all(self) -> list[ShelfRecord]:
        """See `Journal.shelves`."""
        return [
            ShelfRecord(
                shelf=name,
                results=len(shelf),
                size=sum(len(kept.record.value) for kept in shelf.values()),
                oldest=min(kept.record.at for kept in shelf.values()),
            )
            for name, shelf in sorted(self._shelves.items())
            if shelf
        ]
