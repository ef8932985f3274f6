"""What the contract is told with: records with every column filled, and journals that a subclass opens."""
# ruff: noqa: S101 - a suite of tests, shipped

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from persistence.journal import Journal
from persistence.records import (
    Change,
    EntryRecord,
    MessageRecord,
    RunRecord,
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
    plain["trace"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
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


class OpensJournals(ABC):
    """How a suite gets its journals."""

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
