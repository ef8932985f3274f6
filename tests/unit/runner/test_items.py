"""Steps that are done for each of many items, on a runner: one outcome each, and only what is missing after a death."""

from __future__ import annotations

from pathlib import Path

import pytest

from statemachine.testing import Harness, every_crash
from tests.unit.runner.fanning import Archive, Load, Shelf, Unwanted

MANY = tuple(f"d{number}" for number in range(10))


@pytest.mark.parametrize("kept", ["memory", "file"])
def test_each_item_is_done_once_and_the_results_come_in_order(kept: str, tmp_path: Path) -> None:
    """At most as many at once as the limit says; the fold is given them all."""
    shelf = Shelf()
    with Harness(Archive(shelf), file=tmp_path / "a.db" if kept == "file" else None) as desk:
        desk.start(Load(MANY))
        result = desk.finish()
        assert result.state == ("stored",)
        assert result.data.stored == 20
        assert sorted(shelf.calls) == sorted(MANY)
        assert shelf.most == 4
        assert desk.runner.verify("run-1").ok
        assert len(desk.runner.get("run-1").story().lines) == 2


def test_no_items_is_done_at_once() -> None:
    """The fold is given none."""
    with Harness(Archive(Shelf())) as desk:
        desk.start(Load(()))
        assert desk.finish().data.stored == 0


def test_every_crash_comes_to_the_same_end(tmp_path: Path) -> None:
    """Killed at each position of the journal, and around each effect, it goes on with what is missing."""

    def stored(desk: Harness[Archive]) -> object:
        desk.start(Load(MANY[:5]))
        desk.finish()
        return desk.workflow.shelf.held

    every_crash(lambda: Archive(Shelf()), stored)
    every_crash(lambda: Archive(Shelf()), stored, folder=tmp_path)


def test_an_item_that_fails_is_tried_again_as_its_retry_says() -> None:
    """The others go on meanwhile; the run waits with a deadline, and no item is done twice."""
    shelf = Shelf()

    def trouble(document: str, attempt: int) -> None:
        if document == "d3" and attempt < 3:
            raise OSError(document)

    shelf.trouble = trouble
    with Harness(Archive(shelf)) as desk:
        began = desk.clock.now()
        desk.start(Load(MANY))
        assert len(shelf.held) == 9
        assert desk.finish().state == ("stored",)
        assert shelf.calls.count("d3") == 3
        assert len(shelf.calls) == 12
        assert (desk.clock.now() - began).total_seconds() == 30
        assert desk.runner.verify("run-1").ok


def test_the_first_item_that_fails_for_good_fails_the_step_and_what_was_done_is_undone() -> None:
    """In reverse, one by one; what was never begun is left alone."""
    shelf = Shelf()

    def trouble(document: str, attempt: int) -> None:
        if document == "d5":
            raise OSError(document)

    shelf.trouble = trouble
    with Harness(Archive(shelf)) as desk:
        desk.start(Load(tuple(f"d{number}" for number in range(40))))
        result = desk.finish()
        assert result.status == "failed"
        assert result.error is not None
        assert "item 5" in result.error.message
        assert shelf.held == {}
        assert shelf.removed == sorted(shelf.removed, key=lambda document: -int(document[1:]))
        assert desk.runner.verify("run-1").ok


def test_a_declared_error_takes_its_own_way() -> None:
    """Its item is known to have had no effect; the others are undone on arrival in a compensating state."""
    shelf = Shelf()

    def trouble(document: str, attempt: int) -> None:
        if document == "d5":
            raise Unwanted

    shelf.trouble = trouble
    with Harness(Archive(shelf)) as desk:
        desk.start(Load(MANY))
        result = desk.finish()
        assert (result.status, result.state) == ("completed", ("refused",))
        assert shelf.held == {}
        assert "d5" not in shelf.removed
        assert shelf.calls.count("d5") == 1
