"""Refuses what a class line, a state or a step was given and is of another type than its place takes.

A checker sees these, too; at run time each would be an error long after, or none: `was="old"` would be three names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statemachine.cache import Cache, ItemCache
from statemachine.errors import BrokenState, BrokenStep
from statemachine.retry import Retry
from statemachine.steps import Work
from statemachine.storable import say


def check_line(workflow: str, name: Any, version: Any, was: Any) -> None:
    """Refuse a class line. Raises BrokenState."""
    if not isinstance(name, str) or not name or not isinstance(version, int) or version < 1:
        raise BrokenState(workflow, None, "a workflow has a name, and a version from 1")
    check_former(workflow, None, was)


def check_former(workflow: str, state: str | None, was: Any) -> None:
    """Refuse former names that are no tuple of names. Raises BrokenState."""
    if not isinstance(was, tuple) or not all(isinstance(name, str) for name in was):  # pyright: ignore[reportUnknownVariableType]
        raise BrokenState(workflow, state, f"was={was!r} is no tuple of names; write was=('…',)")


def check_deferred(workflow: str, state: str, defer: Any) -> None:
    """Refuse deferred events that are no tuple. Raises BrokenState."""
    if not isinstance(defer, tuple):
        raise BrokenState(workflow, state, f"defer={say(defer)} is no tuple of events; write defer=({say(defer)},)")


def check_work(workflow: str, state: str, work: Work) -> None:
    """Refuse a step's options. Raises BrokenStep."""
    retry: Any = work.retry
    undo_retry: Any = work.undo_retry
    for given in (retry, undo_retry):
        if not isinstance(given, Retry):
            raise BrokenStep(workflow, state, f"retry={given!r} is no Retry; write retry=Retry({given!r})", work.place)
    if work.each is None and work.failures != "stop":
        raise BrokenStep(workflow, state, f"failures={work.failures!r} is said of items; say which, each=…", work.place)
    cache: Any = work.cache
    kind = Cache if work.each is None else ItemCache
    if cache is not None and not isinstance(cache, kind):
        reason = f"cache={say(cache)} is no {kind.__name__}; write cache={kind.__name__}(key, age)"
        raise BrokenStep(workflow, state, reason, work.place)
    error: Any = work.error
    if not isinstance(error, Mapping):
        reason = f"error={say(error)} leads nowhere; write error={{{say(error)}: state}}"
        raise BrokenStep(workflow, state, reason, work.place)
    for kind in error:  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(kind, type) or not issubclass(kind, BaseException):
            reason = f"{kind!r} in error= is no type of exception; give each its own entry"
            raise BrokenStep(workflow, state, reason, work.place)
