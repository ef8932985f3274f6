"""The contract of holding: what a person holds back, and what it keeps from being due."""
# ruff: noqa: S101 - a suite of tests, shipped

from __future__ import annotations

from msgspec.structs import replace

from persistence.contract.making import OpensJournals, start, step
from persistence.records import Change, HoldRecord

LATER = 9_000


class Holding(OpensJournals):
    """A hold is a row; it outlives whoever wrote it."""

    def test_what_is_held_is_listed_until_it_is_released(self) -> None:
        """By workflow and step, for every handle; a release of what is not held does no harm."""
        journal, epoch = self.owned()
        everything = HoldRecord(workflow="", at=LATER)
        whole = HoldRecord(workflow="loan", reason="the bank is down", actor="ada", at=LATER)
        one = HoldRecord(workflow="loan", step="pay", at=LATER)
        assert journal.holds() == []
        assert journal.commit(epoch, [Change(holds=(one, everything)), Change(holds=(whole,))]) == [None, None]
        assert self.beside(journal).holds() == [everything, whole, one]
        journal.commit(epoch, [Change(released=(("loan", ""), ("loan", "ship")))])
        assert self.beside(journal).holds() == [everything, one]

    def test_a_hold_is_all_or_nothing_with_its_change(self) -> None:
        """One that stands in a change that fails is not there."""
        journal, epoch = self.owned(start())
        bad = replace(step(seq=7), holds=(HoldRecord(workflow="loan", at=LATER),))
        journal.commit(epoch, [bad])
        assert journal.holds() == []

    def test_a_hold_again_keeps_its_time(self) -> None:
        """Who and why are those of the last; since when, of the first."""
        journal, epoch = self.owned(Change(holds=(HoldRecord(workflow="loan", actor="ada", at=LATER),)))
        again = HoldRecord(workflow="loan", actor="bob", reason="still down", at=LATER + 5)
        journal.commit(epoch, [Change(holds=(again,))])
        assert journal.holds() == [replace(again, at=LATER)]

    def test_a_hold_is_not_before_the_last_move_of_a_run_with_work(self) -> None:
        """Whatever the clock says: so what a run comes to later than the hold, it has come to under it."""
        journal, epoch = self.owned(
            start("busy", busy=True, updated=50),
            start("stuck", busy=True, held="why", updated=60),
            start("idle", updated=70),
            start("over", busy=True, over=True, updated=80),
        )
        journal.commit(epoch, [Change(holds=(HoldRecord(workflow="loan", at=10),))])
        assert journal.holds() == [HoldRecord(workflow="loan", at=60)]

    def test_nothing_is_due_in_a_workflow_that_is_held(self) -> None:
        """As a whole, by its own name or with every other; a held step holds no deadline. A release gives it back."""
        journal, epoch = self.owned(start("a", due=1), start("b", due=2, workflow="desk"), start("c", due=3))
        for hold, due in (
            (HoldRecord(workflow="loan", step="pay", at=LATER), [(1, "a"), (2, "b"), (3, "c")]),
            (HoldRecord(workflow="loan", at=LATER), [(2, "b")]),
            (HoldRecord(workflow="", at=LATER), []),
        ):
            journal.commit(epoch, [Change(holds=(hold,))])
            assert journal.due(9, 9) == due
            assert journal.next_due() == (due[0][0] if due else None)
            journal.commit(epoch, [Change(released=((hold.workflow, hold.step),))])
            assert journal.next_due() == 1
