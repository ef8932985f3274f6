"""A form from an event's type: a field for each of its fields, and what was entered as JSON values again.

The browser is told what each may hold; whoever owns the journal has the last word, with the event's own type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import attrs
import msgspec
from msgspec import inspect

from statemachine.dashboard.redaction import Redaction, is_marked
from statemachine.definition import Definition

Kind = Literal["text", "long", "secret", "integer", "number", "yes-no", "choice", "date", "datetime", "time", "json"]
PERSONS = frozenset(("by", "who", "actor", "user", "approved_by", "approver", "clerk", "decided_by"))
"""Names of fields that are filled with the visitor's name at first."""
LONG = frozenset(("reason", "comment", "note", "text", "message", "remark", "why"))
"""Names of fields whose texts have more than one line."""
ZONED = re.compile(r"(Z|[+-]\d\d:\d\d)$")
_TIMES: dict[type, Kind] = {
    inspect.DateType: "date",
    inspect.DateTimeType: "datetime",
    inspect.TimeType: "time",
}


@attrs.frozen(kw_only=True)
class Field:
    """One field.

    Attributes:
        name: As it is stored.
        kind: What is entered.
        required: Whether it must be; else it may be left empty.
        choices: Of a choice: each value as JSON, and what is shown.
        value: What stands there at first.
        least: The least number or length, if there is one.
        most: The greatest.
        pattern: What a text must match.
        optional: Whether None is one of its values.
    """

    name: str
    kind: Kind
    required: bool = True
    choices: tuple[tuple[str, str], ...] = ()
    value: str = ""
    least: float | None = None
    most: float | None = None
    pattern: str | None = None
    optional: bool = False

    @property
    def label(self) -> str:
        """Its name as words."""
        return self.name.replace("_", " ")

    def read(self, text: str) -> Any:
        """The JSON value that was entered. Raises ValueError with a sentence."""
        if self.kind in {"integer", "number"}:
            return self._number(text)
        if self.kind == "yes-no":
            return text == "true"
        if self.kind == "choice":
            if text not in {value for value, _ in self.choices}:
                message = f"{self.label}: choose one of {', '.join(said for _, said in self.choices)}"
                raise ValueError(message)
            return msgspec.json.decode(text)
        if self.kind == "json":
            try:
                return msgspec.json.decode(text)
            except msgspec.DecodeError as error:
                message = f"{self.label}: this is no JSON: {error}"
                raise ValueError(message) from error
        if self.kind in {"datetime", "time"}:
            return self._moment(text)
        return text

    def _moment(self, text: str) -> str:
        """A time as it is stored: browsers leave out seconds that are none, and know no zone; it is UTC."""
        if text.count(":") == 1:
            text += ":00"
        return f"{text}Z" if self.kind == "datetime" and not ZONED.search(text) else text

    def _number(self, text: str) -> int | float:
        try:
            return int(text) if self.kind == "integer" else float(text)
        except ValueError:
            message = f"{self.label}: {text!r} is no {'whole ' if self.kind == 'integer' else ''}number"
            raise ValueError(message) from None


@attrs.frozen
class Form:
    """The form of one event."""

    event: str
    fields: tuple[Field, ...]
    tagged: bool = True
    """False: the event's type has no fields that can be asked for, and one JSON value is."""

    def read(self, entered: Mapping[str, str]) -> Any:
        """The event's JSON values, from what was entered as `field.<name>`. Raises ValueError with a sentence."""
        found: dict[str, Any] = {}
        for field in self.fields:
            text = entered.get(f"field.{field.name}", "")
            if field.kind == "yes-no" or text:
                found[field.name] = field.read(text)
            elif field.required and field.kind not in {"text", "long", "secret"}:
                message = f"{field.label}: say something"
                raise ValueError(message)
            elif field.optional:
                found[field.name] = None
            elif field.required:
                found[field.name] = ""
        return found if self.tagged else found.get("event")


def forms(definition: Definition, within: tuple[str, ...], redaction: Redaction, actor: str = "") -> tuple[Form, ...]:
    """The forms of the events that a run in these states has transitions for, in the order of these."""
    accepted = dict.fromkeys(
        event
        for transition in definition.transitions
        if transition.source in within
        for event in transition.events
        if event in definition.code.events
    )
    return tuple(form(event, definition.code.events[event], redaction, actor) for event in accepted)


def form(event: str, kind: Any, redaction: Redaction, actor: str = "") -> Form:
    """The form of one event's type."""
    info = inspect.type_info(kind)
    if not isinstance(info, inspect.StructType | inspect.DataclassType):
        return Form(event, (Field(name="event", kind="json"),), tagged=False)
    return Form(event, tuple(_field(one, redaction, actor) for one in info.fields))


def _field(info: inspect.Field, redaction: Redaction, actor: str) -> Field:
    name = info.encode_name
    bare, optional = _bare(info.type)
    found = _shaped(name, bare)
    if redaction.hides(name) or is_marked(info.type):
        found = attrs.evolve(found, kind="secret" if found.kind in {"text", "long"} else found.kind)
    value = actor if found.kind == "text" and name in PERSONS else ""
    if not info.required and info.default not in (inspect.NODEFAULT, None) and found.kind != "secret":  # type: ignore[attr-defined]
        value = value or _shown(found, info.default)
    return attrs.evolve(found, required=info.required and not optional, optional=optional, value=value)


def _bare(info: inspect.Type) -> tuple[inspect.Type, bool]:
    """A type without what is said about it, and whether None may stand for it."""
    if isinstance(info, inspect.Metadata):
        return _bare(info.type)
    if isinstance(info, inspect.UnionType):
        others = [one for one in info.types if not isinstance(one, inspect.NoneType)]
        if len(others) == 1:
            return _bare(others[0])[0], len(others) < len(info.types)
        return info, len(others) < len(info.types)
    return info, False


def _shaped(name: str, info: inspect.Type) -> Field:
    if isinstance(info, inspect.StrType):
        kind: Kind = "long" if name in LONG else "text"
        return Field(name=name, kind=kind, least=info.min_length, most=info.max_length, pattern=info.pattern)
    if isinstance(info, inspect.IntType | inspect.FloatType):
        kind = "integer" if isinstance(info, inspect.IntType) else "number"
        return Field(name=name, kind=kind, least=info.ge, most=info.le)
    if isinstance(info, inspect.BoolType):
        return Field(name=name, kind="yes-no")
    if isinstance(info, inspect.EnumType):
        return _choice(name, [(member.value, member.name) for member in info.cls])
    if isinstance(info, inspect.LiteralType):
        return _choice(name, [(value, str(value)) for value in info.values])
    if isinstance(info, inspect.DecimalType | inspect.UUIDType):
        return Field(name=name, kind="text")
    return Field(name=name, kind=_TIMES.get(type(info), "json"))


def _choice(name: str, options: list[tuple[Any, str]]) -> Field:
    choices = tuple((msgspec.json.encode(value).decode(), said.replace("_", " ").lower()) for value, said in options)
    return Field(name=name, kind="choice", choices=choices)


def _shown(field: Field, default: Any) -> str:
    """A default as the form has it."""
    plain = msgspec.to_builtins(default)
    if isinstance(plain, str) and field.kind not in {"choice", "json"}:
        return plain.removesuffix("Z") if field.kind == "datetime" else plain
    return msgspec.json.encode(plain).decode()
