"""The FastAPI example, as it is started: four workers, driven over HTTP, and the one that moves the runs is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi import Request
from fastapi.responses import JSONResponse

from examples.web_fastapi import Purchasing, app
from persistence import SQLiteJournal
from statemachine import Client, RunnerClosed
from tests.examples.serving import Serving, insist, serving, until

PURCHASES = 24
REMARKS = 8
LEASE = 15.0
"""Seconds that a runner's lease runs, which nobody must wait for when its process is dead."""


@pytest.mark.slow
def test_the_owner_dies_under_load_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """Callers repeat what was not answered under the same ids; the journal has each of their events once, in order."""
    file = tmp_path / "purchases.db"
    SQLiteJournal(file).close()
    with (
        serving("examples.web_fastapi", tmp_path, "--file", str(file)) as server,
        Client(file, [Purchasing()]) as client,
    ):
        first = until(lambda: client.health().owner, "a worker owns the file")
        half = threading.Semaphore(0)
        with ThreadPoolExecutor(8) as callers:
            bought = [callers.submit(buy, server, f"{n}", half) for n in range(PURCHASES)]
            for _ in range(PURCHASES * REMARKS // 2):  # in the middle of it
                assert half.acquire(timeout=120)
            os.kill(int(first.removeprefix("pid ")), signal.SIGKILL)
            killed = time.monotonic()
            second = until(lambda: other_owner(client, first), "another worker owns it", LEASE - 5)
            print(f"taken over after {time.monotonic() - killed:.2f} s")
            for one in bought:
                one.result(timeout=240)
        assert second != first
        for n in range(PURCHASES):
            seen = client.get(f"purchase-{n}").result(timeout=60)
            assert seen.state == ("ordered",)
            assert seen.data.item == f"item {n}"
            assert seen.data.remarks == tuple(f"remark {m}" for m in range(REMARKS))
            ids = [line.event_id for line in client.get(f"purchase-{n}").journal() if line.kind == "event"]
            assert ids == [*(f"{n}-{m}" for m in range(REMARKS)), f"{n}-approval"]
            assert client.verify(f"purchase-{n}").ok


def test_a_worker_that_was_replaced_ends_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would refuse everything from then on, so it asks its server for another: SIGTERM, after this answer."""
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *told: ended.append(told))
    request = Request({"type": "http", "method": "GET", "path": "/health", "headers": []})
    handler = app.exception_handlers[RunnerClosed]
    answer = handler(request, RunnerClosed("another process has taken its journal over"))
    assert isinstance(answer, JSONResponse)
    assert (answer.status_code, ended) == (503, [(os.getpid(), signal.SIGTERM)])


def buy(server: Serving, number: str, said: threading.Semaphore) -> None:
    """One purchase, from the first request to the approval."""
    url = f"{server.url}/purchases/{number}"
    assert insist("PUT", url, item=f"item {number}").status_code == 202
    for n in range(REMARKS):
        answer = insist("POST", f"{url}/remarks", key=f"{number}-{n}", text=f"remark {n}")
        assert answer.json() == {"verdict": "accepted"}
        said.release()
    assert insist("POST", f"{url}/approval", key=f"{number}-approval", by="grace").json() == {"verdict": "accepted"}


def other_owner(client: Client, first: str) -> str | None:
    """The owner, once it is another."""
    owner = client.health().owner
    return owner if owner != first else None


def test_every_worker_says_the_same(tmp_path: Path) -> None:
    """A refusal, an unknown run and where a run stands read alike, whether the owner answers or a standby."""
    with serving(
        "examples.web_fastapi", tmp_path, "--file", str(tmp_path / "purchases.db"), "--workers", "2"
    ) as server:
        asked = {}
        insist("PUT", f"{server.url}/purchases/1", item="pens")
        insist("POST", f"{server.url}/purchases/1/approval", key="yes", by="grace")
        until(lambda: insist("GET", f"{server.url}/purchases/1").json().get("status") == "completed", "it is ordered")

        def both() -> bool:
            with httpx.Client(base_url=server.url, timeout=30) as caller:  # one connection: one worker
                well = caller.get("/health").json()
                late = caller.post(
                    "/purchases/1/remarks", params={"text": "too late"}, headers={"Idempotency-Key": "no"}
                )
                other = caller.put("/purchases/1", params={"item": "other"})
                unknown = caller.get("/purchases/2")
                answers = [(one.status_code, one.json()) for one in (late, other, unknown)]
                asked[well["owner"] == f"pid {well['worker']}"] = answers
            return len(asked) == 2

        until(both, "the owner and a standby have answered")
        assert asked[True] == asked[False]
        late, other, unknown = asked[True]
        assert late == (409, {"refused": "Run 'purchase-1' is over (completed in ordered); Remark came too late."})
        assert other[0] == 409
        assert "with other data" in other[1]["refused"]
        assert unknown[0] == 404
