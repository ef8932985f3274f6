"""The journal in memory keeps the contract."""

from __future__ import annotations

import pytest

from persistence import ConnectionGuarded, Fenced, Journal, MemoryJournal
from persistence.contract import LEASE, JournalContract, a_message, start


class TestMemoryJournal(JournalContract):
    def open(self) -> Journal:
        return MemoryJournal()

    def beside(self, journal: Journal) -> Journal:
        assert isinstance(journal, MemoryJournal)
        return MemoryJournal(beside=journal)


def test_a_lease_is_measured_by_the_given_clock() -> None:
    """A test that owns the clock decides when a lease has run out."""
    now = [0.0]
    journal = MemoryJournal(clock=lambda: now[0])
    journal.claim("ada", 10.0)
    assert journal.owner() == "ada"
    now[0] = 10.0
    assert journal.owner() is None


def test_an_abandoned_handle_is_as_a_killed_process() -> None:
    """Another may claim at once, and what the abandoned one does is fenced, even before that."""
    journal = MemoryJournal()
    epoch = journal.claim("ada", LEASE)
    journal.abandon()
    with pytest.raises(Fenced):
        journal.commit(epoch, [start()])
    assert MemoryJournal(beside=journal).claim("bob", LEASE) > epoch


def test_a_handle_that_owns_nothing_may_be_abandoned() -> None:
    """Nothing happens to the owner."""
    journal = MemoryJournal()
    epoch = journal.claim("ada", LEASE)
    MemoryJournal(beside=journal).abandon()
    assert journal.commit(epoch, [start()]) == [None]


def test_no_connection_leads_into_memory() -> None:
    """A message on a database connection would never arrive, so it is refused."""
    with pytest.raises(ConnectionGuarded, match="Use a journal in a file"):
        MemoryJournal().put(a_message(), connection=object())


def test_handles_share_a_name() -> None:
    """Messages name the store, not the handle."""
    assert MemoryJournal(beside=MemoryJournal("loans")).name == "loans"
