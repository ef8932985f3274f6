"""A workflow whose step is done for each of many documents, with a shelf that remembers what was done to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import attrs

from statemachine import Call, Event, ItemOutcome, Retry, State, Workflow, evolve, on, step


@attrs.frozen
class Load:
    documents: tuple[str, ...]
    stored: int = 0
    letters: str = ""


class Unwanted(Exception):
    """The shelf does not take it, and has not taken it."""


class Keep(Event, frozen=True):
    """They stay."""


class Discard(Event, frozen=True):
    """They go."""


@attrs.define(eq=False)
class Shelf:
    """What the steps act on.

    Attributes:
        held: Key -> document, as they are on the shelf now.
        calls: Documents in the order in which they were put, repetitions included.
        removed: Documents in the order in which they were taken off.
        trouble: Called before a document is put; may raise.
        removing: Called before one is taken off; may raise.
        last: The document that was put last.
        most: How many were being put at once, at most.
    """

    held: dict[str, str] = attrs.field(factory=dict[str, str])
    calls: list[str] = attrs.field(factory=list[str])
    removed: list[str] = attrs.field(factory=list[str])
    trouble: Callable[[str, int], None] = lambda _document, _attempt: None
    removing: Callable[[str], None] = lambda _document: None
    pause: float = 0.0
    last: str = ""
    most: int = 0
    now: int = 0

    async def put(self, document: str, key: str, attempt: int) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            self.calls.append(document)
            self.trouble(document, attempt)
            await asyncio.sleep(self.pause)
            self.held[key] = self.last = document
        finally:
            self.now -= 1

    def take_off(self, key: str, document: str) -> None:
        self.removing(document)
        self.held.pop(key, None)
        self.removed.append(document)


def documents(load: Load) -> tuple[str, ...]:
    """What is to be stored."""
    if "?" in load.documents:
        raise LookupError(load.documents)
    return load.documents


def counted(load: Load, results: Sequence[int]) -> Load:
    """How much was stored."""
    return evolve(load, stored=sum(results), letters="".join(str(one) for one in results))


class Archive(Workflow[Load], name="archive", version=1):
    shelf: Shelf

    storing = State(initial=True)
    stored = State(final=True)
    refused = State(final=True, compensate=True)

    @step(
        storing,
        each=documents,
        limit=4,
        to=stored,
        into=counted,
        error={Unwanted: refused},
        retry=Retry(3, delay=10, jitter=0),
    )
    async def store(self, load: Load, document: str, call: Call) -> int:
        await self.shelf.put(document, call.key, call.attempt)
        return len(document)

    @store.undo
    def remove(self, load: Load, document: str, call: Call) -> None:
        self.shelf.take_off(call.undoes, document)


def numbered(load: Load, outcomes: Sequence[ItemOutcome[int]]) -> Load:
    """How many were stored, and which failed."""
    failed = [str(number) for number, one in enumerate(outcomes) if not one.ok]
    return evolve(load, stored=sum(one.result or 0 for one in outcomes), letters=",".join(failed))


class Gathering(Workflow[Load], name="gathering", version=1):
    shelf: Shelf

    storing = State(initial=True)
    waiting = State()
    stored = State(final=True)
    refused = State(final=True, compensate=True)

    @step(storing, each=documents, limit=4, to=waiting, into=numbered, failures="collect", retry=Retry(2, delay=10))
    async def store(self, load: Load, document: str, call: Call) -> int:
        await self.shelf.put(document, call.key, call.attempt)
        return 1

    @store.undo(retry=Retry(2, delay=10))
    def remove(self, load: Load, document: str, call: Call) -> None:
        self.shelf.take_off(call.undoes, document)

    keep = on(Keep, source=waiting, to=stored)
    discard = on(Discard, source=waiting, to=refused)
