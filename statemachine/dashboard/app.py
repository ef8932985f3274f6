"""The dashboard as an ASGI application: its pages, its documents, and what is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Iterable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from persistence import JournalError
from statemachine.dashboard.acting import Acting
from statemachine.dashboard.api import Api, answer
from statemachine.dashboard.asking import Asking
from statemachine.dashboard.desk import Desk, Identify, here, root
from statemachine.dashboard.guarding import Guarding
from statemachine.dashboard.inbox import inbox
from statemachine.dashboard.live import Live
from statemachine.dashboard.looking import Looking
from statemachine.dashboard.redaction import Redaction
from statemachine.dashboard.rendering import HERE, segment
from statemachine.dashboard.session import SHORTEST, Sessions, new_token
from statemachine.errors import NoSuchRun, NotAnswered, RunnerClosed, StateMachineError
from statemachine.runner import AsyncRunner, Runner

Page = Callable[[Request], Awaitable[Response]]


def dashboard(
    runner: Runner | AsyncRunner,
    *,
    actions: bool = False,
    token: str | None = None,
    identify: Identify | None = None,
    redact: Iterable[str] = (),
    title: str = "Workflows",
) -> Starlette:
    """The web page of a runner's journal, as an ASGI application to be mounted in another.

    Who may see it is the application's to say: put it behind its login. It shows data, and changes nothing unless
    `actions` says so.

    Args:
        runner: A `Runner` or `Client` that is open when a page is asked for, or an `AsyncRunner` of the same loop.
        actions: Whether people may send events and give an operator's verbs.
        token: What a person gives, with a name, before they may act; at least 16 characters.
        identify: Instead of that, who the application says the visitor of a request is; None: may not act.
        redact: Regular expressions for names of fields that are hidden, besides those that are marked `Redacted` and
            those that are called password, secret, token, iban and the like.
        title: What the pages are called.

    Raises:
        ValueError: Actions are allowed, and nothing says who may act; or the token is too short.
    """
    if actions and token is None and identify is None:
        message = "actions=True needs token= (a secret that people give), or identify= (who the visitor is)"
        raise ValueError(message)
    asking = Asking(runner)
    return build(asking, actions=actions, token=token, identify=identify, redact=redact, title=title)


def build(
    asking: Asking,
    *,
    actions: bool,
    token: str | None,
    identify: Identify | None = None,
    redact: Iterable[str] = (),
    title: str = "Workflows",
    closed: bool = False,
    hosts: Container[str] | None = None,
) -> Starlette:
    """The same, for whoever serves it alone.

    Args:
        asking: Whom to ask.
        actions: See `dashboard`.
        token: See `dashboard`.
        identify: See `dashboard`.
        redact: See `dashboard`.
        title: See `dashboard`.
        closed: Whether the token is needed to see anything at all.
        hosts: The names under which it may be asked for; None: any.
    """
    if token is not None and len(token) < SHORTEST:
        message = f"a token has at least {SHORTEST} characters"
        raise ValueError(message)
    secret = token if token is not None else new_token() if identify is not None else None
    desk = Desk(
        asking=asking,
        redaction=Redaction(lambda: list(asking.definitions.values()), redact),
        sessions=Sessions(secret) if secret is not None else None,
        actions=actions,
        closed=closed,
        identify=identify,
        title=title,
    )
    return Starlette(
        routes=_routes(desk),
        middleware=[Middleware(Guarding, hosts=hosts)],
        exception_handlers={
            HTTPException: _refusing(desk),
            StateMachineError: _refusing(desk),
            JournalError: _refusing(desk),
            msgspec.ValidationError: _refusing(desk),
        },
    )


def _routes(desk: Desk) -> list[Any]:
    looking, acting, api, live = Looking(desk), Acting(desk), Api(desk), Live(desk.asking)

    def shown(path: str, page: Page) -> Route:
        return Route(path, _seen(desk, page), methods=["GET"])

    async def waiting(request: Request) -> Response:
        session = desk.session(request)
        role = request.query_params.get("role") or None
        found = await inbox(desk.asking, desk.redaction, role, session.actor if session else "")
        return desk.page(request, "inbox", found=found, role=role, value=desk.redaction.value)

    return [
        shown("/", looking.home),
        shown("/runs", looking.runs),
        shown("/runs/{run:path}", looking.run),
        shown("/sagas/{run:path}", looking.saga),
        shown("/inbox", waiting),
        shown("/health", looking.health),
        shown("/events", live.events),
        shown("/metrics", api.metrics),
        shown("/api/runs", api.runs),
        shown("/api/runs/{run:path}", api.run),
        shown("/api/inbox", api.inbox),
        shown("/api/health", api.health),
        shown("/api/statistics", api.statistics),
        Route("/sign-in", acting.door, methods=["GET"]),
        Route("/sign-in", acting.sign_in, methods=["POST"]),
        Route("/sign-out", acting.sign_out, methods=["POST"]),
        Route("/send", acting.send, methods=["POST"]),
        Route("/verb", acting.verb, methods=["POST"]),
        Route("/hold", acting.hold, methods=["POST"]),
        Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
    ]


def _seen(desk: Desk, page: Page) -> Page:
    """The page, for those who may see it."""

    async def look(request: Request) -> Response:
        if desk.may_look(request):
            return await page(request)
        if _wants_json(request):
            return answer({"error": "Give the token: Authorization: Bearer …"}, 401)
        return RedirectResponse(f"{root(request)}/sign-in?to={segment(here(request))}")

    return look


def _wants_json(request: Request) -> bool:
    path: str = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return path.startswith(("/api/", "/metrics", "/events"))


def _refusing(desk: Desk) -> Any:
    async def refuse(request: Request, error: Exception) -> Response:
        status, message = _said(error)
        if _wants_json(request):
            return answer({"error": message}, status)
        return desk.page(request, "error", status, status=status, message=message)

    return refuse


def _said(error: Exception) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        return error.status_code, error.detail
    status = 409
    if isinstance(error, NoSuchRun):
        status = 404
    elif isinstance(error, RunnerClosed | JournalError):
        status = 503
    elif isinstance(error, NotAnswered):
        status = 504
    elif isinstance(error, msgspec.ValidationError):
        status = 422
    return status, str(error)
