"""The families of rows, one module each, in the order in which they stand in the table."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.families import (
    concurrent,
    core,
    growth,
    imports,
    items,
    latency,
    log,
    pressure,
    sequential,
    starting,
    waiting,
)
from tests.benchmarks.rows import Family, Size

FAMILIES: tuple[Callable[[Size], Family], ...] = (
    sequential.family,
    concurrent.family,
    items.family,
    latency.family,
    core.family,
    starting.family,
    waiting.family,
    growth.family,
    imports.family,
    log.family,
    pressure.family,
)
