"""What the handles of a journal in memory share: records by key, what a query finds, what a prune removes."""

from __future__ import annotations

import threading

from msgspec.structs import replace

from persistence.records import (
    AttemptRecord,
    EntryRecord,
    HoldRecord,
    MessageKind,
    MessageRecord,
    Pruned,
    Query,
    RunRecord,
    SavedRecord,
    SeenRecord,
)
from persistence.shelf import Shelves
from persistence.spread import Fans
from persistence.told import Told


class Store:
    """See the module. Everything in it is read and written under its lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.runs: dict[str, RunRecord] = {}
        self.entries: dict[str, dict[int, EntryRecord]] = {}
        self.log: dict[tuple[str, int], int] = {}
        """The entries in the order of their commits, with their numbers."""
        self.logged = 0
        self.seen: dict[tuple[str, str], SeenRecord] = {}
        self.gone: dict[tuple[str, str], int] = {}
        """Ids in `seen` whose runs were pruned, and until when they are remembered."""
        self.messages: dict[int, MessageRecord] = {}
        self.put = 0
        self.numbers: dict[tuple[str, str, MessageKind], int] = {}
        self.waiting: dict[int, None] = {}
        self.attempts: dict[tuple[str, int], AttemptRecord] = {}
        self.holds: dict[tuple[str, str], HoldRecord] = {}
        self.shelves = Shelves()
        self.saved: dict[tuple[str, int], SavedRecord] = {}
        self.fans = Fans()
        self.told = Told()
        self.epoch = 0
        self.owner: object = None
        """The handle that owns it."""
        self.owned_as = ""
        self.lease_ends = 0.0
        self.commits = 0

    def blank(self, run: RunRecord) -> None:
        """See `Change.erased`."""
        self.runs[run.run] = replace(run, snapshot=b"", input=b"", tags={})
        entries = self.entries.get(run.run, {})
        entries.update({seq: replace(entry, body=b"", reason=None) for seq, entry in entries.items()})
        for number, message in self.messages.items():
            if message.run == run.run:
                self.messages[number] = replace(message, body=b"", answer=b"", reason=None)
        known = {key: replace(seen, digest=b"") for key, seen in self.seen.items() if key[0] == run.run}
        self.seen.update(known)
        self.shelves.erase(run.run)
        self.fans.drop(run.run)
        self.told.forget(run.run)
        for visit in [visit for visit in self.saved if visit[0] == run.run]:
            del self.saved[visit]

    def hold(self, hold: HoldRecord) -> None:
        """See `HoldRecord.at`."""
        key = (hold.workflow, hold.step)
        moved = [run.updated for run in self.runs.values() if not run.over and (run.busy or run.held)]
        at = self.holds[key].at if key in self.holds else max([hold.at, *moved])
        self.holds[key] = replace(hold, at=at)

    def stands(self, run: RunRecord) -> bool:
        """Whether the run's workflow is held as a whole."""
        return ("", "") in self.holds or (run.workflow, "") in self.holds

    def prune(self, before: int, remember: int, *, dry: bool) -> Pruned:
        """See `Journal.prune`."""
        last = next(reversed(self.log), ("", 0))[0]
        going = {run.run for run in self.runs.values() if run.over and run.updated < before and run.run != last}
        entries = [key for key in self.log if key[0] in going]
        told = [one.number for one in self.messages.values() if one.verdict and one.run in going]
        ids = [key for key in self.seen if key[0] in going and key not in self.gone]
        forgotten = [key for key, until in self.gone.items() if until < before]
        items = sum(map(self.fans.outcomes, going))
        if not dry:
            self._remove(going, entries, told, forgotten)
            self.gone.update(dict.fromkeys(ids, remember))
        return Pruned(
            runs=len(going),
            entries=len(entries),
            messages=len(told),
            remembered=len(ids),
            forgotten=len(forgotten),
            cached=self.shelves.stale(before, drop=not dry),
            items=items,
        )

    def _remove(
        self, runs: set[str], entries: list[tuple[str, int]], messages: list[int], ids: list[tuple[str, str]]
    ) -> None:
        for run in runs:
            del self.runs[run]
            self.entries.pop(run, None)
            self.fans.drop(run)
        for entry in entries:
            del self.log[entry]
        for number in messages:
            gone = self.messages.pop(number)
            if self.numbers.get((gone.run, gone.id, gone.kind)) == number:
                del self.numbers[gone.run, gone.id, gone.kind]
        for visit in [visit for visit in self.saved if visit[0] in runs]:
            del self.saved[visit]
        for name in ids:
            del self.gone[name]
            del self.seen[name]


def matches(run: RunRecord, query: Query) -> bool:
    """Whether a query finds a run."""
    return (
        _says(query.workflow, run.workflow)
        and _says(query.status, run.status)
        and _says(query.incident, run.incidents > 0)
        and _says(query.held, run.held != "")
        and _says(query.paused, run.paused)
        and _within(run, query.state)
        and query.tags.items() <= run.tags.items()
        and _aged(run, query)
    )


def _says(wanted: object, found: object) -> bool:
    return wanted is None or wanted == found


def _within(run: RunRecord, state: str | None) -> bool:
    return state is None or any(leaf == state or leaf.startswith(f"{state}.") for leaf in run.states)


def _aged(run: RunRecord, query: Query) -> bool:
    return (
        (query.started_before is None or run.started < query.started_before)
        and (query.started_after is None or run.started > query.started_after)
        and (query.updated_before is None or run.updated < query.updated_before)
    )
