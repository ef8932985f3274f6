"""Many items, and a person who holds them back: what waits for its turn when that is said is not begun either."""

from __future__ import annotations

import pytest

from persistence import MemoryJournal
from statemachine import Runner
from tests.unit.runner.desk import becomes
from tests.unit.runner.fanning import Archive, Load, Shelf

DOCUMENTS = tuple("abcdefghij")


@pytest.mark.parametrize("verb", ["hold", "pause"])
def test_no_item_begins_once_it_is_held_or_its_run_paused(verb: str) -> None:
    """Three of four wait for a place that one has at a time; after the release each is done once."""
    shelf = Shelf(pause=0.02)
    with Runner(MemoryJournal(), [Archive(shelf)], concurrency={Archive.store: 1}) as runner:
        body = runner._body
        assert body is not None
        run = runner.start(Archive, Load(DOCUMENTS))
        becomes(lambda: shelf.calls != [])
        if verb == "hold":
            runner.hold(Archive.store)
        else:
            run.pause()
        begun = len(shelf.calls)
        becomes(lambda: body.steps._running == {})
        assert len(shelf.calls) == begun
        if verb == "hold":
            runner.release(Archive.store)
        else:
            run.resume()
        assert run.result(timeout=10).data.stored == len(DOCUMENTS)
    assert sorted(shelf.calls) == list(DOCUMENTS)


def test_a_release_while_items_run_goes_on_with_those_that_were_left() -> None:
    """In the same go, though nothing of it was begun anew."""
    shelf = Shelf(pause=0.02)
    with Runner(MemoryJournal(), [Archive(shelf)], concurrency={Archive.store: 2}) as runner:
        run = runner.start(Archive, Load(DOCUMENTS))
        for _ in range(5):
            runner.hold(Archive.store)
            runner.release(Archive.store)
        assert run.result(timeout=10).data.stored == len(DOCUMENTS)
    assert sorted(shelf.calls) == list(DOCUMENTS)
