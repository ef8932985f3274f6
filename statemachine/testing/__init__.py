"""What users test their own workflows with."""

from __future__ import annotations

from statemachine import _clash as _clash
from statemachine.testing.clock import VirtualClock

__all__ = ["VirtualClock"]
