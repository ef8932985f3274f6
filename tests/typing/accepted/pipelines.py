"""What bounds, orders and remembers steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_type

import attrs

from statemachine import Cache, ItemCache, ItemOutcome, Run, Runner, State, Workflow, evolve, step


@attrs.frozen
class Page:
    """A page."""

    text: str
    vector: tuple[float, ...] = ()


def by_text(page: Page) -> str:
    """What its vector depends on."""
    return page.text


def vectored(page: Page, vector: tuple[float, ...]) -> Page:
    """With its vector."""
    return evolve(page, vector=vector)


class Indexing(Workflow[Page], name="indexing"):
    """Three ways to say a key."""

    model: str

    first = State(initial=True)
    second = State()
    third = State()
    last = State(final=True)

    def by_model(self, page: Page) -> tuple[str, str]:
        """With what a collaborator is."""
        return self.model, page.text

    @step(first, to=second, into=vectored, cache=Cache(by_text, timedelta(days=30), most=1_000, size=1 << 20))
    async def plain(self, page: Page) -> tuple[float, ...]:
        """A function of the data."""
        return page.vector

    @step(second, to=third, into=vectored, cache=Cache(key=by_model, age=60))
    async def method(self, page: Page) -> tuple[float, ...]:
        """A method."""
        return page.vector

    @step(third, to=last, into=vectored, cache=None)
    def without(self, page: Page) -> tuple[float, ...]:
        """None."""
        return page.vector


def letters(page: Page) -> str:
    """What is embedded one by one."""
    return page.text


def by_letter(page: Page, letter: str) -> str:
    """What the vector of a letter depends on."""
    return letter


def all_vectors(page: Page, vectors: Sequence[float]) -> Page:
    """With the vectors of all."""
    return evolve(page, vector=tuple(vectors))


def some_vectors(page: Page, outcomes: Sequence[ItemOutcome[float]]) -> Page:
    """With those that there are."""
    return evolve(page, vector=tuple(one.result for one in outcomes if one.result is not None))


class Spelling(Workflow[Page], name="spelling"):
    """Items with a key each."""

    model: str

    first = State(initial=True)
    second = State()
    last = State(final=True)

    def by_model(self, page: Page, letter: str) -> tuple[str, str]:
        """With what a collaborator is."""
        return self.model, letter

    @step(first, each=letters, to=second, into=all_vectors, cache=ItemCache(by_letter, timedelta(days=30)))
    async def plain(self, page: Page, letter: str) -> float:
        """A function of the data and the item."""
        return float(letter)

    @step(second, each=letters, failures="collect", to=last, into=some_vectors, cache=ItemCache(by_model, 60, most=9))
    async def method(self, page: Page, letter: str) -> float:
        """A method, of an item whose failure is collected."""
        return float(letter)


def runs(page: Page) -> None:
    """Bounds and priorities."""
    with Runner("app.db", [Indexing("m")], concurrency={Indexing: 8}, rate={Indexing.plain: 2, Indexing: 5}) as runner:
        assert_type(runner.start(Indexing, page, priority=5), Run[Page])
