"""The pages that show: runs, one run, its saga, and how the journal is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import attrs
import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from statemachine.dashboard.asking import Work
from statemachine.dashboard.desk import Desk, root
from statemachine.dashboard.rendering import now, segment
from statemachine.dashboard.showing import STATUSES, Shown, conditions, show
from statemachine.definition import Definition
from statemachine.errors import NoSuchRun
from statemachine.runner import RunSummary, RunView
from statemachine.snapshot import IncidentKind

PAGE = 50
SPANS = {"15m": timedelta(minutes=15), "1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}
TRAIL = 20
"""Over how many pages of runs one can go back one by one."""
LATE = timedelta(minutes=1)
"""How long after its deadline a run is stuck."""

DECISIONS: dict[str, dict[str, str]] = {
    "retry": {
        "": "Try it again, under the same key.",
        "conflict": "",
        "handler": "Handle the event again.",
        "undo": "Try to undo it again.",
    },
    "done": {
        "": "It took effect: go on.",
        "result": "It took effect: go on without its result.",
        "conflict": "Take the step's values.",
        "handler": "",
        "undo": "It was undone by hand.",
    },
    "skip": {
        "": "It had no effect: go on without it, or undo the run.",
        "conflict": "Keep the present values.",
        "handler": "Drop the event.",
        "undo": "Leave it not undone.",
    },
}
"""Verb -> kind of incident -> what it says; an empty sentence where it cannot be said."""


@attrs.frozen
class Looking:
    """The pages."""

    desk: Desk

    async def home(self, request: Request) -> Response:
        """The first page is the runs."""
        return RedirectResponse(f"{root(request)}/runs")

    async def runs(self, request: Request) -> Response:
        """A page of runs, and how many there are of each sort."""
        asked = request.query_params
        sought = asked.get("id", "").strip()
        if sought:
            return await self._found(request, sought)
        given = conditions(asked)
        after = asked.get("after") or None
        listed, counts = await asyncio.gather(self._page(given, after), self._counts())
        more = {name: value for name, value in asked.items() if name not in {"after", "came", "said"} and value}
        came = asked.getlist("came")
        return self.desk.page(
            request,
            "runs",
            runs=listed[:PAGE],
            older=_address(more, listed[PAGE - 1].id, [*came, after or ""]) if len(listed) > PAGE else "",
            newer=_address(more, came[-1], came[:-1]) if came else None,
            newest=urlencode(more) if after else None,
            counts=counts,
            total=sum(counts[status] for status in STATUSES),
            statuses=STATUSES,
            workflows=sorted({one.name for one in self.desk.asking.definitions.values()}),
            asked={name: asked.get(name, "") for name in ("workflow", "status", "state", "tag", "flag")},
            stuck=_stuck,
        )

    async def _found(self, request: Request, sought: str) -> Response:
        try:
            await self.desk.asking.ask(lambda runner: runner.look(sought, plain=True))
        except NoSuchRun:
            return self.desk.page(request, "error", 404, status=404, message=f"There is no run {sought}.")
        return RedirectResponse(f"{root(request)}/runs/{segment(sought)}")

    def _page(self, given: dict[str, Any], after: str | None) -> Awaitable[list[RunSummary]]:
        return self.desk.asking.ask(lambda runner: runner.list(**given, limit=PAGE + 1, after=after))

    async def _counts(self) -> dict[str, int]:
        """How many runs are in each status, and how many need a person: of all workflows, as indexes can tell."""
        questions: dict[str, dict[str, Any]] = {status: {"status": status} for status in STATUSES}
        questions |= {flag: {flag: True} for flag in ("incident", "paused", "held")}
        found = await asyncio.gather(*(self.desk.asking.ask(_counting(one)) for one in questions.values()))
        return dict(zip(questions, found, strict=True))

    async def run(self, request: Request) -> Response:
        """One run, whole."""
        return await self._one(request, "run")

    async def saga(self, request: Request) -> Response:
        """What a run did, what is undone, and what an operator may say."""
        return await self._one(request, "saga")

    async def _one(self, request: Request, name: str) -> Response:
        shown = await self._shown(request)
        said = attrs.asdict(shown, recurse=False)
        return self.desk.page(request, name, **said, late=_late, decisions=decisions)

    async def _shown(self, request: Request) -> Shown:
        session = self.desk.session(request)
        return await show(
            self.desk.asking,
            self.desk.redaction,
            request.path_params["run"],
            after=after_of(request),
            actor=session.actor if session else "",
        )

    async def health(self, request: Request) -> Response:
        """How the journal is."""
        since = request.query_params.get("since", "1h")
        since = since if since in SPANS else "1h"
        well, numbers = await asyncio.gather(
            self.desk.asking.ask(lambda runner: runner.health()),
            self.desk.statistics(SPANS[since]),
        )
        return self.desk.page(
            request,
            "health",
            well=well,
            numbers=numbers,
            since=since,
            spans=list(SPANS),
            holds=[(work(one.workflow, one.step), one) for one in well.holds],
            works=list(_works(self.desk.asking.definitions.values())),
        )


def _address(question: dict[str, str], after: str, came: list[str]) -> str:
    """The address of a page of runs, with the pages that lead to it, so that there is a way back."""
    said = [*question.items(), *([("after", after)] if after else []), *(("came", one) for one in came[-TRAIL:])]
    return urlencode(said)


def after_of(request: Request) -> int | None:
    """After which entry of a journal; None: its end."""
    after = request.query_params.get("after", "")
    return int(after) if after.isdecimal() and after.isascii() else None


def work(workflow: str, step: str = "") -> str:
    """What is to be held or released, as a form names it."""
    return msgspec.json.encode((workflow, step)).decode()


def _works(definitions: Iterable[Definition]) -> Iterator[tuple[str, str]]:
    """What can be held back, as a form names it and as a reader does: a workflow, a step of it, everything."""
    for one in sorted({one.name: one for one in definitions}.values(), key=lambda one: one.name):
        yield work(one.name), f"{one.name}, all of it"
        for step in one.steps:
            yield work(one.name, step.name), f"step {step.name} of {one.name}"
    yield work(""), "every workflow"


def _counting(question: dict[str, Any]) -> Work[int]:
    return lambda runner: runner.count(**question)


def _late(view: RunView[Any]) -> bool:
    """Whether a run is stuck, as `_stuck` says of a listed one."""
    due = min((timer.due for timer in view.timers), default=None)
    return due is not None and not view.held and not view.paused and due < now() - LATE


def decisions(kind: IncidentKind) -> list[tuple[str, str]]:
    """The verbs that decide an incident of a kind, and what each says; see `statemachine.verbs`."""
    return [
        (verb, said[kind] if kind in said else said[""]) for verb, said in DECISIONS.items() if said.get(kind) != ""
    ]


def _stuck(run: RunSummary) -> bool:
    """Past its deadline: whoever moves it is dead, or does not keep up."""
    return run.due is not None and not run.held and not run.paused and run.due < now() - LATE
