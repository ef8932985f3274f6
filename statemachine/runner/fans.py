"""Fan-outs in the journal: the items of a visit, what came of each, and what is still to be done.

Items are written once, in pages, when the visit begins; an outcome is written once, in a row of its own, when it is
there. Neither is in the snapshot, nor in the entries of the run's journal. So what a fan-out costs grows with its items
and not with their square, and of what it holds in memory there is one byte for an item, and one page.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, overload

import attrs
import msgspec

from persistence import FanRecord, GivenRecord, ItemRecord, Journal
from statemachine.collected import ItemOutcome
from statemachine.definition import StepSpec
from statemachine.inputs import Input, Succeeded, Taken
from statemachine.runner.hosted import Hosted
from statemachine.runner.stored import UNSTORABLE
from statemachine.snapshot import Done, Failure, Pending, Snapshot

PAGE = 256
"""Items written and read at once."""

BEGUN = "begun"
"""It was running when an owner died; nothing more is known."""
WAITING = "waiting"
"""It failed, and is tried again at `due`."""
DONE = "done"
TAKEN = "taken"
"""It was not attempted: its result is one that was recorded before. Its body is a `TakenItem`."""
SETTLED = frozenset((DONE, TAKEN))
FAILED = "failed"
"""For good; whether it took effect is unknown."""
REFUSED = "refused"
"""It failed with an error that is declared to have no effect."""
UNRECORDED = "unrecorded"
"""It took effect, and its result cannot be stored."""

ReadItems = Callable[[int, int, int], list[ItemRecord]]
"""`(visit, after, limit)`: see `Journal.items`."""


def reader(journal: Journal, run: str) -> ReadItems:
    """Reads what came of a run's items."""
    return lambda visit, after, limit: journal.items(run, visit, after=after, limit=limit)


class TakenItem(msgspec.Struct, frozen=True):
    """The result of an item that was taken from what another visit had recorded, and whose it was."""

    taken: Taken
    result: msgspec.Raw


def result_of(item: ItemRecord) -> bytes:
    """The result of one that is settled."""
    return item.body if item.state == DONE else bytes(msgspec.json.decode(item.body, type=TakenItem).result)


class Incomplete(LookupError):
    """The journal lacks the outcome of an item."""


class Results(Sequence[Any]):
    """What came of each item of a visit, in their order; read from the journal page by page, as it is looked at."""

    def __init__(self, hosted: Hosted, step: str, visit: int, total: int, read: ReadItems) -> None:
        self._kind = hosted.definition.code.results.get(step, Any)
        self._collect = hosted.steps[step].spec.failures == "collect"
        self._decode = hosted.stored.codec.decode
        self._visit = visit
        self._total = total
        self._read = read
        self._first = 0
        self._page: list[ItemRecord] = []

    def __len__(self) -> int:
        return self._total

    @overload
    def __getitem__(self, number: int) -> Any: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Any]: ...
    def __getitem__(self, number: int | slice) -> Any:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(self._total))]
        place = number + self._total if number < 0 else number
        if not 0 <= place < self._total:
            message = f"there are {self._total} results, and none is number {number}"
            raise IndexError(message)
        if not self._first <= place < self._first + len(self._page):
            self._first = place - place % PAGE
            self._page = self._read(self._visit, self._first - 1, PAGE)
        return self._result(place)

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(self._total))

    def _result(self, number: int) -> Any:
        place = number - self._first
        if place >= len(self._page) or self._page[place].number != number:
            message = f"of visit {self._visit} the journal lacks what came of item {number}"
            raise Incomplete(message)
        item = self._page[place]
        if item.state not in SETTLED:
            return ItemOutcome[Any](failure=self._decode(item.body, Failure))
        result = self._decode(result_of(item), self._kind)
        return ItemOutcome[Any](result=result) if self._collect else result


def with_results(hosted: Hosted, told: Input, read: ReadItems) -> Input:
    """An input of a journal, with what came of many items if it is about them."""
    if not isinstance(told, Succeeded) or told.items is None or hosted.steps[told.step].spec.into is None:
        return told
    return msgspec.structs.replace(told, result=Results(hosted, told.step, told.visit, told.items, read))


def spread(
    hosted: Hosted, run: str, step: StepSpec, visit: int, base: Any
) -> tuple[FanRecord, tuple[GivenRecord, ...]]:
    """What a step is to be done for. Raises NotStored, TooLarge, or what the workflow's function raises."""
    each = hosted.definition.code.functions[step.each or ""]
    items: Sequence[Any] = each(base, None, None)
    total = len(items)
    given = tuple(
        GivenRecord(
            run=run,
            visit=visit,
            first=first,
            items=hosted.stored.items(run, step.name, list(items[first : first + PAGE])),
        )
        for first in range(0, total, PAGE)
    )
    return FanRecord(run=run, visit=visit, step=step.name, total=total, most=step.limit), given


