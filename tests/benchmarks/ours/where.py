"""Where the time goes: the work of a measure under cProfile, on one loop, by part of the program."""

from __future__ import annotations

import asyncio
import cProfile
import pstats
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from statemachine import AsyncRunner, Client, Runner
from tests.benchmarks.ours.files import journal
from tests.benchmarks.ours.work import Counted, Ten, Tick, Waiting

PARTS = {
    "/statemachine/runner/": "runner: batches, attempts, records",
    "/statemachine/": "pure core",
    "/persistence/": "journal, around SQLite",
    "/asyncio/": "asyncio",
    "/tests/": "this measure",
}
BUILT_IN = {
    "sqlite3": "SQLite and the disk",
    "msgspec": "encoding and decoding",
    "select.": "waiting in select",
    "asyncio": "asyncio",
}


def _part(file: str, name: str) -> str:
    for piece, part in (BUILT_IN if file == "~" else PARTS).items():
        if piece in (name if file == "~" else file):
            return part
    return "everything else"


class _Inline(Runner):
    """A runner that commits on the loop, as the sync face's does, so that all of it is in one profile."""

    def _make(self, journal: Any, *, inline: bool) -> Any:
        return super()._make(journal, inline=inline or not isinstance(self, Client))


async def _one_after_another(runner: AsyncRunner, times: int) -> int:
    for number in range(times):
        await (await runner.start(Ten, Counted(), id=f"run-{number}")).result(60)
    return times * 11


async def _at_once(runner: AsyncRunner, times: int) -> int:
    started = await asyncio.gather(*[runner.start(Ten, Counted(), id=f"run-{number}") for number in range(times)])
    await asyncio.gather(*[run.result(600) for run in started])
    return times * 11


async def _sending(runner: AsyncRunner, times: int) -> int:
    await runner.start(Waiting, Counted(), id="run")
    for _ in range(times):
        await runner.send("run", Tick())
    return times


WORK: dict[str, Callable[[AsyncRunner, int], Awaitable[int]]] = {
    "sequential": _one_after_another,
    "concurrent": _at_once,
    "latency": _sending,
}


def where(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Microseconds of each transition by part, the dearest first."""
    profile = cProfile.Profile()
    transitions = asyncio.run(_profiled(asked, profile))
    spent: Counter[str] = Counter()
    found: Any = pstats.Stats(profile)
    for (file, _, name), (_, _, own, _, _) in found.stats.items():
        spent[_part(file, name)] += own / transitions * 1e6
    return {"parts": dict(spent.most_common())}


async def _profiled(asked: Mapping[str, Any], profile: cProfile.Profile) -> int:
    async with _Inline(journal(asked), [Ten(), Waiting()]) as runner:
        await (await runner.start(Ten, Counted(), id="first")).result(60)
        profile.enable()
        try:
            return await WORK[asked["work"]](runner, asked["times"])
        finally:
            profile.disable()
