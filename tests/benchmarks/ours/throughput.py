"""Workflows of ten steps that do nothing, one after another and all at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from statemachine import Runner
from tests.benchmarks.ours.files import about, expect, journal
from tests.benchmarks.ours.work import Counted, Ten


def sequential(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Runs a second, on the sync face."""
    path, runs = journal(asked), asked["runs"]
    with Runner(path, [Ten()]) as runner:
        runner.start(Ten, Counted(), id="first").result(60)
        begun = time.perf_counter()
        for number in range(runs):
            runner.start(Ten, Counted(), id=f"run-{number}").result(60)
        seconds = time.perf_counter() - begun
    return {"rate": runs / seconds, **about(path)}


def sequential_async(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Runs a second, on the async face."""
    return asyncio.run(_one_after_another(asked))


async def _one_after_another(asked: Mapping[str, Any]) -> dict[str, Any]:
    runs = asked["runs"]
    async with Runner(journal(asked), [Ten()]) as runner:
        await (await runner.start(Ten, Counted(), id="first")).result(60)
        begun = time.perf_counter()
        for number in range(runs):
            run = await runner.start(Ten, Counted(), id=f"run-{number}")
            await run.result(60)
        return {"rate": runs / (time.perf_counter() - begun)}


def concurrent(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Runs a second, all started at once on the async face."""
    return asyncio.run(_at_once(asked))


async def _at_once(asked: Mapping[str, Any]) -> dict[str, Any]:
    runs = asked["runs"]
    async with Runner(journal(asked), [Ten()]) as runner:
        await (await runner.start(Ten, Counted(), id="first")).result(60)
        begun = time.perf_counter()
        started = await asyncio.gather(*[runner.start(Ten, Counted(), id=f"run-{n}") for n in range(runs)])
        results = await asyncio.gather(*[run.result(600) for run in started])
        seconds = time.perf_counter() - begun
    expect({result.status for result in results}, {"completed"}, "how the runs ended")
    return {"rate": runs / seconds}
