"""A journal in this process's memory, for tests and for runs that need not outlive their process.

It honours the same contract as the durable ones, checked by the same suite. Several handles may stand over one store,
as several processes stand over one file: `MemoryJournal(beside=other)`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from persistence.aside import ReadsAside
from persistence.errors import ConnectionGuarded, Owned, Stale, Unsuitable, fenced
from persistence.journal import Work
from persistence.records import (
    REFUSALS,
    AttemptRecord,
    CachedRecord,
    Change,
    EntryRecord,
    FanRecord,
    GivenRecord,
    ItemRecord,
    LiveGroup,
    MessageRecord,
    Pruned,
    Query,
    RunRecord,
    SeenRecord,
    ShelfRecord,
)
from persistence.spread import ReadsFans
from persistence.store import Store, matches
from persistence.told import ReadsNotices


class MemoryJournal(ReadsAside, ReadsFans, ReadsNotices):
    """A journal that dies with its process.

    A `Work` is called with None, for there is no connection here: it may do nothing but return its change.

    Args:
        name: What messages call it.
        beside: Another handle; this one stands over the same store, as a second process over a file.
        clock: Seconds that never go back, by which leases are measured.
    """

    def __init__(
        self,
        name: str = "memory",
        *,
        beside: MemoryJournal | None = None,
        clock: Callable[[], float] = time.monotonic,  # noqa: TID251 - a lease lasts in real time, whatever a run's clock says
    ) -> None:
        # One store keeps all that each of the bases asks of it.
        self._store: Store = beside._store if beside else Store()  # noqa: SLF001 - its own kind  # pyright: ignore[reportIncompatibleVariableOverride]
        self._name = beside.name if beside else name
        self._clock = clock
        self._epoch = 0
        self._lease = 0.0
        self._own_commits = 0

    @property
    def name(self) -> str:
        """What messages call it."""
        return self._name

    # ------------------------------------------------------------------------------------------------------ the owner

    def claim(self, owner: str, lease: float) -> int:
        """See `Journal.claim`."""
        store = self._store
        with store.lock:
            if store.owner is not None and self._clock() < store.lease_ends:
                msg = f"Journal {self._name!r} is owned by {store.owned_as!r}. Close that runner, or be a client of it."
                raise Owned(msg)
            store.owner, store.owned_as = self, owner
            store.epoch += 1
            self._epoch, self._lease = store.epoch, lease
            store.lease_ends = self._clock() + lease
            return store.epoch

    def renew(self, epoch: int) -> None:
        """See `Journal.renew`."""
        with self._store.lock:
            self._check(epoch)
            self._store.lease_ends = self._clock() + self._lease

    def release(self, epoch: int) -> None:
        """See `Journal.release`."""
        store = self._store
        with store.lock:
            if store.owner is self and store.epoch == epoch:
                store.owner = None
                self._epoch = 0

    def owner(self) -> str | None:
        """See `Journal.owner`."""
        store = self._store
        with store.lock:
            return store.owned_as if store.owner is not None and self._clock() < store.lease_ends else None

    def abandon(self) -> None:
        """As if this handle's process had been killed.

        It owns nothing any more, and whatever it does as owner raises Fenced.
        """
        with self._store.lock:
            if self._store.owner is self:
                self._store.owner = None
            self._epoch = -1

    def _check(self, epoch: int) -> None:
        if epoch != self._store.epoch or epoch != self._epoch:
            raise fenced(self._name, epoch, self._store.epoch, self._store.owned_as)

    # ----------------------------------------------------------------------------------------------------- committing

    def commit(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        """See `Journal.commit`."""
        with self._store.lock:
            self._check(epoch)
            failures = [self._attempt(change) for change in changes]
            self._store.commits += 1
            self._own_commits += 1
            return failures

    def _attempt(self, change: Change | Work) -> Exception | None:
        try:
            self._apply(change if isinstance(change, Change) else change(None))
        except Exception as error:  # noqa: BLE001 - whatever a Work raises is what its change failed with
            return error
        return None

    def _apply(self, change: Change) -> None:
        """Check everything, then write everything: so a change that fails has left no trace."""
        store = self._store
        run = change.run
        if run is not None:
            self._check_seq(run, change.expected)
        for entry in change.entries:
            self._check_entry(entry, run)
        self._check_items(change)
        if run is not None:
            store.runs[run.run] = run
            if change.erased:
                store.blank(run)
        for entry in change.entries:
            store.entries.setdefault(entry.run, {})[entry.seq] = entry
            store.logged += 1
            store.log[entry.run, entry.seq] = store.logged
        for seen in change.seen:
            store.seen.setdefault((seen.run, seen.id), seen)
        self._apply_aside(change)
        self._post(change)

    def _apply_aside(self, change: Change) -> None:
        """What stands beside the runs."""
        store = self._store
        for attempt in change.begun:
            store.attempts[attempt.run, attempt.visit] = attempt
        for ended in change.ended:
            store.attempts.pop(ended, None)
        for cached in change.cached:
            store.shelves.keep(cached)
        for hold in change.holds:
            store.hold(hold)
        for released in change.released:
            store.holds.pop(released, None)
        for saved in change.saved:
            store.saved[saved.run, saved.visit] = saved
        for dropped in change.dropped:
            store.saved.pop(dropped, None)
        store.fans.note(change)
        store.told.note(change)

    def _post(self, change: Change) -> None:
        store = self._store
        for answer in change.answers:
            if answer.number in store.waiting:
                told = replace(store.messages[answer.number], verdict=answer.verdict, answer=answer.answer)
                store.messages[answer.number] = told
                del store.waiting[answer.number]
                if told.verdict in REFUSALS:
                    store.numbers.pop((told.run, told.id, told.kind), None)
        for message in change.messages:
            self._queue(message)

    def _check_seq(self, run: RunRecord, expected: int) -> None:
        known = self._store.runs.get(run.run)
        if expected < 0 and known is not None:
            msg = f"Run {run.run!r} exists already, at {known.seq}."
            raise Stale(msg)
        if expected >= 0 and (known is None or known.seq != expected):
            at = "does not exist" if known is None else f"is at {known.seq}"
            msg = f"Run {run.run!r} {at}; the change was made for {expected}."
            raise Stale(msg)

    def _check_entry(self, entry: EntryRecord, run: RunRecord | None) -> None:
        if entry.seq in self._store.entries.get(entry.run, ()):
            msg = f"Run {entry.run!r} has a journal entry {entry.seq} already."
            raise Stale(msg)
        self._check_there(entry.run, run)

    def _check_items(self, change: Change) -> None:
        noted: tuple[FanRecord | GivenRecord | ItemRecord, ...] = (*change.fans, *change.given, *change.items)
        for one in noted:
            self._check_there(one.run, change.run)
        for given in change.given:
            if self._store.fans.has(given):
                msg = f"Run {given.run!r} has the items of visit {given.visit} from {given.first} on already."
                raise Stale(msg)

    def _check_there(self, name: str, run: RunRecord | None) -> None:
        if name not in self._store.runs and (run is None or run.run != name):
            msg = f"Run {name!r} does not exist, so it has no journal."
            raise Stale(msg)

    def _queue(self, message: MessageRecord) -> MessageRecord:
        store = self._store
        key = (message.run, message.id, message.kind)
        if message.kind != "sent" and key in store.numbers:
            return store.messages[store.numbers[key]]
        store.put += 1
        number = store.put
        store.numbers[key] = number
        store.messages[number] = replace(message, number=number, verdict="", answer=b"")
        store.waiting[number] = None
        return store.messages[number]

    def hold(self, epoch: int, group: LiveGroup, reason: str) -> None:
        """See `Journal.hold`."""
        store = self._store
        with store.lock:
            self._check(epoch)
            for run in list(store.runs.values()):
                if not run.over and _place(run) == (group.workflow, group.definition, group.states):
                    store.runs[run.run] = replace(run, held=reason)

    def prune(self, epoch: int, before: int, remember: int, *, dry: bool) -> Pruned:
        """See `Journal.prune`."""
        with self._store.lock:
            self._check(epoch)
            return self._store.prune(before, remember, dry=dry)

    def ended(self, before: int, limit: int) -> list[int]:
        """See `Journal.ended`."""
        with self._store.lock:
            return sorted(run.updated for run in self._store.runs.values() if run.over and run.updated < before)[:limit]

    def size(self) -> tuple[int, int]:
        """See `Journal.size`; here there is no file."""
        return 0, 0

    def backup(self, to: Path, progress: Callable[[int, int], object] | None = None) -> None:
        """Refused: there is no file to copy."""
        del progress
        msg = f"Journal {self._name!r} is in memory, and {to} would have nothing in it. Keep it in a file."
        raise Unsuitable(msg)

    def tidy(self, epoch: int) -> None:
        """See `Journal.tidy`; here there is nothing to tidy."""
        with self._store.lock:
            self._check(epoch)

    # -------------------------------------------------------------------------------------------------------- clients

    def put(self, message: MessageRecord, connection: Any = None) -> MessageRecord:
        """See `Journal.put`. No connection can lead to this process's memory."""
        if connection is not None:
            msg = f"Journal {self._name!r} is in memory, where no database connection leads. Use a journal in a file."
            raise ConnectionGuarded(msg)
        with self._store.lock:
            self._store.commits += 1
            return self._queue(message)

    def pulse(self) -> int:
        """See `Journal.pulse`."""
        return self._store.commits - self._own_commits

    # -------------------------------------------------------------------------------------------------------- reading

    def run(self, run: str) -> RunRecord | None:
        """See `Journal.run`."""
        return self._store.runs.get(run)

    def runs(self, query: Query) -> list[RunRecord]:
        """See `Journal.runs`."""
        with self._store.lock:
            found = self._newest_first(query)
        if query.after is not None:
            ids = [run.run for run in self._newest_first(Query())]
            if query.after not in ids:
                return []
            later = set(ids[ids.index(query.after) + 1 :])
            found = [run for run in found if run.run in later]
        return [replace(run, snapshot=b"") for run in found[: query.limit]]

    def _newest_first(self, query: Query) -> list[RunRecord]:
        order = {run: place for place, run in enumerate(self._store.runs)}
        found = [run for run in self._store.runs.values() if matches(run, query)]
        return sorted(found, key=lambda run: (run.started, order[run.run]), reverse=True)

    def count(self, query: Query) -> int:
        """See `Journal.count`."""
        with self._store.lock:
            return sum(matches(run, query) for run in self._store.runs.values())

    def entries(self, run: str, after: int = 0, limit: int = 1000) -> list[EntryRecord]:
        """See `Journal.entries`."""
        with self._store.lock:
            entries = self._store.entries.get(run, {})
            return [entries[seq] for seq in islice((seq for seq in sorted(entries) if seq > after), limit)]

    def log(self, after: int, limit: int) -> list[EntryRecord]:
        """See `Journal.log`."""
        store = self._store
        with store.lock:
            found = [(key, number) for key, number in store.log.items() if number > after]
            page = found[-limit:] if after < 0 else found[:limit]
            return [replace(store.entries[run][seq], number=number) for (run, seq), number in page]

    def seen(self, run: str, id: str) -> SeenRecord | None:
        """See `Journal.seen`."""
        return self._store.seen.get((run, id))

    def due(self, before: int, limit: int) -> list[tuple[int, str]]:
        """See `Journal.due`."""
        return sorted(deadline for deadline in self._deadlines() if deadline[0] <= before)[:limit]

    def next_due(self) -> int | None:
        """See `Journal.next_due`."""
        return min((deadline for deadline, _ in self._deadlines()), default=None)

    def _deadlines(self) -> Iterable[tuple[int, str]]:
        with self._store.lock:
            runs = list(self._store.runs.values())
        return (
            (run.due, run.run)
            for run in runs
            if run.due is not None and not run.over and not run.paused and not run.held and not self._store.stands(run)
        )

    def busy(self, after: str, limit: int) -> list[RunRecord]:
        """See `Journal.busy`."""
        with self._store.lock:
            runs = list(self._store.runs.values())
        found = [run for run in runs if run.busy and not run.over and not run.held and run.run > after]
        return sorted(found, key=lambda run: run.run)[:limit]

    def attempts(self) -> list[AttemptRecord]:
        """See `Journal.attempts`."""
        with self._store.lock:
            return [self._store.attempts[key] for key in sorted(self._store.attempts)]

    def cached(self, shelf: str, key: str) -> CachedRecord | None:
        """See `Journal.cached`."""
        with self._store.lock:
            return self._store.shelves.find(shelf, key)

    def shelves(self) -> list[ShelfRecord]:
        """See `Journal.shelves`."""
        with self._store.lock:
            return self._store.shelves.all()

    def inbox(self, after: int, limit: int) -> list[MessageRecord]:
        """See `Journal.inbox`."""
        with self._store.lock:
            numbers = islice((number for number in self._store.waiting if number > after), limit)
            return [self._store.messages[number] for number in numbers]

    def message(self, number: int) -> MessageRecord | None:
        """See `Journal.message`."""
        return self._store.messages.get(number)

    def live(self) -> list[LiveGroup]:
        """See `Journal.live`."""
        groups: dict[tuple[str, str, tuple[str, ...]], list[int]] = {}
        with self._store.lock:
            for run in self._store.runs.values():
                if not run.over:
                    groups.setdefault(_place(run), []).append(run.updated)
        return [
            LiveGroup(workflow=workflow, definition=definition, states=states, runs=len(moved), stood=min(moved))
            for (workflow, definition, states), moved in sorted(groups.items())
        ]

    def close(self) -> None:
        """See `Journal.close`. What the store holds stays, for the handles beside this one."""
        self.release(self._epoch)


def _place(run: RunRecord) -> tuple[str, str, tuple[str, ...]]:
    return run.workflow, run.definition, run.states
