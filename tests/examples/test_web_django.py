"""The Django example under gunicorn: opened after the fork it serves, opened before the fork it says what to do."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from persistence import SQLiteJournal
from statemachine import Client
from statemachine.errors import OpenedBeforeFork
from statemachine.runner import Plain
from tests.examples.serving import Serving, insist, serving, until

REQUESTS = 20


@pytest.fixture(name="file")
def _file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEAVE_FILE", str(tmp_path / "leave.db"))
    SQLiteJournal(tmp_path / "leave.db").close()  # a client makes no file, and a worker makes it when it is asked first
    return tmp_path / "leave.db"


@pytest.mark.slow
def test_the_owner_dies_and_another_worker_goes_on(file: Path) -> None:
    """Requests repeated under their own ids are decided once each, by whichever worker owns the file."""
    with serving("examples.web_django", file.parent) as server, Client(file) as client:
        first = until(lambda: client.health().owner, "a worker owns the file")
        with ThreadPoolExecutor(4) as callers:
            asked = list(callers.map(lambda n: wish(server, n), range(REQUESTS)))
            granting = [callers.submit(grant, server, n) for n in range(REQUESTS)]
            granting[0].result(timeout=120)
            os.kill(int(first.removeprefix("pid ")), signal.SIGKILL)
            granted = [one.result(timeout=120) for one in granting]
        assert asked == [202] * REQUESTS
        assert granted == ["accepted"] * REQUESTS
        assert client.health().owner not in (None, first)
        for n in range(REQUESTS):
            assert client.get(f"leave-{n}").look(plain=True).state == ("granted",)
            journal = client.get(f"leave-{n}").journal()
            assert [line.event_id for line in journal if line.kind == "event"] == [f"grant-{n}"]
        late = insist("POST", f"{server.url}/leave/0/deny", key="late", json={"by": "bob"})
        assert late.status_code == 409
        assert "is over (completed in granted)" in late.json()["refused"]


def wish(server: Serving, number: int) -> int:
    """Ada asks for leave: the status of the answer."""
    return insist("POST", f"{server.url}/leave/{number}/ask", json={"who": "ada", "days": number}).status_code


def grant(server: Serving, number: int) -> str:
    """Grace grants it: what became of that."""
    answer = insist("POST", f"{server.url}/leave/{number}/grant", key=f"grant-{number}", json={"by": "grace"})
    return str(answer.json().get("verdict", answer.text))


def test_a_guards_words_reach_the_caller(file: Path) -> None:
    """Nobody grants their own leave, whichever worker is asked."""
    with serving("examples.web_django", file.parent, "--workers", "2") as server:
        assert wish(server, 1) == 202
        own = insist("POST", f"{server.url}/leave/1/grant", key="own", json={"by": "ada"})
        assert own.status_code == 409
        assert "nobody grants their own leave" in own.json()["refused"]
        assert httpx.get(f"{server.url}/leave/2", timeout=30).status_code == 404


def test_opened_before_the_fork_it_refuses_and_says_what_to_do(file: Path) -> None:
    """Every worker answers with the sentence; nothing is written; the process that opened it still moves its runs."""
    with serving("examples.web_django", file.parent, "--early", "--workers", "2") as server, Client(file) as client:
        for _ in range(8):
            answer = insist("POST", f"{server.url}/leave/1/ask", json={"who": "ada", "days": 1})
            assert (answer.status_code, answer.json()) == (500, {"error": str(OpenedBeforeFork())})
        assert "Open it in the child" in str(OpenedBeforeFork())
        assert client.list() == []
        assert client.health().owner == f"pid {server.process.pid}"
        put = client.start_plain("leave", Plain({"who": "bob", "days": 2}), id="leave-2")
        assert client.verdict(put, timeout=30).verdict == "accepted"
