"""The contract of keeping: the log of all runs, and what is removed from it."""
# ruff: noqa: S101 - a suite of tests, shipped

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec.structs import replace

from persistence.contract.making import OpensJournals, a_message, a_run, an_entry, refused, start, step
from persistence.errors import Fenced, Unsuitable
from persistence.records import AnswerRecord, CachedRecord, Change, Pruned, Query, SavedRecord, SeenRecord


class Keeping(OpensJournals):
    """What an operator asks."""

    def test_the_log_has_the_entries_of_all_runs_in_the_order_of_their_commits(self) -> None:
        """In pages, and from the end."""
        journal, epoch = self.owned(start("a"), start("b"))
        journal.commit(epoch, [step("b"), step("a")])
        whole = journal.log(0, 10)
        assert [(entry.run, entry.seq) for entry in whole] == [("a", 1), ("b", 1), ("b", 2), ("a", 2)]
        assert replace(whole[2], number=0) == an_entry("b", 2)
        assert journal.log(whole[1].number, 1) == [whole[2]]
        assert journal.log(-1, 2) == whole[2:]
        assert journal.log(whole[3].number, 9) == []

    def test_pruning_removes_what_is_over_and_old_and_nothing_else(self) -> None:
        """Its entries, tags and answered messages too; a dry one only counts; the others are as they were."""
        journal, epoch = self.owned(start("old", over=True, tags={"k": "1"}), start("young"), start("open"))
        told = journal.put(a_message("told", "old"))
        waiting = journal.put(a_message("waiting", "old"))
        journal.commit(epoch, [Change(answers=(AnswerRecord(number=told.number, verdict="refused"),))])
        journal.commit(epoch, [step("young", over=True, updated=9_000)])
        kept = [SavedRecord(run=run, visit=1, at=5, value=b"7") for run in ("old", "open")]
        journal.commit(epoch, [Change(saved=tuple(kept))])
        expected = Pruned(runs=1, entries=1, messages=1)
        assert journal.prune(epoch, 5_000, 7_000, dry=True) == expected
        assert journal.run("old") is not None
        assert journal.prune(epoch, 5_000, 7_000, dry=False) == expected
        assert [run.run for run in journal.runs(Query())] == ["open", "young"]
        assert journal.runs(Query(tags={"k": "1"})) == []
        assert journal.entries("old") == []
        assert journal.saves() == [("open", 1)]
        assert [(entry.run, entry.seq) for entry in journal.log(0, 9)] == [("young", 1), ("open", 1), ("young", 2)]
        assert journal.message(told.number) is None
        assert journal.message(waiting.number) == waiting
        assert journal.prune(epoch, 5_000, 7_000, dry=False) == Pruned()

    def test_ids_of_a_pruned_run_are_remembered_for_their_time(self) -> None:
        """A resend gets the first verdict until then; the run's id may be given again meanwhile."""
        seen = SeenRecord(run="old", id="e1", seq=1, verdict="accepted", digest=b"\x01")
        journal, epoch = self.owned(replace(start("old", over=True), seen=(seen,)), start("other"))
        assert journal.prune(epoch, 5_000, 7_000, dry=False).remembered == 1
        assert journal.seen("old", "e1") == seen
        assert journal.commit(epoch, [start("old"), step("other", updated=9_000)]) == [None, None]
        assert journal.seen("old", "e1") == seen
        assert journal.prune(epoch, 7_000, 9_000, dry=False).forgotten == 0
        assert journal.prune(epoch, 7_001, 9_000, dry=False).forgotten == 1
        assert journal.seen("old", "e1") is None

    def test_what_is_over_is_told_by_its_age(self) -> None:
        """The oldest first, up to a limit; what is not over, or not so old, is not among it."""
        journal, epoch = self.owned(
            start("a", over=True, updated=30), start("b", over=True, updated=10), start("c", updated=5)
        )
        journal.commit(epoch, [start("d", over=True, updated=20), start("e", over=True, updated=40)])
        assert journal.ended(40, 9) == [10, 20, 30]
        assert journal.ended(40, 2) == [10, 20]
        assert journal.ended(10, 9) == []

    def test_numbers_of_the_log_and_of_messages_are_never_given_twice(self) -> None:
        """Not even when the last ones were pruned."""
        journal, epoch = self.owned(start("a", over=True), start("b", over=True))
        first = journal.put(a_message("m", "a"))
        journal.commit(epoch, [Change(answers=(AnswerRecord(number=first.number, verdict="refused"),))])
        last = journal.log(-1, 1)[0].number
        journal.prune(epoch, 9_000, 9_000, dry=False)
        assert journal.put(a_message("n", "b")).number > first.number
        journal.commit(epoch, [start("c")])
        assert journal.log(-1, 1)[0].number > last

    def test_only_the_owner_prunes(self) -> None:
        """Another's epoch is refused."""
        journal, epoch = self.owned(start("a", over=True))
        refused(Fenced, lambda: journal.prune(epoch + 1, 9_000, 9_000, dry=False))

    def test_sizes_are_told(self) -> None:
        """In bytes, of the data and of the log in use."""
        journal, _ = self.owned(start())
        data, log = journal.size()
        assert data >= 0
        assert log >= 0

    def test_erasing_blanks_what_people_and_workflows_wrote_and_keeps_the_rest(self) -> None:
        """Snapshot, input, tags, bodies, reasons, answers, results for others; of this run only; then it goes on."""
        secret = b"4711"
        marked: dict[str, Any] = {"snapshot": secret, "input": secret, "tags": {"who": "ada"}}
        journal, epoch = self.owned(start(**marked), start("other", **marked))
        for run in ("r", "other"):
            told = journal.put(a_message("told", run, body=secret, reason="4711"))
            journal.put(a_message("waits", run, body=secret, reason="4711"))
            entry = an_entry(run, 2, body=secret, reason="4711", event_id="e1", actor="ada")
            answer = AnswerRecord(number=told.number, verdict="refused", answer=secret)
            kept = CachedRecord(shelf="s", key=run, run=run, visit=1, at=1, until=9, value=secret, most=9, size=99)
            progress = SavedRecord(run=run, visit=1, at=1, value=secret)
            seen = SeenRecord(run=run, id="e1", seq=2, verdict="accepted", digest=secret)
            moved = Change(run=a_run(run, 2, over=True, **marked), expected=1, entries=(entry,), answers=(answer,))
            assert journal.commit(epoch, [replace(moved, seen=(seen,), cached=(kept,), saved=(progress,))]) == [None]
        before, last = journal.run("r"), an_entry("r", 3, kind="erase", body=b"", reason="asked for", actor="bob")
        assert before is not None
        after = replace(before, seq=3)
        assert journal.commit(epoch, [Change(run=after, expected=2, erased=True, entries=(last,))]) == [None]
        assert journal.run("r") == replace(after, snapshot=b"", input=b"", tags={})
        first, second, third = journal.entries("r")
        assert (first, third) == (an_entry(kind="start", body=b""), last)
        assert second == an_entry("r", 2, body=b"", event_id="e1", actor="ada")
        known = SeenRecord(run="r", id="e1", seq=2, verdict="accepted")
        assert journal.seen("r", "e1") == known
        assert journal.seen("other", "e1") == replace(known, run="other", digest=secret)
        assert [message.body for message in journal.inbox(0, 9)] == [b"", secret]
        told_again = journal.message(1)
        assert told_again == a_message("told", "r", body=b"", number=1, verdict="refused")
        assert (journal.cached("s", "r"), journal.cached("s", "other") is None) == (None, False)
        assert (journal.saved("r", 1), journal.saved("other", 1) is None) == (None, False)
        assert [run.run for run in journal.runs(Query(tags={"who": "ada"}))] == ["other"]
        untouched = journal.run("other")
        assert untouched is not None
        assert (untouched.erased, untouched.snapshot, journal.entries("other")[1].body) == (False, secret, secret)

    def test_what_is_to_be_erased_and_has_moved_since_is_left_whole(self) -> None:
        """As every change that comes too late."""
        journal, epoch = self.owned(start(), step(over=True))
        (failure,) = journal.commit(epoch, [Change(run=a_run(seq=2), expected=1, erased=True)])
        assert failure is not None
        run = journal.run("r")
        assert run is not None
        assert not run.erased

    def test_a_backup_is_made_once_and_overwrites_nothing(self) -> None:
        """Or is refused, where there is no file to copy; a file of that name is left as it was."""
        journal, _ = self.owned(start())
        with TemporaryDirectory() as folder:
            to = Path(folder) / "copy.db"
            with suppress(Unsuitable):
                journal.backup(to)
                assert to.stat().st_size > 0
            to.write_bytes(b"another")
            assert str(to) in refused(Unsuitable, lambda: journal.backup(to))
            assert to.read_bytes() == b"another"
            assert [path.name for path in Path(folder).iterdir()] == ["copy.db"]
