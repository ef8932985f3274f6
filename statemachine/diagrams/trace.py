"""What a run has done of its definition, for its diagram: where it is, the way it took, what waits, what was undone."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from statemachine.definition import TransitionSpec
from statemachine.runner import RunView, Story, StoryLine


@attrs.frozen
class Trace:
    """See the module.

    Attributes:
        active: The active states, outer ones included; of a run that is over, where it ended.
        visited: States that it was in.
        pending: Step -> what it is at, in words.
        undone: Steps that were undone.
        lines: Its story.
    """

    active: frozenset[str]
    visited: frozenset[str]
    pending: Mapping[str, str]
    undone: frozenset[str]
    lines: tuple[StoryLine, ...]

    def took(self, transition: TransitionSpec, target: str) -> bool:
        """Whether the run took a transition to one of its targets."""
        return any(_matches(line, transition) and target in line.entered for line in self.lines)


def trace(view: RunView[object], story: Story) -> Trace:
    """The trace of a run."""
    return Trace(
        active=frozenset(view.within),
        visited=frozenset(state for line in story.lines for state in line.entered),
        pending=_pending(view, story),
        undone=frozenset(one.step for one in story.attempts if one.undo and one.outcome == "succeeded"),
        lines=story.lines,
    )


def _pending(view: RunView[object], story: Story) -> dict[str, str]:
    said: dict[str, str] = {}
    for attempt in story.attempts:
        if attempt.undo:
            continue
        if attempt.outcome == "running":
            said[attempt.step] = f"attempt {attempt.number} is running"
        elif attempt.outcome == "held":
            said[attempt.step] = f"attempt {attempt.number} is held back"
        elif attempt.again is not None:
            said[attempt.step] = f"attempt {attempt.number + 1} at {attempt.again:%H:%M:%S} UTC"
        else:
            said.pop(attempt.step, None)
    for incident in view.incidents:
        if incident.step is not None:
            said[incident.step] = f"incident {incident.number}: needs a person"
    for one in view.progress:
        said[one.step] = f"{said[one.step]}: {one}" if one.step in said else str(one)
    return {} if view.status not in {"running", "undoing"} else said


def _matches(line: StoryLine, transition: TransitionSpec) -> bool:
    """Whether a line of the story can have taken a transition: it left the source, for one of its events.

    Eventless transitions and regions that are done follow from any line.
    """
    if transition.source not in line.exited:
        return False
    events = transition.events
    return not events or any(event.startswith("done.state.") or _told(line, event) for event in events)


def _told(line: StoryLine, event: str) -> bool:
    if line.entry.kind in {"succeeded", "resolve"} and event == f"done.step.{line.entry.name}":
        return True
    if line.entry.kind in {"failed", "resolve"} and line.entry.name in event:
        return event.startswith(("error.step.", "failed.step."))
    return line.entry.name == event
