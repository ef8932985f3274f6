"""Steps for each of many items that must not check: another item, result, data or outcome than is said."""

from __future__ import annotations

from collections.abc import Sequence

from statemachine import Call, ItemOutcome, State, Workflow, evolve, step
from tests.typing.accepted.many import Batch, Document, documents, names


def counted(batch: Batch, sizes: Sequence[int]) -> Batch:
    return evolve(batch, stored=sum(sizes))


def noted(batch: Batch, outcomes: Sequence[ItemOutcome[int]]) -> Batch:
    return batch


def of_other(text: str) -> list[Document]:
    return [Document(text)]


class Wrong(Workflow[Batch]):
    storing = State(initial=True)
    done = State(final=True)

    @step(storing, each=names, to=done, into=counted)  # rejected
    def of_other_items(self, batch: Batch, document: Document) -> int:
        return 1

    @step(storing, each=documents, to=done, into=counted)  # rejected
    def with_other_results(self, batch: Batch, document: Document) -> str:
        return ""

    @step(storing, each=documents, to=done, into=counted)  # rejected
    def without_item(self, batch: Batch) -> int:
        return 1

    @step(storing, each=documents, to=done)  # rejected
    def with_results_for_nobody(self, batch: Batch, document: Document) -> int:
        return 1

    @step(storing, each=documents, to=done, into=noted)  # rejected
    def collected_by_a_step_that_stops(self, batch: Batch, document: Document) -> int:
        return 1

    @step(storing, each=documents, to=done, into=counted, failures="collect")  # rejected
    def collected_by_a_fold_of_results(self, batch: Batch, document: Document) -> int:
        return 1

    @step(storing, each=of_other, to=done, into=counted)  # rejected
    def of_other_data(self, batch: Batch, document: Document) -> int:
        return 1

    @step(storing, each=documents, to=done, into=counted)
    def store(self, batch: Batch, document: Document, call: Call) -> int:
        return len(document.nme)  # rejected

    @store.undo  # rejected
    def remove(self, batch: Batch, document: str, call: Call) -> None: ...

    @store.undo  # rejected
    def remove_all(self, batch: Batch) -> None: ...
