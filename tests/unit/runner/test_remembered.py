"""Which runs stay decoded: those at work longer than those that wait, none twice, none that is forgotten."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from persistence.contract.making import a_run
from statemachine.runner import remembered
from statemachine.runner.loaded import Loaded
from statemachine.runner.remembered import Remembered


def loaded(run: str, *, busy: bool = False, over: bool = False) -> Loaded:
    """A run as far as it matters here."""
    return Loaded(replace(a_run(run), busy=busy, over=over), None, None)  # type: ignore[arg-type]


def test_what_was_used_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind has its own bound."""
    monkeypatch.setattr(remembered, "WAITING", 2)
    monkeypatch.setattr(remembered, "WORKING", 3)
    kept = Remembered()
    for run in ("w1", "w2", "w1", "w3"):
        kept.keep(loaded(run))
    for run in ("b1", "b2", "b3", "b4"):
        kept.keep(loaded(run, busy=True))
    assert [run for run in ("w1", "w2", "w3", "b1", "b2", "b3", "b4") if kept.get(run)] == [
        "w1",
        "w3",
        "b2",
        "b3",
        "b4",
    ]


def test_a_run_is_kept_as_it_was_committed_last() -> None:
    """Whether it was at work before or not."""
    kept = Remembered()
    for busy in (True, False, True, False):
        last = loaded("r", busy=busy)
        kept.keep(last)
        assert kept.get("r") is last
    kept.drop("r")
    assert kept.get("r") is None


def test_what_is_forgotten_is_gone() -> None:
    """All of it, or what is over."""
    kept = Remembered()
    kept.keep(loaded("over", over=True))
    kept.keep(loaded("waits"))
    kept.keep(loaded("works", busy=True))
    kept.drop_over()
    assert [run for run in ("over", "waits", "works") if kept.get(run)] == ["waits", "works"]
    kept.clear()
    assert not kept.get("waits")
    assert not kept.get("works")
