"""Types that would not come back as they were are refused when the class is made."""

# What is refused here at import is, where a checker can see it, refused by the checkers as well; see tests/typing.
# mypy: disable-error-code="arg-type, call-overload, misc, truthy-bool, type-arg, type-var"
# mypy: disable-error-code="assignment, no-untyped-def, untyped-decorator, valid-type, var-annotated"
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportFunctionMemberAccess=false, reportInvalidTypeForm=false
# pyright: reportIncompatibleVariableOverride=false, reportAssignmentType=false, reportSelfClsParameterName=false

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import pytest

from statemachine import Event, State, Workflow, on, step
from statemachine.errors import NotStorable
from tests.unit.definition.parts import Approve, Loan, refused


class Plain:
    """A class without fields."""


@attrs.define
class Mutable:
    """An attrs class that can be changed."""

    a: int = 0


@dataclass
class MutableToo:
    """A dataclass that can be changed."""

    a: int = 0


class MutableAlso(msgspec.Struct):
    """A Struct that can be changed."""

    a: int = 0


@attrs.frozen
class Private:
    """An attrs class with a field of its own."""

    _a: int = 0


@dataclass(frozen=True)
class Derived:
    """A dataclass with a field that its constructor does not take."""

    a: int = 0
    b: int = field(init=False, default=0)


@attrs.frozen
class Anything:
    """A field of any type."""

    a: Any = None


@attrs.frozen
class Within:
    """A field of any type, further down."""

    a: tuple[Mapping[str, Anything], ...] = ()


class Loose(TypedDict):
    """A value of any type under a key."""

    a: Any


class AnyPair(NamedTuple):
    """A value of any type in a place."""

    a: Any


@attrs.frozen
class Inside:
    """Both, in fields."""

    a: tuple[Loose, ...] = ()


@attrs.frozen
class Beside:
    """The other."""

    a: AnyPair | None = None


@attrs.frozen
class Classless:
    """A field that is a class without fields."""

    a: Plain | None = None


class One(msgspec.Struct, frozen=True):
    """One of two that look the same."""

    a: int = 0


class Two(msgspec.Struct, frozen=True):
    """The other."""

    a: int = 0


@attrs.frozen
class Undecodable:
    """Which of the two was it?"""

    a: One | Two


@attrs.frozen
class OddKeys:
    """JSON has no such keys."""

    a: dict[tuple[int, int], int] = attrs.field(factory=dict[tuple[int, int], int])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (int, "data is an attrs class, a dataclass or a msgspec.Struct"),
        (Plain, "data is an attrs class, a dataclass or a msgspec.Struct"),
        (Mutable, "Mutable is mutable; data is replaced and never changed, so make it frozen"),
        (MutableToo, "MutableToo is mutable"),
        (MutableAlso, "MutableAlso is mutable"),
        (Private, "Private._a is private or not given at construction"),
        (Derived, "Derived.b is private or not given at construction"),
        (Anything, "Anything.a is Any, whose values come back as other types; name the type"),
        (Within, "Anything.a is Any"),
        (Inside, "Loose.a is Any"),
        (Beside, "AnyPair.a is Any"),
        (Classless, "Classless.a is Plain, which cannot be stored"),
        (Undecodable, "data Undecodable cannot be decoded"),
        (OddKeys, "data: OddKeys.a has keys that JSON cannot hold"),
    ],
)
def test_data(data: type[Any], reason: str) -> None:
    """Data is frozen, and each of its fields has a type that is stored and read again."""
    with refused(NotStorable, reason):

        class Broken(Workflow[data]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=first, to=last)


def test_an_event_with_any() -> None:
    """Events are stored, too."""

    class Vague(Event, frozen=True):
        """Something."""

        what: Any

    with refused(NotStorable, "event Vague: Vague.what is Any"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Vague, source=first, to=last)


def test_a_result_without_fields() -> None:
    """And so are results."""

    def fold(loan: Loan, result: Plain) -> Loan:
        return loan if result else Loan()

    with refused(NotStorable, "result of work: Plain is Plain, which cannot be stored"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, into=fold)
            def work(self, loan: Loan) -> Plain:
                return Plain()


class Colour(enum.Enum):
    """Colours."""

    RED = "red"


class Pair(NamedTuple):
    """Two numbers."""

    a: int
    b: int


class Named(TypedDict):
    """A dict with names."""

    a: int


@attrs.frozen
class Tree:
    """A class within itself."""

    children: tuple[Tree, ...] = ()


@dataclass(frozen=True)
class Everything:
    """All that can be stored."""

    a: int | None
    b: float | str
    c: bytes
    d: dt.datetime | None
    e: dt.date
    f: dt.timedelta
    g: Decimal
    h: uuid.UUID
    i: Colour
    j: Literal["x", "y"]
    k: tuple[int, str]
    list: list[int]
    m: dict[str, Pair]
    n: frozenset[int]
    o: Named
    p: Tree
    q: One
    r: bool = False


def test_what_can_be_stored() -> None:
    """Plain types, times, collections, and classes of such."""

    class Fine(Workflow[Everything]):
        first = State(initial=True)
        last = State(final=True)
        one = on(Approve, source=first, to=last)

    assert Fine.definition.code.data is Everything
