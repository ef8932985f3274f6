"""`statemachine serve`: on this machine and read-only as shipped, and refused where it would be open to others."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from statemachine import Runner
from tests.unit.cli.shop import APP, asked, failing, served
from tests.unit.dashboard.claims import hidden
from tests.unit.runner.desk import Order, Shop, World, becomes, until

ROOT = Path(__file__).parents[3]


@contextmanager
def serve(path: Path, *arguments: str, **environment: str) -> Iterator[tuple[str, str]]:
    """The command, as a shell starts it. Gives its address and what it said before that."""
    command = [sys.executable, "-m", "statemachine", "serve", str(path), "--port", "0", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1", **environment}
    )
    assert process.stdout is not None
    try:
        said = line = ""
        for line in process.stdout:
            said += line
            if line.startswith("http"):
                break
        yield line.split()[0].rstrip("/"), said
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.mark.slow
def test_as_shipped_it_only_shows_and_only_here(path: Path) -> None:
    """Another name is refused, for it may be a stranger's page; without --app there is no picture, and all the rest."""
    with served(path) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
        with serve(path) as (address, said):
            assert address.startswith("http://127.0.0.1:")
            assert "read-only" in said
            assert "token" not in said
            assert "<dt>item</dt><dd>book" in httpx.get(f"{address}/runs/o1").text
            strange = httpx.get(f"{address}/runs", headers={"host": "evil.example"})
            assert strange.status_code == 421
            assert httpx.get(f"{address}/runs", headers={"host": "localhost:99"}).status_code == 200
            assert httpx.post(f"{address}/verb", data={"run": "o1", "verb": "kill"}).status_code == 403
            assert runner.get("o1").status == "running"


@pytest.mark.slow
def test_the_token_it_prints_lets_one_act_beside_the_owner(path: Path) -> None:
    """Through the journal's inbox; the actor is who signed in."""
    world = World()
    with served(path, world) as runner:
        (number,) = failing(runner, world, "o1")
        with serve(path, "--app", APP, "--allow-actions") as (address, said):
            token = re.search(r"token: (\S+)", said)
            assert token
            with httpx.Client(base_url=address, follow_redirects=True) as visitor:
                visitor.post("/sign-in", data={"token": token[1], "actor": "night"})
                page = visitor.get("/sagas/o1").text
                form_token = re.search(r'name="form_token" value="([^"]+)"', page)
                assert form_token
                form = {"form_token": form_token[1], "run": "o1", "verb": "retry", "incident": str(number)}
                answer = visitor.post("/verb", data=form | {"reason": "it answers again"})
                assert answer.status_code == 200, answer.text
            assert runner.result("o1", timeout=10).state == ("sent",)
            line = next(one for one in runner.get("o1").journal() if one.kind == "resolve")
            assert (line.actor, line.reason) == ("night", "it answers again")


@pytest.mark.slow
def test_where_nobody_owns_the_file_it_does_so_for_the_moment(path: Path) -> None:
    """The event is in the journal, and no step is begun; whoever opens the file next goes on."""
    with served(path) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
    token = "a token of this test"
    with (
        serve(path, "--app", APP, "--allow-actions", STATEMACHINE_TOKEN=token) as (address, said),
        httpx.Client(base_url=address, follow_redirects=True) as visitor,
    ):
        assert token not in said
        visitor.post("/sign-in", data={"token": token, "actor": "ada"})
        form = hidden(visitor.get("/inbox").text, "Confirm o1")
        assert "It is in the journal" in visitor.post("/send", data=form | {"field.by": "ada"}).text
        assert httpx.get(f"{address}/api/health").status_code == 503
    with served(path) as runner:
        becomes(lambda: runner.get("o1").status == "completed")


@pytest.mark.slow
def test_beyond_this_machine_nothing_is_shown_without_the_token(path: Path) -> None:
    """Pages ask for it; programs bear it."""
    with Runner(path, [Shop(World())]) as runner:
        until(runner.start(Shop, Order("book"), id="o1"), "waiting")
        token = "a token of this test"
        with serve(path, "--host", "0.0.0.0", STATEMACHINE_TOKEN=token) as (everywhere, said):
            assert "for who has the token" in said
            address = everywhere.replace("0.0.0.0", "127.0.0.1")
            for page in ("/runs", "/runs/o1", "/inbox", "/health"):
                answer = httpx.get(f"{address}{page}")
                assert answer.status_code == 307
                assert "/sign-in?to=" in answer.headers["location"]
                assert "book" not in answer.text
            for document in ("/api/runs", "/api/runs/o1", "/api/inbox", "/metrics", "/events"):
                assert httpx.get(f"{address}{document}").status_code == 401
                wrong = httpx.get(f"{address}{document}", headers={"authorization": "Bearer x"})
                assert wrong.status_code == 401
            right = httpx.get(f"{address}/api/runs/o1", headers={"authorization": f"Bearer {token}"})
            assert right.json()["run"]["data"]["item"] == "book"
            assert httpx.get(f"{address}/static/style.css").status_code == 200
            with httpx.Client(base_url=address, follow_redirects=True) as visitor:
                shown = visitor.post("/sign-in", data={"token": token, "actor": "ada", "to": "/runs/o1"})
                assert "book" in shown.text
                assert visitor.post("/verb", data={"run": "o1", "verb": "kill"}).status_code == 403


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "whoever reaches it would see all data"),
        (("--host", "192.0.2.7"), "whoever reaches it would see all data"),
        (("--host", "example.org"), "whoever reaches it would see all data"),
        (("--host", "::"), "whoever reaches it would see all data"),
        (("--allow-actions", "--token", "short"), "a token has at least 16 characters"),
        (("--host", "192.0.2.7", "--token", "a token of this test"), "cannot listen on 192.0.2.7"),
    ],
)
def test_what_would_be_unsafe_is_refused(path: Path, arguments: tuple[str, ...], said: str) -> None:
    """Before anything listens."""
    with served(path):
        answer = asked("serve", path, *arguments)
        assert answer.exit_code in {1, 2}
        assert said in " ".join(answer.stderr.split())


def test_a_missing_extra_is_named(path: Path) -> None:
    """With what to install."""
    with served(path):
        pass
    code = (
        "import sys; sys.modules['starlette'] = None; sys.modules['uvicorn'] = None\n"
        "sys.argv = ['statemachine', 'serve', sys.argv[1]]\n"
        "from statemachine.cli import main; main()"
    )
    run = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "durable-statemachine[web]" in run.stderr
