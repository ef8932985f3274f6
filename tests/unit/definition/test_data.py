"""The fields of data: what a step changed, and a value with some fields replaced, alike for all kinds of classes."""

from __future__ import annotations

import dataclasses
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachine.data import changed, evolve, fields, is_data, overlay
from statemachine.errors import DataError, NotData, OtherData, UnknownField


@attrs.frozen
class Attrs:
    """An attrs class, one field of which has another name in its constructor."""

    a: int = 0
    b: str = attrs.field(default="", alias="second")
    c: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Data:
    """A dataclass, one field of which follows from the others."""

    a: int = 0
    b: str = ""
    c: tuple[int, ...] = ()
    twice: int = dataclasses.field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "twice", 2 * self.a)


class Struct(msgspec.Struct, frozen=True):
    """A Struct."""

    a: int = 0
    b: str = ""
    c: tuple[int, ...] = ()


KINDS: list[Any] = [Attrs, Data, Struct]
Values = dict[str, Any]
values = st.fixed_dictionaries(
    {}, optional={"a": st.integers(), "b": st.text(), "c": st.lists(st.integers()).map(tuple)}
)


@pytest.mark.parametrize("kind", KINDS)
def test_fields_are_what_the_constructor_takes(kind: Any) -> None:
    """Of a type and of a value; a field that follows from others is none."""
    assert fields(kind) == fields(kind()) == ("a", "b", "c")
    assert is_data(kind)


@pytest.mark.parametrize("kind", KINDS)
@given(first=values, second=values)
def test_what_was_changed_laid_over_gives_the_changed_value(kind: Any, first: Values, second: Values) -> None:
    """Overlay undoes `changed`, so a step's result can be kept as its changed fields."""
    base = overlay(kind(), first)
    result = overlay(base, second)
    assert overlay(base, changed(base, result)) == result
    assert set(changed(base, result)) <= set(second)


@pytest.mark.parametrize("kind", KINDS)
@given(base=values, left=values, right=values)
def test_fields_changed_apart_do_not_disturb_each_other(kind: Any, base: Values, left: Values, right: Values) -> None:
    """Two steps that change different fields may be laid over in either order."""
    right = {name: value for name, value in right.items() if name not in left}
    data = overlay(kind(), base)
    assert overlay(overlay(data, left), right) == overlay(overlay(data, right), left)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changed_is_the_same_value(kind: Any) -> None:
    """Not even a copy is made."""
    data = kind()
    assert overlay(data, {}) is data
    assert changed(data, data) == changed(data, kind()) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_other_types_are_different(kind: Any) -> None:
    """1, 1.0 and True are equal in Python and different once stored."""
    assert changed(kind(a=1), kind(a=True)) == {"a": True}
    assert isinstance(changed(kind(a=1), kind(a=True))["a"], bool)


def test_a_derived_field_follows() -> None:
    """It is made again, never laid over."""
    assert evolve(Data(), a=3).twice == 6
    assert changed(Data(), Data(a=3)) == {"a": 3}


def test_a_dict_is_data_of_definitions_built_from_data() -> None:
    """Its keys are its fields."""
    assert fields({"a": 1}) == ("a",)
    assert changed({"a": 1, "b": 1}, {"a": 1, "b": 2, "c": 3}) == {"b": 2, "c": 3}
    assert overlay({"a": 1}, {"b": 2}) == {"a": 1, "b": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_a_misspelt_field(kind: Any) -> None:
    """It is named, with what was meant and what there is."""
    with pytest.raises(UnknownField) as caught:
        evolve(kind(), aa=1)
    assert str(caught.value) == f"{kind.__name__} has no field 'aa'; did you mean 'a'? Its fields: a, b, c"
    with pytest.raises(UnknownField, match=r"has no field 'xyz'\. Its fields: a, b, c"):
        overlay(kind(), {"xyz": 1})


def test_another_type_than_expected() -> None:
    """A step returns the data it was given, changed."""
    with pytest.raises(OtherData, match="expected data of type Attrs, got Struct"):
        changed(Attrs(), Struct())


def test_what_has_no_fields() -> None:
    """Such a value cannot be data."""
    with pytest.raises(NotData, match=r"int has no fields; data is an attrs class, a dataclass or a msgspec\.Struct"):
        fields(3)
    with pytest.raises(DataError):
        changed(3, 4)
    assert not is_data(int)
