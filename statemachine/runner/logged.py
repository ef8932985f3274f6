"""What the runner says in the log of a transition that was committed. Names and numbers, never a payload."""

from __future__ import annotations

import logging
from typing import Any

from statemachine.runner.mover import Moved

log = logging.getLogger("statemachine")


def say(moved: Moved) -> None:
    """The transition itself, for who debugs; the incidents that it opened, for everybody."""
    if log.isEnabledFor(logging.DEBUG):
        _say_all(moved)
    snapshot = moved.outcome.snapshot
    for incident in moved.opened:
        log.error(
            "%s run %s needs a person: incident %d (%s)",
            snapshot.workflow,
            snapshot.run,
            incident.number,
            incident.kind,
            extra=fields(snapshot.workflow, snapshot.run, incident.step, None),
        )


def _say_all(moved: Moved) -> None:
    snapshot, entry = moved.outcome.snapshot, moved.entry
    log.debug(
        "%s run %s: %s -> %s",
        snapshot.workflow,
        snapshot.run,
        f"{entry.kind} {entry.name}".rstrip(),
        ", ".join(snapshot.states),
        extra=fields(snapshot.workflow, snapshot.run, None if entry.kind == "event" else entry.name or None, None),
    )


def fields(workflow: str | None, run: str, step: str | None, attempt: int | None) -> dict[str, Any]:
    """Fields of a log record."""
    return {"workflow": workflow, "run": run, "step": step, "attempt": attempt}
