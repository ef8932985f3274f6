"""What the codec stores and gives back, what it refuses, and in which words."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple, NewType, TypedDict
from uuid import UUID

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence import Codec, NotStorable
from persistence.types import difference

ROOT = Path(__file__).parents[3]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True)
class Address:
    street: str
    city: str = "Hamburg"


class Tag(msgspec.Struct, frozen=True):
    name: str
    weight: float = 1.0


class Point(NamedTuple):
    x: int
    y: int


class Options(TypedDict):
    fast: bool


Cents = NewType("Cents", int)


NIL = UUID(int=0)


@attrs.frozen
class Loan:
    name: str
    cents: Cents = Cents(0)
    colour: Colour = Colour.RED
    level: Level = Level.LOW
    kind: Literal["new", "old"] = "new"
    rate: Decimal = Decimal("1.50")
    weight: float = 0.0
    key: UUID = NIL
    raw: bytes = b""
    at: datetime | None = None
    day: date = date(2024, 2, 29)
    hour: time = time(1, 2, 3)
    span: timedelta = timedelta(0)
    address: Address | None = None
    tags: tuple[Tag, ...] = ()
    points: list[Point] = attrs.field(factory=list[Point])
    notes: dict[str, list[int]] = attrs.field(factory=dict[str, list[int]])
    seen: frozenset[str] = frozenset()
    options: Options = attrs.field(factory=lambda: Options(fast=True))
    pair: tuple[int, str] = (0, "")


@attrs.frozen(eq=False)
class ByIdentity:
    inner: Tag


class Tree(msgspec.Struct, frozen=True):
    name: str
    children: tuple[Tree, ...] = ()


NAMES = st.text(st.characters(codec="utf-8"))
ZONES = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
    lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
)
LOANS = st.builds(
    Loan,
    name=NAMES,
    cents=st.integers(-(2**63), 2**63 - 1),
    colour=st.sampled_from(Colour),
    level=st.sampled_from(Level),
    kind=st.sampled_from(["new", "old"]),
    rate=st.decimals(allow_nan=False, allow_infinity=False),
    weight=st.floats(allow_nan=False, allow_infinity=False),
    key=st.uuids(),
    raw=st.binary(),
    at=st.none() | st.datetimes(timezones=st.none() | ZONES),
    day=st.dates(),
    hour=st.times(),
    span=st.timedeltas(timedelta(days=-9000), timedelta(days=9000)),
    address=st.none() | st.builds(Address, NAMES, NAMES),
    tags=st.lists(st.builds(Tag, NAMES, st.floats(allow_nan=False, allow_infinity=False))).map(tuple),
    points=st.lists(st.builds(Point, st.integers(-9, 9), st.integers(-9, 9))),
    notes=st.dictionaries(NAMES, st.lists(st.integers(-9, 9))),
    seen=st.frozensets(NAMES),
    options=st.booleans().map(lambda fast: Options(fast=fast)),
    pair=st.tuples(st.integers(-9, 9), NAMES),
)


@pytest.fixture(name="codec")
def _codec() -> Codec:
    return Codec()


# -------------------------------------------------------------------------------------------------------------- storing


@given(loan=LOANS)
def test_what_is_stored_comes_back_equal(loan: Loan) -> None:
    """Every kind of value, in every kind of class, bit for bit."""
    codec = Codec()
    raw = codec.encode_checked(loan, Loan)
    again = codec.decode(raw, Loan)
    assert again == loan
    assert difference(loan, again, "Loan") is None
    assert codec.canonical(again) == codec.canonical(loan)
    json.loads(raw)


def test_all_these_types_are_storable(codec: Codec) -> None:
    """Checking the type says what storing the value says."""
    for kind in (Loan, Tag, Address, Tree, ByIdentity, int, str | None, dict[str, Decimal], Point, Options, Colour):
        codec.check_type(kind)
        assert codec.schema(kind)


def test_classes_that_compare_by_identity_are_compared_by_their_fields(codec: Codec) -> None:
    """`eq=False` is no reason to refuse."""
    codec.encode_checked(ByIdentity(Tag("a")), ByIdentity)


CANONICAL = """
import enum
from persistence import Codec

class Colour(enum.Enum):
    RED = "red"
    BLUE = 1

