"""The reading half of a journal in SQLite: from any thread, each question on a connection of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from persistence.records import (
    AttemptRecord,
    CachedRecord,
    EntryRecord,
    FanCount,
    FanRecord,
    GivenRecord,
    HoldRecord,
    ItemRecord,
    LiveGroup,
    MessageRecord,
    NoticeRecord,
    Query,
    RunRecord,
    SavedRecord,
    SeenRecord,
    ShelfRecord,
)
from persistence.sqlite import caching, fans, reading
from persistence.sqlite.connection import Pool
from persistence.sqlite.forking import Birth


class Reader:
    """What a journal answers from its database."""

    _birth: Birth
    _readers: Pool

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        self._birth.check()
        with self._readers.connection() as connection:
            yield connection

    def run(self, run: str) -> RunRecord | None:
        """See `Journal.run`."""
        self._birth.check()
        return self._readers.ask(reading.run, run)

    def runs(self, query: Query) -> list[RunRecord]:
        """See `Journal.runs`."""
        with self._reading() as connection:
            return reading.runs(connection, query)

    def count(self, query: Query) -> int:
        """See `Journal.count`."""
        with self._reading() as connection:
            return reading.count(connection, query)

    def entries(self, run: str, after: int = 0, limit: int = 1000) -> list[EntryRecord]:
        """See `Journal.entries`."""
        with self._reading() as connection:
            return reading.entries(connection, run, after, limit)

    def log(self, after: int, limit: int) -> list[EntryRecord]:
        """See `Journal.log`."""
        with self._reading() as connection:
            return reading.log(connection, after, limit)

    def seen(self, run: str, id: str) -> SeenRecord | None:
        """See `Journal.seen`."""
        self._birth.check()
        return self._readers.ask(reading.seen, run, id)

    def due(self, before: int, limit: int) -> list[tuple[int, str]]:
        """See `Journal.due`."""
        with self._reading() as connection:
            return reading.due(connection, before, limit)

    def next_due(self) -> int | None:
        """See `Journal.next_due`."""
        with self._reading() as connection:
            return reading.next_due(connection)

    def busy(self, after: str, limit: int) -> list[RunRecord]:
        """See `Journal.busy`."""
        with self._reading() as connection:
            return reading.busy(connection, after, limit)

    def attempts(self) -> list[AttemptRecord]:
        """See `Journal.attempts`."""
        with self._reading() as connection:
            return reading.attempts(connection)

    def holds(self) -> list[HoldRecord]:
        """See `Journal.holds`."""
        with self._reading() as connection:
            return reading.holds(connection)

    def cached(self, shelf: str, key: str) -> CachedRecord | None:
        """See `Journal.cached`."""
        with self._reading() as connection:
            return caching.find(connection, shelf, key)

    def shelves(self) -> list[ShelfRecord]:
        """See `Journal.shelves`."""
        with self._reading() as connection:
            return caching.shelves(connection)

    def saved(self, run: str, visit: int) -> SavedRecord | None:
        """See `Journal.saved`."""
        with self._reading() as connection:
            return reading.saved(connection, run, visit)

    def saves(self) -> list[tuple[str, int]]:
        """See `Journal.saves`."""
        with self._reading() as connection:
            return reading.saves(connection)

    def fan(self, run: str, visit: int) -> FanRecord | None:
        """See `Journal.fan`."""
        with self._reading() as connection:
            return fans.fan(connection, run, visit)

    def fans(self, run: str) -> list[FanCount]:
        """See `Journal.fans`."""
        with self._reading() as connection:
            return fans.fans(connection, run)

    def given(self, run: str, visit: int, number: int) -> GivenRecord | None:
        """See `Journal.given`."""
        with self._reading() as connection:
            return fans.given(connection, run, visit, number)

    def items(
        self, run: str, visit: int, *, back: bool = False, after: int = -1, limit: int = 1000, bodies: bool = True
    ) -> list[ItemRecord]:
        """See `Journal.items`."""
        with self._reading() as connection:
            return fans.items(connection, run, visit, back=back, after=after, limit=limit, bodies=bodies)

    def notices(self, after: int, limit: int) -> list[NoticeRecord]:
        """See `Journal.notices`."""
        with self._reading() as connection:
            return reading.notices(connection, after, limit)

    def wanted(self) -> frozenset[str]:
        """See `Journal.wanted`."""
        with self._reading() as connection:
            return reading.wanted(connection)

    def ended(self, before: int, limit: int) -> list[int]:
        """See `Journal.ended`."""
        with self._reading() as connection:
            return reading.ended(connection, before, limit)

    def inbox(self, after: int, limit: int) -> list[MessageRecord]:
        """See `Journal.inbox`."""
        with self._reading() as connection:
            return reading.inbox(connection, after, limit)

    def message(self, number: int) -> MessageRecord | None:
        """See `Journal.message`."""
        with self._reading() as connection:
            return reading.message(connection, number)

    def live(self) -> list[LiveGroup]:
        """See `Journal.live`."""
        with self._reading() as connection:
            return reading.live(connection)
