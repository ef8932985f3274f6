"""What users test their own workflows with.

Each name is loaded when it is asked for, so a project pays for what it uses: `WorkflowMachine` needs hypothesis (the
extra `testing`), nothing else does.
"""

from __future__ import annotations

import importlib
import typing

from statemachine import _clash as _clash

if typing.TYPE_CHECKING:
    from statemachine.testing.clock import VirtualClock
    from statemachine.testing.crashing import CrashSchedule, crash_at
    from statemachine.testing.everywhere import Trial, every_crash
    from statemachine.testing.harness import Harness
    from statemachine.testing.machine import WorkflowMachine
    from statemachine.testing.points import KillAt, journal_points, step_points, watched, watched_steps

else:
    _HOMES = {
        "clock": ("VirtualClock",),
        "crashing": ("CrashSchedule", "crash_at"),
        "everywhere": ("Trial", "every_crash"),
        "harness": ("Harness",),
        "machine": ("WorkflowMachine",),
        "points": ("KillAt", "journal_points", "step_points", "watched", "watched_steps"),
    }

    def __getattr__(name: str) -> object:
        """Load it from its home."""
        home = next((home for home, names in _HOMES.items() if name in names), None)
        if home is None:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        value = globals()[name] = getattr(importlib.import_module(f"statemachine.testing.{home}"), name)
        return value


__all__ = [
    "CrashSchedule",
    "Harness",
    "KillAt",
    "Trial",
    "VirtualClock",
    "WorkflowMachine",
    "crash_at",
    "every_crash",
    "journal_points",
    "step_points",
    "watched",
    "watched_steps",
]
