"""What every journal must do, as tests: subclass `JournalContract`, say how a journal is opened, let pytest collect it.

```python
class TestMine(JournalContract):
    def open(self): return MyJournal(...)            # a new, empty one
    def beside(self, journal): return MyJournal(...) # over the same store, as another process would have it
```

Nothing here needs pytest itself. Leases are asked for with 0 seconds where one must have run out, so no test waits.
"""
# ruff: noqa: S101 - a suite of tests, shipped

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from persistence.errors import Fenced, Owned, Stale
from persistence.journal import Journal
from persistence.records import (
    AnswerRecord,
    AttemptRecord,
    Change,
    EntryRecord,
    LiveGroup,
    MessageRecord,
    Query,
    RunRecord,
    SeenRecord,
)

LEASE = 3600.0


def a_run(run: str = "r", seq: int = 1, **columns: Any) -> RunRecord:
    """A run with every column filled."""
    plain: dict[str, Any] = {
        "workflow": "loan",
        "version": 1,
        "definition": "d1",
        "status": "running",
        "states": ("review",),
        "started": 1_000,
        "updated": 2_000 + seq,
        "input": b"\x00\xff",
        "snapshot": b'{"seq":%d}' % seq,
    }
    return RunRecord(run=run, seq=seq, **{**plain, **columns})


def an_entry(run: str = "r", seq: int = 1, **columns: Any) -> EntryRecord:
    """A line of a run's journal."""
    plain: dict[str, Any] = {"at": 5, "kind": "event", "definition": "d1", "states": ("review",), "body": b'{"n":1}'}
    return EntryRecord(run=run, seq=seq, **{**plain, **columns})


def a_message(id: str = "m", run: str = "r", **columns: Any) -> MessageRecord:
    """A message that waits."""
    plain: dict[str, Any] = {"kind": "event", "name": "Approve", "body": b"{}", "at": 7, "actor": "ada", "reason": None}
    return MessageRecord(id=id, run=run, **{**plain, **columns})


def start(run: str = "r", **columns: Any) -> Change:
    """The change that starts a run."""
    return Change(run=a_run(run, **columns), entries=(an_entry(run, kind="start"),))


def step(run: str = "r", seq: int = 2, **columns: Any) -> Change:
    """The change that takes a run to `seq`."""
    return Change(run=a_run(run, seq, **columns), expected=seq - 1, entries=(an_entry(run, seq),))


def refused(kind: type[Exception], call: Callable[[], object]) -> str:
    """The message of the error that a call raises; it must be of this kind."""
    try:
        call()
    except kind as error:
        return str(error)
    msg = f"{kind.__name__} was not raised"
    raise AssertionError(msg)


