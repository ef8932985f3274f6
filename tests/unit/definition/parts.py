"""What the workflows of these tests are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import pytest

from statemachine import Event, evolve
from statemachine.errors import DefinitionError


@attrs.frozen
class Loan:
    """The data of these workflows."""

    applicant: str = "ada"
    amount: int = 0
    score: float = 0.0


@attrs.frozen
class Other:
    """Another workflow's data."""

    name: str = ""


class Approve(Event, frozen=True):
    """A person says yes."""

    by: str


class Decline(Event, frozen=True):
    """A person says no."""

    reason: str


def large(loan: Loan) -> bool:
    """The amount is large."""
    return loan.amount > 1_000


def scored(loan: Loan, score: float) -> Loan:
    """The loan with its score."""
    return evolve(loan, score=score)


@contextmanager
def refused(kind: type[DefinitionError], reason: str, state: str | None = None) -> Iterator[None]:
    """The body makes a class that is refused so; the error names the class, the state and this place in the file."""
    with pytest.raises(kind, match=re.escape(reason)) as caught:
        yield
    error = caught.value
    assert type(error) is kind
    assert error.workflow == "Broken"
    assert error.state == state
    assert re.search(r"unit/definition/\w+\.py:\d+$", error.place or ""), error.place
    assert str(error).startswith(f"Broken, state {state!r}: " if state else "Broken: ")
