"""Each page shows what it should, and whatever comes from outside as text."""

from __future__ import annotations

import html
import json
import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from persistence import MemoryJournal
from statemachine import Runner
from statemachine.dashboard import dashboard
from tests.unit.dashboard.claims import EVIL, Claim, Claims, office
from tests.unit.dashboard.serving import serving
from tests.unit.runner.desk import Order, Shop, World, becomes, until
from tests.unit.runner.test_caching import Indexing, Model, Page

PAGES = ("/runs", "/runs/c1", "/sagas/c1", "/inbox", "/health")


def test_runs_are_listed_filtered_and_counted() -> None:
    """The newest first; a filter is in the address; badges say what needs a person."""
    with office() as seen:
        seen.claim("c1")
        seen.incident("c2")
        seen.runner.get("c1").pause(actor="ada")
        page = seen.page("/runs")
        assert page.index("/runs/c2") < page.index("/runs/c1")
        assert re.search(r"<strong>2</strong> running", page)
        assert re.search(r"<strong>1</strong> need a person", page)
        assert "1 incident</span>" in page
        assert "paused</span>" in page
        for question, found in (
            ("flag=incident", "c2"),
            ("flag=paused", "c1"),
            ("state=checking", "c1"),
            ("state=paying&workflow=claims&tag=desk%3Dnorth", "c2"),
        ):
            page = seen.page(f"/runs?{question}")
            assert re.findall(r'href="/runs/(c\d)"', page) == [found], question
        assert "No run is like that." in seen.page("/runs?status=killed")
        assert "/runs/c2" in str(seen.visitor.get("/runs", params={"id": "c2"}).url)
        assert "There is no run c9." in seen.page("/runs?id=c9", 404)


def test_a_question_that_makes_no_sense_is_said_to_be() -> None:
    """With what it may be."""
    with office() as seen:
        assert "it is one of running, undoing" in seen.page("/runs?status=runing", 400)
        assert "it is one of incident, paused, held" in seen.page("/runs?flag=all", 400)
        assert "say name=value" in html.unescape(seen.page("/runs?tag=north", 400))
        assert json.loads(seen.page("/api/runs?limit=0", 400))["error"] == "limit is a number from 1 to 1,000"
        assert "since is one of" in seen.page("/api/statistics?since=1y", 400)


def test_pages_of_runs_go_on_after_the_last_of_the_page_before() -> None:
    """Each run is on one page, whatever is started meanwhile."""
    with office() as seen:
        for number in range(60):
            seen.runner.start(Claims, Claim("a"), id=f"c{number:02}")
        first = seen.page("/runs?workflow=claims")
        older = re.search(r'rel="next" href="([^"]+)"', first)
        assert older
        second = seen.page("/runs" + html.unescape(older[1]))
        found = [re.findall(r'href="/runs/(c\d\d)"', page) for page in (first, second)]
        assert [len(one) for one in found] == [50, 10]
        assert sorted(found[0] + found[1]) == [f"c{number:02}" for number in range(60)]
        assert "Newest" in second
        assert 'rel="next"' not in second


def test_pages_of_runs_lead_back_one_by_one() -> None:
    """Each to the page before it, with the same filter; the first has none before."""
    with office() as seen:
        for number in range(110):
            seen.runner.start(Claims, Claim("a"), id=f"c{number:03}")

        def follow(page: str, way: str) -> str:
            link = re.search(f'rel="{way}" href="([^"]+)"', page)
            assert link
            return seen.page("/runs" + html.unescape(link[1]))

        pages = [seen.page("/runs?workflow=claims")]
        pages += [follow(pages[0], "next")]
        pages += [follow(pages[1], "next")]
        pages += [follow(pages[2], "prev")]
        pages += [follow(pages[3], "prev")]
        found = [re.findall(r'href="/runs/(c\d\d\d)"', page) for page in pages]
        assert [len(one) for one in found] == [50, 50, 10, 50, 50]
        assert (found[3], found[4]) == (found[1], found[0])
        assert 'rel="prev"' not in pages[0]
        assert 'rel="prev"' not in pages[4]
        assert all("<option selected>claims</option>" in page for page in pages)


