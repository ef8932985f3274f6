"""The contract of reading: what is to do, and what there is."""
# ruff: noqa: S101 - a suite of tests, shipped

from __future__ import annotations

from msgspec.structs import replace

from persistence.contract.making import OpensJournals, a_run, start, step
from persistence.journal import Journal
from persistence.records import (
    AttemptRecord,
    Change,
    LiveGroup,
    Query,
    SavedRecord,
)


class Reading(OpensJournals):
    """What a runner and its users ask."""

    # ---------------------------------------------------------------------------------------------------- what is to do

    def test_deadlines_come_in_their_order(self) -> None:
        """Earliest first, in batches, without runs that are over, held or paused."""
        journal, epoch = self.owned(
            start("late", due=30),
            start("early", due=10),
            start("b", due=20),
            start("a", due=20),
            start("none"),
            start("over", due=1, over=True),
            start("held", due=2, held="why"),
            start("paused", due=3, paused=True),
        )
        assert journal.next_due() == 10
        assert journal.due(25, 10) == [(10, "early"), (20, "a"), (20, "b")]
        assert journal.due(20, 2) == [(10, "early"), (20, "a")]
        assert journal.due(9, 10) == []
        journal.commit(epoch, [step("early", due=None), step("a", due=40), step("b", over=True, due=20)])
        assert journal.next_due() == 30
        assert journal.due(99, 10) == [(30, "late"), (40, "a")]

    def test_nothing_is_due_when_nothing_is_set(self) -> None:
        """An empty journal has no deadline."""
        journal = self.open()
        assert journal.next_due() is None
        assert journal.due(10**18, 10) == []

    def test_busy_runs_are_listed_in_pages(self) -> None:
        """By id, without those that are over or held; paused ones are among them."""
        journal, epoch = self.owned(
            *(start(f"r{n}", busy=True) for n in (3, 1, 2)),
            start("idle"),
            start("over", busy=True, over=True),
            start("held", busy=True, held="why"),
            start("paused", busy=True, paused=True),
        )
        assert _busy(journal, "", 10) == ["paused", "r1", "r2", "r3"]
        assert _busy(journal, "", 2) == ["paused", "r1"]
        assert _busy(journal, "r1", 2) == ["r2", "r3"]
        assert journal.busy("r2", 1) == [journal.run("r3")], "each with its snapshot"
        journal.commit(epoch, [step("r2", busy=False), step("idle", busy=True)])
        assert _busy(journal, "", 10) == ["idle", "paused", "r1", "r3"]

    def test_attempts_are_kept_until_they_end(self) -> None:
        """Begun again, it is replaced; ended, it is gone; ended without having begun does no harm."""
        journal, epoch = self.owned(start())
        one = AttemptRecord(run="r", visit=1, step="hold", epoch=epoch)
        two = AttemptRecord(run="r", visit=2, step="pay", epoch=epoch)
        again = replace(one, epoch=epoch + 1, crashes=2)
        journal.commit(epoch, [Change(begun=(two, one))])
        assert journal.attempts() == [one, two]
        journal.commit(epoch, [Change(begun=(again,), ended=(("r", 2), ("r", 9)))])
        assert self.beside(journal).attempts() == [again]

    def test_the_last_that_a_visit_saved_is_kept_until_it_is_dropped(self) -> None:
        """Saved again, it is replaced; another visit's is its own; the run and its journal stay as they are."""
        journal, epoch = self.owned(start())
        first = SavedRecord(run="r", visit=1, at=5, value=b"6")
        last = SavedRecord(run="r", visit=1, at=9, value=b"\x00\xff")
        other = SavedRecord(run="r", visit=2, at=7, value=b"")
        assert journal.saved("r", 1) is None
        assert (
            journal.commit(epoch, [Change(saved=(first,)), Change(saved=(other,)), Change(saved=(last,))]) == [None] * 3
        )
        assert self.beside(journal).saved("r", 1) == last
        assert journal.saved("r", 2) == other
        assert journal.saves() == [("r", 1), ("r", 2)]
        assert journal.run("r") == a_run()
        assert len(journal.entries("r")) == 1
        journal.commit(epoch, [Change(dropped=(("r", 1), ("r", 9)))])
        assert journal.saved("r", 1) is None
        assert journal.saves() == [("r", 2)]

    def test_live_runs_are_grouped(self) -> None:
        """By workflow, definition and states, with the time of the stillest one; what is over does not count."""
        journal, epoch = self.owned(
            start("a"),
            start("b", updated=7),
            start("c", states=("x", "y")),
            start("d", definition="d2"),
            start("e", over=True),
        )
        assert journal.live() == [
            LiveGroup(workflow="loan", definition="d1", states=("review",), runs=2, stood=7),
            LiveGroup(workflow="loan", definition="d1", states=("x", "y"), runs=1, stood=2_001),
            LiveGroup(workflow="loan", definition="d2", states=("review",), runs=1, stood=2_001),
        ]
        journal.commit(epoch, [step("a", over=True)])
        assert journal.live()[0].runs == 1

    def test_a_group_is_held_and_released(self) -> None:
        """Exactly its runs, and only those that are not over; a release puts them back to work."""
        journal, epoch = self.owned(
            start("a", busy=True, due=1), start("b", states=("x",), busy=True, due=2), start("c", over=True)
        )
        group = LiveGroup(workflow="loan", definition="d1", states=("review",), runs=1)
        journal.hold(epoch, group, "its state is gone")
        held = [run.run for run in journal.runs(Query(held=True))]
        assert held == ["a"]
        found = journal.run("a")
        assert found is not None
        assert found.held == "its state is gone"
        assert _busy(journal, "", 10) == ["b"]
        assert journal.due(9, 9) == [(2, "b")]
        assert journal.commit(epoch, [step("a", held="its state is gone")]) == [None]
        journal.hold(epoch, group, "")
        assert journal.runs(Query(held=True)) == []

    def test_tidying_changes_nothing_that_can_be_read(self) -> None:
        """It is housekeeping."""
        journal, epoch = self.owned(start())
        journal.tidy(epoch)
        assert journal.run("r") == a_run()

    # ---------------------------------------------------------------------------------------------------------- listing

    def test_listing_gives_the_newest_start_first_in_pages(self) -> None:
        """Each run once, whatever the pages' size; of runs started at one time, the one committed last comes first."""
        starts = {"a": 5, "b": 9, "c": 5, "d": 1, "e": 5}
        journal, epoch = self.owned(*(start(run, started=at) for run, at in starts.items()))
        expected = ["b", "e", "c", "a", "d"]
        assert [run.run for run in journal.runs(Query())] == expected
        for limit in (1, 2, 3, 5):
            paged: list[str] = []
            while page := journal.runs(Query(limit=limit, after=paged[-1] if paged else None)):
                assert len(page) <= limit
                paged += [run.run for run in page]
            assert paged == expected
        journal.commit(epoch, [step("d", started=1)])
        assert [run.run for run in journal.runs(Query())] == expected

    def test_listing_leaves_the_snapshot_out(self) -> None:
        """All else is there."""
        journal, _ = self.owned(start(tags={"a": "b"}))
        assert journal.runs(Query()) == [a_run(tags={"a": "b"}, snapshot=b"")]

    def test_listing_knows_each_condition(self) -> None:
        """One by one, and all that are given together; the count agrees."""
        journal, _ = self.owned(
            start("a", workflow="other", started=1, tags={"k": "1", "l": "x"}),
            start("b", status="failed", started=2, tags={"k": "1"}, incidents=1),
            start("c", states=("checks.fraud", "checks.income"), started=3, tags={"k": "2"}, held="why"),
            start("d", states=("checks",), started=4, paused=True, updated=1),
            start("e", states=("checksum",), started=5),
        )
        asked = {
            "a": Query(workflow="other"),
            "b": Query(status="failed"),
            "dc": Query(state="checks"),
            "c": Query(state="checks.fraud"),
            "ba": Query(tags={"k": "1"}),
            "a ": Query(tags={"k": "1", "l": "x"}),
            "b ": Query(incident=True),
            "edca": Query(incident=False),
            "c ": Query(held=True),
            "edba": Query(held=False),
            "d": Query(paused=True),
            "ecba": Query(paused=False),
            "ba ": Query(started_before=3),
            "ed": Query(started_after=3),
            "d ": Query(updated_before=2),
            "edc": Query(workflow="loan", status="running"),
            "b  ": Query(tags={"k": "1"}, workflow="loan"),
            "": Query(tags={"k": "1"}, workflow="other", status="failed"),
            "c  ": Query(state="checks", tags={"k": "2"}, held=True, started_after=2),
        }
        for found, query in asked.items():
            assert [run.run for run in journal.runs(query)] == list(found.strip()), query
            assert journal.count(replace(query, limit=1, after="a")) == len(found.strip()), query

    def test_pages_with_conditions_go_on_where_they_ended(self) -> None:
        """The last run of a page need not meet the conditions any more."""
        journal, epoch = self.owned(*(start(f"r{n}", started=n, tags={"t": "1"}, status="running") for n in range(6)))
        first = [run.run for run in journal.runs(Query(tags={"t": "1"}, status="running", limit=2))]
        assert first == ["r5", "r4"]
        journal.commit(epoch, [step("r4", started=4, tags={"t": "1"}, status="failed")])
        second = [run.run for run in journal.runs(Query(tags={"t": "1"}, status="running", limit=2, after="r4"))]
        assert second == ["r3", "r2"]

    def test_a_journal_is_read_in_pages(self) -> None:
        """From the entry after a number, oldest first."""
        journal, _ = self.owned(start(), *(step(seq=seq) for seq in range(2, 8)))
        assert [entry.seq for entry in journal.entries("r", after=2, limit=3)] == [3, 4, 5]
        assert [entry.seq for entry in journal.entries("r", after=6)] == [7]
        assert journal.entries("r", after=7) == []


def _busy(journal: Journal, after: str, limit: int) -> list[str]:
    return [run.run for run in journal.busy(after, limit)]
