"""The contract of fan-outs: the items of a visit, what came of each, and how far it is."""
# ruff: noqa: S101 - a suite of tests, shipped

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from persistence.contract.making import OpensJournals, refused, start, step
from persistence.errors import Fenced, Stale
from persistence.records import Change, FanRecord, GivenRecord, ItemRecord


def a_fan(run: str = "r", visit: int = 3, **columns: Any) -> FanRecord:
    """A fan-out."""
    plain: dict[str, Any] = {"step": "store", "total": 5, "most": 2}
    return FanRecord(run=run, visit=visit, **{**plain, **columns})


def an_item(number: int, run: str = "r", visit: int = 3, **columns: Any) -> ItemRecord:
    """What came of an item, with every column filled."""
    plain: dict[str, Any] = {"state": "done", "attempts": 2, "crashes": 1, "due": 8, "at": 7, "body": b'"x"'}
    return ItemRecord(run=run, visit=visit, number=number, **{**plain, **columns})


class Fanning(OpensJournals):
    """What is known of many items stands beside their run, each written by itself."""

    def test_items_are_read_back_by_number(self) -> None:
        """In pages, from the one after, with and without their bodies; forward and back apart."""
        journal, epoch = self.owned(start())
        there = [an_item(number) for number in (4, 0, 2)]
        undo = an_item(2, back=True, due=None)
        assert journal.commit(epoch, [Change(items=(one,)) for one in (*there, undo)]) == [None] * 4
        assert journal.items("r", 3) == [an_item(0), an_item(2), an_item(4)]
        assert journal.items("r", 3, after=0, limit=1) == [an_item(2)]
        assert journal.items("r", 3, bodies=False)[0] == replace(an_item(0), body=b"")
        assert journal.items("r", 3, back=True) == [undo]
        assert journal.items("r", 4) == []
        assert journal.items("other", 3) == []

    def test_the_last_word_on_an_item_stands(self) -> None:
        """It replaces what was there, and the run is as it was."""
        journal, epoch = self.owned(start(), Change(items=(an_item(0, state="waiting"), an_item(1))))
        journal.commit(epoch, [Change(items=(an_item(0, due=None, body=b"2"),))])
        assert journal.items("r", 3) == [an_item(0, due=None, body=b"2"), an_item(1)]
        record = journal.run("r")
        assert record is not None
        assert record.seq == 1
        assert len(journal.entries("r")) == 1

    def test_given_items_are_found_by_any_number_of_their_page(self) -> None:
        """Each page is written once."""
        first = GivenRecord(run="r", visit=3, first=0, items=b"[1,2,3]")
        second = GivenRecord(run="r", visit=3, first=3, items=b"[4,5]")
        journal, epoch = self.owned(start(), Change(fans=(a_fan(),), given=(second, first)))
        assert [journal.given("r", 3, number) for number in range(5)] == [first] * 3 + [second] * 2
        assert journal.given("r", 4, 0) is None
        (failure,) = journal.commit(epoch, [Change(given=(replace(first, items=b"[9]"),))])
        assert isinstance(failure, Stale)
        assert journal.given("r", 3, 0) == first

    def test_a_fan_out_is_counted_by_what_became_of_its_items(self) -> None:
        """By state, forward and back."""
        items = (an_item(0), an_item(1), an_item(2, state="failed"), an_item(1, back=True))
        journal, epoch = self.owned(start(), Change(fans=(a_fan(), a_fan(visit=2)), items=items))
        assert journal.fan("r", 3) == a_fan()
        assert journal.fan("r", 9) is None
        journal.commit(epoch, [Change(fans=(a_fan(most=7),))])
        assert journal.fan("r", 3) == a_fan(most=7)
        second, third = journal.fans("r")
        assert (second.fan, second.forward, second.back) == (a_fan(visit=2), {}, {})
        assert (third.fan, third.forward, third.back) == (a_fan(most=7), {"done": 2, "failed": 1}, {"done": 1})
        assert journal.fans("other") == []

    def test_items_need_their_run_and_their_owner(self) -> None:
        """Those of no run are stale, alone or among others; another's epoch is refused."""
        journal, epoch = self.owned(start())
        first, second = journal.commit(epoch, [Change(items=(an_item(0, run="nobody"),)), Change(items=(an_item(1),))])
        assert isinstance(first, Stale)
        assert second is None
        (third,) = journal.commit(epoch, [Change(fans=(a_fan("nobody"),))])
        assert isinstance(third, Stale)
        refused(Fenced, lambda: journal.commit(epoch + 1, [Change(items=(an_item(2),))]))
        assert journal.items("r", 3) == [an_item(1)]

    def test_items_may_stand_in_the_change_that_moves_their_run(self) -> None:
        """All or nothing, as the rest of it."""
        journal, epoch = self.owned(start())
        assert journal.commit(epoch, [replace(step(), items=(an_item(0),))]) == [None]
        (failure,) = journal.commit(epoch, [replace(step(seq=9), items=(an_item(1),))])
        assert isinstance(failure, Stale)
        assert journal.items("r", 3) == [an_item(0)]

    def test_pruning_takes_items_along(self) -> None:
        """Those of the run that goes, and no others."""
        given = GivenRecord(run="old", visit=3, first=0, items=b"[1]")
        journal, epoch = self.owned(
            start("old", over=True),
            start("r"),
            Change(fans=(a_fan("old"), a_fan()), given=(given,), items=(an_item(0, run="old"), an_item(0))),
        )
        assert journal.prune(epoch, 5_000, 7_000, dry=True).items == 1
        pruned = journal.prune(epoch, 5_000, 7_000, dry=False)
        assert (pruned.runs, pruned.items) == (1, 1)
        assert (journal.fans("old"), journal.items("old", 3), journal.given("old", 3, 0)) == ([], [], None)
        assert journal.items("r", 3) == [an_item(0)]
