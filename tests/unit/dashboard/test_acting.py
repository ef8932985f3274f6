"""What may be done from a page, by whom, and every way in which it is refused."""

from __future__ import annotations

import html
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from persistence import MemoryJournal
from statemachine import Runner
from statemachine.dashboard import dashboard, session
from tests.unit.dashboard.claims import SETTLED, TOKEN, Claim, Claims, Seen, hidden, office
from tests.unit.dashboard.serving import serving
from tests.unit.runner.desk import becomes


def refused(seen: Seen, path: str, form: dict[str, str], status: int, said: str) -> None:
    """A form is refused, and nothing has changed."""
    before = [(one.id, one.seq) for run in seen.runner.list() for one in (seen.runner.get(run.id).look(),)]
    answer = seen.visitor.post(path, data=form)
    assert answer.status_code == status, answer.text
    assert said in html.unescape(answer.text)
    assert [(one.id, one.seq) for run in seen.runner.list() for one in (seen.runner.get(run.id).look(),)] == before


def test_an_approval_is_sent_from_the_inbox() -> None:
    """The form's fields become the event; who sent it and why stand in the journal; sent twice, it is taken once."""
    with office() as seen:
        seen.claim("c1")
        seen.sign_in()
        form = seen.form("/inbox", "Settle c1") | SETTLED | {"reason": "seen on site"}
        answer = seen.visitor.post("/send", data=form)
        assert "Done. It is in the journal." in answer.text
        run = seen.runner.get("c1")
        assert run.result(10).data.amount == 70
        line = next(entry for entry in run.journal() if entry.kind == "event")
        assert (line.actor, line.reason, line.name) == ("Grace", "seen on site", "Settle")
        assert b'"lines":["roof"]' in line.body
        assert b'"note":null' in line.body
        again = seen.visitor.post("/send", data=form)
        assert again.status_code == 409
        assert sum(entry.kind == "event" for entry in run.journal()) == 1


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"form_token": "another"}, 403, "was not made for you"),
        ({"form_token": ""}, 403, "was not made for you"),
        ({"event": "Later"}, 409, "takes no Later now; it takes: Settle, Refuse"),
        ({"state": "paying"}, 409, "has moved on since this form was made: it is in checking"),
        ({"run": "c9"}, 404, "c9"),
        ({"field.amount": "much"}, 422, "amount: 'much' is no whole number"),
        ({"field.grade": "7"}, 422, "grade: choose one of no fault, total loss"),
        ({"field.lines": "[roof"}, 422, "lines: this is no JSON"),
        ({"field.amount": ""}, 422, "amount: say something"),
        ({"field.amount": "5000"}, 409, "<= 1000"),
        ({"field.amount": "900"}, 409, "nobody settles for more than is claimed"),
        ({"field.amount": "13"}, 409, "cannot reach •••"),
    ],
)
def test_an_event_that_may_not_be_is_refused(changed: dict[str, str], status: int, said: str) -> None:
    """With a sentence, and without a change; a hidden value in an error stays hidden."""
    with office() as seen:
        seen.claim("c1")
        seen.sign_in()
        form = seen.form("/inbox", "Settle c1") | SETTLED | changed
        refused(seen, "/send", form, status, said)


@pytest.mark.parametrize("path", ["/send", "/verb"])
def test_nobody_acts_without_the_token(path: str) -> None:
    """Not without a session, not with another's, not with one that was made up."""
    with office() as seen:
        seen.claim("c1")
        form = {"run": "c1", "event": "Refuse", "state": "checking", "verb": "kill", "reason": "x", "form_token": "x"}
        refused(seen, path, form, 401, "Sign in with the token first")
        for cookie in ("", "x", "x.y", "eyJhY3RvciI6ImV2ZSJ9.00", "ä.ö"):
            seen.visitor.cookies.clear()
            answer = httpx.post(
                f"{seen.visitor.base_url}{path}", data=form, headers={b"cookie": f"statemachine={cookie}".encode()}
            )
            assert answer.status_code == 401, cookie
        wrong = seen.visitor.post("/sign-in", data={"token": TOKEN[:-1], "actor": "eve"})
        assert (wrong.status_code, "That is not the token." in wrong.text) == (403, True)
        nameless = seen.visitor.post("/sign-in", data={"token": TOKEN, "actor": " "})
        assert (nameless.status_code, "Say who you are" in nameless.text) == (422, True)
        assert "Sign in to act" in seen.page("/runs")
        assert "Send Settle" not in seen.page("/inbox")