def test_a_run_is_shown_whole() -> None:
    """Where it is, in a picture; its time, its attempts with the next one's time, its journal, data and errors."""
    with office() as seen:
        seen.world.append(ConnectionError("reserve: no answer"))
        seen.claim("c1", state="opening")
        becomes(lambda: len(seen.runner.get("c1").journal()) == 2)
        page = seen.page("/runs/c1")
        assert "<svg" in page
        assert 'class="bar failed"' in page
        assert 'class="bar retry"' in page
        assert "waiting between attempts" in page
        assert "ConnectionError: reserve: no answer" in html.unescape(page)
        assert "Traceback (most recent call last)" in page
        assert re.search(r'failed</span></td>.*?<td><time datetime="[^"]+" title="in \d', page, re.DOTALL)
        assert page.index(">name<") < page.index(">amount<") < page.index(">account<")
        assert "<td>start</td>" in page
        assert "There is no run nobody" in html.unescape(seen.page("/runs/nobody", 404)) or "nobody" in seen.page(
            "/runs/nobody", 404
        )


def test_a_run_that_the_runner_knows_no_workflow_of_is_shown_without_a_picture() -> None:
    """What is in the journal is shown all the same."""
    journal = MemoryJournal()
    with Runner(journal, [Shop(World())]) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
    with Runner(journal) as runner, serving(dashboard(runner)) as address:
        page = httpx.get(f"{address}/runs/o1").text
        assert "<dt>item</dt><dd>book" in page
        assert "was not given" in html.unescape(page)
        assert "<svg" not in page


def test_the_inbox_says_who_is_waited_for_and_for_how_long() -> None:
    """By role; with since when, until when, and the events that the state accepts alone."""
    with office() as seen:
        seen.claim("c1")
        page = seen.page("/inbox")
        assert "<strong>1</strong> for adjuster" in page
        assert "<strong>0</strong> for archivist" in page
        assert "until " in page
        assert "It takes Settle, Refuse." in page
        assert "c1" not in seen.page("/inbox?role=archivist").split("<main")[1]
        task = json.loads(seen.page("/api/inbox?role=adjuster"))["tasks"][0]
        assert (task["run"], task["state"], task["accepts"]) == ("c1", "checking", ["Settle", "Refuse"])
        came = seen.runner.get("c1").journal()[-1].at.isoformat()
        assert task["since"].rstrip("Z") == came.removesuffix("+00:00")
        seen.runner.get("c1").pause()
        assert "Nobody is waited for." in seen.page("/inbox")


def test_a_saga_shows_what_is_done_and_what_needs_a_person() -> None:
    """What would be undone, what was, and the incident with its error."""
    with office() as seen:
        run = seen.incident("c1")
        page = seen.page("/sagas/c1")
        assert "Would be undone" in page
        assert "<strong>reserve</strong>" in page
        assert "ConnectionError: no answer" in page
        run.skip(run.incidents[0].number, reason="the bank says no")
        assert run.result(10).status == "failed"
        page = seen.page("/sagas/c1")
        assert re.search(r'id="undone".*?<strong>reserve</strong>', page, re.DOTALL)
        assert "No incident is open." in page


def test_health_and_metrics_tell_the_same() -> None:
    """For a person, for a program, and for Prometheus."""
    with office() as seen:
        seen.incident("c1")
        page = seen.page("/health")
        assert "need a person" in page
        assert "reserve" in page
        health = json.loads(seen.page("/api/health"))
        assert (health["live"], health["incidents"]) == (1, 1)
        answer = seen.visitor.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = answer.text.splitlines()
        sample = re.compile(r'^statemachine_[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? -?[0-9.e+-]+$')
        assert [line for line in lines if not line.startswith("# ") and not sample.match(line)] == []
        assert "statemachine_runs_with_incident 1" in lines
        assert 'statemachine_runs_live{workflow="claims",state="paying"} 1' in lines
        told = json.loads(seen.page("/api/statistics?since=15m"))
        assert {one["step"] for one in told["steps"]} == {"reserve", "pay"}


