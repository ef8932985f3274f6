"""What follows by itself, and when it is taken to go on for ever."""

from __future__ import annotations

import pytest

from statemachine import macrostep
from statemachine.testing.host import Host
from tests.unit.core.charts import Book, define, final, go, state


def test_a_chain_that_ends_with_the_last_microstep_is_not_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is on machines that go on."""
    monkeypatch.setattr(macrostep, "LONGEST", 3)
    chain = define(
        [state("a"), state("b"), state("c"), final("end")], [go("a", "", "b"), go("b", "", "c"), go("c", "", "end")]
    )
    assert Host(chain, Book()).snapshot.status == "completed"
