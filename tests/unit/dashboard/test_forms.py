"""A form is made from an event's type, and what is entered becomes the event again."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID

import attrs
import msgspec
import pytest

from statemachine import Event, Redacted
from statemachine.dashboard.forms import Form, form, forms
from statemachine.dashboard.redaction import Redaction
from tests.unit.dashboard.claims import Claims

PLAIN = Redaction(list)


class Size(Enum):
    """Not text."""

    SMALL_ONE = 1
    LARGE = 2


@attrs.frozen
class Part:
    """Something nested."""

    name: str


class Every(Event, frozen=True):
    """Every kind of field."""

    by: str
    comment: str
    count: Annotated[int, msgspec.Meta(ge=0, le=9)]
    share: float
    sure: bool
    size: Size
    way: Literal["a", "b", "c", "d", "e"]
    day: date
    moment: datetime
    hour: time
    price: Decimal
    key: UUID
    part: Part
    code: Annotated[str, msgspec.Meta(min_length=2, max_length=4)]
    word: Redacted[str]
    maybe: int | None = None
    either: int | str = 3
    colour: Literal["red", "green"] | None = None
    level: Size = Size.LARGE
    since: datetime = datetime(2026, 1, 1, tzinfo=UTC)


ENTERED = {
    "by": "ada",
    "comment": "",
    "count": "3",
    "share": "0.5",
    "sure": "true",
    "size": "1",
    "way": '"c"',
    "day": "2026-02-03",
    "moment": "2026-02-03T04:05",
    "hour": "04:05",
    "price": "1.10",
    "key": "12345678-1234-5678-1234-567812345678",
    "part": '{"name": "x"}',
    "code": "abc",
    "word": "w",
    "maybe": "",
    "either": '"x"',
    "colour": "",
    "level": "2",
    "since": "",
}


def entered(**changed: str) -> dict[str, str]:
    """What a browser sends."""
    return {f"field.{name}": value for name, value in (ENTERED | changed).items()}


def test_each_field_is_asked_for_in_its_own_way() -> None:
    """By its type, with its limits and its first value."""
    made = {one.name: one for one in form("Every", Every, PLAIN, "grace").fields}
    assert {name: one.kind for name, one in made.items()} == {
        "by": "text",
        "comment": "long",
        "count": "integer",
        "share": "number",
        "sure": "yes-no",
        "size": "choice",
        "way": "choice",
        "day": "date",
        "moment": "datetime",
        "hour": "time",
        "price": "text",
        "key": "text",
        "part": "json",
        "code": "text",
        "word": "secret",
        "maybe": "integer",
        "either": "json",
        "colour": "choice",
        "level": "choice",
        "since": "datetime",
    }
    assert made["by"].value == "grace"
    assert (made["count"].least, made["count"].most, made["code"].least, made["code"].most) == (0, 9, 2, 4)
    assert made["size"].choices == (("1", "small one"), ("2", "large"))
    assert made["level"].value == "2"
    assert made["either"].value == "3"
    assert made["since"].value == "2026-01-01T00:00:00"
    assert [name for name, one in made.items() if not one.required] == ["maybe", "either", "colour", "level", "since"]
    assert made["code"].label == "code"


def test_what_is_entered_is_the_event() -> None:
    """The owner's own decoder takes it."""
    values = form("Every", Every, PLAIN).read(entered())
    event = msgspec.convert(values, Every)
    assert event.size is Size.SMALL_ONE
    assert event.moment == datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    assert (event.price, event.key, event.part) == (Decimal("1.10"), UUID(ENTERED["key"]), Part("x"))
    assert (event.maybe, event.either, event.colour, event.level) == (None, "x", None, Size.LARGE)
    assert event.since == datetime(2026, 1, 1, tzinfo=UTC)
    assert not msgspec.convert(form("Every", Every, PLAIN).read(entered(sure="")), Every).sure


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"count": "x"}, "count: 'x' is no whole number"),
        ({"share": "x"}, "share: 'x' is no number"),
        ({"size": "3"}, "size: choose one of small one, large"),
        ({"part": "{"}, "part: this is no JSON"),
        ({"day": ""}, "day: say something"),
    ],
)
def test_what_is_none_is_said_to_be(changed: dict[str, str], said: str) -> None:
    """With the field's name."""
    with pytest.raises(ValueError, match=said):
        form("Every", Every, PLAIN).read(entered(**changed))


def test_only_events_of_active_states_have_forms() -> None:
    """In document order, an outer state's after an inner one's; none of timers and outcomes."""
    made = forms(Claims.definition, ("checking",), PLAIN)
    assert [one.event for one in made] == ["Settle", "Refuse"]
    assert made[1].read({}) == {}
    assert forms(Claims.definition, ("opening", "paying"), PLAIN) == ()


def test_a_type_without_fields_is_asked_for_as_json() -> None:
    """A definition built from data may have any."""
    made = form("any", dict[str, int], PLAIN)
    assert isinstance(made, Form)
    assert made.read({"field.event": '{"a": 1}'}) == {"a": 1}
