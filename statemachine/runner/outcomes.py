"""What a step returned, as what its run is told."""

from __future__ import annotations

from typing import Any

from statemachine.commands import RunStep
from statemachine.data import changed
from statemachine.inputs import Failed, Succeeded
from statemachine.runner.attempts import failure_told
from statemachine.runner.hosted import Hosted
from statemachine.runner.piping import Unreturned


def outcome_of(hosted: Hosted, run: str, command: RunStep, *, base: Any, result: Any) -> Succeeded | Failed:
    """Its result, or the fields it changed of the data that it was given; a failure where that cannot be recorded."""
    step = hosted.steps[command.step].spec
    if isinstance(result, Unreturned):
        return Failed(step.name, command.visit, result.failure, recorded=False)
    try:
        if step.into is not None:
            hosted.stored.event(run, f"done.step.{step.name}", result)
            return Succeeded(step.name, command.visit, {}, result)
        return Succeeded(step.name, command.visit, changed(base, result))
    except Exception as error:  # noqa: BLE001 -- comparing the user's values may raise anything
        return Failed(step.name, command.visit, failure_told(error), recorded=False)
