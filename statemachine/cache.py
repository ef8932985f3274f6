"""What a step says of results that were recorded before: under which key, how old, how many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, TypeVar

import attrs

D_contra = TypeVar("D_contra", contravariant=True)
Item_contra = TypeVar("Item_contra", contravariant=True)


@attrs.frozen(eq=False)
class Cache(Generic[D_contra]):
    """Take the result that was recorded for the same key before, by whatever run of the file, instead of an attempt.

    Attributes:
        key: `(data)` or, as a method, `(self, data)` -> all that the result depends on: a value of plain types, or a
            tuple of such. Pure. None: this time neither take a result nor keep one.
        age: How old a result may be: seconds, or a timedelta.
        most: How many results of the step are kept; the oldest go.
        size: How many bytes of them.
    """

    key: Callable[[D_contra], object] | Callable[[Any, D_contra], object]
    age: float | timedelta
    most: int = attrs.field(default=10_000, kw_only=True)
    size: int = attrs.field(default=64 << 20, kw_only=True)


@attrs.frozen(eq=False)
class ItemCache(Generic[D_contra, Item_contra]):
    """A `Cache` of a step that is done for each of many items: the result of an item is kept and taken by itself.

    Attributes:
        key: `(data, item)` or, as a method, `(self, data, item)` -> all that the result of the item depends on, as for
            `Cache`.
        age: As for `Cache`, and so are `most` and `size`: over all items of all runs.
    """

    key: Callable[[D_contra, Item_contra], object] | Callable[[Any, D_contra, Item_contra], object]
    age: float | timedelta
    most: int = attrs.field(default=10_000, kw_only=True)
    size: int = attrs.field(default=64 << 20, kw_only=True)
