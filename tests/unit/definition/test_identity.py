"""The hash changes when a run made under the old definition could go another way, and only then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from statemachine import Event, Retry, State, Workflow, after, on, step
from statemachine.identity import hash_of, schema


@attrs.frozen
class Loan:
    """Data."""

    amount: int = 0
    description: str = ""


def large(loan: Loan) -> bool:
    """A guard."""
    return loan.amount > 1_000


def small(loan: Loan) -> bool:
    """Another guard."""
    return loan.amount < 1_000


class Go(Event, frozen=True):
    """An event."""

    by: str


def made(
    *,
    data: type[Any] = Loan,
    event: type[Event] = Go,
    guard: Callable[[Any], bool] = large,
    name: str = "w",
    version: int = 1,
    days: int = 7,
    timeout: float = 30,
    retry: Retry = Retry(),  # noqa: B008 -- frozen
    role: str = "clerk",
    final: str | None = None,
) -> str:
    """The hash of a small workflow, one part of which is another."""

    class W(Workflow[data], name=name, version=version):  # type: ignore[valid-type]  # pyright: ignore[reportInvalidTypeForm, reportGeneralTypeIssues]
        first = State(initial=True, waits_for=role)
        second = State()
        last = State(final=True, compensate=final == "compensate")
        go = on(event, source=first, to=(second.when(guard), last))
        lapse = after(timedelta(days=days), source=first, to=last)

        @step(second, to=last, timeout=timeout, retry=retry)
        def work(self, loan: data) -> data:  # type: ignore[valid-type]  # pyright: ignore[reportInvalidTypeForm, reportGeneralTypeIssues]
            """Work."""
            return loan

    return W.definition.hash


def test_it_is_the_same_each_time() -> None:
    """Equal definitions have equal hashes, of 16 hexadecimal digits."""
    assert made() == made()
    assert len(made()) == 16
    assert int(made(), 16)


@attrs.frozen
class Renamed:
    """Data of the same form under another name, with another docstring."""

    amount: int = 5
    description: str = "other default"


def same_named() -> Callable[[Loan], bool]:
    """A guard of the same qualified name with another body."""

    def large(loan: Loan) -> bool:
        """Another docstring."""
        return loan.amount > 2_000

    return large


@pytest.mark.parametrize(
    "change",
    [
        {"timeout": 60},
        {"retry": Retry(9, delay=5)},
        {"role": "manager"},
        {"version": 2},
        {"guard": same_named()},
        {"data": Renamed, "guard": lambda _: True} | {"guard": large},
    ],
    ids=["timeout", "retry", "role", "version", "a guard's body", "a class's name"],
)
def test_what_may_change_under_a_run(change: dict[str, Any]) -> None:
    """Tuning, words, bodies of functions, names of classes."""
    if change.get("data") is Renamed:
        change["guard"] = _retyped(large)
    assert made(**change) == made()


def _retyped(guard: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A guard of the same name over any data."""

    def retyped(value: object) -> bool:
        return guard(value)

    retyped.__qualname__ = guard.__qualname__
    return retyped


@attrs.frozen
class More(Loan):
    """A field more."""

    extra: int = 0


@attrs.frozen
class Other:
    """A field of another type."""

    amount: float = 0
    description: str = ""


@attrs.frozen
class Required:
    """A field that must be there."""

    amount: int
    description: str = ""


class GoWithMore(Event, frozen=True, name="Go"):
    """A field more."""

    by: str
    why: str = ""


class Gone(Event, frozen=True):
    """Another name."""

    by: str


@pytest.mark.parametrize(
    "change",
    [
        {"name": "v"},
        {"days": 8},
        {"guard": small},
        {"data": More},
        {"data": Other, "guard": _retyped(large)},
        {"data": Required, "guard": _retyped(large)},
        {"event": GoWithMore},
        {"event": Gone},
        {"final": "compensate"},
    ],
    ids=["name", "delay", "guard", "field", "type", "required", "event's field", "event's name", "compensate"],
)
def test_what_makes_another_definition(change: dict[str, Any]) -> None:
    """Structure, names of functions and events, and the form of what is stored."""
    assert made(**change) != made()


def test_the_order_of_arms_counts() -> None:
    """It is their priority."""

    class One(Workflow[Loan], name="w"):
        first = State(initial=True)
        last = State(final=True)
        go = on(Go, source=first, to=(last.when(large), first.when(small)))

    class Two(Workflow[Loan], name="w"):
        first = State(initial=True)
        last = State(final=True)
        go = on(Go, source=first, to=(first.when(small), last.when(large)))

    assert One.definition.hash != Two.definition.hash


def test_names_that_things_had_do_not_count() -> None:
    """They are for reading old runs."""

    class One(Workflow[Loan], name="w"):
        first = State(initial=True)
        last = State(final=True)
        go = on(Go, source=first, to=last)

    class Two(Workflow[Loan], name="w", was=("v",)):
        first = State(initial=True, was=("begin",))
        last = State(final=True)
        gone = on(Go, source=first, to=last)

    assert One.definition.hash == Two.definition.hash == hash_of(One.definition)


@attrs.frozen
class Node:
    """A class within itself."""

    children: tuple[Node, ...] = ()


def test_schemas_end() -> None:
    """A class within itself is named by its number; a field called `description` is a field."""
    assert "again" in str(schema(Node))
    assert "description" in str(schema(Loan))
    assert schema(int | str) == schema(str | int)
    assert schema(dict[str, int]) != schema(dict[str, str])
    assert schema("no type") == "no type"
