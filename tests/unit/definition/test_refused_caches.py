"""A cache where it cannot be, or with a key that does not fit, is refused when the class is made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs
import pytest

from statemachine import Cache, ItemCache, Moment, State, Workflow, evolve, step
from statemachine.errors import BrokenFunction, BrokenStep
from statemachine.identity import hash_of
from tests.unit.definition.parts import refused


@attrs.frozen
class Text:
    words: str = ""
    count: int = 0


@attrs.frozen
class Other:
    name: str = ""


def by_words(text: Text) -> str:
    """What the count depends on."""
    return text.words


def counted(text: Text, count: int) -> Text:
    """With its count."""
    return evolve(text, count=count)


GOOD: Any = Cache(by_words, timedelta(days=1))


def workflow(cache: Any, into: Any = counted, **options: Any) -> type[Workflow[Text]]:
    """A workflow whose step has a cache."""

    class Broken(Workflow[Text], name="counting"):
        first = State(initial=True)
        last = State(final=True)

        @step(first, to=last, into=into, cache=cache, **options)  # type: ignore[untyped-decorator]  # whichever
        def count(self, text: Text) -> int:
            return len(text.words)

    return Broken


def test_a_step_with_a_cache_is_the_same_workflow() -> None:
    """How results are kept is tuning: a run goes on under it, with or without."""
    assert workflow(GOOD).definition.hash == workflow(None).definition.hash
    (spec,) = workflow(GOOD).definition.steps
    assert spec.cache is not None
    assert (spec.cache.age, spec.cache.key) == (86_400.0, "by_words")
    assert hash_of(workflow(GOOD).definition) == workflow(None).definition.hash


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"once": True}, "runs at-most-once, and so its result is that of its own attempt"),
        ({"pivot": True}, "is a pivot, which must happen in each run that passes it"),
    ],
)
def test_a_step_whose_attempt_matters_has_no_cache(options: dict[str, Any], reason: str) -> None:
    """What must happen in this run is not taken from another."""
    with refused(BrokenStep, f"step count has cache= and {reason}; drop one of the two", "first"):
        workflow(GOOD, **options)


def test_a_step_that_is_undone_has_no_cache() -> None:
    """There would be an undo of what was not done."""
    with refused(BrokenStep, "step count has cache= and has an undo", "first"):

        class Broken(Workflow[Text], name="undone"):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, into=counted, cache=GOOD)
            def count(self, text: Text) -> int:
                return len(text.words)

            @count.undo
            def forget(self, text: Text) -> None:
                pass


def test_a_step_that_returns_its_data_has_no_cache() -> None:
    """The other run's data would be taken for its own."""
    untyped: Any = step
    with refused(BrokenStep, "returns the data itself, which is no other run's; let it return a result", "first"):

        class Broken(Workflow[Text], name="whole"):
            first = State(initial=True)
            last = State(final=True)

            @untyped(first, to=last, cache=GOOD)  # type: ignore[untyped-decorator]  # checkers refuse it, too
            def count(self, text: Text) -> Text:
                return evolve(text, count=len(text.words))


@pytest.mark.parametrize(
    ("cache", "reason"),
    [
        (Cache(by_words, 0), "keeps results above 0 s"),
        (Cache(by_words, float("inf")), "keeps results above 0 s"),
        (Cache(by_words, 1, most=0), "keeps no result at all"),
        (Cache(by_words, 1, size=0), "keeps no result at all"),
        (by_words, "cache=by_words is no Cache; write cache=Cache(key, age)"),
    ],
)
def test_bounds_that_cannot_be(cache: Any, reason: str) -> None:
    """A cache that keeps nothing, or for ever, or that is none."""
    with refused(BrokenStep, reason, "first"):
        workflow(cache)


def of_other(other: Other) -> str:
    """Of other data."""
    return other.name


def of_time(text: Text, moment: Moment) -> str:
    """Of where the run is."""
    return text.words


def of_two(text: Text, other: Text) -> str:
    """Of two."""
    return text.words + other.words


def of_nothing(text: Text) -> None:
    """Of nothing."""


async def of_later(text: Text) -> str:
    """Of what comes later."""
    return text.words


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (of_other, "it takes 'other' as Other, where Text is given"),
        (of_time, "a key takes (data): a result that depends on more must not be taken for it"),
        (of_two, "it takes (data)"),
        (of_nothing, "a key returns what the result depends on"),
        (of_later, "guards and handlers are pure and never async"),
    ],
)
def test_keys_that_do_not_fit(key: Any, reason: str) -> None:
    """A key is a pure function of the workflow's data, and gives what the result depends on."""
    with refused(BrokenFunction, reason):
        workflow(Cache(key, 1))


def test_a_key_may_be_a_method() -> None:
    """So that a collaborator's own settings are part of it."""

    class Counting(Workflow[Text], name="counting"):
        unit: str

        def by_unit(self, text: Text) -> tuple[str, str]:
            """What the count depends on."""
            return self.unit, text.words

        first = State(initial=True)
        last = State(final=True)

        @step(first, to=last, into=counted, cache=Cache(by_unit, 60))
        def count(self, text: Text) -> int:
            return len(text.words)

    (spec,) = Counting.definition.steps
    assert spec.cache is not None
    assert spec.cache.key == "Counting.by_unit"


def letters(text: Text) -> str:
    """Each by itself."""
    return text.words


def summed(text: Text, counts: Sequence[int]) -> Text:
    """With their sum."""
    return evolve(text, count=sum(counts))


def by_letter(text: Text, letter: str) -> str:
    """What the count of a letter depends on."""
    return letter


def by_number(text: Text, number: int) -> int:
    """Of another item."""
    return number


def for_each(cache: Any, into: Any = summed) -> type[Workflow[Text]]:
    """A workflow whose step is done for each letter."""
    untyped: Any = step

    class Broken(Workflow[Text], name="spread"):
        first = State(initial=True)
        last = State(final=True)

        @untyped(first, each=letters, to=last, into=into, cache=cache)  # type: ignore[untyped-decorator]
        def count(self, text: Text, letter: str) -> Any:
            return 1

    return Broken


def test_the_key_of_an_item_is_of_the_data_and_the_item() -> None:
    """It is the data's alone for no item, and the item's for no whole step."""
    (spec,) = for_each(ItemCache(by_letter, 60)).definition.steps
    assert spec.cache is not None
    assert (spec.cache.key, spec.cache.age) == ("by_letter", 60.0)
    with refused(BrokenStep, "is no ItemCache; write cache=ItemCache(key, age)", "first"):
        for_each(GOOD)
    with refused(BrokenStep, "is no Cache; write cache=Cache(key, age)", "first"):
        workflow(ItemCache(by_letter, 60))


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (by_words, "a key takes (data, item)"),
        (by_number, "it takes 'number' as int, where str is given"),
    ],
)
def test_keys_of_items_that_do_not_fit(key: Any, reason: str) -> None:
    """One that does not look at the item would give all items one result."""
    with refused(BrokenFunction, reason):
        for_each(ItemCache(key, 60))


def test_items_of_which_nothing_is_made_have_no_cache() -> None:
    """There is nothing to take."""
    with refused(BrokenStep, "returns nothing for an item; say in into= what is made of it", "first"):
        for_each(ItemCache(by_letter, 60), into=None)
