"""Reads a step that is done for each of many items: their type, that of its results, and what puts these together."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from statemachine.collected import ItemOutcome
from statemachine.errors import BrokenStep
from statemachine.functions import Functions
from statemachine.steps import Work
from statemachine.storable import check_type


@attrs.frozen
class Spread:
    """What was read.

    Attributes:
        each: Name of the function that gives the items.
        item: Type of an item.
        result: Type of what the step returns for one; NoneType when nothing is made of it.
        into: Name of the fold, if there is one.
    """

    each: str
    item: Any
    result: Any
    into: str | None


def spread(functions: Functions, said: str, work: Work, function: Callable[..., Any]) -> Spread:
    """Read a step with `each=`. Raises DefinitionError."""
    each: Any = work.each
    name = function.__name__
    reader = functions.reader
    given, taken = reader.items(each), reader.item(function)
    item = taken if given is Any else given
    if item is Any:
        raise BrokenStep(
            said, None, f"say what {name} is done for, so that it can be stored: annotate its item", work.place
        )
    check_type(said, item, f"item of {name}")
    if work.into is None:
        return Spread(functions.each(each), item, type(None), None)
    result = reader.result(function)
    if result is Any:
        result = _inner(reader.taken(work.into), collected=work.failures == "collect")
    if result is Any:
        raise BrokenStep(said, None, f"say what {name} returns, so that it can be stored", work.place)
    check_type(said, result, f"result of {name}")
    return Spread(functions.each(each), item, result, functions.fold(work.into, _results(result, work.failures)))


def _results(result: Any, failures: str) -> Any:
    """What the fold is given."""
    outcome: Any = ItemOutcome
    sequence: Any = Sequence
    return sequence[outcome[result]] if failures == "collect" else sequence[result]


def _inner(hint: Any, *, collected: bool) -> Any:
    """The type of one result, from the annotation of a sequence of them; Any when it does not say."""
    inner = typing.get_args(hint)
    if collected and inner:
        inner = typing.get_args(inner[0])
    return inner[0] if inner else Any


def results_kind(step: Any, result: Any) -> Any:
    """The type of all that came of a step, as a journal of inputs keeps it where its host has no other place."""
    if step.into is None:
        return Any
    outcome: Any = ItemOutcome
    return list[outcome[result]] if step.failures == "collect" else list[result]
