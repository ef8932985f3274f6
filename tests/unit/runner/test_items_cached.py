"""Items whose results were recorded before: taken one by one, by whatever run, and only where they may be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from persistence import MemoryJournal
from statemachine import Event, ItemCache, ItemOutcome, Retry, Runner, State, Workflow, evolve, on, step
from statemachine.testing import Harness, VirtualClock, every_crash

DAY = timedelta(days=1)


@attrs.frozen
class Book:
    pages: tuple[str, ...]
    language: str = "de"
    lengths: tuple[int, ...] = ()


class Again(Event, frozen=True):
    """From the start."""

    page: str


class Close(Event, frozen=True):
    """No more."""


@attrs.define(eq=False)
class Model:
    """What it was asked, in order."""

    asked: list[str] = attrs.field(factory=list[str])
    closed: frozenset[str] = frozenset()

    def embed(self, page: str) -> int:
        """As long as the page is."""
        if page in self.closed:
            raise ConnectionError(page)
        self.asked.append(page)
        return len(page)


def pages(book: Book) -> tuple[str, ...]:
    """What is embedded."""
    return book.pages


def by_page(book: Book, page: str) -> tuple[str, str] | None:
    """What the vector of a page depends on."""
    if page == "unreadable":
        message = "no text"
        raise LookupError(message)
    return None if page == "secret" else (book.language, page)


def measured(book: Book, outcomes: Sequence[ItemOutcome[int]]) -> Book:
    """With all lengths; -1 where one failed."""
    return evolve(book, lengths=tuple(-1 if one.result is None else one.result for one in outcomes))


class Indexing(Workflow[Book], name="indexing"):
    model: Model

    embedding = State(initial=True, defer=(Close,))
    indexed = State()
    closed = State(final=True)

    @step(
        embedding,
        each=pages,
        limit=2,
        failures="collect",
        to=indexed,
        into=measured,
        cache=ItemCache(by_page, DAY),
        retry=Retry(2, delay=0),
    )
    async def embed(self, book: Book, page: str) -> int:
        return self.model.embed(page)

    @on(Again, source=indexed, to=embedding)
    def more(self, book: Book, event: Again) -> Book:
        return evolve(book, pages=(*book.pages, event.page))

    close = on(Close, source=indexed, to=closed)


def index(desk: Harness[Indexing], run: str, book: Book) -> tuple[int, ...]:
    """How long its pages are, by a run of its own."""
    desk.start(book, id=run)
    desk.settle()
    data: Book = desk.look(run).data
    return data.lengths


def test_items_of_another_run_are_taken_and_said_so() -> None:
    """Of a thousand pages of which one is new, one is computed; what is shown says how many were not."""
    model = Model()
    many = tuple(f"page {number}" for number in range(1000))
    with Harness(Indexing(model)) as desk:
        assert index(desk, "a", Book(many)) == tuple(map(len, many))
        assert index(desk, "b", Book((*many, "new"))) == (*map(len, many), 3)
        assert model.asked[1000:] == ["new"]
        (first,), (second,) = desk.look("a").progress, desk.look("b").progress
        assert (str(first), str(second)) == ("1000 of 1000 done", "1001 of 1001 done, 1000 taken")
        assert desk.runner.verify("b").ok


def test_the_data_is_part_of_the_key_and_none_keeps_nothing() -> None:
    """Another language is another vector; what has no key is computed each time."""
    model = Model()
    with Harness(Indexing(model)) as desk:
        index(desk, "a", Book(("one", "secret")))
        index(desk, "b", Book(("one", "secret"), "en"))
        index(desk, "c", Book(("one", "secret"), "en"))
        assert model.asked == ["one", "secret", "one", "secret", "secret"]


def test_a_later_visit_takes_what_an_earlier_one_of_its_run_has_made() -> None:
    """New data is announced, and only that is computed."""
    model = Model()
    with Harness(Indexing(model)) as desk:
        index(desk, "a", Book(("one", "two")))
        desk.send(Again("three"), run="a")
        desk.settle()
        assert desk.look("a").data.lengths == (3, 3, 5)
        assert model.asked == ["one", "two", "three"]


def test_a_key_that_raises_is_a_failed_attempt_of_its_item() -> None:
    """It is collected like any other; the others are done."""
    with Harness(Indexing(Model())) as desk:
        assert index(desk, "a", Book(("one", "unreadable", "two"))) == (3, -1, 3)
        assert str(desk.look("a").progress[0]) == "2 of 3 done, 1 failed"


def test_a_failure_is_not_kept() -> None:
    """The next run asks again."""
    model = Model(closed=frozenset({"two"}))
    with Harness(Indexing(model)) as desk:
        assert index(desk, "a", Book(("one", "two"))) == (3, -1)
        model.closed = frozenset()
        assert index(desk, "b", Book(("one", "two"))) == (3, 3)
        assert model.asked == ["one", "two"]


def test_what_is_taken_waits_for_no_turn() -> None:
    """A rate is for attempts: the clock stands still for the second run."""
    model, clock = Model(), VirtualClock()

    async def story() -> None:
        async with Runner(MemoryJournal(), [Indexing(model)], rate={Indexing.embed: 1}, clock=clock) as runner:
            await runner.start(Indexing, Book(("one",)), id="a")
            clock.advance(1)
            await runner.send("a", Close())
            await runner.result("a", 5)
            await runner.start(Indexing, Book(("one",) * 20), id="b")
            await runner.send("b", Close())
            assert (await runner.result("b", 5)).data.lengths == (3,) * 20

    asyncio.run(story())
    assert model.asked == ["one"]


@pytest.mark.parametrize("kept", ["memory", "file"])
def test_every_death_leaves_the_same_results(kept: str, tmp_path: Path) -> None:
    """Killed at every point, amid what is computed and amid what is taken."""

    def twice(desk: Harness[Indexing]) -> object:
        return [index(desk, run, Book(("one", "second"))) for run in ("a", "b")]

    trial = every_crash(lambda: Indexing(Model()), twice, folder=tmp_path if kept == "file" else None)
    assert trial.end.gave == [(3, 6), (3, 6)]
