"""How often and how far apart a step is attempted: the numbers of `Retry`, and what the core makes of them."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachine.definition import Definition
from statemachine.inputs import Elapsed, Lost
from statemachine.retry import Retry
from statemachine.testing.host import START, Host
from tests.unit.core.charts import Book, define, final, go, state, step

policies = st.builds(
    Retry,
    st.integers(1, 200),
    delay=st.floats(0, 1e9),
    factor=st.floats(1, 1e12),
    cap=st.floats(0, 1e9),
    jitter=st.floats(0, 1),
)


@given(policies, st.integers(1, 250), st.floats(0, 1))
def test_every_wait_is_within_its_bounds(retry: Retry, attempt: int, chance: float) -> None:
    """None exactly when attempts are used up; else finite, not negative, between the jitter's floor and the cap."""
    wait = retry.wait(attempt, chance)
    assert (wait is None) == (attempt >= retry.attempts)
    if wait is not None:
        assert math.isfinite(wait)
        assert 0 <= wait <= retry.cap
        full = retry.wait(attempt, 0.0)
        assert full is not None
        assert wait >= full * (1 - retry.jitter) * (1 - 1e-9)
        assert retry.wait(attempt, chance) == wait


@given(policies, st.integers(1, 100))
def test_waits_never_get_shorter(retry: Retry, attempt: int) -> None:
    """Without jitter, each wait is at least the one before it."""
    one, next_one = retry.wait(attempt, 0.0), retry.wait(attempt + 1, 0.0)
    if one is not None and next_one is not None:
        assert next_one >= one


def test_the_waits_double_up_to_the_cap() -> None:
    """The defaults, as their documentation says them."""
    retry = Retry(6, delay=1, cap=10, jitter=0)
    assert [retry.wait(attempt, 0.7) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, None]


def test_jitter_takes_away_its_share_at_most() -> None:
    """Chance 0 is the whole delay; chance 1 leaves the share that jitter does not draw."""
    retry = Retry(2, delay=8, jitter=0.25)
    assert [retry.wait(1, chance) for chance in (0.0, 0.5, 1.0)] == [8, 7, 6]


@pytest.mark.parametrize(
    "numbers",
    [
        {"attempts": 0},
        {"delay": -1},
        {"factor": 0.5},
        {"cap": -1},
        {"cap": math.inf},
        {"jitter": 1.5},
        {"jitter": -0.1},
    ],
)
def test_numbers_outside_their_range_are_refused(numbers: dict[str, float]) -> None:
    """At once, not at the first failure."""
    with pytest.raises(ValueError, match=next(iter(numbers))):
        Retry(**numbers)  # type: ignore[arg-type]


def working(retry: Retry, overall: float | None = None) -> Definition:
    """One step."""
    return define(
        [state("work"), final("end")],
        [go("work", "done.step.work", "end")],
        steps=[step("work", "work", retry=retry, overall=overall)],
    )


@pytest.mark.parametrize("attempts", [1, 2, 5])
@pytest.mark.parametrize("forgetful", [False, True])
def test_a_step_is_attempted_as_often_as_it_says_and_no_more(attempts: int, forgetful: bool) -> None:
    """Under one key, numbered from 1, waiting each time as long as the policy says."""
    host = Host(working(Retry(attempts, delay=3, jitter=0.5)), Book(), forgetful=forgetful)
    for attempt in range(1, attempts):
        host.wait(10)
        host.fail("work", chance=1.0)
        assert host.pending("work").waiting
        (timer,) = host.snapshot.timers
        assert timer.due == host.now + timedelta(seconds=3 * 2 ** (attempt - 1) / 2)
        host.elapse("retry")
    begun = host.begun if not forgetful else list(host.running.values())
    assert begun[-1].attempt == attempts
    assert len({command.key for command in host.begun}) == 1
    host.fail("work")
    assert host.status == "undoing"


def test_no_attempt_begins_after_the_overall_time() -> None:
    """`overall` counts from entry over all attempts: a retry that would begin after it is not made."""
    host = Host(working(Retry(100, delay=10, factor=1, jitter=0), overall=25), Book())
    begun = []
    while host.status == "running":
        begun.append((host.now - START).total_seconds())
        host.fail("work")
        if host.status == "running":
            host.elapse("retry")
    assert begun == [0, 10, 20]


def test_a_persons_retry_has_all_its_attempts_again() -> None:
    """After an incident, `retry` begins at attempt 1."""
    definition = define(
        [state("work"), final("end")],
        [go("work", "done.step.work", "end")],
        steps=[step("work", "work", retry=Retry(2, delay=1), pivot=True, undo=False)],
    )
    host = Host(definition, Book())
    for _ in range(2):
        host.fail("work")
        host.elapse("retry")
        host.fail("work")
        assert host.incident.kind == "pivot"
        host.resolve("retry")
    host.succeed("work")
    assert host.ended() == "completed"


def test_a_retry_timer_that_comes_twice_is_late() -> None:
    """A host may deliver a timer again; the second is known by its number."""
    host = Host(working(Retry(3, delay=1)), Book())
    host.fail("work")
    (timer,) = host.snapshot.timers
    host.elapse("retry")
    assert host.tell(Elapsed(timer.number)).verdict == "late"


def test_a_persons_retry_has_its_overall_time_again() -> None:
    """A person who says so long after the time was up asks for an attempt, not for one more timeout."""
    host = Host(working(Retry(2, delay=10), overall=25), Book())
    host.tell(Lost("work", host.visit("work"), 3))
    host.wait(3600)
    host.running.clear()
    host.resolve("retry")
    assert host.pending("work").since == host.now
    host.fail("work")
    assert host.pending("work").waiting, "its second attempt fits into the overall time again"
