"""A step that is done for each of many items: a span for each attempt at one of them, in the trace of the run."""

from __future__ import annotations

from collections import Counter

from persistence import MemoryJournal
from statemachine import Runner
from statemachine.testing import VirtualClock
from tests.unit.integrations.telling import Kept, ids, said
from tests.unit.runner.desk import becomes
from tests.unit.runner.fanning import Archive, Load, Shelf, Unwanted


def test_each_item_has_a_span_that_ends_when_its_outcome_is_recorded() -> None:
    """With the key that its step was given; what was tried again has two, and the step one that says it is done."""
    kept, clock = Kept(), VirtualClock()

    def trouble(document: str, attempt: int) -> None:
        if document == "bb" and attempt == 1:
            raise TimeoutError

    shelf = Shelf(trouble=trouble)
    with Runner(MemoryJournal(), [Archive(shelf)], clock=clock, observer=kept.telemetry) as runner:
        run = runner.start(Archive, Load(("a", "bb", "ccc", "d", "e")))
        becomes(lambda: len(kept.named("store")) == 5)
        clock.advance(10)
        assert run.result(timeout=10).data.stored == 8
    spans = kept.named("store")
    assert Counter(said(span)["outcome"] for span in spans) == {"succeeded": 5, "failed": 1}
    assert {said(span)["key"] for span in spans if said(span)["outcome"] == "succeeded"} == set(shelf.held)
    assert len({ids(span)[1] for span in spans}) == 6
    assert {ids(span)[0] for span in spans} == {ids(kept.one("archive"))[0]}
    assert len(kept.named("succeeded store")) == 1
    assert kept.telemetry._running == {}
    assert kept.measured()["statemachine.item.attempts"] == {
        ("archive", "store", False, "succeeded"): 5,
        ("archive", "store", False, "failed"): 1,
    }


def test_the_item_that_ends_the_step_says_so_and_each_undo_has_a_span() -> None:
    """The others were done, or stopped; what was done is undone one by one."""
    kept = Kept()

    def trouble(document: str, _attempt: int) -> None:
        if document == "bad":
            raise Unwanted

    with Runner(MemoryJournal(), [Archive(Shelf(trouble=trouble))], observer=kept.telemetry) as runner:
        run = runner.start(Archive, Load(("a", "b", "bad", "d")))
        assert run.result(timeout=10).state == ("refused",)
        removed = len(kept.named("undo store"))
    outcomes = Counter(said(span)["outcome"] for span in kept.named("store"))
    assert outcomes["declared"] == 1
    assert set(outcomes) <= {"declared", "succeeded", "stopped"}
    assert removed >= outcomes["succeeded"] + outcomes["stopped"] > 0
    assert {said(span)["outcome"] for span in kept.named("undo store")} == {"succeeded"}
    assert kept.telemetry._running == {}
