"""What users test their own workflows with."""

from __future__ import annotations

from statemachine import _clash as _clash
from statemachine.testing.clock import VirtualClock
from statemachine.testing.points import KillAt, journal_points, step_points, watched, watched_steps

__all__ = ["KillAt", "VirtualClock", "journal_points", "step_points", "watched", "watched_steps"]
