"""What a person is to be told of after a transition: an incident, or that a run has failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from persistence import NoticeRecord, RunRecord
from statemachine.snapshot import Failure, Incident, Snapshot

INCIDENT, FAILED = "incident", "failed"
"""The kinds of notices: of an incident that was opened, of a run that has ended as failed."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is to be told of.

    Attributes:
        id: The same over all deliveries, and no other's: to know one again that is delivered twice.
        run: The run's id.
        workflow: Its workflow.
        state: Its active leaves.
        kind: The kind of its incident (`pivot`, `lost`, `undo`, ...), or `failed`: it has ended so.
        incident: The number of its incident, as `retry`, `skip` and `done` take it; None of a run that has ended.
        step: The step that it is about, where there is one.
        message: What happened.
        error: The error behind it, `Type: message`; empty where there is none.
        at: When, UTC.
    """

    id: str
    run: str
    workflow: str
    state: tuple[str, ...]
    kind: str
    incident: int | None = None
    step: str | None = None
    message: str
    error: str = ""
    at: datetime


def notices_of(
    wanted: frozenset[str], record: RunRecord, snapshot: Snapshot[Any], opened: Sequence[Incident]
) -> tuple[NoticeRecord, ...]:
    """What a person is to be told of after a transition, for the same commit."""
    about = f"{snapshot.run}:{snapshot.nonce}"
    found: list[tuple[str, Notice]] = []
    for incident in opened if INCIDENT in wanted else ():
        notice = Notice(
            id=f"{about}:incident:{incident.number}",
            run=snapshot.run,
            workflow=snapshot.workflow,
            state=snapshot.states,
            kind=incident.kind,
            incident=incident.number,
            step=incident.step,
            message=incident.message,
            error=_said(incident.failure),
            at=incident.at,
        )
        found.append((INCIDENT, notice))
    if FAILED in wanted and snapshot.status == "failed":
        error = _said(snapshot.ending.failure if snapshot.ending else None)
        notice = Notice(
            id=f"{about}:failed",
            run=snapshot.run,
            workflow=snapshot.workflow,
            state=snapshot.states,
            kind=FAILED,
            message="The run has failed; what it had done is undone.",
            error=error,
            at=snapshot.now,
        )
        found.append((FAILED, notice))
    return tuple(
        NoticeRecord(run=one.run, kind=kind, at=record.updated, body=msgspec.json.encode(one)) for kind, one in found
    )


def _said(failure: Failure | None) -> str:
    return f"{failure.type}: {failure.message}" if failure is not None else ""