def test_a_session_of_another_token_or_too_old_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its signature does not fit, or its time is over."""
    ours, theirs = session.Sessions(TOKEN), session.Sessions("another-token-of-16")
    cookie = ours.begin("ada")
    found = ours.read(cookie)
    assert found is not None
    assert found.actor == "ada"
    assert theirs.read(cookie) is None
    assert not theirs.from_our_form(found, ours.form_token(found))
    later = time.time() + session.HOURS * 3600 + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert ours.read(cookie) is None


def test_a_dashboard_that_only_shows_does_nothing() -> None:
    """As shipped: no form is on its pages, and none is taken."""
    with office(actions=False, token=None) as seen:
        seen.claim("c1")
        refused(seen, "/send", {"run": "c1", "event": "Refuse"}, 403, "only shows")
        refused(seen, "/verb", {"run": "c1", "verb": "kill", "reason": "x"}, 403, "only shows")
        assert seen.visitor.get("/sign-in").status_code == 404
        assert seen.visitor.post("/sign-in", data={"token": "", "actor": "eve"}).status_code == 404
        for path in ("/runs", "/runs/c1", "/sagas/c1", "/inbox"):
            assert 'method="post"' not in seen.page(path)
        assert "read-only" in seen.page("/runs")


def test_a_form_is_a_form() -> None:
    """Nothing else is taken, and nothing too long."""
    with office() as seen:
        seen.claim("c1")
        seen.sign_in()
        assert seen.visitor.post("/verb", json={"run": "c1"}).status_code == 415
        assert seen.visitor.post("/verb", data={"reason": "x" * (1 << 20)}).status_code == 413
        assert seen.visitor.get("/verb").status_code == 405
        many = {f"f{number}": "x" for number in range(600)}
        assert seen.visitor.post("/verb", data=many).status_code == 400


@pytest.mark.parametrize("verb", ["retry", "skip", "done"])
def test_an_incident_is_decided(verb: str) -> None:
    """Each verb, with who and why; never without a why."""
    with office() as seen:
        run = seen.incident("c1")
        seen.sign_in("night")
        form = seen.form("/sagas/c1", f"{verb} c1 incident {run.incidents[0].number}")
        refused(seen, "/verb", form, 422, "Say why")
        assert seen.visitor.post("/verb", data=form | {"reason": "on the statement"}).status_code == 200
        assert run.result(10).status == ("failed" if verb == "skip" else "completed")
        line = next(entry for entry in run.journal() if entry.kind == "resolve")
        assert (line.actor, line.reason) == ("night", "on the statement")


def test_a_run_is_steered() -> None:
    """Pause, resume, cancel and kill, each in the journal; what does not fit is refused with the run's own words."""
    with office() as seen:
        run = seen.claim("c1")
        seen.claim("c2")
        seen.sign_in("night")
        form: dict[str, str] = {}
        for verb in ("pause", "resume", "cancel"):
            form = seen.form("/sagas/c1", f"{verb} c1") | {"reason": "a drill"}
            assert seen.visitor.post("/verb", data=form).status_code == 200, verb
        assert run.result(10).status == "cancelled"
        refused(seen, "/verb", {**form, "verb": "resume"}, 409, "it is over (cancelled)")
        form = seen.form("/sagas/c2", "kill c2") | {"reason": "a drill"}
        refused(seen, "/verb", form | {"verb": "end"}, 422, "'end' is no verb")
        refused(seen, "/verb", form | {"verb": "retry", "incident": "x"}, 422, "which incident")
        refused(seen, "/verb", form | {"verb": "retry", "incident": "99"}, 409, "no open incident 99")
        seen.visitor.post("/verb", data=form)
        assert seen.runner.get("c2").status == "killed"
        assert "Left, not undone" in seen.page("/sagas/c2")
        kinds = [(entry.kind, entry.actor, entry.reason) for entry in run.journal() if entry.actor]
        assert kinds == [(verb, "night", "a drill") for verb in ("pause", "resume", "cancel")]


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:a()", ""])
def test_after_a_form_one_stays_here(to: str) -> None:
    """Where a form wants to lead elsewhere, it leads to the first page."""
    with office() as seen:
        answer = seen.visitor.post("/sign-in", data={"token": TOKEN, "actor": "ada", "to": to}, follow_redirects=False)
        assert re.match(r"^/runs\?said=in$", answer.headers["location"])
        assert "samesite=strict" in answer.headers["set-cookie"].lower()
        assert "httponly" in answer.headers["set-cookie"].lower()


