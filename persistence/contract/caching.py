"""The contract of results that are kept for runs to come."""
# ruff: noqa: S101 - a suite of tests, shipped

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from persistence.contract.making import OpensJournals, start, step
from persistence.records import CachedRecord, Change, ShelfRecord


def a_result(key: str = "k", shelf: str = "index/embed", **columns: Any) -> CachedRecord:
    """A result to be kept."""
    plain: dict[str, Any] = {"run": "r", "visit": 2, "at": 50, "until": 90, "value": b"[0.5]", "most": 9, "size": 999}
    return CachedRecord(shelf=shelf, key=key, **{**plain, **columns})


def kept(record: CachedRecord) -> CachedRecord:
    """As it is found; its bounds were its shelf's."""
    return replace(record, most=0, size=0)


class Caching(OpensJournals):
    """A result is kept with the outcome that it is of, or not at all."""

    def test_a_result_is_found_by_its_shelf_and_key(self) -> None:
        """By every handle; another key, or the same on another shelf, has none."""
        journal, epoch = self.owned(start())
        result = a_result(value=b"\x00\xff")
        assert journal.cached("index/embed", "k") is None
        assert journal.commit(epoch, [replace(step(), cached=(result,))]) == [None]
        assert self.beside(journal).cached("index/embed", "k") == kept(result)
        assert journal.cached("index/embed", "l") is None
        assert journal.cached("index/score", "k") is None

    def test_a_result_is_kept_with_its_change_or_not_at_all(self) -> None:
        """One whose change fails is not there."""
        journal, epoch = self.owned(start())
        journal.commit(epoch, [replace(step(seq=7), cached=(a_result(),))])
        assert journal.cached("index/embed", "k") is None
        assert journal.shelves() == []

    def test_a_newer_result_of_a_key_replaces_the_older(self) -> None:
        """It is the newest of its shelf then."""
        journal, epoch = self.owned(Change(cached=(a_result(), a_result("other"))))
        newer = a_result(value=b"[0.75]", run="s", at=60)
        journal.commit(epoch, [Change(cached=(newer,))])
        assert journal.cached("index/embed", "k") == kept(newer)
        journal.commit(epoch, [Change(cached=(a_result("third", most=2),))])
        assert journal.cached("index/embed", "k") == kept(newer)
        assert journal.cached("index/embed", "other") is None

    def test_only_the_newest_are_kept(self) -> None:
        """So many of a shelf; another shelf does not count."""
        journal, epoch = self.owned(Change(cached=(a_result(shelf="index/score"),)))
        for number in range(5):
            journal.commit(epoch, [Change(cached=(a_result(f"k{number}", most=3),))])
        found = [number for number in range(5) if journal.cached("index/embed", f"k{number}") is not None]
        assert found == [2, 3, 4]
        assert journal.cached("index/score", "k") is not None

    def test_only_so_many_bytes_are_kept(self) -> None:
        """Of a shelf; what is larger than that by itself is not kept, and the others go before it."""
        journal, epoch = self.owned()
        value = bytes(100)  # one that seals what it keeps may add to it
        for number in range(5):
            journal.commit(epoch, [Change(cached=(a_result(f"k{number}", value=value, size=290),))])
        assert [number for number in range(5) if journal.cached("index/embed", f"k{number}")] == [3, 4]
        journal.commit(epoch, [Change(cached=(a_result("large", value=3 * value, size=290),))])
        assert journal.shelves() == []

    def test_shelves_are_counted(self) -> None:
        """Their results, the bytes of these, and when the oldest was recorded."""
        journal, epoch = self.owned()
        results = (a_result("a", at=70), a_result("b", value=b"12", at=60), a_result(shelf="a/b", value=b""))
        journal.commit(epoch, [Change(cached=results)])
        first, second = self.beside(journal).shelves()
        assert first == ShelfRecord(shelf="a/b", results=1, size=0, oldest=50)
        assert second == ShelfRecord(shelf="index/embed", results=2, size=second.size, oldest=60)
        assert second.size >= len(b"[0.5]12")

    def test_pruning_removes_results_that_are_too_old(self) -> None:
        """Not those of the runs that it removes: a result is for others."""
        journal, epoch = self.owned(
            replace(start("r", over=True), cached=(a_result("old", until=4_999), a_result("young", until=5_000))),
            start("other"),
        )
        assert journal.prune(epoch, 5_000, 7_000, dry=True).cached == 1
        assert journal.cached("index/embed", "old") is not None
        pruned = journal.prune(epoch, 5_000, 7_000, dry=False)
        assert (pruned.runs, pruned.cached) == (1, 1)
        assert journal.cached("index/embed", "old") is None
        assert journal.cached("index/embed", "young") is not None
