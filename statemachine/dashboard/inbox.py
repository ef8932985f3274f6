"""What waits for a person: which states do, for whom, and the runs that are in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import attrs

from statemachine.dashboard.asking import Asking, Work
from statemachine.dashboard.forms import Form, forms
from statemachine.dashboard.ordering import in_order
from statemachine.dashboard.redaction import Redaction
from statemachine.definition import Definition
from statemachine.errors import NoSuchRun
from statemachine.runner import Entry, RunSummary, RunView, Waiting

MOST = 50
"""How many runs are shown at once, those that wait longest."""
LOOKED_AT = 2_000
"""Up to how many in a state are compared for that."""
PAGE = 500
BACK = 200
"""Up to how many entries of a run's journal are read for since when it waits."""


@attrs.frozen
class Task:
    """A run that waits for a person.

    Attributes:
        view: The run, its data as JSON values with nothing hidden removed yet.
        role: Whom it waits for.
        state: In which state.
        since: When it came there, UTC.
        due: When it will wait no longer, UTC.
        forms: The events it accepts.
    """

    view: RunView[Any]
    role: str
    state: str
    since: datetime
    due: datetime | None
    forms: tuple[Form, ...]


@attrs.frozen
class Inbox:
    """What waits for a role, or for anybody: how many for each role, and the first of them."""

    roles: dict[str, int]
    tasks: tuple[Task, ...]


def roles_of(definition: Definition) -> dict[str, str]:
    """The states that wait for a person, and for whom."""
    return {spec.name: spec.waits_for for spec in definition.states if spec.waits_for}


async def inbox(asking: Asking, redaction: Redaction, role: str | None, actor: str) -> Inbox:
    """Look at what waits."""
    definitions = asking.definitions
    found = _count(definitions, await asking.ask(lambda runner: runner.standing()))
    places = sorted(_places(definitions.values()), key=lambda place: place[2])
    wanted = [(name, state) for name, state, one in places if role in {None, one} and (name, state) in found]
    summaries = {one.id: one for name, state in wanted for one in await _listed(asking, name, state)}
    longest = sorted(summaries.values(), key=lambda one: (one.updated, one.id))[:MOST]
    tasks = [task for one in longest for task in await tasks_of(asking, one.id, redaction, actor)]
    roles: dict[str, int] = {one: 0 for _, _, one in places}
    for (name, state), runs in found.items():
        roles[roles_of(definitions[name])[state]] += runs
    return Inbox(roles, tuple(sorted((task for task in tasks if role in {None, task.role}), key=_since)))


def _since(task: Task) -> tuple[datetime, str]:
    return task.since, task.view.id


async def tasks_of(asking: Asking, run: str, redaction: Redaction, actor: str) -> list[Task]:
    """What one run waits for of people."""
    try:
        view = await asking.ask(lambda runner: runner.look(run, plain=True))
    except NoSuchRun:  # pruned meanwhile
        return []
    definition = asking.definitions.get(view.workflow)
    if definition is None or view.status != "running" or view.paused or view.held:
        return []
    view = attrs.evolve(view, data=in_order(view.data, definition.code.data))
    states = {state: role for state, role in roles_of(definition).items() if state in view.within}
    if not states:
        return []
    entries = await asking.ask(lambda runner: runner.journal(run, after=max(0, view.seq - BACK), limit=BACK))
    due = min((timer.due for timer in view.timers if timer.kind == "after"), default=None)
    offered = forms(definition, view.within, redaction, actor)
    return [
        Task(view, role, state, came(entries, state) or view.updated, due, offered) for state, role in states.items()
    ]


def came(entries: Sequence[Entry], state: str) -> datetime | None:
    """When the run came into a state in which it is at the last of these entries."""
    since: datetime | None = None
    for entry in reversed(entries):
        if not any(within(leaf, state) for leaf in entry.state):
            break
        since = entry.at
    return since


def within(leaf: str, state: str) -> bool:
    """Whether an active leaf is a state or nested in it."""
    return leaf == state or leaf.startswith(f"{state}.")


def _places(definitions: Iterable[Definition]) -> set[tuple[str, str, str]]:
    return {(one.name, state, role) for one in definitions for state, role in roles_of(one).items()}


def _count(definitions: dict[str, Definition], standing: Iterable[Waiting]) -> dict[tuple[str, str], int]:
    """How many runs are in each state that waits for a person."""
    found: dict[tuple[str, str], int] = {}
    for group in standing:
        definition = definitions.get(group.workflow)
        for state in roles_of(definition) if definition else ():
            if any(within(leaf, state) for leaf in group.state):
                key = (definition.name if definition else "", state)
                found[key] = found.get(key, 0) + group.runs
    return found


async def _listed(asking: Asking, workflow: str, state: str) -> list[RunSummary]:
    found: list[RunSummary] = []
    after: str | None = None
    while len(found) < LOOKED_AT:
        page = await asking.ask(_page(workflow, state, after))
        found += page
        if len(page) < PAGE:
            break
        after = page[-1].id
    return found


def _page(workflow: str, state: str, after: str | None) -> Work[list[RunSummary]]:
    return lambda runner: runner.list(
        workflow=workflow, status="running", state=state, paused=False, held=False, limit=PAGE, after=after
    )
