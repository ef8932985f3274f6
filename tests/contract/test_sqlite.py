"""The journal in SQLite keeps the contract, also over another SQLite than Python's own, given through `connect=`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from persistence import Journal, SQLiteJournal
from persistence.contract import JournalContract
from persistence.sqlite.connection import Connect
from tests.reliability.disk.connection import connect


class TestSQLiteJournal(JournalContract):
    connect: Connect | None = None
    path: Path
    opened: list[Journal]

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> Iterator[None]:
        self.path = tmp_path / "journal.db"
        self.opened = []
        yield
        for journal in self.opened:
            journal.close()

    def open(self) -> Journal:
        self.opened.append(SQLiteJournal(self.path, connect=self.connect, synchronous="NORMAL"))
        return self.opened[-1]

    def beside(self, journal: Journal) -> Journal:
        assert journal.name == str(self.path)
        return self.open()


class TestSQLiteJournalOverApsw(TestSQLiteJournal):
    connect = staticmethod(connect)
