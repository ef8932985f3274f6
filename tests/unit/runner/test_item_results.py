"""What came of items, as a fold sees it, and as a fold of the journal sees it again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from persistence import Change, ItemRecord, MemoryJournal
from statemachine import Runner
from statemachine.runner.fans import PAGE, Incomplete, Results
from statemachine.runner.hosted import Workflows
from tests.unit.runner.fanning import Archive, Load, Shelf

MANY = 2 * PAGE + 3


def results(*, lacking: int | None = None) -> tuple[Results, list[int]]:
    """The numbers up to `MANY` as results, and which pages of them were read."""
    pages: list[int] = []

    def read(visit: int, after: int, limit: int) -> list[ItemRecord]:
        pages.append(after)
        return [
            ItemRecord(run="r", visit=visit, number=number, state="done", at=0, body=str(number).encode())
            for number in range(after + 1, min(after + 1 + limit, MANY))
            if number != lacking
        ]

    with Runner(MemoryJournal(), [Archive(Shelf())]) as runner:
        assert runner._body is not None
        workflows: Workflows = runner._body.workflows
    return Results(workflows.of(Archive), "store", 1, MANY, read), pages


def test_they_are_a_sequence_that_is_read_page_by_page() -> None:
    """Each page once when it is gone over; any place by its number, slices and negative ones too."""
    found, pages = results()
    assert list(found) == list(range(MANY))
    assert pages == [-1, PAGE - 1, 2 * PAGE - 1]
    assert (len(found), found[0], found[-1], found[PAGE]) == (MANY, 0, MANY - 1, PAGE)
    assert found[-2:] == [MANY - 2, MANY - 1]
    with pytest.raises(IndexError, match=f"there are {MANY} results"):
        found[MANY]


def test_one_that_is_missing_is_said() -> None:
    """Nothing stands in for it."""
    with pytest.raises(Incomplete, match="item 5"):
        list(results(lacking=5)[0])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda item: replace(item, body=b"7"), "data"),
        (lambda item: replace(item, state="waiting"), ""),
    ],
)
def test_verify_notices_a_result_that_is_another(spoil: Callable[[ItemRecord], ItemRecord], said: str) -> None:
    """Though it stands in no entry."""
    journal = MemoryJournal()
    with Runner(journal, [Archive(Shelf())]) as runner:
        runner.start(Archive, Load(("a", "b")), id="r").result(timeout=10)
        assert runner.verify("r").ok
    epoch = journal.claim("somebody", 0)
    first = journal.items("r", 1)[0]
    assert journal.commit(epoch, [Change(items=(spoil(first),))]) == [None]
    journal.release(epoch)
    with Runner(MemoryJournal(beside=journal), [Archive(Shelf())]) as runner:
        verified = runner.verify("r")
        assert not verified.ok
        assert said in verified.different or not said
