"""What users test their own workflows with.

`WorkflowMachine` needs hypothesis (the extra `testing`); nothing else here does, and importing this does not either.
"""

from __future__ import annotations

import importlib
import typing

from statemachine import _clash as _clash
from statemachine.testing.clock import VirtualClock
from statemachine.testing.points import KillAt, journal_points, step_points, watched, watched_steps

if typing.TYPE_CHECKING:
    from statemachine.testing.machine import WorkflowMachine

__all__ = ["KillAt", "VirtualClock", "WorkflowMachine", "journal_points", "step_points", "watched", "watched_steps"]


def __getattr__(name: str) -> object:
    if name != "WorkflowMachine":
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = globals()[name] = getattr(importlib.import_module("statemachine.testing.machine"), name)
    return value