@pytest.mark.parametrize("page", PAGES)
def test_whatever_comes_from_outside_is_text(page: str) -> None:
    """A script in an id, in data, in a tag, in an error or in a reason is shown, and is not one."""
    with office() as seen:
        run = seen.runner.start(Claims, seen.claim("c1", name=EVIL).data, id=EVIL, tags={"x": EVIL})
        run.pause(actor=EVIL, reason=EVIL)
        seen.incident("c2", message=EVIL)
        seen.sign_in(actor=EVIL)
        shown = seen.page(page) + seen.page("/sagas/c2") + seen.page(f"/runs/{html.escape('c2')}")
        shown += seen.visitor.get(f"/runs/{EVIL.replace('/', '%2F')}").text
        assert EVIL not in shown
        assert html.escape(EVIL) in shown


@pytest.mark.parametrize("page", [*PAGES, "/sign-in", "/nowhere"])
def test_no_page_needs_what_its_policy_forbids(page: str) -> None:
    """No inline script, no style attribute, no handler; each page has a title, a language and one first heading."""
    with office() as seen:
        seen.claim("c1")
        seen.sign_in()
        answer = seen.visitor.get(page)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert re.findall(r"<script(?![^>]*src=)", answer.text) == []
        assert re.findall(r"<[^>]+\s(?:style|on[a-z]+)=", answer.text) == []
        assert re.findall(r"(?:src|href)=[\"']?https?:", answer.text) == []
        assert re.search(r'<html lang="en">', answer.text)
        assert re.search(r"<title>[^<]+</title>", answer.text)
        assert len(re.findall(r"<h1", answer.text)) == 1
        labelled = set(re.findall(r'<label for="([^"]+)"', answer.text))
        boxes = re.findall(r"<(?:input|select|textarea)\b[^>]*>", answer.text)
        boxes = [one for one in boxes if not re.search(r'type="(?:hidden|radio|checkbox)"', one)]
        fields = [re.search(r'\bid="([^"]+)"', one) for one in boxes]
        assert all(one is not None and one[1] in labelled for one in fields), boxes
        ids = re.findall(r'\bid="([^"]+)"', answer.text.split("<svg")[0])
        assert len(ids) == len(set(ids))


def test_every_answer_carries_the_headers() -> None:
    """Pages, documents, files and refusals."""
    with office() as seen:
        for path in ("/runs", "/api/runs", "/metrics", "/static/live.js", "/nowhere"):
            headers = seen.visitor.get(path).headers
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["x-frame-options"] == "DENY", path
            assert headers["cache-control"] == ("no-cache" if "static" in path else "no-store"), path


def test_it_is_mounted_under_a_path() -> None:
    """Its links, its forms and its files stay under it."""
    with (
        Runner(MemoryJournal(), [Claims([])]) as runner,
        serving(Starlette(routes=[Mount("/ops/flows", dashboard(runner, actions=True, token="t" * 16))])) as address,
        httpx.Client(base_url=address, follow_redirects=True) as visitor,
    ):
        shown = visitor.get("/ops/flows/")
        assert shown.status_code == 200
        assert set(re.findall(r'(?:href|src|action)="(/[^"/]*/[^"/]*)', shown.text)) == {"/ops/flows"}
        assert visitor.get("/ops/flows/static/style.css").status_code == 200
        signed = visitor.post("/ops/flows/sign-in", data={"token": "t" * 16, "actor": "ada"})
        assert str(signed.url).endswith("/ops/flows/runs?said=in")
        assert "acting as <strong>ada</strong>" in signed.text


def test_a_result_that_was_taken_from_another_run_is_told() -> None:
    """Among the attempts and in the timeline, with whose it was."""
    with Runner(MemoryJournal(), [Indexing(Model())]) as runner:
        for run in ("a", "b"):
            runner.start(Indexing, Page("text"), id=run).result(timeout=10)
        with serving(dashboard(runner)) as address:
            first, second = (httpx.get(f"{address}/runs/{run}").text for run in ("a", "b"))
    assert "taken from" not in first
    assert second.count("taken from a, visit 1") == 2
