"""How long a sender waits: send → committed → acknowledged, by face and by number of clients."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from statemachine import AsyncRunner, Client, Runner
from tests.benchmarks.ours.files import ROOT, expect, journal, quantile
from tests.benchmarks.ours.work import Counted, Tick, Waiting


def in_process(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Microseconds of a send, with `clients` senders of `times` events each, on the async or the sync face."""
    taken = asyncio.run(_async(asked)) if asked["face"] == "async" else _sync(asked)
    return {"p50": quantile(taken, 0.5), "p99": quantile(taken, 0.99)}


async def _async(asked: Mapping[str, Any]) -> list[float]:
    async with Runner(journal(asked), [Waiting()]) as runner:
        for client in range(asked["clients"]):
            await runner.start(Waiting, Counted(), id=f"run-{client}")
        each = await asyncio.gather(*[_one(runner, f"run-{n}", asked["times"]) for n in range(asked["clients"])])
    return [one for taken in each for one in taken]


async def _one(runner: AsyncRunner, run: str, times: int) -> list[float]:
    taken: list[float] = []
    for _ in range(times):
        begun = time.perf_counter()
        await runner.send(run, Tick())
        taken.append((time.perf_counter() - begun) * 1e6)
    return taken


def _sync(asked: Mapping[str, Any]) -> list[float]:
    taken: list[float] = []
    with Runner(journal(asked), [Waiting()]) as runner:
        for client in range(asked["clients"]):
            runner.start(Waiting, Counted(), id=f"run-{client}")

        def send(number: int) -> None:
            mine: list[float] = []
            for _ in range(asked["times"]):
                begun = time.perf_counter()
                runner.send(f"run-{number}", Tick())
                mine.append((time.perf_counter() - begun) * 1e6)
            taken.extend(mine)

        threads = [threading.Thread(target=send, args=(number,)) for number in range(asked["clients"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return taken


def of_a_client(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Microseconds from another process: until the event is durable (`send`), and until the verdict is there."""
    path = journal(asked)
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(path)], cwd=ROOT, stdin=-1, stdout=-1)
    try:
        _wait_for(owner)
        return _send_from_here(path, asked["times"])
    finally:
        owner.communicate(b"\n", timeout=30)


OWNER = """
import sys
from statemachine import Runner
from tests.benchmarks.ours.work import Counted, Waiting
with Runner(sys.argv[1], [Waiting()]) as runner:
    runner.start(Waiting, Counted(), id="run")
    print("ready", flush=True)
    sys.stdin.readline()
"""


def _wait_for(owner: subprocess.Popen[bytes]) -> None:
    expect(owner.stdout and owner.stdout.readline(), b"ready\n", "what the process that owns the journal says first")


def _send_from_here(path: Path, times: int) -> dict[str, Any]:
    durable: list[float] = []
    decided: list[float] = []
    with Client(path, [Waiting()]) as client:
        for _ in range(times):
            begun = time.perf_counter()
            receipt = client.send("run", Tick())
            durable.append((time.perf_counter() - begun) * 1e6)
            verdict = client.verdict(receipt, 30).verdict
            decided.append((time.perf_counter() - begun) * 1e6)
            expect(verdict, "accepted", "the verdict")
    found = {"p50": quantile(durable, 0.5), "p99": quantile(durable, 0.99)}
    return {**found, "verdict_p50": quantile(decided, 0.5), "verdict_p99": quantile(decided, 0.99)}
