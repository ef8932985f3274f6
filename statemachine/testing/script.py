"""What was done to a run, act by act: as a picture of its path, and as a test that can be pasted.

The test calls the same acts with the same arguments, written as Python, and so needs no database of
examples.
"""

from __future__ import annotations

import datetime
import enum
import re
from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from statemachine.data import fields, is_data


@attrs.define
class Act:
    """One thing that was done to the run. `told` says it in words, `led` to which states."""

    name: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = attrs.field(factory=dict[str, Any])
    told: str = ""
    led: str = ""


def picture(acts: Iterable[Act], broken: str = "") -> str:
    """The path as text: each act, and below it the states that it led to when they are others than before."""
    lines: list[str] = []
    place = ""
    for act in acts:
        lines.append(f"  │  {act.told or act.name}")
        if act.led and act.led != place:
            place = act.led
            lines.append(f"  ● {place}")
    if broken:
        lines.append(f"  ✗ {broken}")
    return "\n".join(lines)


def pytest_function(machine: type, acts: Iterable[Act], why: str = "") -> str:
    """A test that plays the acts on a machine's workflow, to be pasted beside it.

    What it names is imported from where it is defined; what is defined inside a function must be in sight.
    """
    literal = _Literals()
    name = literal.name(machine)
    lines = [f"    play = {name}.replay()"]
    for act in acts:
        given = [literal.of(value) for value in act.arguments]
        given += [f"{option}={literal.of(value)}" for option, value in act.options.items()]
        lines.append(f"    play.{act.name}({', '.join(given)})")
    imports = [
        f"    from {module} import {', '.join(sorted(names))}" for module, names in sorted(literal.needed.items())
    ]
    reason = [f"    # {line}" for line in why.splitlines()[:1]]
    function = re.sub(r"\W+|(?<=[a-z0-9])(?=[A-Z])", "_", machine.__name__).lower()
    return "\n".join([f"def test_found_by_{function}() -> None:", *reason, *imports, *lines, ""])


class _Literals:
    """Writes values as Python, and notes what must be imported for it."""

    def __init__(self) -> None:
        self.needed: dict[str, set[str]] = {}

    def name(self, kind: type) -> str:
        """What a class is called where it has been imported."""
        first = kind.__qualname__.split(".")[0]
        if "<locals>" in kind.__qualname__:
            return kind.__qualname__.rpartition("<locals>.")[2]
        if kind.__module__ != "builtins":
            self.needed.setdefault(kind.__module__, set()).add(first)
        return kind.__qualname__

    def of(self, value: Any) -> str:
        """The value as an expression."""
        kind: Any = value.__class__
        if isinstance(value, enum.Enum):
            return f"{self.name(kind)}.{value.name}"
        if isinstance(value, (list, tuple, set, frozenset, dict)):
            return self._around(value)
        if is_data(kind):
            return f"{self.name(kind)}({', '.join(self._fields(value))})"
        if kind.__module__ == "datetime":
            self.needed.setdefault("datetime", set()).update({"UTC", kind.__name__})
            return self._time(value)
        if kind.__module__ != "builtins":
            self.name(kind)
        return repr(value)

    def _time(self, value: Any) -> str:
        if isinstance(value, datetime.datetime) and value.tzinfo is not None:
            return f"datetime.fromisoformat({value.isoformat()!r})"
        return repr(value).removeprefix("datetime.")

    def _fields(self, value: Any) -> Iterable[str]:
        kind: Any = value.__class__
        alias = {field.name: field.alias or field.name for field in attrs.fields(kind)} if attrs.has(kind) else {}
        for name in _telling(value):
            yield f"{alias.get(name, name)}={self.of(getattr(value, name))}"

    def _pairs(self, value: dict[Any, Any]) -> str:
        return "{" + ", ".join(f"{self.of(key)}: {self.of(item)}" for key, item in value.items()) + "}"

    def _around(self, value: Any) -> str:
        kind: Any = value.__class__
        if issubclass(kind, dict):
            return self._pairs(value)
        items = [self.of(item) for item in value]
        if isinstance(value, tuple):
            return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
        if isinstance(value, list):
            return f"[{', '.join(items)}]"
        name = type(value).__name__
        return f"{name}([{', '.join(items)}])" if items else f"{name}()"


def shortly(value: Any) -> str:
    """A value for a picture: its fields that are not as their type has them by default."""
    kind: Any = value.__class__
    if not is_data(kind):
        return repr(value)
    return f"{kind.__name__}({', '.join(f'{name}={getattr(value, name)!r}' for name in _telling(value))})"


def _telling(value: Any) -> Iterable[str]:
    """Names of the fields that are not as their type has them by default."""
    kind: Any = value.__class__
    blank = _defaults(kind)
    return [name for name in fields(value) if name not in blank or blank[name] != getattr(value, name)]


def _defaults(kind: type[Any]) -> dict[str, Any]:
    if issubclass(kind, msgspec.Struct):
        return dict(zip(kind.__struct_fields__[::-1], kind.__struct_defaults__[::-1], strict=False))
    if attrs.has(kind):
        return {field.name: field.default for field in attrs.fields(kind)}
    return {name: field.default for name, field in getattr(kind, "__dataclass_fields__", {}).items()}
