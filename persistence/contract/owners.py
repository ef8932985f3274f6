"""The contract of ownership and of messages: one moves the runs, all may write to it."""
# ruff: noqa: S101 - a suite of tests, shipped

from __future__ import annotations

import threading

from msgspec.structs import replace

from persistence.contract.making import LEASE, OpensJournals, a_message, a_run, refused, start, step
from persistence.errors import Fenced, Owned
from persistence.journal import Journal
from persistence.records import (
    AnswerRecord,
    Change,
    LiveGroup,
    Query,
    SavedRecord,
    SeenRecord,
)


class Owners(OpensJournals):
    """One owner, many clients."""

    # -------------------------------------------------------------------------------------------------------- ownership

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
        saved = SavedRecord(run="r", visit=1, at=5, value=b"7")
        for late in (
            lambda: journal.commit(epoch, [step()]),
            lambda: journal.commit(epoch, [Change(saved=(saved,))]),
            lambda: journal.renew(epoch),
            lambda: journal.hold(epoch, group, "why"),
        ):
            assert "quick" in refused(Fenced, late)
        assert other.run("r") == a_run()
        assert other.saves() == []
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

    # --------------------------------------------------------------------------------------------------------- messages

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

    def test_a_refused_message_may_be_put_again(self) -> None:
        """As a new one, behind all that have come since; the refused one keeps its verdict, also when told again."""
        journal, epoch = self.owned(start())
        for verdict in ("refused", "failed", "accepted"):
            put = journal.put(a_message("m"))
            assert put.verdict == ""
            answers = (AnswerRecord(number=put.number, verdict=verdict, answer=b"why"),)
            again = (AnswerRecord(number=put.number, verdict="other"),)
            assert journal.commit(epoch, [Change(answers=answers), Change(answers=again)]) == [None, None]
            told = journal.message(put.number)
            assert told is not None
            assert (told.verdict, told.answer) == (verdict, b"why")
        assert journal.put(a_message("m")).verdict == "accepted"
        assert journal.inbox(0, 10) == []

    def test_a_commit_sends_messages_once(self) -> None:
        """A message to another run is queued with the commit that sends it, unless its id is known."""
        journal, epoch = self.owned()
        journal.put(a_message("known", "other", body=b"first"))
        sent = (a_message("known", "other", body=b"again"), a_message("new", "other", number=77, verdict="x"))
        assert journal.commit(epoch, [Change(run=a_run(), messages=sent)]) == [None]
        known, new = journal.inbox(0, 10)
        assert (known.body, new.id, new.verdict) == (b"first", "new", "")

    def test_what_runs_send_is_never_taken_for_another_message(self) -> None:
        """Each is put, whatever has its id: a client's, or what a run sent before."""
        journal, epoch = self.owned()
        put = journal.put(a_message("m", "other", body=b"a client's"))
        sent = [a_message("m", "other", kind="sent", body=body) for body in (b"one", b"two", b"two")]
        assert journal.commit(epoch, [Change(run=a_run(), messages=tuple(sent[:2]))]) == [None]
        assert journal.commit(epoch, [Change(answers=(AnswerRecord(number=put.number, verdict="taken"),))]) == [None]
        assert journal.commit(epoch, [Change(run=a_run(seq=2), expected=1, messages=(sent[2],))]) == [None]
        assert [one.body for one in journal.inbox(0, 9)] == [b"one", b"two", b"two"]
        for one, verdict in zip(journal.inbox(0, 9), ("refused", "accepted", "accepted"), strict=True):
            answer = Change(answers=(AnswerRecord(number=one.number, verdict=verdict),))
            assert journal.commit(epoch, [answer]) == [None]
        assert journal.put(a_message("m", "other", body=b"again")).number == put.number
        assert journal.inbox(0, 9) == []

    def test_event_ids_are_remembered(self) -> None:
        """The first verdict stays."""
        journal, epoch = self.owned(start())
        seen = SeenRecord(run="r", id="e1", seq=2, verdict="taken", digest=b"\x01")
        assert journal.commit(epoch, [Change(run=a_run(seq=2), expected=1, seen=(seen,))]) == [None]
        again = replace(seen, seq=3, verdict="other", digest=b"\x02")
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

    # ---------------------------------------------------------------------------------------------------------- threads

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
