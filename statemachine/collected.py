"""What came of one item of a step that is done for each of many, and whose failures are collected."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from statemachine.snapshot import Failure

R = TypeVar("R")


class ItemOutcome(msgspec.Struct, Generic[R], frozen=True, omit_defaults=True):
    """What came of one item: what the step returned for it, or why it failed for good.

    Attributes:
        result: What the step returned; None when it failed.
        failure: What it failed with at its last attempt, as text; None when it succeeded.
    """

    result: R | None = None
    failure: Failure | None = None

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.failure is None
