"""Under what a step's result is kept for other runs, and where."""

from __future__ import annotations

import hashlib
from typing import Any

import attrs

from persistence import CachedRecord, Codec
from statemachine.definition import CacheSpec, Definition, Function, StepSpec
from statemachine.identity import schema
from statemachine.snapshot import Occurrence

SECOND = 1_000_000
"""Microseconds."""


@attrs.frozen(eq=False)
class Keep:
    """Where a result is kept, once there is one."""

    shelf: str
    key: str
    spec: CacheSpec

    def record(self, run: str, visit: int, at: int, value: bytes) -> CachedRecord:
        """The result of a visit, recorded at a time (µs)."""
        return CachedRecord(
            shelf=self.shelf,
            key=self.key,
            run=run,
            visit=visit,
            at=at,
            until=at + self.oldest,
            value=value,
            most=self.spec.most,
            size=self.spec.size,
        )

    @property
    def oldest(self) -> int:
        """How old a result may be, in µs."""
        return int(self.spec.age * SECOND)


@attrs.frozen(eq=False)
class Shelf:
    """A step whose results are kept.

    Attributes:
        name: Whose results they are, for whoever looks at how many there are.
        made: By what they were made: another function, key or shape of the result has other keys.
        key: The function that says what a result depends on: `(data, occurrence, scope)`.
        spec: The bounds.
    """

    name: str
    made: tuple[object, ...]
    key: Function
    spec: CacheSpec

    @classmethod
    def of(cls, definition: Definition, step: StepSpec) -> Shelf | None:
        """That of a step of a definition that is bound; None when its results are not kept."""
        spec = step.cache
        if spec is None:
            return None
        shape = schema(definition.code.results.get(step.name, Any))
        made = (definition.name, step.function, spec.key, shape)
        return cls(f"{definition.name}/{step.name}", made, definition.code.functions[spec.key], spec)

    def keep(self, codec: Codec, data: Any, item: Any = None) -> Keep | None:
        """Where the result for this data (and item, for a step that has one) is kept; None: nowhere.

        Raises:
            TypeError: The key is no value that can be stored; and whatever the key's function raises.
        """
        given = self.key(data, Occurrence("", item), None)
        if given is None:
            return None
        return Keep(self.name, hashlib.sha256(codec.canonical([self.made, given])).hexdigest(), self.spec)
