"""A runner ends: by its user, by a signal, by another owner. Nobody who waits is left waiting."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from persistence import MemoryJournal, MessageRecord, SQLiteJournal, Unwritable
from statemachine import Client, RefusedVerb, Runner, RunnerClosed
from statemachine.errors import OpenedBeforeFork
from tests.unit.runner.desk import Confirm, Note, Order, Shop, World, arrived, becomes, until
from tests.unit.runner.trouble import TroubledJournal

ROOT = Path(__file__).resolve().parents[3]


def in_thread(work: Callable[[], Any]) -> Future[Any]:
    """Begin something that waits, in a thread of its own."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work)
    finally:
        pool.shutdown(wait=False)


def watched(runner: Runner, run: str, begun: threading.Event) -> None:
    """Follow a run's transitions for as long as they come."""
    with runner.watch(run) as transitions:
        begun.set()
        for _ in transitions:
            pass


def test_who_waits_for_a_run_hears_that_the_runner_was_closed(world: World) -> None:
    """A result, a subscription: each ends with `RunnerClosed`."""
    with Runner(MemoryJournal(), [Shop(world)]) as runner:
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        begun = threading.Event()
        waiting = [in_thread(run.result), in_thread(lambda: watched(runner, "o-1", begun))]
        begun.wait(5)
    for one in waiting:
        with pytest.raises(RunnerClosed):
            one.result(5)


def test_who_waits_through_a_client_hears_that_it_was_closed() -> None:
    """Nobody moves the run; a result, a verdict and a verb that wait end when the client is closed."""
    journal = MemoryJournal()
    with Client(journal, [Shop(World())]) as client:
        run = client.start(Shop, Order("book"), id="o-1")
        receipt = run.send(Confirm())
        waiting = [in_thread(run.result), in_thread(lambda: client.verdict(receipt)), in_thread(run.cancel)]
        becomes(lambda: len(journal.inbox(0, 10)) == 3)
    for one in waiting:
        with pytest.raises(RunnerClosed):
            one.result(5)


def test_a_client_cannot_watch() -> None:
    """It says so, instead of telling nothing for ever."""
    with (
        Client(MemoryJournal(), [Shop(World())]) as client,
        pytest.raises(RefusedVerb, match="another process"),
        client.watch("o-1"),
    ):
        pass


def test_a_subscription_to_a_run_that_is_over_ends_at_once(world: World) -> None:
    """It ends with the run, also when the run has ended before."""
    with Runner(MemoryJournal(), [Shop(world)]) as runner:
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        run.send(Confirm())
        run.result(5)
        assert in_thread(lambda: watched(runner, "o-1", threading.Event())).result(5) is None


def test_waiting_leaves_nothing_behind(world: World) -> None:
    """A runner that lives for months keeps nothing for each run that was once waited for."""
    with Runner(MemoryJournal(), [Shop(world)]) as runner:
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        run.send(Confirm())
        for _ in range(3):
            run.result(5)
        other = runner.start(Shop, Order("book"), id="o-2")
        with pytest.raises(TimeoutError):
            other.result(0.01)
        body = runner._body
        assert body is not None
        assert not body._over
        assert not body._watchers


def test_a_journal_that_cannot_be_written_does_not_keep_a_runner_from_closing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be recorded is begun again by the next owner, under its key; the journal is given up."""
    monkeypatch.setattr("statemachine.runner.body.FAREWELL", 0.2)
    journal = TroubledJournal()
    world.gate.clear()
    with Runner(journal, [Shop(world)], grace=5) as runner:
        runner.start(Shop, Order("book"), id="o-1")
        becomes(lambda: world.names() == ["reserve"])
        journal.trouble = Unwritable("full")
        world.gate.set()
    assert journal.owner() is None
    journal.trouble = None
    with Runner(journal, [Shop(world)]) as runner:
        until(runner.get("o-1"), "waiting")
    assert len({call.key for _, call in world.calls}) == 1


def test_a_runner_that_lost_its_journal_stops_and_lets_go(world: World) -> None:
    """It says so to whoever uses it, owns nothing, begins nothing, and no longer holds the file's lock."""

    async def story(journal: MemoryJournal, thief: MemoryJournal) -> None:
        async with Runner(journal, [Shop(world)], lease=0.3) as runner:
            run = await runner.start(Shop, Order("book"), id="o-1")
            await arrived(runner, "o-1", "waiting")
            waiting = asyncio.ensure_future(run.result())
            await asyncio.sleep(0)
            journal._store.owner = None
            epoch = thief.claim("thief", 60)
            with pytest.raises(RunnerClosed, match="another process has taken its journal over"):
                await asyncio.wait_for(waiting, 5)
            assert not runner.owner
            with pytest.raises(RunnerClosed, match="taken its journal over"):
                await run.send(Note("x"))
            assert thief.owner() == "thief"
            thief.release(epoch)

    journal = MemoryJournal()
    asyncio.run(story(journal, MemoryJournal(beside=journal)))
    assert world.names() == ["reserve"]