class Pages:
    """The items of a visit, a few pages of them at a time.

    Args:
        hosted: The workflow.
        fan: Whose items.
    """

    def __init__(self, hosted: Hosted, fan: FanRecord) -> None:
        many: Any = list
        self._kind = many[hosted.definition.code.items.get(fan.step, Any)]
        self._decode = hosted.stored.codec.decode
        self._fan = fan
        self._pages: dict[int, list[Any]] = {}

    def kept(self, number: int) -> tuple[bool, Any]:
        """Whether an item is in memory, and it."""
        page = self._pages.get(number // PAGE)
        return (False, None) if page is None else (True, page[number % PAGE])

    def read(self, journal: Journal, number: int) -> Any:
        """An item, read with the page that it is in."""
        given = journal.given(self._fan.run, self._fan.visit, number)
        if given is None or given.first != number - number % PAGE:
            message = f"of visit {self._fan.visit} the journal lacks item {number}"
            raise Incomplete(message)
        if len(self._pages) > 3:
            del self._pages[next(iter(self._pages))]
        page: list[Any] = self._decode(given.items, self._kind)
        self._pages[number // PAGE] = page
        return page[number % PAGE]


@attrs.define(eq=False)
class Marks:
    """What is known of the items of a visit.

    Attributes:
        known: One byte for each item: 0 where nothing is known, else 1.
        open: Those that are neither done nor known to have had no effect, by number, without their bodies.
        refused: Those that are known to have had none.
        done: How many are done.
    """

    known: bytearray
    open: dict[int, ItemRecord] = attrs.field(factory=dict[int, ItemRecord])
    refused: set[int] = attrs.field(factory=set[int])
    done: int = 0

    @classmethod
    def of(cls, journal: Journal, fan: FanRecord, *, back: bool = False) -> Marks:
        """From the journal, in pages."""
        marks = cls(bytearray(fan.total))
        after = -1
        while page := journal.items(fan.run, fan.visit, back=back, after=after, limit=1000, bodies=False):
            for item in page:
                marks.take(item)
            after = page[-1].number
        return marks

    def take(self, item: ItemRecord) -> None:
        """Note one."""
        self.known[item.number] = 1
        if item.state in SETTLED:
            self.done += 1
        elif item.state == REFUSED:
            self.refused.add(item.number)
        else:
            self.open[item.number] = item

    def unmarked(self, most: int) -> list[int]:
        """The first of those of which nothing is known but, at most, that they were running when an owner died."""
        found: list[int] = []
        for number, known in enumerate(self.known):
            if not known or (number in self.open and self.open[number].state == BEGUN):
                found.append(number)
                if len(found) == most:
                    break
        return found


def to_undo(journal: Journal, fan: FanRecord, left: Container[int]) -> tuple[list[int], Marks]:
    """The items of a visit whose undo is to come, the first to be undone last; and what is known of their undos."""
    forward, back = Marks.of(journal, fan), Marks.of(journal, fan, back=True)
    begun = set(forward.unmarked(fan.most))
    numbers = [
        number
        for number, known in enumerate(forward.known)
        if (known or number in begun)
        and number not in forward.refused
        and not (back.known[number] and number not in back.open)
        and number not in left
    ]
    return numbers, back


def misfit(journal: Journal, hosted: Hosted, snapshot: Snapshot[Any]) -> str:
    """Why this definition cannot go on with the items of a run, as they were stored; empty when it can."""
    works: tuple[Pending | Done, ...] = (*snapshot.pending, *snapshot.undo)
    for work in works:
        fan = journal.fan(snapshot.run, work.visit) if work.each else None
        if fan is None:
            continue
        try:
            _read_all(journal, hosted, fan, results=isinstance(work, Pending))
        except (*UNSTORABLE, Incomplete) as error:
            said = f"the items of step {work.step} do not fit this version of it: {error}"
            return f"{hosted.definition.name} has changed: {said}"
    return ""


def _read_all(journal: Journal, hosted: Hosted, fan: FanRecord, *, results: bool) -> None:
    pages = Pages(hosted, fan)
    for number in range(0, fan.total, PAGE):
        pages.read(journal, number)
    if not results or hosted.steps[fan.step].spec.into is None:
        return
    kind, after = hosted.definition.code.results[fan.step], -1
    while page := journal.items(fan.run, fan.visit, after=after, limit=PAGE):
        for item in page:
            if item.state in SETTLED:
                hosted.stored.codec.decode(result_of(item), kind)
        after = page[-1].number
