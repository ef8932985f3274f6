"""Checks a workflow before anything runs: what can never be, what never ends, what is ambiguous, what breaks a saga.

The statechart is explored with every guard answering both ways, so what is found does not depend on data. What its
author wants so is waived beside the declaration, with a reason.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from statemachine.checking import choosing, ending, listening, loops, reaching, undoing
from statemachine.checking.case import Case
from statemachine.checking.explore import MOST_WORK
from statemachine.checking.report import Explored, Finding, Report, StepLine
from statemachine.definition import Definition, StepSpec, Waiver
from statemachine.wording import manner

CODES = {
    "ambiguous": "one event enables two transitions, and only the order of writing decides",
    "dead-end": "no final state can be reached from here",
    "eventless-loop": "eventless transitions follow one another without end",
    "gives-up": "a step after the pivot does not say where to go when its attempts are used up",
    "never-accepted": "an event is declared, and no transition takes it",
    "never-fires": "a timer cannot fire",
    "never-joined": "the regions of a parallel state can never all be done",
    "never-recalled": "a deferred event is taken by no later state",
    "never-taken": "a transition can never win",
    "pivot-cycle": "the pivot can come again after itself",
    "retried-once": "a step that runs at most once has retries",
    "uncompensated": "an effect before the pivot has no undo",
    "undo-cycle": "a step with an undo is on a loop, so the snapshot grows",
    "undone-after-pivot": "a compensating final state can be reached after the pivot",
    "unreachable": "nothing reaches a state",
    "unused-waiver": "a waiver has nothing to waive",
}
"""What is checked."""
_KINDS = {"at-least-once": "at least once", "at-most-once": "at most once", "transactional": "transactional"}


class Defined(Protocol):
    """What has a definition: a workflow's class."""

    @property
    def definition(self) -> Definition:
        """What it compiled to."""
        ...


def check(workflow: Defined | Definition, *, work: int = MOST_WORK) -> Report:
    """Check a workflow.

    Args:
        workflow: Its class, or its definition.
        work: How much to explore at most; a move costs as much as it has active leaves and transitions.
    """
    definition = workflow if isinstance(workflow, Definition) else workflow.definition
    case = Case(definition, work)
    for rules in (loops, reaching, ending, choosing, undoing, listening):
        rules.check(case)
    findings = _waive(definition, [draft.finding() for draft in case.drafts])
    resting = [place for place in case.graph.places if place.at_rest]
    return Report(
        workflow=definition.name,
        version=definition.version,
        findings=tuple(sorted(findings, key=lambda one: (one.waived is not None, one.severity != "error"))),
        explored=Explored(
            configurations=len({place.leaves for place in resting}),
            moves=sum(len(edges) for edges in case.graph.edges),
            whole=case.graph.complete,
        ),
        steps=tuple(_line(step) for step in definition.steps),
    )


def _waive(definition: Definition, findings: list[Finding]) -> list[Finding]:
    used: set[Waiver] = set()
    told: list[Finding] = []
    for finding in findings:
        waiver = next((one for one in definition.waivers if _covers(one, finding)), None)
        if waiver is not None:
            used.add(waiver)
        told.append(finding if waiver is None else msgspec.structs.replace(finding, waived=waiver.reason))
    return told + [_unused(waiver) for waiver in definition.waivers if waiver not in used]


def _covers(waiver: Waiver, finding: Finding) -> bool:
    return waiver.code == finding.code and (not waiver.at or waiver.at in finding.about)


def _unused(waiver: Waiver) -> Finding:
    where = f" of {waiver.at!r}" if waiver.at else ""
    if waiver.code in CODES:
        said = f"The waiver {waiver.code!r}{where} has nothing to waive. Remove it."
    else:
        said = f"The waiver {waiver.code!r}{where} names no check; the checks are {', '.join(CODES)}."
    return Finding(severity="warning", code="unused-waiver", about=(waiver.at,) if waiver.at else (), message=said)


def _line(step: StepSpec) -> StepLine:
    undo = "pivot" if step.pivot else "undo" if step.undo else "" if step.effect else "no effect"
    kind, attempts = _KINDS[step.kind], step.retry.attempts
    return StepLine(step.name, step.state, kind, attempts, step.timeout, step.overall, undo, tuple(manner(step)))


__all__ = ["CODES", "Defined", "Explored", "Finding", "Report", "StepLine", "check"]
