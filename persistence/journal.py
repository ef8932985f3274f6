"""The Journal protocol: what a runner needs of a place that keeps runs.

One contract suite holds every implementation to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from persistence.records import (
    AttemptRecord,
    CachedRecord,
    Change,
    EntryRecord,
    FanCount,
    FanRecord,
    GivenRecord,
    HoldRecord,
    ItemRecord,
    LiveGroup,
    MessageRecord,
    NoticeRecord,
    Pruned,
    Query,
    RunRecord,
    SavedRecord,
    SeenRecord,
    ShelfRecord,
)

Work = Callable[[Any], Change]
"""A change that does the application's own work on the journal's connection first.

The argument is that connection, guarded; None for a journal that has none. What it raises is what its change failed
with. It may be called again, its first call rolled back, when another change of the same commit has voided them all.
"""


class Journal(Protocol):
    """Keeps runs. One owner moves them; any number of clients read, and put messages.

    Methods that take `epoch` are the owner's, and raise `Fenced` when another has claimed since. They are called from
    one thread at a time, though not always the same; the others may be called from any thread.
    """

    @property
    def name(self) -> str:
        """What messages call it: for a file, its path."""
        ...

    def claim(self, owner: str, lease: float) -> int:
        """Become the owner; the epoch returned is larger than any before. `lease` is in seconds.

        Raises:
            Owned: Another owner is alive.
        """
        ...

    def renew(self, epoch: int) -> None:
        """Say that the owner is alive, for another `lease` seconds. Raises Fenced."""
        ...

    def release(self, epoch: int) -> None:
        """Stop being the owner. Harmless when it already ended."""
        ...

    def owner(self) -> str | None:
        """Who owns it now, as given to `claim`; None when nobody alive does."""
        ...

    def commit(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        """Make all changes durable in one commit, in order; each is all or nothing by itself.

        The list has, for each change, None or what it failed with, `Stale` when its `expected` is not the run's `seq`.
        A failed change leaves no trace and does not disturb the others.

        Raises:
            Fenced: Another owner has claimed; nothing was written.
            CommitUnknown: The commit failed in a way that leaves open whether it happened; read `seq` to learn it.
            JournalError: Nothing was written.
        """
        ...

    def run(self, run: str) -> RunRecord | None:
        """The run with its snapshot."""
        ...

    def runs(self, query: Query) -> list[RunRecord]:
        """A page of runs, without their snapshots."""
        ...

    def count(self, query: Query) -> int:
        """How many runs a query finds over all pages; `limit` and `after` are ignored."""
        ...

    def entries(self, run: str, after: int = 0, limit: int = 1000) -> list[EntryRecord]:
        """The run's journal from the entry after number `after`, oldest first."""
        ...

    def log(self, after: int, limit: int) -> list[EntryRecord]:
        """The entries of all runs in the order of their commits, each with its number, from the one after `after`.

        With `after` negative, the last `limit` of them.
        """
        ...

    def seen(self, run: str, id: str) -> SeenRecord | None:
        """What became of an event id that this run accepted or deferred before, also when the run was pruned since."""
        ...

    def due(self, before: int, limit: int) -> list[tuple[int, str]]:
        """`(deadline, run)` of runs that are not over, held or paused and have a deadline at or before `before`.

        Earliest first; without runs of a workflow that is held as a whole (`holds`).
        """
        ...

    def next_due(self) -> int | None:
        """The earliest deadline that `due` would ever give."""
        ...

    def busy(self, after: str, limit: int) -> list[RunRecord]:
        """Runs that are busy, not over, not held, each with its snapshot; by id, from the one after `after`."""
        ...

    def attempts(self) -> list[AttemptRecord]:
        """What was running when the last owner died."""
        ...

    def holds(self) -> list[HoldRecord]:
        """What a person holds back, by workflow and step."""
        ...

    def cached(self, shelf: str, key: str) -> CachedRecord | None:
        """A result that was recorded under this key and is still there, however old."""
        ...

    def shelves(self) -> list[ShelfRecord]:
        """How much is kept for other runs, by shelf."""
        ...

    def saved(self, run: str, visit: int) -> SavedRecord | None:
        """What a step has saved last, as of this visit."""
        ...

    def saves(self) -> list[tuple[str, int]]:
        """`(run, visit)` of all that is saved, in their order."""
        ...

    def fan(self, run: str, visit: int) -> FanRecord | None:
        """The fan-out of a visit, if its items are known."""
        ...

    def fans(self, run: str) -> list[FanCount]:
        """The fan-outs of a run in the order of their visits, with how far each is."""
        ...

    def given(self, run: str, visit: int, number: int) -> GivenRecord | None:
        """The items of a visit that were recorded together with item `number`."""
        ...

    def items(
        self, run: str, visit: int, *, back: bool = False, after: int = -1, limit: int = 1000, bodies: bool = True
    ) -> list[ItemRecord]:
        """What is known of the items of a visit in the order of their numbers, from the one after number `after`."""
        ...

    def notices(self, after: int, limit: int) -> list[NoticeRecord]:
        """Notices that nobody was told of, in their order, from the one after number `after`."""
        ...

    def wanted(self) -> frozenset[str]:
        """Which kinds of notices are to be written."""
        ...

    def put(self, message: MessageRecord, connection: Any = None) -> MessageRecord:
        """Queue a message durably, from any process; the same `(run, id, kind)` again gives the first one as it stands.

        One that was refused (`REFUSALS`) does not count as a first one.

        With `connection`, the application's own (DB-API) on the same database: inside its transaction, so it exists if
        that commits. Raises WrongConnection when it would not be so.
        """
        ...

    def inbox(self, after: int, limit: int) -> list[MessageRecord]:
        """Messages without verdict, in order of arrival, from the one after number `after`."""
        ...

    def message(self, number: int) -> MessageRecord | None:
        """One message, with its verdict once it has one."""
        ...

    def pulse(self) -> int:
        """A number that changes when another connection has committed. Cheap enough to ask forty times a second."""
        ...

    def live(self) -> list[LiveGroup]:
        """Runs that are not over, counted by workflow, definition and active states."""
        ...

    def hold(self, epoch: int, group: LiveGroup, reason: str) -> None:
        """Set `held` of all runs of a group; an empty reason releases them."""
        ...

    def prune(self, epoch: int, before: int, remember: int, *, dry: bool) -> Pruned:
        """Remove, in one commit, what is over and was moved last before `before`.

        That is runs, their entries and items, and answered messages.

        Event ids of these runs are remembered until `remember`, by the journal's reckoning of `before`; what was
        remembered until a time before `before` is forgotten, and so are results for other runs.
        With `dry`, only count. Raises Fenced.
        """
        ...

    def ended(self, before: int, limit: int) -> list[int]:
        """When runs that are over were moved last, before `before`, the oldest first."""
        ...

    def size(self) -> tuple[int, int]:
        """Bytes of the data, and of the write-ahead log in use; 0 where there are none."""
        ...

    def backup(self, to: Path, progress: Callable[[int, int], object] | None = None) -> None:
        """Copy the journal, as it is at one moment, into a new file, while it is in use; durable once it returns.

        `progress` is called with bytes copied, and of how many. Raises Unsuitable when there is such a file already,
        or when it is not kept in a file.
        """
        ...

    def tidy(self, epoch: int) -> None:
        """Housekeeping between commits (for SQLite: a checkpoint when the log is long).

        Called when a commit has been acknowledged.
        """
        ...

    def close(self) -> None:
        """Release everything. Harmless when repeated."""
        ...
