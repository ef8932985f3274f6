"""What may befall items on a runner: failures that are collected, undos that fail, deaths, pauses, a broken `each=`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from persistence import Change, MemoryJournal
from statemachine import NotOver, Runner, diagram
from statemachine.runner import Progress
from statemachine.testing import Harness, VirtualClock, every_crash
from tests.unit.runner.fanning import Archive, Discard, Gathering, Keep, Load, Shelf

MANY = tuple(f"d{number}" for number in range(12))


def failing(*documents: str, until: int = 99) -> Callable[[str, int], None]:
    """Raises for these documents, at attempts before that number."""

    def trouble(document: str, attempt: int) -> None:
        if document in documents and attempt < until:
            raise OSError(document)

    return trouble


def test_collected_failures_are_given_to_the_fold() -> None:
    """Each item has its outcome, and the step has succeeded."""
    shelf = Shelf(trouble=failing("d3", "d7"))
    with Harness(Gathering(shelf)) as desk:
        desk.start(Load(MANY))
        desk.advance(10)
        view = desk.look()
        assert (view.state, view.data.stored, view.data.letters) == (("waiting",), 10, "3,7")
        assert shelf.calls.count("d3") == 2
        desk.send(Keep())
        assert desk.finish().state == ("stored",)
        assert desk.runner.verify("run-1").ok


def test_what_may_have_been_done_is_undone_too() -> None:
    """An item that failed for good has an unknown effect; each is undone once, the last first."""
    shelf = Shelf(trouble=failing("d3", "d7"))
    with Harness(Gathering(shelf)) as desk:
        desk.start(Load(MANY))
        desk.advance(10)
        desk.send(Discard())
        assert desk.finish().state == ("refused",)
        assert shelf.removed == list(reversed(MANY))
        assert shelf.held == {}
        assert desk.runner.verify("run-1").ok


def test_an_undo_has_attempts_of_its_own_and_a_person_decides_that_item_alone() -> None:
    """What is skipped is left; the others are undone, and none of them twice."""
    shelf = Shelf(removing=lambda document: failing("d5")(document, 1))
    with Harness(Gathering(shelf)) as desk:
        desk.start(Load(MANY))
        desk.send(Discard())
        with pytest.raises(NotOver):
            desk.finish()
        (incident,) = desk.look().incidents
        assert (incident.kind, incident.item) == ("undo", 5)
        assert desk.look().keys == {incident.number: "run-1:n:store:1:5"}
        assert "item 5" in incident.message
        assert "2 time(s)" in incident.message
        desk.resolve("retry")
        with pytest.raises(NotOver):
            desk.finish()
        desk.resolve("skip")
        assert desk.finish().status == "completed"
        assert list(shelf.held.values()) == ["d5"]
        assert shelf.removed == [document for document in reversed(MANY) if document != "d5"]
        assert desk.runner.verify("run-1").ok


def test_every_crash_while_undoing_comes_to_the_same_end() -> None:
    """Also where an undo fails on the way."""

    def discarded(desk: Harness[Gathering]) -> object:
        shelf = desk.workflow.shelf
        desk.start(Load(MANY[:4]))
        tried: list[str] = []

        def once(document: str) -> None:
            if document == "d2" and not tried:
                tried.append(document)
                raise OSError(document)

        shelf.removing = once
        desk.send(Discard())
        desk.finish()
        return shelf.held

    every_crash(lambda: Gathering(Shelf()), discarded)


def test_every_crash_among_failures_comes_to_the_same_end() -> None:
    """The first that fails for good stops the others, whatever dies meanwhile."""

    def failed(desk: Harness[Archive]) -> object:
        desk.start(Load(MANY[:6]))
        desk.finish()
        return desk.workflow.shelf.held

    every_crash(lambda: Archive(Shelf(trouble=failing("d2"))), failed)


def test_an_item_that_ends_its_process_is_found_and_the_others_are_not_blamed() -> None:
    """At two deaths it is done alone; at the third it is an incident that names it."""
    shelf = Shelf()
    called: list[int] = []

    def ends(point: str) -> bool:
        dies = point == "after step store" and shelf.last == "d5"
        if dies:
            called.append(len(shelf.calls))
        return dies

    with Harness(Archive(shelf), crash=ends) as desk:
        desk.start(Load(MANY))
        (incident,) = desk.look().incidents
        assert (incident.kind, desk.look().state) == ("crashes", ("storing",))
        assert "Item 5" in incident.message
        assert list(desk.look().keys.values()) == ["run-1:n:store:1:5"]
        assert len(desk.deaths) == 3
        assert shelf.calls[called[1] : called[2]] == ["d4", "d5"]  # one after the other
        desk._crash = None
        desk.resolve("retry")
        assert desk.finish().state == ("stored",)
        assert sorted(shelf.held.values()) == sorted(MANY)


def test_deaths_that_no_item_is_to_blame_for_are_no_incident() -> None:
    """A fan-out lives through as many of them as there are."""
    shelf = Shelf()
    dies = iter(range(1000))
    with Harness(Archive(shelf), crash=lambda point: point == "after item" and next(dies) % 3 == 0) as desk:
        desk.start(Load(tuple(f"d{number}" for number in range(60))))
        assert desk.finish().state == ("stored",)
        assert len(desk.deaths) > 10
        assert len(shelf.held) == 60


def test_how_far_it_is_is_seen() -> None:
    """While it waits, when it is done, and when it is undone."""
    shelf = Shelf(trouble=failing("d3", until=2))
    with Harness(Gathering(shelf)) as desk:
        desk.start(Load(MANY))
        assert desk.look().progress == (Progress("store", 1, 12, 11, 0, 1, 0),)
        assert str(desk.look().progress[0]) == "11 of 12 done, 1 tried again"
        desk.advance(10)
        desk.send(Discard())
        assert [str(one) for one in desk.look().progress] == ["12 of 12 done, 12 undone"]


def test_a_diagram_marks_it() -> None:
    """With what it is done for, and how many at once."""
    words = diagram(Archive).mermaid.replace("<br/>", " ")
    assert "for each of documents, 4 at once" in words


def test_a_paused_run_begins_no_item_and_goes_on_when_it_is_resumed() -> None:
    """What was to be tried again waits until then."""
    shelf = Shelf(trouble=failing("d5", until=2))
    with Harness(Archive(shelf)) as desk:
        desk.start(Load(MANY))
        desk.runner.get("run-1").pause()
        desk.advance(20)
        assert len(shelf.calls) == 12
        desk.runner.get("run-1").resume()
        assert desk.finish().state == ("stored",)
        assert len(shelf.calls) == 13


def test_items_that_cannot_be_told_need_a_person() -> None:
    """The function that gives them has raised: nothing was begun, and it is asked again on request."""
    shelf = Shelf()
    with Harness(Archive(shelf)) as desk:
        desk.start(Load(("?",)))
        (incident,) = desk.look().incidents
        assert incident.kind == "step"
        assert "LookupError" in incident.message
        desk.resolve("retry")
        (incident,) = desk.look().incidents
        desk.resolve("skip")
        assert desk.finish().status == "failed"
        assert shelf.calls == shelf.removed == []


def test_a_snapshot_is_not_written_with_each_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an item costs does not depend on how many there are: one row, and no write of the run."""
    written: dict[int, tuple[int, int, int]] = {}
    commit = MemoryJournal.commit
    counted = [0, 0, 0]

    def counting(self: MemoryJournal, epoch: int, changes: list[Change]) -> list[Exception | None]:
        for change in changes:
            if isinstance(change, Change):
                counted[0] += len(change.items)
                counted[1] += change.run is not None
                counted[2] += len(change.run.snapshot) if change.run else 0
                counted[2] += sum(len(item.body) for item in change.items)
        return commit(self, epoch, changes)

    monkeypatch.setattr(MemoryJournal, "commit", counting)
    for many in (100, 400):
        counted[:] = [0, 0, 0]
        with Runner(MemoryJournal(), [Archive(Shelf())], clock=VirtualClock()) as runner:
            runner.start(Archive, Load(tuple("x" for _ in range(many))), id="r").result(timeout=30)
        written[many] = (counted[0], counted[1], counted[2])
    assert written[100][:2] == (100, 2)
    assert written[400][:2] == (400, 2)
    assert written[400][2] <= 4.2 * written[100][2]