class JournalContract(ABC):
    """The contract, one test for each sentence of it."""

    @abstractmethod
    def open(self) -> Journal:
        """A new, empty journal."""

    @abstractmethod
    def beside(self, journal: Journal) -> Journal:
        """Another handle over the same store."""

    def owned(self, *changes: Change) -> tuple[Journal, int]:
        """A journal with its epoch, in which these changes are committed."""
        journal = self.open()
        epoch = journal.claim("owner", LEASE)
        assert journal.commit(epoch, changes) == [None] * len(changes)
        return journal, epoch

    # -------------------------------------------------------------------------------------------------------- commits

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

    # ----------------------------------------------------------------------------------------------------------- work

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

    # ------------------------------------------------------------------------------------------------------ ownership

    def test_one_owner_at_a_time(self) -> None:
        """A second claim is refused and names the owner; after a release it succeeds with a larger epoch."""
        journal = self.open()
        other = self.beside(journal)
        assert journal.owner() is None
        epoch = journal.claim("ada", LEASE)
        assert "ada" in refused(Owned, lambda: other.claim("bob", LEASE))
        assert (journal.owner(), other.owner()) == ("ada", "ada")
        journal.release(epoch)
        assert other.owner() is None
        assert other.claim("bob", LEASE) > epoch
        assert journal.owner() == "bob"

    def test_closing_gives_up_ownership(self) -> None:
        """Another may claim at once."""
        journal = self.open()
        other = self.beside(journal)
        epoch = journal.claim("ada", LEASE)
        journal.close()
        journal.close()
        assert other.claim("bob", LEASE) > epoch

    def test_an_owner_whose_lease_ran_out_is_replaced_and_stopped(self) -> None:
        """Whatever it still tries is fenced, and nothing of it is written."""
        journal = self.open()
        other = self.beside(journal)
        epoch = journal.claim("slow", 0.0)
        assert journal.commit(epoch, [start()]) == [None]
        later = other.claim("quick", LEASE)
        assert later > epoch
        group = LiveGroup(workflow="loan", definition="d1", states=("review",), runs=1)
        for late in (
            lambda: journal.commit(epoch, [step()]),
            lambda: journal.renew(epoch),
            lambda: journal.hold(epoch, group, "why"),
        ):
            assert "quick" in refused(Fenced, late)
        assert other.run("r") == a_run()
        assert other.commit(later, [step()]) == [None]
        journal.release(epoch)
        assert other.owner() == "quick"
        other.renew(later)

    def test_renewing_keeps_the_journal(self) -> None:
        """An owner that renews in time is not replaced."""
        journal = self.open()
        epoch = journal.claim("ada", LEASE)
        journal.renew(epoch)
        refused(Owned, lambda: self.beside(journal).claim("bob", LEASE))

    def test_only_an_owner_commits(self) -> None:
        """An epoch that was never given, or has been given back, is fenced."""
        journal, epoch = self.owned()
        refused(Fenced, lambda: self.beside(journal).commit(epoch, [start()]))
        refused(Fenced, lambda: journal.commit(epoch + 1, [start()]))
        journal.release(epoch)
        journal.release(epoch)
        refused(Fenced, lambda: journal.commit(epoch, [start()]))
        assert journal.count(Query()) == 0

    def test_of_many_that_claim_at_once_one_wins(self) -> None:
        """Threads, each with a handle of its own."""
        first = self.open()
        handles = [first, *(self.beside(first) for _ in range(4))]
        ready = threading.Barrier(len(handles))
        won: list[int] = []

        def claim(handle: Journal) -> None:
            ready.wait()
            try:
                won.append(handle.claim("one of many", LEASE))
            except Owned:
                return

        threads = [threading.Thread(target=claim, args=(handle,)) for handle in handles]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1

    # ------------------------------------------------------------------------------------------------------- messages

    def test_messages_wait_in_order_until_they_are_answered(self) -> None:
        """Each has a number; an answered one is no longer in the inbox, and its verdict can be read."""
        journal, epoch = self.owned(start())
        client = self.beside(journal)
        first, second, third = (client.put(a_message(message)) for message in ("m1", "m2", "m3"))
        assert first.number < second.number < third.number
        assert journal.inbox(0, 10) == [first, second, third]
        assert journal.inbox(first.number, 1) == [second]
        answer = AnswerRecord(number=second.number, verdict="refused", answer=b'"why"')
        assert journal.commit(epoch, [Change(answers=(answer,))]) == [None]
        assert journal.inbox(0, 10) == [first, third]
        assert client.message(second.number) == replace(second, verdict="refused", answer=b'"why"')
        assert client.message(999) is None

    def test_a_message_is_put_once(self) -> None:
        """The same run, id and kind again gives the first one, with its verdict if it has one by then."""
        journal, epoch = self.owned()
        first = journal.put(a_message(body=b"first", at=1))
        assert journal.put(a_message(body=b"second", at=2)) == first
        journal.commit(epoch, [Change(answers=(AnswerRecord(number=first.number, verdict="taken"),))])
        assert self.beside(journal).put(a_message(body=b"third")) == replace(first, verdict="taken")
        assert journal.put(a_message(kind="command")).number != first.number
        assert journal.put(a_message(run="s")).number != first.number

    def test_a_commit_sends_messages_once(self) -> None:
        """A message to another run is queued with the commit that sends it, unless its id is known."""
        journal, epoch = self.owned()
        journal.put(a_message("known", "other", body=b"first"))
        sent = (a_message("known", "other", body=b"again"), a_message("new", "other", number=77, verdict="x"))
        assert journal.commit(epoch, [Change(run=a_run(), messages=sent)]) == [None]
        known, new = journal.inbox(0, 10)
        assert (known.body, new.id, new.verdict) == (b"first", "new", "")

    def test_event_ids_are_remembered(self) -> None:
        """The first verdict stays."""
        journal, epoch = self.owned(start())
        seen = SeenRecord(run="r", id="e1", seq=2, verdict="taken")
        assert journal.commit(epoch, [Change(run=a_run(seq=2), expected=1, seen=(seen,))]) == [None]
        again = replace(seen, seq=3, verdict="other")
        assert journal.commit(epoch, [Change(run=a_run(seq=3), expected=2, seen=(again,))]) == [None]
        assert journal.seen("r", "e1") == seen
        assert journal.seen("r", "e2") is None
        assert journal.seen("s", "e1") is None

    def test_the_pulse_tells_of_others_commits(self) -> None:
        """It changes when a client has put a message, and not by the owner's own commits."""
        journal, epoch = self.owned()
        before = journal.pulse()
        assert journal.pulse() == before
        journal.commit(epoch, [start()])
        assert journal.pulse() == before
        self.beside(journal).put(a_message())
        after = journal.pulse()
        assert after != before
        assert journal.pulse() == after
        journal.put(a_message("from the same handle"))
        assert journal.pulse() != after

    def test_a_client_hears_the_owner(self) -> None:
        """Who waits for a verdict can ask the pulse."""
        journal, epoch = self.owned()
        client = self.beside(journal)
        before = client.pulse()
        assert client.pulse() == before
        journal.commit(epoch, [start()])
        assert client.pulse() != before

    # -------------------------------------------------------------------------------------------------- what is to do

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
        assert journal.busy("", 10) == ["paused", "r1", "r2", "r3"]
        assert journal.busy("", 2) == ["paused", "r1"]
        assert journal.busy("r1", 2) == ["r2", "r3"]
        journal.commit(epoch, [step("r2", busy=False), step("idle", busy=True)])
        assert journal.busy("", 10) == ["idle", "paused", "r1", "r3"]

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

    def test_live_runs_are_grouped(self) -> None:
        """By workflow, definition and states; runs that are over do not count."""
        journal, epoch = self.owned(
            start("a"), start("b"), start("c", states=("x", "y")), start("d", definition="d2"), start("e", over=True)
        )
        assert journal.live() == [
            LiveGroup(workflow="loan", definition="d1", states=("review",), runs=2),
            LiveGroup(workflow="loan", definition="d1", states=("x", "y"), runs=1),
            LiveGroup(workflow="loan", definition="d2", states=("review",), runs=1),
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
        assert journal.busy("", 10) == ["b"]
        assert journal.due(9, 9) == [(2, "b")]
        assert journal.commit(epoch, [step("a", held="its state is gone")]) == [None]
        journal.hold(epoch, group, "")
        assert journal.runs(Query(held=True)) == []

    def test_tidying_changes_nothing_that_can_be_read(self) -> None:
        """It is housekeeping."""
        journal, epoch = self.owned(start())
        journal.tidy(epoch)
        assert journal.run("r") == a_run()

    # -------------------------------------------------------------------------------------------------------- listing

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

    # -------------------------------------------------------------------------------------------------------- threads

    def test_clients_of_one_handle_may_be_many_threads(self) -> None:
        """Messages put and runs read by several threads, while the owner commits, are each there once."""
        journal, epoch = self.owned(start())
        failures: list[BaseException] = []

        def client(name: int) -> None:
            try:
                for n in range(20):
                    journal.put(a_message(f"{name}-{n}"))
                    assert journal.run("r") is not None
            except BaseException as error:  # noqa: BLE001 - a thread's failure must reach the test
                failures.append(error)

        threads = [threading.Thread(target=client, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for seq in range(2, 30):
            assert journal.commit(epoch, [step(seq=seq)]) == [None]
        for thread in threads:
            thread.join()
        assert failures == []
        numbers = [message.number for message in journal.inbox(0, 1000)]
        assert len(numbers) == 80
        assert numbers == sorted(set(numbers))
