"""What the pages show, for programs: JSON, and metrics in Prometheus' text format. Nothing hidden is in either."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from statemachine.dashboard.desk import Desk
from statemachine.dashboard.inbox import Task, inbox
from statemachine.dashboard.looking import SPANS, after_of
from statemachine.dashboard.metrics import CONTENT, metrics
from statemachine.dashboard.showing import conditions, show
from statemachine.runner import to_plain

MOST = 1_000


def answer(value: object, status: int = 200) -> Response:
    """A JSON document."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


@attrs.frozen
class Api:
    """The JSON documents."""

    desk: Desk

    async def runs(self, request: Request) -> Response:
        """`/api/runs?workflow=&status=&state=&tag=&flag=&limit=&after=`: a page of runs, the newest first."""
        given = conditions(request.query_params)
        limit, after = _limit(request), request.query_params.get("after") or None
        found = await self.desk.asking.ask(lambda runner: runner.list(**given, limit=limit, after=after))
        return answer([self.desk.redaction.value(to_plain(one)) for one in found])

    async def run(self, request: Request) -> Response:
        """`/api/runs/RUN?after=`: a run, a page of its journal, the attempts of its work."""
        shown = await show(
            self.desk.asking,
            self.desk.redaction,
            request.path_params["run"],
            after=after_of(request),
        )
        return answer(
            {
                "run": to_plain(shown.view),
                "journal": [to_plain(line.entry) for line in shown.lines],
                "attempts": to_plain(shown.attempts),
                "accepts": [one.event for one in shown.forms],
                "after": shown.after,
            }
        )

    async def inbox(self, request: Request) -> Response:
        """`/api/inbox?role=`: what waits for a person, the longest first."""
        found = await inbox(self.desk.asking, self.desk.redaction, request.query_params.get("role") or None, "")
        return answer({"roles": found.roles, "tasks": [self._task(task) for task in found.tasks]})

    def _task(self, task: Task) -> dict[str, Any]:
        return {
            "run": task.view.id,
            "workflow": task.view.workflow,
            "role": task.role,
            "state": task.state,
            "since": task.since,
            "due": task.due,
            "data": self.desk.redaction.value(task.view.data),
            "accepts": [form.event for form in task.forms],
        }

    async def health(self, request: Request) -> Response:
        """`/api/health`: how the journal is. It is 503 where nobody moves runs that are under way."""
        del request
        found = await self.desk.asking.ask(lambda runner: runner.health())
        return answer(to_plain(found), 503 if found.owner is None and (found.live or found.messages) else 200)

    async def statistics(self, request: Request) -> Response:
        """`/api/statistics?since=1h`: the numbers of the recent past."""
        since = SPANS.get(request.query_params.get("since", "1h"))
        if since is None:
            raise HTTPException(400, f"since is one of {', '.join(SPANS)}")
        return answer(to_plain(await self.desk.statistics(since)))

    async def metrics(self, request: Request) -> Response:
        """`/metrics`, for Prometheus."""
        del request
        ask = self.desk.asking.ask
        well, numbers, last = await asyncio.gather(
            ask(lambda runner: runner.health()),
            self.desk.statistics(SPANS["1h"]),
            ask(lambda runner: runner.log(limit=1)),
        )
        return PlainTextResponse(metrics(well, numbers, last[-1].number if last else 0), media_type=CONTENT)


def _limit(request: Request) -> int:
    said = request.query_params.get("limit", "50")
    if not said.isdecimal() or not 1 <= int(said) <= MOST:
        raise HTTPException(400, f"limit is a number from 1 to {MOST:,}")
    return int(said)