for value in (
    {"k": frozenset("abcdefgh")},
    {1: {"x": 1}, 2: {"y": 2}},
    [set(Colour), {"b", 2, None}, {("a", Colour.RED), ("a", Colour.BLUE)}],
):
    print(Codec().canonical(value).decode())
"""


def test_canonical_bytes_are_equal_in_every_process() -> None:
    """Sets have another order in each process; what is compared by its digest must not."""
    said = {
        subprocess.run(
            [sys.executable, "-c", CANONICAL],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3", "4")
    }
    assert len(said) == 1
    assert '["a","b","c","d","e","f","g","h"]' in said.pop()


@given(loan=LOANS, others=st.dictionaries(st.sampled_from(Colour) | st.integers(), st.sets(st.sampled_from(Colour))))
def test_equal_values_have_equal_canonical_bytes(loan: Loan, others: dict[Any, set[Colour]]) -> None:
    """In whatever order they were put together."""
    codec = Codec()
    backwards = dict(reversed(others.items()))
    assert codec.canonical([loan, others]) == codec.canonical([loan, backwards])
    assert codec.canonical([loan, others]) != codec.canonical([loan, {**others, "more": set[Colour]()}])


def test_dicts_may_have_any_key_that_json_can_hold(codec: Codec) -> None:
    """Numbers, times, enums: they are written as strings and come back as what they were."""
    for key in (1, 1.5, Colour.RED, Level.HIGH, UUID(int=7), date(2024, 1, 1), Decimal("1.10"), b"x", timedelta(1)):
        kind: Any = dict[type(key), int]  # type: ignore[misc]
        codec.check_type(kind)
        codec.encode_checked({key: 1}, kind)


def test_a_time_keeps_its_offset(codec: Codec) -> None:
    """Not only the instant; a named zone comes back as its offset at that time."""
    at = datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
    again = codec.decode(codec.encode_checked(at, datetime), datetime)
    assert again.isoformat() == "2024-07-01T12:00:00+02:00"


class Text(str):
    """A string of another class."""

    __slots__ = ()


UNEQUAL: list[tuple[Any, Any, str]] = [
    (Tag("x", float("nan")), Tag, "weight"),
    (Tag("x", float("inf")), Tag, "weight"),
    (Tag("x", 1), Tag, r"Tag\.weight is 1 \(int\) and comes back as 1\.0 \(float\)"),
    (Tag(Text("x")), Tag, r"Tag\.name is 'x' \(Text\) and cannot be stored"),
    (Loan("x", notes={"k": [1, Text("y")]}), Loan, r"Loan\.notes\['k'\]\[1\] is 'y' \(Text\)"),  # type: ignore[list-item]
    (Loan("x", cents=True), Loan, "cents"),  # type: ignore[arg-type]
    (Loan("x", level=2), Loan, r"Loan\.level is 2 \(int\)"),  # type: ignore[arg-type]
    (Loan("x", rate=2), Loan, r"Loan\.rate is 2 \(int\)"),  # type: ignore[arg-type]
    (Loan("x", tags=[Tag("y")]), Loan, r"Loan\.tags is .* \(list\)"),  # type: ignore[arg-type]
    (Loan("x", tags=(Tag("y"), Tag("z", 2))), Loan, r"Loan\.tags\[1\]\.weight"),
    (Loan("x", notes={"k": [1, True]}), Loan, r"notes"),
    (Loan("x", points=[(1, 2)]), Loan, r"Loan\.points\[0\] is \(1, 2\) \(tuple\)"),  # type: ignore[list-item]
    (Loan("x", address="here"), Loan, "address"),  # type: ignore[arg-type]
    (Loan("\ud800"), Loan, "surrogates"),
    ({1: "a"}, dict[str, str], "has the keys"),
    ({Text("a"): 1}, dict[str, int], "key of type Text that comes back as str"),
    ({1, True + 1}, set[float], "set"),
    (object(), int, "cannot be stored"),
]


@pytest.mark.parametrize(("value", "kind", "said"), UNEQUAL, ids=[str(number) for number in range(len(UNEQUAL))])
def test_what_would_come_back_otherwise_is_refused(codec: Codec, value: object, kind: Any, said: str) -> None:
    """And the field is named."""
    with pytest.raises(NotStorable, match=said):
        codec.encode_checked(value, kind)


DIFFERENT: list[tuple[Any, Any, str]] = [
    ([1, 2], [1], "has 2 items and comes back with 1"),
    (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "comes back"),
    (datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), "comes back"),  # noqa: DTZ001 - that is the difference
    ({1}, {1.0}, "comes back"),
    ("x" * 200, "y", r"\.\.\. \(str\)"),
]


@pytest.mark.parametrize(("value", "again", "said"), DIFFERENT, ids=[str(number) for number in range(len(DIFFERENT))])
def test_a_difference_is_said(codec: Codec, value: object, again: object, said: str) -> None:
    """In one sentence, however long the value."""
    with pytest.raises(NotStorable, match=said):
        codec.same(value, again, object)


# ---------------------------------------------------------------------------------------------------------------- types


@attrs.frozen
class Private:
    _hidden: int = 1


@attrs.frozen
class Computed:
    value: int = attrs.field(init=False, default=1)


@dataclass
class ComputedToo:
    value: int = field(init=False, default=1)


class Plain:
    """It has no fields."""


@attrs.frozen
class HoldsPlain:
    plain: list[Plain]


@attrs.frozen
class HoldsAny:
    deep: dict[str, tuple[Any, ...]]


class HoldsRaw(msgspec.Struct):
    raw: msgspec.Raw


class Wide(TypedDict):
    value: object


REFUSED: list[tuple[Any, str]] = [
    (Any, "any type"),
    (object, "object"),
    (list, r"list\[\] is of any type"),
    (dict, "any type"),
    (HoldsAny, r"HoldsAny\.deep\[\]\[\] is of any type.*Allowed are"),
    (HoldsRaw, r"HoldsRaw\.raw is of any type"),
    (HoldsPlain, r"HoldsPlain\.plain\[\] is Plain, which has no fields"),
    (Wide, r"Wide\.value"),
    (Private, r"Private\._hidden is private"),
    (list[Private], r"Private\._hidden is private"),
    (Computed, r"Computed\.value is not given at construction"),
    (ComputedToo, r"ComputedToo\.value is not given at construction"),
    (Private | Computed, "unions"),
    (Private | None, r"Private\._hidden"),
    (dict[tuple[int, int], int], "keys that JSON cannot hold"),
    (dict[str | bool, int], "keys that JSON cannot hold"),
    (Callable[[], int], "Callable"),
    (complex, "complex"),
    (msgspec.msgpack.Ext, "MessagePack"),
]


@pytest.mark.parametrize(("kind", "said"), REFUSED, ids=str)
def test_types_that_cannot_be_stored_are_refused(codec: Codec, kind: Any, said: str) -> None:
    """With the class, the field, and what is allowed."""
    with pytest.raises(NotStorable, match=said):
        codec.check_type(kind)


def test_a_type_that_is_not_there_is_refused(codec: Codec) -> None:
    """A forward reference that leads nowhere."""
    kind = msgspec.defstruct("Lost", [("field", "Nowhere")])
    with pytest.raises(NotStorable, match="Nowhere"):
        codec.check_type(kind)


def test_a_type_that_holds_itself_is_walked_once(codec: Codec) -> None:
    """Trees are storable."""
    codec.check_type(Tree)
    codec.encode_checked(Tree("a", (Tree("b"),)), Tree)


# --------------------------------------------------------------------------------------------------------------- schema


def test_a_schema_tells_shapes_apart_and_nothing_else(codec: Codec) -> None:
    """Fields, their types and defaults count; a docstring does not, though a field named like one does."""
    plain = msgspec.defstruct("Shape", [("a", int), ("description", str, "x")])
    told = msgspec.defstruct("Shape", [("a", int), ("description", str, "x")], namespace={"__doc__": "Told."})
    other = [
        msgspec.defstruct("Shape", [("a", str), ("description", str, "x")]),
        msgspec.defstruct("Shape", [("a", int)]),
        msgspec.defstruct("Shape", [("a", int), ("description", str, "y")]),
        msgspec.defstruct("Shape", [("a", int), ("title", str, "x")]),
    ]
    assert codec.schema(plain) == codec.schema(told)
    assert len({codec.schema(kind) for kind in (plain, *other)}) == 5


def test_a_schema_covers_every_kind_of_class(codec: Codec) -> None:
    """All of them stand in it by what is stored."""
    text = codec.schema(Loan)
    for name in ("street", "weight", "red", "fast", "new"):
        assert name in text
    assert text == Codec().schema(Loan)
