"""Steps that are done for each of many items, in every shape, and the types that come of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, assert_type

import attrs

from statemachine import Call, ItemOutcome, Retry, State, Workflow, evolve, step


@attrs.frozen
class Document:
    name: str


@attrs.frozen
class Batch:
    documents: tuple[Document, ...] = ()
    stored: int = 0


class Unwanted(Exception):
    """It is not taken."""


def documents(batch: Batch) -> tuple[Document, ...]:
    """What is stored."""
    return batch.documents


def names(batch: Batch) -> list[str]:
    """Whom to tell."""
    return [document.name for document in batch.documents]


def counted(batch: Batch, sizes: Sequence[int]) -> Batch:
    """How much is stored."""
    return evolve(batch, stored=sum(sizes))


def noted(batch: Batch, outcomes: Sequence[ItemOutcome[int]]) -> Batch:
    """How much is stored, of what could be."""
    return evolve(batch, stored=sum(one.result for one in outcomes if one.result is not None))


def many(batch: Batch) -> bool:
    """there is more than one"""
    return batch.stored > 1


class Batches(Workflow[Batch]):
    storing = State(initial=True)
    telling = State()
    gathering = State()
    asking = State()
    done = State(final=True)
    few = State(final=True)

    @step(
        storing,
        each=documents,
        limit=4,
        to=(telling.when(many), few),
        into=counted,
        error={Unwanted: few},
        failed=few,
        retry=Retry(3),
    )
    async def store(self, batch: Batch, document: Document, call: Call) -> int:
        return len(document.name + call.key)

    @store.undo
    async def remove(self, batch: Batch, document: Document, call: Call) -> None: ...

    @step(telling, each=names, to=gathering)
    def tell(self, batch: Batch, name: str) -> None: ...

    @tell.undo(retry=Retry(2))
    def untell(self, batch: Batch, name: str) -> None: ...

    @step(gathering, each=documents, to=asking, into=noted, failures="collect", limit=100)
    def gather(self, batch: Batch, document: Document) -> int:
        return 1

    @step(asking, each=lambda batch: batch.documents, to=done, into=counted)
    async def ask(self, batch: Batch, document: Document) -> int:
        return 1


assert_type(Batches().store, Callable[[Batch, Document, Call], Coroutine[Any, Any, int]])
assert_type(Batches().tell, Callable[[Batch, str], None])
assert_type(ItemOutcome(result=1).result, int | None)
