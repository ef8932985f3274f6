"""The contract of notices: each is there from its change until somebody was told."""
# ruff: noqa: S101 - a suite of tests, shipped

from __future__ import annotations

from msgspec.structs import replace

from persistence.contract.making import OpensJournals, start, step
from persistence.records import Change, NoticeRecord

BODY = b'{"n":1}'


def _notice(run: str = "r", at: int = 5) -> NoticeRecord:
    return NoticeRecord(run=run, kind="incident", at=at, body=BODY)


class Noticing(OpensJournals):
    """A notice outlives whoever wrote it."""

    def test_notices_are_kept_in_their_order_until_delivered(self) -> None:
        """In pages, for every handle; one that is delivered twice does no harm, and no number is given again."""
        journal, epoch = self.owned(start("a"))
        moved = replace(step("a"), notices=(_notice("a"), _notice("a", 6)))
        assert journal.commit(epoch, [moved, Change(notices=(_notice("b", 7),))]) == [None, None]
        kept = self.beside(journal).notices(0, 10)
        assert [(one.run, one.at, one.body) for one in kept] == [("a", 5, BODY), ("a", 6, BODY), ("b", 7, BODY)]
        assert journal.notices(kept[0].number, 1) == [kept[1]]
        journal.commit(epoch, [Change(delivered=(kept[2].number, kept[0].number))])
        journal.commit(epoch, [Change(delivered=(kept[0].number,))])
        assert self.beside(journal).notices(0, 10) == [kept[1]]
        journal.commit(epoch, [Change(notices=(_notice("c"),))])
        assert journal.notices(0, 10)[-1].number > kept[2].number

    def test_a_notice_is_all_or_nothing_with_its_change(self) -> None:
        """One of a transition that was not made is told to nobody."""
        journal, epoch = self.owned(start())
        journal.commit(epoch, [replace(step(seq=7), notices=(_notice(),))])
        assert journal.notices(0, 10) == []

    def test_a_notice_outlives_its_run(self) -> None:
        """Nobody was told of it yet."""
        journal, epoch = self.owned(replace(start("old", over=True), notices=(_notice("old"),)), start("other"))
        assert journal.prune(epoch, 5_000, 7_000, dry=False).runs == 1
        assert [one.run for one in journal.notices(0, 10)] == ["old"]

    def test_what_is_wanted_stays_so(self) -> None:
        """Until it is said anew; a change that says nothing changes nothing."""
        journal, epoch = self.owned()
        assert journal.wanted() == frozenset()
        journal.commit(epoch, [Change(wanted=("incident", "failed"))])
        journal.commit(epoch, [start()])
        assert self.beside(journal).wanted() == {"incident", "failed"}
        journal.commit(epoch, [Change(wanted=())])
        assert self.beside(journal).wanted() == frozenset()
