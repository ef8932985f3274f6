"""The machine from any workflow finds what was planted, within a stated number of examples, and lets the sound pass."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from statemachine.testing import WorkflowMachine
from tests.unit.runner.test_saves import Machine, Model, Stop, Training
from tests.unit.testing import planted

BRIEF = settings(
    max_examples=60,
    stateful_step_count=20,
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SHRUNK = settings(BRIEF, phases=[Phase.generate, Phase.shrink])


def examples(machine: type[WorkflowMachine], how: settings = BRIEF) -> tuple[int, BaseException | None]:
    """How many examples were played until something was found (or all), and what."""
    played = 0

    class Counted(machine):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            nonlocal played
            played += 1
            super().__init__()

    Counted.__qualname__, Counted.__module__ = machine.__qualname__, machine.__module__
    Counted.__name__ = machine.__name__
    try:
        run_state_machine_as_test(Counted, settings=how)
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return played, error
    return played, None


@pytest.mark.parametrize(
    ("machine", "said", "most"),
    [
        (planted.ForgetfulBookings, "the run was undone, and its effects were not", 20),
        (planted.CarelessBookings, "is not idempotent", 40),
        (planted.LosingDeposits, "was acknowledged and deferred, and is lost", 40),
        (planted.ForgettingDeposits, "what_was_paid_is_known", 20),
        (planted.StuckTrips, "nothing leads on from full", 20),
    ],
)
def test_what_was_planted_is_found(machine: type[WorkflowMachine], said: str, most: int) -> None:
    """Each defect, by what it is, within so many examples."""
    played, error = examples(machine)
    assert error is not None
    told = "\n".join([str(error), *error.__notes__])
    print(f"{machine.__name__}: found within {played} examples: {said}")
    assert said in told
    assert played <= most


@pytest.mark.parametrize("machine", [planted.Bookings, planted.Deposits, planted.PatientTrips, planted.Letters])
def test_the_sound_twin_passes(machine: type[WorkflowMachine]) -> None:
    """The same checks on the workflow without the defect."""
    played, error = examples(machine)
    assert error is None
    assert played >= 60


def test_a_counterexample_is_a_picture_and_a_test() -> None:
    """It shrinks to the shortest path; the printed test, executed, fails in the same way."""
    _, error = examples(planted.CarelessBookings, SHRUNK)
    assert error is not None
    notes = "\n".join(error.__notes__)
    path = [line.strip() for line in notes.splitlines() if line.startswith(("  │", "  ●", "  ✗"))]
    assert path[:2] == ["│  begins with Trip(traveller='ada')", "● first"]
    assert path[-1].startswith("✗ step 'book' is not idempotent")
    assert (
        len([line for line in path if line.startswith("│")]) <= 4
    )  # it begins, takes effect unheard, (waits,) and again
    text = notes[notes.index("def test_found_by") :].partition("\n\n")[0]
    found: dict[str, Any] = {}
    exec(compile(text, "pasted", "exec"), found)
    with pytest.raises(AssertionError, match="is not idempotent"):
        found["test_found_by_careless_bookings"]()


class Trainings(WorkflowMachine):
    """A step that saves, on a machine that falls in two epochs; with failures and deaths drawn between."""

    def make(self) -> Training:
        """A new one for each play."""
        self.machine = Machine(2, 3)
        return Training(self.machine)

    def effects(self) -> object:
        """What it does changes nothing outside."""
        return None

    @invariant()
    def no_epoch_is_trained_twice(self) -> None:
        """Its next attempt goes on from what it saved."""
        assert len(set(self.machine.trained)) == len(self.machine.trained)


def test_a_step_that_saves_is_played() -> None:
    """What it saved is given to its next attempt there, too."""
    _, error = examples(Trainings)
    assert error is None


def test_a_step_that_is_left_as_it_begins_is_played() -> None:
    """What waited while the run was paused leads on in the transition that has its step begun again."""
    play = Trainings.replay()
    play.begin(Model())
    play.pause()
    play.send(Stop())
    play.resume()
    assert play.over
    play.close()