def test_the_application_may_say_who_the_visitor_is() -> None:
    """No token then; a form is still needed that was made for them, and nobody acts whom it does not know."""

    def identify(request: Request) -> str | None:
        return request.headers.get("x-user")

    with office(token=None, identify=identify) as seen:
        run = seen.claim("c1")
        seen.visitor.headers["x-user"] = "Grace"
        form = seen.form("/inbox", "Refuse c1")
        refused(seen, "/send", form | {"form_token": "x"}, 403, "was not made for you")
        seen.visitor.headers["x-user"] = "Eve"
        refused(seen, "/send", form, 403, "was not made for you")
        del seen.visitor.headers["x-user"]
        refused(seen, "/send", form, 401, "Sign in")
        seen.visitor.headers["x-user"] = "Grace"
        assert seen.visitor.post("/send", data=form).status_code == 200
        becomes(lambda: run.status == "completed")
        assert next(entry.actor for entry in run.journal() if entry.kind == "event") == "Grace"


def test_signing_out_ends_it() -> None:
    """In this browser."""
    with office() as seen:
        seen.sign_in()
        assert "acting as" in seen.page("/runs")
        assert "You have signed out." in seen.visitor.post("/sign-out").text
        assert "acting as" not in seen.page("/runs")


def test_actions_need_someone_who_may_act() -> None:
    """Neither without a token nor with one that is guessed."""
    with Runner(MemoryJournal(), [Claims([])]) as runner:
        with pytest.raises(ValueError, match="actions=True needs token="):
            dashboard(runner, actions=True)
        with pytest.raises(ValueError, match="at least 16 characters"):
            dashboard(runner, actions=True, token="1234")


def test_an_async_runner_is_asked_on_its_own_loop() -> None:
    """An application that has one mounts the page as it opens the runner."""

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        async with Runner(MemoryJournal(), [Claims([])]) as runner:
            await runner.start(Claims, Claim("ada"), id="c1")
            app.mount("/flows", dashboard(runner, actions=True, token=TOKEN))
            yield

    with serving(Starlette(lifespan=life)) as address, httpx.Client(base_url=address, follow_redirects=True) as visitor:
        becomes(lambda: "Settle" in visitor.get("/flows/inbox").text)
        visitor.post("/flows/sign-in", data={"token": TOKEN, "actor": "ada"})
        form = hidden(visitor.get("/flows/inbox").text, "Refuse c1")
        assert "Done. It is in the journal." in visitor.post("/flows/send", data=form).text
        becomes(lambda: '"completed"' in visitor.get("/flows/api/runs/c1").text)


def test_work_is_held_back_and_released_from_the_page() -> None:
    """By whom and why is shown; without a reason, or without a session, nothing is held."""
    with office() as seen:
        assert 'aria-label="hold back"' not in seen.page("/health")
        refused(seen, "/hold", {"verb": "hold", "work": '["claims","pay"]', "reason": "audit"}, 401, "Sign in")
        seen.sign_in()
        page = seen.page("/health")
        assert "step pay of claims" in page
        form = hidden(page, "hold back") | {"work": '["claims","pay"]'}
        refused(seen, "/hold", form, 422, "Say why")
        refused(seen, "/hold", form | {"reason": "x", "verb": "stop"}, 422, "it is one of hold, release")
        refused(seen, "/hold", form | {"reason": "x", "work": "pay"}, 422, "Say what to hold")
        refused(seen, "/hold", form | {"reason": "x", "work": '["claims","play"]'}, 409, "no such step")
        assert seen.runner.holds() == ()
        seen.visitor.post("/hold", data=form | {"reason": "audit"})
        (held,) = seen.runner.holds()
        assert (held.workflow, held.step, held.actor, held.reason) == ("claims", "pay", "Grace", "audit")
        page = seen.page("/health")
        assert "step pay of claims by Grace: audit" in page
        label = re.search(r'aria-label="(release [^"]+)"', page)
        assert label
        form = {name: html.unescape(value) for name, value in hidden(page, label[1]).items()}
        seen.visitor.post("/hold", data=form | {"reason": "done"})
        assert seen.runner.holds() == ()
