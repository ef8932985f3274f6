"""A scenario once quietly, then once for each point that it passed: killed there, gone on, and the ends compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import attrs

from statemachine.definition import Definition
from statemachine.testing.crashing import crash_at
from statemachine.testing.harness import Harness
from statemachine.workflow import Workflow

W = TypeVar("W", bound="Workflow[Any] | Definition")
_OUTSIDE = {f"{side} {what}" for side in ("before", "after") for what in ("claim", "release", "unmark")}
"""What opening and closing pass: nothing of the scenario has begun, or all of it has ended."""


@attrs.frozen
class End:
    """How a scenario came out: each run's status, states and data, and what the scenario gave."""

    runs: dict[str, tuple[Any, ...]]
    gave: object


@attrs.frozen
class Trial:
    """What was tried.

    Attributes:
        end: How the scenario comes out when nothing happens to it.
        points: The passings at which the runner was killed, `(point, nth)`.
    """

    end: End
    points: tuple[tuple[str, int], ...]


def every_crash(
    make: Callable[[], W], scenario: Callable[[Harness[W]], object], *, folder: Path | None = None
) -> Trial:
    """Run a scenario quietly, then once for each point that it passes, with a runner that dies there.

    ::

        def paid(desk: Harness[LoanApproval]) -> object:
            desk.start(Loan("ada", 5_000))
            desk.send(Approve(by="grace"))
            desk.finish()
            return desk.workflow.bank.effects                  # by key, as the bank holds them

        trial = every_crash(lambda: LoanApproval(FakeBank()), paid)

    Args:
        make: Makes the workflow, with new fakes: once for each run of the scenario.
        scenario: Drives the harness that it is given; what it returns is compared, too, so it returns what the
            effects came to. It is to be the same each time.
        folder: Where each run of the scenario has a journal of its own, in a file; in memory when not given. A
            transactional step needs one.

    Raises:
        AssertionError: Killed at some point, it came out otherwise; the message says at which, and how.
    """
    files = (None if folder is None else folder / f"crash-{number}.db" for number in count())
    end, passed = _live(Harness(make(), file=next(files)), scenario)
    seen: Counter[str] = Counter()
    points: list[tuple[str, int]] = []
    wrong: list[str] = []
    for point in passed:
        seen[point] += 1
        if point in _OUTSIDE:
            continue
        nth = seen[point]
        points.append((point, nth))
        crash = crash_at(point, nth)
        wrong += _try(Harness(make(), file=next(files), crash=crash), scenario, crash, end)
    assert not wrong, f"{len(wrong)} of {len(points)} deaths made a difference:\n" + "\n".join(wrong)
    return Trial(end, tuple(points))


def _live(harness: Harness[W], scenario: Callable[[Harness[W]], object]) -> tuple[End, list[str]]:
    with harness:
        gave = scenario(harness)
        harness.settle()
        views = [harness.look(run) for run in harness.all_runs()]
        runs = {view.id: (view.status, view.state, view.data, view.error and view.error.type) for view in views}
        return End(runs, gave), harness.passed


def _try(harness: Harness[W], scenario: Callable[[Harness[W]], object], crash: crash_at, quiet: End) -> list[str]:
    try:
        end, _ = _live(harness, scenario)
    except Exception as error:  # noqa: BLE001 - whatever it raises, it did not raise undisturbed
        return [f"  {crash!r}: {type(error).__name__}: {error}"]
    if not harness.deaths:
        return [f"  {crash!r}: it was not passed again; the scenario is not the same each time"]
    different = [
        f"run {run!r} came to {end.runs.get(run)}, not to {quiet.runs.get(run)}"
        for run in sorted(quiet.runs | end.runs)
        if end.runs.get(run) != quiet.runs.get(run)
    ]
    if end.gave != quiet.gave:
        different.append(f"the scenario gave {end.gave!r}, not {quiet.gave!r}")
    return [f"  {crash!r}: {one}" for one in different]
