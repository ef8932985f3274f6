"""Diagrams say what the definition says, and over a run what the run has done of it."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from xml.etree import ElementTree

import attrs
import pytest

from persistence import MemoryJournal
from statemachine import Compound, Event, Parallel, Runner, State, Workflow, after, evolve, joined, on, step
from statemachine.diagrams import Diagram, NoGraphvizError, diagram
from statemachine.diagrams.drawing import Arrow, Box
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import Confirm, Order, Reject, Shop, World, until, until_incident


@attrs.frozen
class Case:
    note: str = ""


class Decide(Event, frozen=True):
    by: str


def nobody(case: Case) -> bool:
    """a "hard" <case> & more"""
    return not case.note


class Checked(Workflow[Case], name="checked"):
    class checks(Parallel, initial=True):
        """Two beside each other."""

        class left(Compound):
            """One."""

            going = State(initial=True)
            over = State(final=True)

        class right(Compound):
            """The other."""

            going = State(initial=True)
            over = State(final=True)

    deciding = State(waits_for="a clerk", defer=())
    done = State(final=True)
    refused = State(final=True, compensate=True)

    @step(checks.left.going, to=checks.left.over)
    def one(self, case: Case) -> Case:
        return case

    @one.undo
    def back(self, case: Case) -> None:
        pass

    @step(checks.right.going, to=checks.right.over, effect=False)
    def two(self, case: Case) -> Case:
        return case

    both = joined(checks, to=deciding)

    @on(Decide, source=deciding, to=(refused.when(nobody), done))
    def decide(self, case: Case, event: Decide) -> Case:
        return evolve(case, note=event.by)

    lapse = after(timedelta(days=3), source=deciding, to=refused)


def boxes(drawn: Diagram) -> dict[str, Box]:
    """Boxes by name."""
    return {box.name: box for box in drawn.drawing.boxes}


def arrow(drawn: Diagram, source: str, target: str, kind: str) -> Arrow:
    """The one arrow of a kind between two states."""
    (found,) = [one for one in drawn.drawing.arrows if (one.source, one.target, one.kind) == (source, target, kind)]
    return found


def test_boxes_tell_states_with_their_steps_roles_and_ends() -> None:
    """Nesting, what begins where, who is waited for, the pivot, and how the run ends."""
    found = boxes(diagram(Checked))
    assert found["checks.left.going"].parent == "checks.left"
    assert found["checks.left.going"].initial
    assert found["deciding"].lines == ("waits for a clerk",)
    assert found["checks.left.going"].lines == ("one (5 minutes)",)
    assert (found["done"].end, found["refused"].end, found["checks.left.over"].end) == ("completed", "undone", "")
    shop = boxes(diagram(Shop))
    assert shop["charging"].pivot
    assert "pivot: nothing is undone after it" in shop["charging"].lines
    assert shop["reserving"].lines == ("reserve (5 minutes, 3 attempts)",)


def test_arrows_tell_events_guards_times_errors_and_the_way_back() -> None:
    """One arrow for each transition, in the reader's words, and a dashed one for each compensation."""
    checked = diagram(Checked)
    assert arrow(checked, "deciding", "refused", "event").guard == nobody.__doc__
    assert arrow(checked, "deciding", "refused", "timer").label == "after 3 days"
    assert arrow(checked, "checks", "deciding", "work").label == "checks is done"
    assert arrow(checked, "checks.left.over", "checks.left.going", "undo").label == "undo: back"
    assert arrow(diagram(Shop), "reserving", "gone", "error").label == "reserve raises Gone"
    assert arrow(diagram(Shop), "waiting", "waiting", "event").label == "Note"


@pytest.mark.parametrize("notation", ["mermaid", "dot"])
def test_every_state_and_arrow_is_in_each_notation(notation: str) -> None:
    """As many boxes and arrows as the drawing has; names of states, dashed ways back."""
    drawn = diagram(Checked)
    text: str = getattr(drawn, notation)
    beginnings = sum(box.initial for box in drawn.drawing.boxes)
    arrows = sum(line.count("->") > 0 for line in text.splitlines() if "-.->" in line or "->" in line)
    assert arrows == len(drawn.drawing.arrows) + beginnings
    assert all(f"{box.label}</b>" in text.lower() for box in drawn.drawing.boxes)
    assert ("-.->" if notation == "mermaid" else "style=dashed") in text
    assert text.count("subgraph") == 3


def test_names_from_outside_cannot_break_a_notation() -> None:
    """Quotes, angle brackets and ampersands in a guard's docstring arrive as text."""
    drawn = diagram(Checked)
    assert "[a #quot;hard#quot; #lt;case#gt; & more]" in drawn.mermaid
    texts = "".join(ElementTree.fromstring(drawn.svg).itertext())
    assert '[a "hard" <case> & more]' in texts


def test_svg_is_an_element_that_a_notebook_shows() -> None:
    """Well-formed, without a prologue, with the classes that a page styles."""
    drawn = diagram(Checked)
    root = ElementTree.fromstring(drawn.svg)
    assert root.tag.endswith("svg")
    assert drawn.svg.startswith("<svg")
    assert drawn._repr_svg_() == drawn.svg
    classes = {one.get("class", "") for one in root.iter()}
    assert any("undo" in one.split() for one in classes)


def test_without_graphviz_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the notations that need nothing still work."""
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    drawn = diagram(Checked)
    with pytest.raises(NoGraphvizError, match=r"durable-statemachine\[diagrams\]"):
        _ = drawn.svg
    assert drawn.mermaid


def test_over_a_run_it_shows_where_that_is_and_the_way_it_took() -> None:
    """Active and visited states, arrows taken, and what waits."""
    world = World()
    with Runner(MemoryJournal(), [Shop(world)], clock=VirtualClock()) as runner:
        run = runner.start(Shop, Order("book"))
        until(run, "waiting")
        world.failures = [OSError("no answer")]
        run.send(Confirm())
        until_incident(run)
        drawn = diagram(Shop, run)
    marks = {name: box.mark for name, box in boxes(drawn).items()}
    assert marks == {
        "reserving": "visited",
        "waiting": "visited",
        "charging": "active",
        "sent": "",
        "gone": "",
        "rejected": "",
    }
    assert {(one.source, one.target) for one in drawn.drawing.arrows if one.taken} == {
        ("reserving", "waiting"),
        ("waiting", "charging"),
    }
    assert any("needs a person" in line for line in boxes(drawn)["charging"].lines)
    assert "==>" in drawn.mermaid


def test_over_an_undone_run_the_way_back_is_taken() -> None:
    """The compensation's arrow is marked, the compensating end active."""
    with Runner(MemoryJournal(), [Shop(World())], clock=VirtualClock()) as runner:
        run = runner.start(Shop, Order("book"))
        until(run, "waiting")
        run.send(Reject())
        assert run.result(timeout=10).state == ("rejected",)
        drawn = diagram(Shop, run)
    assert arrow(drawn, "waiting", "reserving", "undo").taken
    assert boxes(drawn)["rejected"].mark == "active"
    assert boxes(drawn)["rejected"].end == "undone"


async def _drawn() -> Diagram:
    async with Runner(MemoryJournal(), [Shop(World())], clock=VirtualClock()) as runner:
        run = await runner.start(Shop, Order("book"))
        return diagram(Shop, (await run.look(), await run.story()))


def test_an_async_run_gives_its_view_and_story() -> None:
    """The same picture from the async face."""
    assert repr(asyncio.run(_drawn())) == "Diagram('shop (version 1)')"
