"""A thread that has a coroutine done on the runner's loop hears of its end, whichever way it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from statemachine.runner.loops import Errand


@pytest.fixture(name="loop")
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One that runs in another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_what_it_gives_and_what_it_raises_arrive(loop: asyncio.AbstractEventLoop) -> None:
    """The very objects."""
    error = LookupError("there is none")

    async def gives() -> str:
        await asyncio.sleep(0)
        return "found"

    async def raises() -> str:
        await asyncio.sleep(0)
        raise error

    assert Errand(gives(), loop).result() == "found"
    with pytest.raises(LookupError) as raised:
        Errand(raises(), loop).result()
    assert raised.value is error


def test_one_that_is_cancelled_before_it_begins_ends_all_the_same() -> None:
    """Its task is made and cancelled in one turn of the loop."""
    loop = asyncio.new_event_loop()

    async def never() -> None:
        raise AssertionError

    work = never()
    errand = Errand(work, loop)

    def cancel() -> None:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.call_soon(loop.call_soon, loop.stop)

    loop.call_soon(cancel)
    loop.run_forever()
    loop.close()
    work.close()
    with pytest.raises(asyncio.CancelledError):
        errand.result()
