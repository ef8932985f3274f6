"""The dashboard in a real browser: a run moves live, people act, others are refused, and nothing hostile runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.browsing import apart
from tests.unit.dashboard.claims import EVIL, TOKEN, Class, Refuse, Seen, Settle, office

T = TypeVar("T")
SETTLE = Settle("ada", Class.NO_FAULT, "cash", 50, 1.0, date(2026, 1, 1))


def address(seen: Seen) -> str:
    """Where the page is."""
    return str(seen.visitor.base_url).rstrip("/")


def asked(work: Callable[[], T]) -> T:
    """Ask the runner, in a thread of its own: the browser's loop runs in this one."""
    return apart(work)


def sign_in(page: Page, seen: Seen, actor: str = "Grace", token: str = TOKEN) -> None:
    """Give the token, with a name."""
    page.goto(f"{address(seen)}/sign-in?to=/inbox")
    page.get_by_label("token").fill(token)
    page.get_by_label("your name").fill(actor)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture(name="seen")
def _seen() -> Iterator[Seen]:
    opened = office()
    yield asked(opened.__enter__)
    asked(lambda: opened.__exit__(None, None, None))


def test_a_run_is_seen_to_move(page: Page, seen: Seen) -> None:
    """Nobody reloads the page; the state, the diagram, the data and the journal follow."""
    asked(lambda: seen.claim("c1"))
    page.goto(f"{address(seen)}/runs/c1")
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("#head .state")).to_have_text("checking")
    expect(page.locator("#journal tbody tr")).to_have_count(2)
    expect(page.locator("#diagram .node.active title")).to_have_text("checking")
    page.evaluate("window.same = true")
    asked(lambda: seen.runner.send("c1", SETTLE))
    expect(page.locator("#head .state")).to_have_text("paid")
    expect(page.locator("#journal tbody tr")).to_have_count(4)
    expect(page.locator("#head .badge")).to_have_text("completed")
    expect(page.locator("#diagram .node.active title")).to_have_text("paid")


def test_a_list_of_runs_follows(page: Page, seen: Seen) -> None:
    """A run that is started appears; one that somebody reads is not taken away."""
    asked(lambda: seen.claim("c1"))
    page.goto(f"{address(seen)}/runs")
    expect(page.locator("#live")).to_have_text("live")
    page.evaluate("window.same = true")
    asked(lambda: seen.claim("c2"))
    expect(page.get_by_role("link", name="c2")).to_be_visible()
    assert page.evaluate("window.same") is True


def test_an_approval_takes_two_clicks(page: Page, seen: Seen) -> None:
    """Refuse has no fields: one click opens it, the other sends it."""
    asked(lambda: seen.claim("c1"))
    sign_in(page, seen)
    expect(page.get_by_text("acting as Grace")).to_be_visible()
    page.locator("summary", has_text="Refuse").click()
    page.get_by_role("button", name="Send Refuse").click()
    expect(page.get_by_role("status").filter(has_text="It is in the journal")).to_be_visible()
    expect(page.get_by_text("Nobody is waited for.")).to_be_visible()
    entries = asked(lambda: seen.runner.get("c1").journal())
    assert [entry.actor for entry in entries if entry.kind == "event"] == ["Grace"]


def test_a_form_of_many_kinds_is_filled_in(page: Page, seen: Seen) -> None:
    """The browser knows what each field may hold; while somebody types, nothing is laid over it."""
    asked(lambda: seen.claim("c1"))
    sign_in(page, seen)
    page.locator("summary", has_text="Settle").click()
    form = page.get_by_role("form", name="Settle c1")
    expect(form.get_by_label("by", exact=True)).to_have_value("Grace")
    form.get_by_label("total loss").check()
    form.get_by_label("transfer").check()
    form.get_by_label("amount").fill("2000")
    form.get_by_label("rate").fill("0.25")
    form.get_by_label("paid on").fill("2026-03-04")
    form.get_by_label("urgent").check()
    assert form.get_by_label("secret word").get_attribute("type") == "password"
    asked(lambda: seen.claim("c2"))
    form.get_by_role("button", name="Send Settle").click()
    assert form.get_by_label("amount").evaluate("one => one.validity.rangeOverflow") is True
    form.get_by_label("amount").fill("75")
    form.get_by_role("button", name="Send Settle").click()
    expect(page.get_by_text("It is in the journal")).to_be_visible()
    assert asked(lambda: seen.runner.get("c1").result(10)).data.amount == 75


def test_an_incident_is_retried(page: Page, seen: Seen) -> None:
    """From the list to the decision, with a reason that stays; the browser insists on it."""
    run = asked(lambda: seen.incident("c1"))
    sign_in(page, seen, "night shift")
    page.goto(f"{address(seen)}/runs?flag=incident")
    page.get_by_role("link", name="c1").click()
    page.get_by_role("link", name="Decide it").click()
    page.locator("#incidents summary", has_text="retry").click()
    page.get_by_role("button", name="Retry").click()
    assert page.get_by_label("why").first.evaluate("one => one.validity.valueMissing") is True
    page.get_by_label("why").first.fill("the bank answers again")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#head .badge")).to_have_text("completed")
    line = next(one for one in asked(run.journal) if one.kind == "resolve")
    assert (line.actor, line.reason) == ("night shift", "the bank answers again")


