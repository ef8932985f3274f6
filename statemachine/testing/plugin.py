"""A pytest plugin: a virtual clock, runners in memory, harnesses, and deaths by a seed that is told.

pytest loads it in every project that has this package installed, so importing it loads nothing but pytest; what a
fixture needs is loaded by the fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from statemachine.definition import Definition
    from statemachine.runner import Runner
    from statemachine.testing import CrashSchedule, Harness, VirtualClock
    from statemachine.workflow import Workflow


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--crash-seed`."""
    parser.getgroup("statemachine").addoption(
        "--crash-seed", type=int, default=None, help="the seed of crash_schedule, as a failed test has told it"
    )


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """A clock that only the test moves; `memory_runner` and `workflow_harness` use it, too."""
    from statemachine.testing import VirtualClock  # noqa: PLC0415 - see the module

    return VirtualClock()


@pytest.fixture
def memory_runner(virtual_clock: VirtualClock) -> Iterator[Callable[..., Runner]]:
    """Opens runners over a journal in memory: `memory_runner(LoanApproval(fake_bank))`. Closed after the test."""
    from persistence import MemoryJournal  # noqa: PLC0415 - see the module
    from statemachine.runner import Runner  # noqa: PLC0415

    with ExitStack() as closing:

        def open_one(*workflows: Workflow[Any] | Definition) -> Runner:
            runner = Runner(MemoryJournal(), workflows, clock=virtual_clock, grace=0.0)
            return closing.enter_context(runner)

        yield open_one


@pytest.fixture
def workflow_harness(virtual_clock: VirtualClock) -> Iterator[Callable[..., Harness[Any]]]:
    """Opens harnesses: `workflow_harness(LoanApproval(fake_bank), crash=crash_at("before succeeded"))`."""
    from statemachine.testing import Harness  # noqa: PLC0415 - see the module

    with ExitStack() as closing:

        def open_one(workflow: Any, **options: Any) -> Harness[Any]:
            return closing.enter_context(Harness(workflow, clock=virtual_clock, **options))

        yield open_one


@pytest.fixture
def crash_schedule(request: pytest.FixtureRequest) -> CrashSchedule:
    """Deaths by chance, for a harness's `crash=`. Its seed is printed, hence shown where the test fails."""
    from statemachine.runner import SystemClock  # noqa: PLC0415 - see the module
    from statemachine.testing import CrashSchedule  # noqa: PLC0415

    given: int | None = request.config.getoption("--crash-seed")
    seed = int(SystemClock().nonce(), 16) % 1_000_000 if given is None else given
    print(f"crash_schedule: repeat with --crash-seed {seed}")
    return CrashSchedule(seed)
