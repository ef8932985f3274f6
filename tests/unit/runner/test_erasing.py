"""Erasing a run: its data is gone from the files, what it was stays, and everything that reads it still works."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from persistence import MemoryJournal, SQLiteJournal
from statemachine import (
    Client,
    NoSuchRun,
    Refused,
    RefusedVerb,
    Runner,
    RunOver,
)
from statemachine.diagrams import diagram
from statemachine.runner import Entry
from tests.unit.cli.shop import APP, asked, told
from tests.unit.runner.desk import Confirm, Note, Order, Reject, Shop, World, arrived, until

SECRET = "Ada Lovelace, 12 St James's Square"


def found(folder: Path) -> list[str]:
    """The files that have the secret in them."""
    return [path.name for path in folder.iterdir() if SECRET.encode() in path.read_bytes()]


def ended(runner: Runner, path: Path, run: str = "o-1") -> None:
    """A run that is over, with the secret in everything that it may be in."""
    handle = runner.start(Shop, Order(SECRET), id=run, tags={"name": SECRET}, actor="web")
    until(handle, "waiting")
    handle.send(Note(SECRET), id="m-1", actor="ada", reason=SECRET)
    with Client(path, [Shop(World())]) as client:
        client.verdict(client.send(run, Confirm(SECRET), id="m-2"), 10)
    handle.result(10)


def lines(entries: list[Entry]) -> list[tuple[object, ...]]:
    """What must stay of each."""
    return [(line.seq, line.at, line.kind, line.name, line.state, line.event_id, line.actor) for line in entries]


def test_nothing_of_its_data_is_left_and_what_it_was_stays(tmp_path: Path, world: World) -> None:
    """Not in the database, not in its log; states, times, ids and who did it are there."""
    path = tmp_path / "app.db"
    with Runner(path, [Shop(world)]) as runner:
        ended(runner, path)
        until(runner.start(Shop, Order("book"), id="other"), "waiting")
        before = runner.get("o-1").journal()
        runner.erase("o-1", reason="asked for by letter", actor="privacy")
        assert found(tmp_path) == []
        view = runner.get("o-1").look()
        assert (view.erased, view.data, view.state, view.status) == (True, None, ("sent",), "completed")
        assert (dict(view.tags), view.error, view.undo) == ({}, None, ())
        after = runner.get("o-1").journal()
        assert lines(after[:-1]) == lines(before)
        assert {(line.body, line.reason) for line in after[:-1]} == {(b"", None)}
        last = after[-1]
        assert (last.kind, last.actor, last.reason) == ("erase", "privacy", "asked for by letter")
        assert (runner.result("o-1", 1).data, runner.result("o-1", 1).state) == (None, ("sent",))
        assert [(one.id, one.erased) for one in runner.list()] == [("other", False), ("o-1", True)]
        until(runner.get("other"), "waiting")
    assert found(tmp_path) == []


def test_verify_knows_an_erased_run(tmp_path: Path, world: World) -> None:
    """It is not wrong; one that has a payload again, or lacks lines, is."""
    path = tmp_path / "app.db"
    with Runner(path, [Shop(world)]) as runner:
        ended(runner, path)
        runner.erase("o-1", reason="asked for")
        checked = runner.verify("o-1")
        assert (checked.ok, checked.erased, checked.folded) == (True, True, 0)
        assert "was erased" in runner.get("o-1").story().broken
    with SQLiteJournal(path)._senders.connection() as own:
        own.execute("UPDATE statemachine_entry SET body = '{}' WHERE seq = 2")
    with Client(path, [Shop(world)]) as client:
        assert "entry 2 (" in client.verify("o-1").reason
    with SQLiteJournal(path)._senders.connection() as own:
        own.execute("DELETE FROM statemachine_entry WHERE kind = 'erase'")
    with Client(path, [Shop(world)]) as client:
        assert not client.verify("o-1").ok


def test_a_run_that_is_not_over_is_refused(world: World) -> None:
    """It needs its data; who wants it gone ends it first."""
    with Runner(MemoryJournal(), [Shop(world)]) as runner:
        run = runner.start(Shop, Order("book"), id="o-1")
        until(run, "waiting")
        with pytest.raises(RefusedVerb, match="cancel or kill it first"):
            run.erase(reason="asked for")
        assert run.data.item == "book"
        run.kill()
        run.erase(reason="asked for")
        assert run.look().status == "killed"
        with pytest.raises(NoSuchRun):
            runner.erase("nobody", reason="asked for")


def test_what_comes_after_is_answered_as_before(tmp_path: Path, world: World) -> None:
    """A resend gets its first verdict, a new event is refused, its id stays its own, and erasing again does no harm."""
    path = tmp_path / "app.db"
    with Runner(path, [Shop(world)]) as runner, Client(path, [Shop(world)]) as client:
        ended(runner, path)
        runner.erase("o-1", reason="asked for")
        assert runner.send("o-1", Note(SECRET), id="m-1").verdict == "accepted"
        assert client.send("o-1", Confirm(SECRET), id="m-2").verdict == "accepted"
        with pytest.raises(RunOver):
            runner.send("o-1", Reject(), id="m-3")
        with pytest.raises(Refused, match="is over"):
            client.verdict(client.send("o-1", Reject(), id="m-4"), 10)
        for other in (runner, client):
            assert other.start(Shop, Order(SECRET), id="o-1").look().erased
        runner.erase("o-1", reason="once more")
        assert runner.verify("o-1").ok
        assert found(tmp_path) == []


def test_a_client_asks_its_owner(tmp_path: Path, world: World) -> None:
    """Through the inbox; who and why stand in the journal; a refusal says why."""
    path = tmp_path / "app.db"
    with Runner(path, [Shop(world)]) as runner, Client(path) as client:
        ended(runner, path)
        until(runner.start(Shop, Order("book"), id="o-2"), "waiting")
        client.get("o-1").erase(reason="asked for", actor="privacy")
        assert found(tmp_path) == []
        assert client.get("o-1").look(plain=True).erased
        assert client.get("o-1").journal()[-1].actor == "privacy"
        with pytest.raises(Refused, match="cancel or kill it first"):
            client.erase("o-2", reason="asked for")


def test_the_async_face_has_the_verb(world: World) -> None:
    """The same."""

    async def story() -> None:
        async with Runner(MemoryJournal(), [Shop(world)]) as runner:
            run = await runner.start(Shop, Order("book"), id="o-1")
            await arrived(runner, "o-1", "waiting")
            await run.cancel()
            await run.result(10)
            await run.erase(reason="asked for")
            assert (await run.look()).erased

    asyncio.run(story())


def test_a_run_whose_workflow_nobody_has_can_be_erased(tmp_path: Path, world: World) -> None:
    """Data must be erasable when its code is long gone."""
    path = tmp_path / "app.db"
    with Runner(path, [Shop(world)]) as runner:
        ended(runner, path)
    with Runner(path) as runner:
        runner.erase("o-1", reason="asked for")
        assert found(tmp_path) == []


def test_what_draws_counts_and_lists_goes_on(tmp_path: Path, world: World) -> None:
    """A picture, numbers, the command line, an export; and it is pruned as others are."""
    path = tmp_path / "app.db"
    with Runner(path, [Shop(world)]) as runner:
        ended(runner, path)
        erased = asked("erase", path, "o-1", "--reason", "asked for", "--actor", "privacy", "--yes")
        assert (erased.exit_code, "is erased" in erased.output) == (0, True)
        assert asked("erase", path, "o-1", "--yes").exit_code == 2
        assert "sent" in diagram(Shop, runner.get("o-1")).mermaid
        assert runner.statistics(timedelta(days=1)).entries > 3
        assert told("verify", path, "--app", APP) == {"runs": 1, "wrong": []}
        shown = told("show", path, "o-1", "--app", APP)
        assert (shown["run"]["erased"], shown["run"]["data"]) == (True, None)
        assert asked("show", path, "o-1", "--app", APP).exit_code == 0
        for kind in ("jsonl", "xes"):
            exported = asked("export", path, "--format", kind)
            assert (exported.exit_code, SECRET in exported.output) == (0, False)
        pruned = runner.prune(datetime.now(UTC) + timedelta(days=1), dry=True)
        assert pruned.runs <= 1