def test_payments_are_held_back_and_released(page: Page, seen: Seen) -> None:
    """From the page on health; each with a reason, which is shown beside what is held, and on the page of a run."""
    sign_in(page, seen, "night shift")
    page.goto(f"{address(seen)}/health")
    page.locator("summary", has_text="hold back").click()
    form = page.get_by_role("form", name="hold back")
    form.get_by_label("what").select_option("step pay of claims")
    form.get_by_label("why").fill("the bank pays twice")
    form.get_by_role("button", name="Hold back").click()
    expect(page.locator("#holds")).to_contain_text("step pay of claims by night shift: the bank pays twice")
    run = asked(lambda: seen.claim("c1"))
    asked(lambda: run.send(SETTLE))
    page.goto(f"{address(seen)}/runs/c1")
    expect(page.locator("#alerts")).to_contain_text("the bank pays twice")
    expect(page.locator("#diagram")).to_contain_text("attempt 1 is held back")
    page.goto(f"{address(seen)}/health")
    page.locator("#holds summary", has_text="release").click()
    page.locator("#holds").get_by_label("why").fill("it has been mended")
    page.locator("#holds").get_by_role("button", name="Release").click()
    expect(page.locator("#holds")).to_be_empty()
    assert asked(lambda: run.result(10)).status == "completed"


def test_without_the_token_one_only_looks(page: Page, seen: Seen) -> None:
    """There is no form to fill in; a wrong token opens nothing; a form made by hand is refused."""
    asked(lambda: seen.claim("c1"))
    page.goto(f"{address(seen)}/inbox")
    expect(page.locator("details.event")).to_have_count(0)
    expect(page.get_by_role("link", name="Sign in to act")).to_be_visible()
    sign_in(page, seen, token="not the token at all")
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    answer = page.request.post(f"{address(seen)}/send", form={"run": "c1", "event": "Refuse", "state": "checking"})
    assert answer.status == 401
    assert asked(lambda: seen.runner.get("c1").state) == ("checking",)


def test_a_form_of_another_site_is_refused(browser: Browser, seen: Seen) -> None:
    """The browser does not send the session along; and if it did, the form lacks its token."""
    asked(lambda: seen.claim("c1"))
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, seen)
    expect(page.get_by_text("acting as Grace")).to_be_visible()
    page.route(
        "http://evil.example/",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f"<form method=post action='{address(seen)}/send'><input name=run value=c1>"
            "<input name=event value=Refuse><input name=state value=checking><button>win</button></form>",
        ),
    )
    page.goto("http://evil.example/")
    with page.expect_response(lambda answer: answer.url.endswith("/send")) as got:
        page.get_by_role("button").click()
    assert got.value.status in {401, 403}
    assert asked(lambda: seen.runner.get("c1").state) == ("checking",)
    context.close()


@pytest.mark.parametrize("path", ["/runs", "/runs/c1", "/sagas/c1", "/inbox", "/runs/c2", "/sagas/c2"])
def test_a_hostile_name_is_only_a_name(page: Page, seen: Seen, path: str) -> None:
    """An applicant called like a script is shown, and no script runs: not at first, and not when the page follows."""
    asked(lambda: seen.claim("c1", name=EVIL))
    asked(lambda: seen.incident("c2", message=EVIL))
    asked(lambda: seen.runner.get("c1").pause(actor=EVIL, reason=EVIL))
    asked(lambda: seen.runner.get("c1").resume(actor=EVIL))
    sign_in(page, seen, EVIL)
    page.goto(f"{address(seen)}{path}")
    expect(page.locator("#live")).to_have_text("live")
    expect(page.get_by_text(EVIL).first).to_be_attached()
    asked(lambda: seen.runner.send("c1", Refuse(), actor=EVIL, reason=EVIL))
    expect(page.get_by_text(EVIL).first).to_be_attached()
    assert page.locator("main script, header script").count() == 0


def test_pages_work_by_keyboard(page: Page, seen: Seen) -> None:
    """The first stop skips to the content; the event's form opens, and is sent, without a mouse."""
    asked(lambda: seen.claim("c1"))
    sign_in(page, seen)
    page.goto(f"{address(seen)}/inbox")
    expect(page.locator("#live")).to_have_text("live")  # what is shown is up to date, and is not drawn again beneath us
    page.get_by_text("Refuse").first.wait_for()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Refuse":
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is in the journal")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(browser: Browser, seen: Seen, scheme: str) -> None:
    """At least 4.5 to 1 between the colour of each text and the ground it stands on."""
    asked(lambda: seen.incident("c1"))
    asked(lambda: seen.claim("c2"))
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    sign_in(page, seen)
    for path in ("/runs", "/runs/c1", "/sagas/c1", "/inbox", "/health"):
        page.goto(f"{address(seen)}{path}")
        expect(page.locator("#live")).to_have_text("live")
        faint = page.evaluate(CONTRAST)
        assert faint == [], path
    context.close()


CONTRAST = re.sub(
    r"\s+",
    " ",
    """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255, 255];
  };
  const faint = [];
  for (const one of document.querySelectorAll("body *:not(svg *):not(option)")) {
    const words = [...one.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join("");
    if (!words || !one.checkVisibility()) continue;
    const [a, b] = [light(rgba(getComputedStyle(one).color)), light(ground(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${words}: ${ratio.toFixed(2)}`);
  }
  return faint;
}""",
)
