"""What is done from a page: signing in and out, an event sent, an operator's verb given. Each is in the journal."""

from __future__ import annotations

import attrs
import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from statemachine.dashboard.asking import Work
from statemachine.dashboard.desk import Desk, back, entered
from statemachine.dashboard.forms import Form, forms
from statemachine.dashboard.redaction import hide
from statemachine.dashboard.session import COOKIE, Sessions, nonce
from statemachine.errors import NotAnswered, StateMachineError
from statemachine.runner import AsyncRunner, Plain, Receipt

PATIENCE = 10.0
"""Seconds that a person waits for the owner's answer."""
LONGEST_NAME = 200
DECIDING = ("retry", "skip", "done")
STEERING = ("cancel", "kill", "pause", "resume")
HOLDING = ("hold", "release")


@attrs.frozen
class Acting:
    """The forms' targets."""

    desk: Desk

    async def door(self, request: Request) -> Response:
        """The page that asks for the token and a name."""
        self._sessions()
        return self._door(request)

    def _sessions(self) -> Sessions:
        if self.desk.sessions is None or self.desk.identify is not None:
            raise HTTPException(404, "There is nothing to sign in for here.")
        return self.desk.sessions

    def _door(self, request: Request, status: int = 200, refusal: str = "", to: str = "") -> Response:
        return self.desk.page(request, "door", status, refusal=refusal, to=to or request.query_params.get("to", ""))

    async def sign_in(self, request: Request) -> Response:
        """Begin a session, for who gives the token."""
        sessions = self._sessions()
        form = await entered(request)
        to, actor = form.get("to", ""), form.get("actor", "").strip()
        if not sessions.knows(form.get("token", "").strip()):
            return self._door(request, 403, "That is not the token.", to)
        if not actor or len(actor) > LONGEST_NAME or not actor.isprintable():
            return self._door(request, 422, "Say who you are: it stands in the journal beside what you do.", to)
        response = back(request, to, "in")
        self.desk.remember(request, response, actor)
        return response

    async def sign_out(self, request: Request) -> Response:
        """End the session in this browser."""
        response = back(request, "", "out")
        response.delete_cookie(COOKIE, path=request.scope.get("root_path", "").rstrip("/") or "/")
        return response

    async def send(self, request: Request) -> Response:
        """Send an event to a run that is where it was when the form was made."""
        session, form = await self.desk.acting(request)
        run, event = form.get("run", ""), form.get("event", "")
        view = await self.desk.asking.ask(lambda runner: runner.look(run, plain=True))
        if form.get("state") != " ".join(view.state):
            raise HTTPException(
                409, f"Run {run} has moved on since this form was made: it is in {', '.join(view.state)}. Look again."
            )
        offered = self._offered(view.workflow, view.within)
        if event not in offered:
            raise HTTPException(409, f"Run {run} takes no {event} now; it takes: {', '.join(offered) or 'no event'}.")
        try:
            fields = offered[event].read(form)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        # The form's own id: sent twice (a double click, a reload), it is taken once.
        name, reason = form.get("id") or nonce(), form.get("reason", "").strip() or None
        try:
            said = await self.desk.asking.act(_sending(run, Plain(fields, event), name, session.actor, reason))
        except (StateMachineError, msgspec.ValidationError) as error:
            raise HTTPException(409, hide(str(error), self.desk.redaction.secrets(view.data, fields))) from error
        return back(request, form.get("to", ""), said)

    def _offered(self, workflow: str, within: tuple[str, ...]) -> dict[str, Form]:
        definition = self.desk.asking.definitions.get(workflow)
        found = forms(definition, within, self.desk.redaction) if definition else ()
        return {form.event: form for form in found}

    async def verb(self, request: Request) -> Response:
        """Give a run an operator's verb, with a reason."""
        session, form = await self.desk.acting(request)
        run, verb, reason = form.get("run", ""), form.get("verb", ""), form.get("reason", "").strip()
        if not reason:
            raise HTTPException(422, "Say why: the reason stays in the journal. Nothing was done.")
        if verb in DECIDING:
            incident = form.get("incident", "")
            if not incident.isdecimal():
                raise HTTPException(422, f"Say which incident to {verb}.")
            await self.desk.asking.act(_deciding(run, verb, int(incident), session.actor, reason))
        elif verb in STEERING:
            await self.desk.asking.act(_steering(run, verb, session.actor, reason))
        else:
            raise HTTPException(422, f"{verb!r} is no verb; it is one of {', '.join((*DECIDING, *STEERING))}")
        return back(request, form.get("to", ""), "accepted")

    async def hold(self, request: Request) -> Response:
        """Hold work back, or release it, with a reason."""
        session, form = await self.desk.acting(request)
        verb, reason = form.get("verb", ""), form.get("reason", "").strip()
        if not reason:
            raise HTTPException(422, "Say why: the reason is shown wherever the hold is. Nothing was done.")
        if verb not in HOLDING:
            raise HTTPException(422, f"{verb!r} is no verb; it is one of {', '.join(HOLDING)}")
        try:
            workflow, step = msgspec.json.decode(form.get("work", ""), type=tuple[str, str])
        except msgspec.DecodeError as error:
            raise HTTPException(422, f"Say what to {verb}. Nothing was done.") from error
        said = await self.desk.asking.act(_holding(verb, workflow, step, session.actor, reason))
        return back(request, form.get("to", ""), said)


def _sending(run: str, event: Plain, id: str, actor: str, reason: str | None) -> Work[str]:
    async def send(runner: AsyncRunner) -> str:
        receipt: Receipt = await runner.send(run, event, id=id, actor=actor, reason=reason)
        try:
            return (await runner.verdict(receipt, PATIENCE)).verdict
        except NotAnswered:
            return "queued"

    return send


def _deciding(run: str, verb: str, incident: int, actor: str, reason: str) -> Work[None]:
    async def decide(runner: AsyncRunner) -> None:
        handle = runner.get(run)
        act = {"retry": handle.retry, "skip": handle.skip, "done": handle.done}[verb]
        await act(incident, actor=actor, reason=reason)

    return decide


def _steering(run: str, verb: str, actor: str, reason: str) -> Work[object]:
    async def steer(runner: AsyncRunner) -> object:
        handle = runner.get(run)
        if verb == "kill":
            return await handle.kill(actor=actor, reason=reason)
        act = {"cancel": handle.cancel, "pause": handle.pause, "resume": handle.resume}[verb]
        await act(actor=actor, reason=reason)
        return None

    return steer


def _holding(verb: str, workflow: str, step: str, actor: str, reason: str) -> Work[str]:
    async def hold(runner: AsyncRunner) -> str:
        act = {"hold": runner.hold, "release": runner.release}[verb]
        try:
            await act(workflow or None, step=step, actor=actor, reason=reason, timeout=PATIENCE)
        except NotAnswered:
            return "queued"
        return "accepted"

    return hold
