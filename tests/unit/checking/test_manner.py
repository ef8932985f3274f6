"""How a step is done (for each of many, in a process, with a heartbeat or a cache) is said wherever steps are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import attrs

from statemachine import Call, ItemCache, ItemOutcome, State, Workflow, step
from statemachine.checking import check
from statemachine.diagrams import diagram

SAID = (
    "for each of pages, 3 at once, failures collected",
    "fails when silent for 2 minutes",
    "takes results of the last 30 days",
)


@attrs.frozen
class Book:
    pages: tuple[str, ...] = ()


def pages(book: Book) -> tuple[str, ...]:
    """What is read."""
    return book.pages


def by_page(book: Book, page: str) -> str:
    """What is known of a page depends on it alone."""
    return page


def read_all(book: Book, outcomes: Sequence[ItemOutcome[int]]) -> Book:
    """All is read."""
    return book


class Reading(Workflow[Book], name="reading"):
    reading = State(initial=True)
    binding = State()
    shelved = State(final=True)

    @step(
        reading,
        each=pages,
        limit=3,
        failures="collect",
        to=binding,
        into=read_all,
        heartbeat=timedelta(minutes=2),
        cache=ItemCache(by_page, timedelta(days=30)),
        effect=False,
    )
    async def read(self, book: Book, page: str, call: Call) -> int:
        return len(page)

    @step(binding, to=shelved, process=True, effect=False)
    def bind(self, book: Book) -> Book:
        return book


def test_the_checker_says_it_beside_the_step() -> None:
    """In the table on a terminal, and each phrase by itself for whoever reads the report."""
    report = check(Reading)
    read, bind = report.steps
    assert read.manner == SAID
    assert bind.manner == ("in a process of its own",)
    (line,) = (line for line in str(report).splitlines() if line.startswith("read "))
    assert line.endswith(", ".join(("no effect", *SAID)))


def test_the_diagram_says_it_in_the_state() -> None:
    """One line each."""
    drawn = diagram(Reading).mermaid
    assert all(said in drawn for said in (*SAID, "in a process of its own"))
