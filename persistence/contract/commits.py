"""The contract of committing: all or nothing, in order, each change by itself."""
# ruff: noqa: S101 - a suite of tests, shipped

from __future__ import annotations

from typing import Any

from persistence.contract.making import OpensJournals, a_message, a_run, an_entry, start, step
from persistence.errors import Stale
from persistence.records import (
    AnswerRecord,
    AttemptRecord,
    Change,
    LiveGroup,
    Query,
    SavedRecord,
    SeenRecord,
)


class Commits(OpensJournals):
    """What is committed is there, whole."""

    # ---------------------------------------------------------------------------------------------------------- commits

    def test_what_is_committed_is_read_back(self) -> None:
        """A run comes back with every column, its journal with every line."""
        run = a_run(
            due=9,
            busy=True,
            incidents=2,
            paused=True,
            held="why",
            tags={"region": "north", "branch": "7"},
            states=("checks.fraud", "checks.income"),
        )
        entry = an_entry(name="Approve", event_id="e1", actor="ada", reason="because", states=("a", "b.c"))
        journal, _ = self.owned(Change(run=run, entries=(entry,)))
        assert journal.run("r") == run
        assert journal.entries("r") == [entry]
        assert journal.run("other") is None
        assert journal.entries("other") == []

    def test_another_handle_sees_what_is_committed(self) -> None:
        """A commit is seen by others at once."""
        journal, epoch = self.owned(start())
        other = self.beside(journal)
        assert other.run("r") == a_run()
        journal.commit(epoch, [step(seq=2, status="completed", over=True)])
        assert other.run("r") == a_run(seq=2, status="completed", over=True)

    def test_every_column_that_may_change_changes(self) -> None:
        """A transition may replace all but what a run was started with."""
        journal, epoch = self.owned(start())
        changed = a_run(
            seq=2,
            workflow="loan-2",
            version=3,
            definition="d2",
            status="undoing",
            states=("a.b",),
            busy=True,
            due=11,
            incidents=1,
            paused=True,
            held="held",
            updated=99,
            snapshot=b"new",
        )
        assert journal.commit(epoch, [Change(run=changed, expected=1)]) == [None]
        assert journal.run("r") == changed
        back = a_run(seq=3)
        assert journal.commit(epoch, [Change(run=back, expected=2)]) == [None]
        assert journal.run("r") == back

    def test_a_run_is_started_once(self) -> None:
        """A second start of an id is stale and changes nothing."""
        journal, epoch = self.owned(start())
        (failure,) = journal.commit(epoch, [start(status="other")])
        assert isinstance(failure, Stale)
        assert "'r'" in str(failure)
        assert journal.run("r") == a_run()

    def test_a_change_must_know_where_the_run_is(self) -> None:
        """One made for another seq is stale, whether too old, too new, or for a run that is not there."""
        journal, epoch = self.owned(start(), start("s"), step("s"))
        failures = journal.commit(epoch, [step("s", 2), step("s", 9), step("nobody"), step("r")])
        assert [type(failure) for failure in failures] == [Stale, Stale, Stale, type(None)]
        assert "is at 2" in str(failures[0])
        assert journal.run("s") == a_run("s", 2)

    def test_changes_build_upon_each_other_within_one_commit(self) -> None:
        """A run may move several times in one commit, in order."""
        journal, epoch = self.owned()
        assert journal.commit(epoch, [start(), step(seq=2), step(seq=3)]) == [None] * 3
        assert [entry.seq for entry in journal.entries("r")] == [1, 2, 3]
        assert journal.run("r") == a_run(seq=3)

    def test_a_failing_change_leaves_no_trace_and_disturbs_no_other(self) -> None:
        """Nothing of it is there, and all of the others is, before it and behind it."""
        journal, epoch = self.owned(start("x"))
        queued = journal.put(a_message("waiting"))
        bad = Change(
            run=a_run("x", 3),
            expected=2,
            entries=(an_entry("x", 3),),
            seen=(SeenRecord(run="x", id="e", seq=3, verdict="taken"),),
            answers=(AnswerRecord(number=queued.number, verdict="taken"),),
            messages=(a_message("sent"),),
            begun=(AttemptRecord(run="x", visit=1, step="hold", epoch=epoch),),
            saved=(SavedRecord(run="x", visit=1, at=5, value=b"7"),),
        )
        failures = journal.commit(epoch, [start("a"), bad, start("b")])
        assert [type(failure) for failure in failures] == [type(None), Stale, type(None)]
        assert journal.run("a") == a_run("a")
        assert journal.run("b") == a_run("b")
        assert journal.run("x") == a_run("x")
        assert len(journal.entries("x")) == 1
        assert journal.seen("x", "e") is None
        assert journal.inbox(0, 10) == [queued]
        assert journal.attempts() == []
        assert journal.saves() == []

    def test_a_journal_line_is_written_once(self) -> None:
        """A change that writes a line which is there already fails as a whole, alone or among others."""
        journal, epoch = self.owned(start(), step())
        twice = Change(run=a_run(seq=3), expected=2, entries=(an_entry(seq=2),))
        (failure,) = journal.commit(epoch, [twice])
        assert isinstance(failure, Stale)
        first, second = journal.commit(epoch, [twice, start("s")])
        assert isinstance(first, Stale)
        assert second is None
        (third,) = journal.commit(epoch, [Change(entries=(an_entry("nobody"),))])
        assert isinstance(third, Stale)
        assert journal.run("r") == a_run(seq=2)
        assert journal.run("s") == a_run("s")

    def test_an_empty_commit_is_a_commit(self) -> None:
        """It finds out whether one is still the owner."""
        journal, epoch = self.owned()
        assert journal.commit(epoch, []) == []

    # ------------------------------------------------------------------------------------------------------------- work

    def test_work_is_called_and_its_change_committed(self) -> None:
        """A change may be made by a function, which is called in its place among the others."""
        journal, epoch = self.owned()
        order: list[str] = []

        def work(_: Any) -> Change:
            order.append("called")
            return start("worked")

        assert journal.commit(epoch, [start("a"), work, step("worked")]) == [None] * 3
        assert order == ["called"]
        assert journal.run("worked") == a_run("worked", 2)

    def test_what_work_raises_is_its_result(self) -> None:
        """An error of the application reaches the one who asked, and nobody else."""
        journal, epoch = self.owned()
        raised = LookupError("no such account")

        def work(_: Any) -> Change:
            raise raised

        assert journal.commit(epoch, [work]) == [raised]
        assert journal.commit(epoch, [start("a"), work, start("b")]) == [None, raised, None]
        assert journal.count(Query()) == 2

    def test_work_whose_change_is_stale_fails_like_any_other(self) -> None:
        """What it returns is checked like any change."""
        journal, epoch = self.owned(start())
        (failure,) = journal.commit(epoch, [lambda _: step(seq=7)])
        assert isinstance(failure, Stale)

    def test_columns_that_seldom_change_are_written_when_they_do(self) -> None:
        """However often they stayed the same before, and also where a hold has written them in between."""
        journal, epoch = self.owned(start(), step(seq=2), step(seq=3))
        journal.hold(epoch, LiveGroup(workflow="loan", definition="d1", states=("review",), runs=1), "why")
        story: list[dict[str, Any]] = [{}, {}, {"incidents": 1}, {"incidents": 1}, {}, {"due": 7}, {"due": 7}, {}]
        for seq, columns in enumerate(story, 4):
            assert journal.commit(epoch, [step(seq=seq, **columns)]) == [None]
            assert journal.run("r") == a_run(seq=seq, **columns)
        failed, written = journal.commit(epoch, [step(seq=8), step(seq=12, due=9)])
        assert isinstance(failed, Stale)
        assert written is None
        assert journal.commit(epoch, [step(seq=13, due=9), step(seq=14, due=9)]) == [None, None]
        assert journal.run("r") == a_run(seq=14, due=9)
