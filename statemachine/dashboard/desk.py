"""What all pages stand on: the runner to ask, what is hidden, who may act, and how a page is made."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import attrs
import jinja2
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from statemachine.dashboard.asking import Asking
from statemachine.dashboard.redaction import Redaction
from statemachine.dashboard.rendering import environment
from statemachine.dashboard.session import COOKIE, HOURS, Session, Sessions
from statemachine.runner import Statistics

LONGEST = 1 << 20
"""Bytes of a form."""
SAID = {
    "accepted": "Done. It is in the journal.",
    "deferred": "Taken. The run will handle it as soon as its state does.",
    "queued": "Put into the inbox. Nobody moves this journal's runs now; whoever owns it next will take it.",
    "in": "You may act now.",
    "out": "You have signed out.",
}
"""What an answer says after something was done; the address bears only the word."""
Counted = dict[timedelta, tuple[float, asyncio.Future[Statistics]]]
KEPT = 3.0
"""Seconds for which numbers are kept."""
Identify = Callable[[Request], str | None]


@attrs.frozen(kw_only=True)
class Desk:
    """See `dashboard` for what these mean."""

    asking: Asking
    redaction: Redaction
    sessions: Sessions | None
    actions: bool
    closed: bool
    identify: Identify | None
    title: str
    _counted: Counted = attrs.field(init=False, factory=dict[timedelta, tuple[float, Any]])
    pages: jinja2.Environment = attrs.field(init=False, factory=environment)

    # Who asks.

    def session(self, request: Request) -> Session | None:
        """The visitor's session: what their cookie says, or who the application says they are."""
        if self.sessions is None:
            return None
        if self.identify is not None:
            actor = self.identify(request)
            return Session(actor, math.inf, "") if actor else None
        return self.sessions.read(request.cookies.get(COOKIE, ""))

    def may_look(self, request: Request) -> bool:
        """Whether the visitor may see anything at all."""
        return not self.closed or self.session(request) is not None or self.bears(request)

    def bears(self, request: Request) -> bool:
        """Whether a program bears the token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self.sessions is not None and scheme.lower() == "bearer" and self.sessions.knows(token.strip())

    async def acting(self, request: Request) -> tuple[Session, dict[str, str]]:
        """Who acts, and the form that says what. Raises HTTPException when they may not."""
        if not self.actions or self.sessions is None:
            raise HTTPException(403, "This dashboard only shows. It was not started with actions allowed.")
        session = self.session(request)
        if session is None:
            raise HTTPException(401, "Sign in with the token first. Nothing was done.")
        form = await entered(request)
        if not self.sessions.from_our_form(session, form.get("form_token", "")):
            raise HTTPException(403, "This form was not made for you, or is too old. Nothing was done.")
        return session, form

    async def statistics(self, span: timedelta) -> Statistics:
        """The numbers of the last `span`. They cost time, so what was counted just now does for all who look."""
        now = asyncio.get_running_loop().time()
        kept = self._counted.get(span)
        if kept is None or kept[0] + KEPT < now:
            counting = asyncio.ensure_future(self.asking.ask(lambda runner: runner.statistics(span)))
            kept = self._counted[span] = (now, counting)
        try:
            return await asyncio.shield(kept[1])
        except Exception:
            self._counted.pop(span, None)
            raise

    # What is answered.

    def page(self, request: Request, name: str, code: int = 200, **said: Any) -> HTMLResponse:
        """A page."""
        session = self.session(request)
        text = self.pages.get_template(f"{name}.html").render(
            root=root(request),
            title=self.title,
            session=session,
            form_token=self.sessions.form_token(session) if session and self.sessions else "",
            actions=self.actions,
            door=self.sessions is not None and self.identify is None,
            here=here(request),
            said=SAID.get(request.query_params.get("said", "")),
            hides=self.redaction.hides,
            **said,
        )
        return HTMLResponse(text, code)

    def remember(self, request: Request, response: Response, actor: str) -> None:
        """Begin a session."""
        if self.sessions is not None:
            response.set_cookie(
                COOKIE,
                self.sessions.begin(actor),
                max_age=HOURS * 3600,
                path=root(request) or "/",
                secure=request.url.scheme == "https",
                httponly=True,
                samesite="strict",
            )


async def entered(request: Request) -> dict[str, str]:
    """A form's fields. Raises HTTPException where it is none, or too long."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise HTTPException(415, "Only a form is taken here.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            raise HTTPException(413, "This form is too long.")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=500))
    except ValueError as error:
        raise HTTPException(400, "This form cannot be read.") from error


def root(request: Request) -> str:
    """Where the dashboard is mounted."""
    found: str = request.scope.get("root_path", "")
    return found.rstrip("/")


def here(request: Request) -> str:
    """The page that is asked for, with its question, as its own links name it."""
    query = {name: value for name, value in request.query_params.items() if name != "said"}
    return str(request.url.path) + (f"?{urlencode(query)}" if query else "")


def back(request: Request, to: str, said: str) -> RedirectResponse:
    """To a page of ours, where what was done is said; anything else as a target is none."""
    ours = root(request) + "/"
    if not to.startswith(ours) or to.startswith("//") or "\\" in to or not to.isprintable():
        to = f"{ours}runs"
    return RedirectResponse(str(URL(to).include_query_params(said=said)), 303)
