"""Open pages are told of what is committed: which run and what, and never a value."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from statemachine.dashboard import live as module
from statemachine.dashboard.asking import Asking
from statemachine.dashboard.live import BEHIND, Live
from tests.unit.dashboard.claims import IBAN, Refuse, office


def told(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The entries of a stream."""
    for line in lines:
        assert IBAN not in line
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_a_page_is_told_of_each_entry_once() -> None:
    """From when it listens on."""
    with office() as seen:
        seen.claim("c1")
        with httpx.stream("GET", f"{seen.visitor.base_url}/events", timeout=20) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            assert next(lines) == "retry: 2000"
            seen.claim("c2")
            seen.runner.get("c2").send(Refuse())
            entries = told(lines)
            found = [next(entries) for _ in range(3)]
        kinds = [(one["run"], one["kind"]) for one in found]
        assert kinds == [("c2", "start"), ("c2", "succeeded"), ("c2", "event")]
        assert found[1]["state"] == ["checking"]


def test_no_more_pages_listen_than_it_can_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told so; it works without."""
    monkeypatch.setattr(module, "MOST", 1)
    with office() as seen, httpx.stream("GET", f"{seen.visitor.base_url}/events", timeout=20) as stream:
        lines = stream.iter_lines()
        next(lines)
        assert seen.visitor.get("/events").status_code == 503


def test_a_page_that_does_not_keep_up_is_told_to_look_anew() -> None:
    """What it has missed is not kept for it."""
    with office() as seen:
        seen.claim("c1")
        live = Live(Asking(seen.runner))
        entries = seen.runner.log()

        async def tell() -> list[bytes]:
            listener: asyncio.Queue[bytes] = asyncio.Queue(BEHIND)
            live._listeners.add(listener)
            for _ in range(BEHIND + 1):
                live._tell(entries)
            return [listener.get_nowait() for _ in range(listener.qsize())]

        got = asyncio.run(tell())
        assert len(got) == 2
        assert got[0].startswith(b"event: behind")
