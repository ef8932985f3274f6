"""Which items of a visit may have been what its process died of, counted one by one.

A fan-out lives long, so deaths that have nothing to do with it are told apart from its own: counted is not the visit,
but the few items that may have been running (see `runner.items`). One that was running at two deaths is done with no
other beside it, and before all others; of those that are under such suspicion only the first can have been running.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from msgspec.structs import replace

from persistence import FanRecord, ItemRecord, Journal
from statemachine.inputs import Lost
from statemachine.runner import fans
from statemachine.runner.clock import to_micros
from statemachine.runner.fans import Marks
from statemachine.runner.loaded import Loaded
from statemachine.runner.mover import Mover

SUSPECT = 2
"""Deaths after which an item is done with no other beside it."""


@attrs.frozen
class Suspicion:
    """What is known of the items of a visit when a journal is taken over.

    Attributes:
        counted: Those that were running, one death added.
        item: The one that was running at the most deaths.
        deaths: How many these are.
    """

    counted: tuple[ItemRecord, ...]
    item: int
    deaths: int

    def told(self, lost: Lost) -> Lost:
        """What the run is told, should these be too many."""
        return replace(lost, crashes=self.deaths, item=self.item)


def of(mover: Mover, loaded: Loaded, visit: int, *, died: bool, undo: bool) -> Suspicion | None:
    """Of a visit that is under way, or being undone; None where no item of it can have been running."""
    journal, snapshot = mover.journal, loaded.snapshot
    fan = journal.fan(snapshot.run, visit)
    if fan is None:
        return None
    now = to_micros(mover.clock.now())
    if undo:
        numbers, marks = fans.to_undo(journal, fan, snapshot.undoing.left if snapshot.undoing else ())
        return _suspicion(journal, fan, numbers[-1:], marks, now, died=died, back=True)
    marks = Marks.of(journal, fan)
    tried = [item for item in marks.open.values() if item.state in {fans.BEGUN, fans.WAITING}]
    suspects = sorted(item.number for item in tried if item.crashes >= SUSPECT)
    due = sorted((item.due, item.number) for item in tried if item.due is not None and item.due <= now)
    running = suspects[:1] or [*(number for _, number in due[: fan.most]), *marks.unmarked(fan.most)]
    return _suspicion(journal, fan, running, marks, now, died=died, back=False)


def _suspicion(
    journal: Journal, fan: FanRecord, running: Iterable[int], marks: Marks, now: int, *, died: bool, back: bool
) -> Suspicion | None:
    known = [_known(journal, fan, marks, number, now, back=back) for number in dict.fromkeys(running)]
    counted = [replace(item, crashes=item.crashes + died) for item in known]
    if not counted:
        return None
    worst = max(counted, key=lambda item: item.crashes)
    return Suspicion(tuple(counted) if died else (), worst.number, worst.crashes)


def _known(journal: Journal, fan: FanRecord, marks: Marks, number: int, now: int, *, back: bool) -> ItemRecord:
    if number in marks.open:
        return journal.items(fan.run, fan.visit, back=back, after=number - 1, limit=1)[0]
    return ItemRecord(run=fan.run, visit=fan.visit, number=number, back=back, state=fans.BEGUN, at=now, body=b"null")
