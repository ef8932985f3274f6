"""What a step raised, as its run is told: a declared error, one that forbids another attempt, or any other."""

from __future__ import annotations

import logging

from statemachine.commands import RunStep
from statemachine.inputs import Failed
from statemachine.runner.attempts import failure_told
from statemachine.runner.children import RaisedThere
from statemachine.runner.hosted import Hosted
from statemachine.runner.logs import fields

log = logging.getLogger("statemachine")


def failed(
    hosted: Hosted, run: str, command: RunStep, error: Exception, chance: float, *, effect: bool = True
) -> Failed:
    """An attempt that raised; what was not declared is logged.

    Args:
        hosted: The workflow.
        run: The run's id.
        command: The attempt.
        error: What it raised.
        chance: A random number from 0 to 1.
        effect: False where it is known to have had none.
    """
    step = hosted.steps[command.step].spec
    exceptions = hosted.definition.code.exceptions
    arm = next((n for n, name in enumerate(step.errors) if isinstance(error, exceptions[name])), None)
    final, failure = isinstance(error, step.retry.never), failure_told(error)
    if isinstance(error, RaisedThere):
        arm, final, failure = error.raised.arm, error.raised.final, error.raised.failure
    if arm is None:
        log.warning(
            "Step %s of run %s failed at attempt %d: %s",
            step.name,
            run,
            command.attempt,
            failure.type,
            extra=fields(hosted.definition.name, run, step.name, command.attempt),
        )
    return Failed(
        step=step.name,
        visit=command.visit,
        failure=failure,
        chance=chance,
        arm=arm,
        final=final,
        effect=effect,
    )
