"""What the runner says in the log: the fields of its records, and a transition's own line. Never a payload."""

from __future__ import annotations

import logging
from typing import Any

from persistence import Journal, SQLiteJournal, beneath, wal_reset_race
from statemachine.runner.mover import Moved

log = logging.getLogger("statemachine")


def fields(
    workflow: str | None = None, run: str | None = None, step: str | None = None, attempt: int | None = None
) -> dict[str, Any]:
    """Fields of a log record."""
    return {"workflow": workflow, "run": run, "step": step, "attempt": attempt}


def tell_moved(moved: Moved) -> None:
    """A transition at DEBUG, and each incident that it opened at ERROR."""
    snapshot, entry = moved.outcome.snapshot, moved.entry
    step = None if entry.kind == "event" else entry.name or None
    log.debug(
        "%s run %s: %s -> %s",
        snapshot.workflow,
        snapshot.run,
        f"{entry.kind} {entry.name}".rstrip(),
        ", ".join(snapshot.states),
        extra=fields(snapshot.workflow, snapshot.run, step),
    )
    for incident in moved.opened:
        log.error(
            "%s run %s needs a person: incident %d (%s)",
            snapshot.workflow,
            snapshot.run,
            incident.number,
            incident.kind,
            extra=fields(snapshot.workflow, snapshot.run, incident.step),
        )


def caution(journal: Journal) -> None:
    """Say what an application that writes the same file must set, where this SQLite asks for it."""
    file = beneath(journal)
    if isinstance(file, SQLiteJournal) and wal_reset_race(file.sqlite_version):
        log.info(
            "This SQLite can lose commits when two connections checkpoint at once (mended in 3.51.3): who "
            "writes %s by connections of their own must set PRAGMA wal_autocheckpoint=0 on each",
            file.name,
        )
