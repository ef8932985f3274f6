"""What a checker must refuse of bounds and caches: both report an error on each line that says so, and on no other."""

from __future__ import annotations

from statemachine import Cache, ItemCache, Runner, State, Workflow, evolve, step
from tests.typing.accepted.pipelines import Indexing, Page, all_vectors, by_letter, by_text, letters, vectored


class Other:
    name: str = ""


def of_other(other: Other) -> str:
    return other.name


class Wrong(Workflow[Page]):
    first = State(initial=True)
    last = State(final=True)

    @step(first, to=last, into=vectored, cache=Cache(of_other, 60))  # rejected
    def other_data(self, page: Page) -> tuple[float, ...]:
        return page.vector

    @step(first, to=last, into=vectored, cache=by_text)  # rejected
    def no_cache(self, page: Page) -> tuple[float, ...]:
        return page.vector

    @step(first, to=last, cache=Cache(by_text, 60))  # rejected
    def no_result(self, page: Page) -> Page:
        return evolve(page, vector=())

    @step(first, to=last, into=vectored, cache=Cache(by_text))  # rejected
    def no_age(self, page: Page) -> tuple[float, ...]:
        return page.vector


def by_number(page: Page, number: int) -> int:
    return number


class WrongItems(Workflow[Page]):
    first = State(initial=True)
    last = State(final=True)

    @step(first, each=letters, to=last, into=all_vectors, cache=ItemCache(by_number, 60))  # rejected
    def other_item(self, page: Page, letter: str) -> float:
        return float(letter)

    @step(first, each=letters, to=last, into=all_vectors, cache=Cache(by_text, 60))  # rejected
    def no_item(self, page: Page, letter: str) -> float:
        return float(letter)

    @step(first, to=last, into=vectored, cache=ItemCache(by_letter, 60))  # rejected
    def no_items(self, page: Page) -> tuple[float, ...]:
        return page.vector


def runs(page: Page) -> None:
    with Runner("app.db", [Indexing("m")], rate={Indexing: "fast"}) as runner:  # rejected
        runner.start(Indexing, page, priority="high")  # rejected
    Runner("app.db", [Indexing("m")], rate={"Indexing": 5})  # rejected