def test_an_opening_that_fails_gives_the_journal_up(world: World) -> None:
    """The next one may have it at once."""
    journal = TroubledJournal()
    journal.trouble = Unwritable("full")
    with pytest.raises(Unwritable), Runner(journal, [Shop(world)]):
        pass
    assert journal.owner() is None
    journal.trouble = None
    with Runner(journal, [Shop(world)]) as runner:
        assert runner.owner


def test_a_standby_that_is_closed_while_it_claims_gives_the_journal_up(world: World) -> None:
    """However it falls out, nobody is left owning the journal."""

    async def story() -> None:
        first, second = MemoryJournal(), None
        second = MemoryJournal(beside=first)
        for delay in (0.09, 0.1, 0.105, 0.11, 0.12):
            async with Runner(first, [Shop(world)]):
                standby = Runner(second, [Shop(world)], standby=True)
                await standby.__aenter__()
            await asyncio.sleep(delay)
            await standby.__aexit__(None, None, None)
            assert second.owner() is None

    asyncio.run(story())


def test_opening_and_closing_a_file_hold_no_loop_up(tmp_path: object, world: World) -> None:
    """A loop of the application's turns while the file is opened, even if others use it."""
    file = f"{tmp_path}/journal.db"
    SQLiteJournal(file).close()

    async def story() -> int:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.001)
                turns += 1

        turning = asyncio.ensure_future(turn())
        opened = threading.Event()

        def slow(self: SQLiteJournal, *arguments: Any, **options: Any) -> None:
            plain(self, *arguments, **options)
            time.sleep(0.2)
            opened.set()

        plain = SQLiteJournal.__init__
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SQLiteJournal, "__init__", slow)
            async with Runner(file, [Shop(world)]):
                assert opened.is_set()
        turning.cancel()
        return turns

    assert asyncio.run(story()) > 10


def test_a_sync_face_is_used_by_many_threads(tmp_path: object, world: World) -> None:
    """Each of their messages is taken once, and each caller gets its own answer."""
    with Runner(f"{tmp_path}/journal.db", [Shop(world)]) as runner:
        runs = [runner.start(Shop, Order("book"), id=f"o-{n}") for n in range(4)]
        for run in runs:
            until(run, "waiting")

        def talk(n: int) -> None:
            for m in range(25):
                assert runner.send(f"o-{n % 4}", Note(f"{n}-{m}"), id=f"{n}-{m}").verdict == "accepted"

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(talk, range(16)))
        counts = [len([entry for entry in run.journal() if entry.kind == "event"]) for run in runs]
        assert counts == [100] * 4


def test_messages_put_before_a_close_are_taken_after_it(world: World) -> None:
    """Ten thousand of them, each once and in order."""
    journal = MemoryJournal()
    with Runner(journal, [Shop(world)]) as runner:
        until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
    ids = [f"m-{n}" for n in range(10_000)]
    for name in ids:
        journal.put(MessageRecord(run="o-1", id=name, kind="event", name="Note", body=b'{"text":"x"}', at=1))
    with Runner(journal, [Shop(world)]) as runner:
        becomes(lambda: not journal.inbox(0, 1), 60)
        kept = runner.get("o-1").journal(limit=20_000)
    assert [entry.event_id for entry in kept if entry.kind == "event"] == ids


def test_after_a_fork_a_runner_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the child every use is refused, and closing does nothing: all of it is the parent's."""
    with Runner(MemoryJournal(), [Shop(world)]) as runner:
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: -1)
            with pytest.raises(OpenedBeforeFork, match="Open it in the child"):
                runner.list()
            runner.close()
        assert runner.list() == []


ENTERED_AND_LEFT = """
import asyncio, signal, sys
from persistence import MemoryJournal
from statemachine import Runner

async def enter():
    await runner.__aenter__()

async def main():
    await asyncio.ensure_future(enter())
    print("entered", flush=True)
    await asyncio.sleep(60)

runner = Runner(MemoryJournal())
asyncio.run(main())
"""


def test_sigterm_is_not_swallowed() -> None:
    """Where the task that entered the runner has gone on, nobody could be told: the signal ends the process."""
    with subprocess.Popen([sys.executable, "-c", ENTERED_AND_LEFT], cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"entered\n"
            process.terminate()
            assert process.wait(10) == -signal.SIGTERM
        finally:
            process.kill()


def test_a_page_has_at_least_one_run(world: World) -> None:
    """SQLite takes a negative limit for none, and would load all."""
    with Runner(MemoryJournal(), [Shop(world)]) as runner, pytest.raises(ValueError, match="at least 1"):
        runner.list(limit=-1)


def test_a_wait_that_is_interrupted_is_cancelled_on_its_own_loop() -> None:
    """Ctrl-C and SIGTERM raise in the thread that waits; what it waited for is not that thread's to end."""
    ended = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(0.3)  # the thread that asked for it waits by now
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.set()
            raise

    with Runner(MemoryJournal(), [Shop(World())]) as runner:
        with pytest.raises(KeyboardInterrupt):
            runner.wait(work())
        assert ended.wait(10)
