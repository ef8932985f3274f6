"""Results that are kept for other runs, in a file."""

from __future__ import annotations

from pathlib import Path

from persistence import SQLiteJournal
from persistence.contract import LEASE
from persistence.contract.caching import a_result
from persistence.records import CachedRecord, Change


def test_a_result_is_looked_for_while_a_commit_is_under_way(tmp_path: Path) -> None:
    """It is a read like any other: it waits for no commit, holds none up, and sees what was committed before."""
    journal = SQLiteJournal(tmp_path / "app.db", synchronous="NORMAL")
    epoch = journal.claim("ada", LEASE)
    journal.commit(epoch, [Change(cached=(a_result(value=b"1"),))])
    found: list[CachedRecord | None] = []

    def looking(_: object) -> Change:
        found.append(journal.cached("index/embed", "k"))
        return Change(cached=(a_result(value=b"2"),))

    assert journal.commit(epoch, [Change(cached=(a_result("other"),)), looking]) == [None, None]
    found.append(journal.cached("index/embed", "k"))
    assert [one and one.value for one in found] == [b"1", b"2"]
    journal.close()
