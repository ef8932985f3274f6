"""Waivers: what the checks find and the author wants so, said beside the declaration, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar

import attrs

from statemachine.definition import Waiver

Check = Literal[
    "ambiguous",
    "dead-end",
    "eventless-loop",
    "gives-up",
    "never-accepted",
    "never-fires",
    "never-joined",
    "never-recalled",
    "never-taken",
    "pivot-cycle",
    "retried-once",
    "uncompensated",
    "undo-cycle",
    "undone-after-pivot",
    "unreachable",
]
"""What may be waived; `statemachine.checking.CODES` says what each is."""
T = TypeVar("T")


def waive(check: Check, reason: str) -> Callable[[T], T]:
    """Say that a finding of `check` is meant, and why: a decorator, or for a value, called with it.

    It stands on a state, step or transition, or on the whole workflow's class:

        @waive("uncompensated", "the bureau only answers questions")
        @step(screening, to=review)
        async def screen(self, loan): ...

        lapse = waive("never-fires", "kept for runs of version 1")(after(days(9), source=review, to=declined))

    Args:
        check: The finding's code.
        reason: Why it is wanted so; it is shown with the finding.

    Raises:
        ValueError: Without a reason.
    """
    if not reason.strip():
        message = f"a waiver of {check!r} says why: waive({check!r}, 'the reason')"
        raise ValueError(message)

    def noted(declared: T) -> T:
        _note(declared, Waiver(code=check, reason=reason))
        return declared

    return noted


def _note(declared: Any, waiver: Waiver) -> None:
    whole = vars(declared).get("compiled") if isinstance(declared, type) else None
    if whole is None:
        declared.__waivers__ = (*_noted(declared), waiver)
        return
    definition = attrs.evolve(whole.definition, waivers=(*whole.definition.waivers, waiver))
    workflow: Any = declared
    workflow.definition = definition
    workflow.compiled = attrs.evolve(whole, definition=definition)


def _noted(declared: object) -> tuple[Waiver, ...]:
    # Not what a nested class inherits, nor what a function or class has under another name.
    found: tuple[Waiver, ...] = getattr(declared, "__dict__", {}).get("__waivers__", ())
    return found


def waivers_at(declared: Iterable[tuple[str, object]]) -> tuple[Waiver, ...]:
    """The waivers that stand beside declarations, given each with its name."""
    found = [attrs.evolve(waiver, at=name) for name, item in declared for waiver in _noted(item)]
    return tuple(dict.fromkeys(found))
