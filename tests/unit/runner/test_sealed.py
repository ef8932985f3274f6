"""A runner with a key: nothing of its data is in the file; another key opens nothing and harms nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, MultiFernet

from persistence import MessageRecord, Sealed, SealedCodec, SQLiteJournal
from statemachine import Client, NotAnswered, Refused, RunHeld, Runner, TooLarge
from statemachine.testing import VirtualClock
from tests.unit.cli.shop import APP, asked, told
from tests.unit.runner.desk import Confirm, Note, Order, Shop, World, becomes, until, until_incident

SECRET = "Ada Lovelace, 12 St James's Square"
ONE, TWO = Fernet(Fernet.generate_key()), Fernet(Fernet.generate_key())


def codec(*keys: Fernet) -> SealedCodec:
    """Seals with the first of the keys, opens with any."""
    both = MultiFernet(keys)
    return SealedCodec(both.encrypt, both.decrypt)


APPLICATION = codec(ONE)
WRONG = codec(TWO)


def files(folder: Path) -> list[str]:
    """Those that have the secret in them."""
    return [path.name for path in folder.iterdir() if SECRET.encode() in path.read_bytes()]


def test_nothing_of_a_run_is_in_the_file(tmp_path: Path, world: World) -> None:
    """Data, events, errors and messages of clients; the run goes on after a restart, and its journal folds."""
    path = tmp_path / "app.db"
    clock = VirtualClock()
    world.failures = [RuntimeError(SECRET)]
    with Runner(path, [Shop(world)], codec=codec(ONE), clock=clock) as runner:
        run = runner.start(Shop, Order(SECRET), id="o-1")
        becomes(lambda: bool(world.calls))
    clock.advance(timedelta(minutes=2))
    with Runner(path, [Shop(world)], codec=codec(ONE), clock=clock) as runner:
        run = runner.get("o-1")
        until(run, "waiting")
        with Client(path, [Shop(world)], codec=codec(ONE)) as client:
            assert client.verdict(client.send("o-1", Note(SECRET), id="m-1"), 10).verdict == "accepted"
        with pytest.raises(Exception, match="handler that raises"):
            run.send(Note("bad"))
        assert files(tmp_path) == []
        run.send(Confirm())
        assert run.result(10).data.note == SECRET
        assert runner.verify("o-1").ok
    assert files(tmp_path) == []


def test_keys_are_changed_while_runs_are_under_way(tmp_path: Path, world: World) -> None:
    """The new key seals, the old one still opens; once it is gone, what it sealed says so by file and run."""
    path = tmp_path / "app.db"
    with Runner(path, [Shop(world)], codec=codec(ONE)) as runner:
        for name in ("moved", "left"):
            until(runner.start(Shop, Order(SECRET), id=name), "waiting")
    with Runner(path, [Shop(world)], codec=codec(TWO, ONE)) as runner:
        runner.send("moved", Note("sealed anew"))
        assert runner.get("left").data.item == SECRET
    with Runner(path, [Shop(world)], codec=codec(TWO)) as runner:
        assert runner.get("moved").data.note == "sealed anew"
        with pytest.raises(RunHeld, match=r"Run 'left' of journal '.*app\.db' is sealed"):
            runner.get("left").look()


def test_a_wrong_key_holds_what_it_cannot_open_and_nothing_else(tmp_path: Path, world: World) -> None:
    """It is listed as held with the reason; new runs go on; with the right key it goes on as if nothing had been."""
    path = tmp_path / "app.db"
    clock = VirtualClock()
    world.failures = [ConnectionError("later")]
    with Runner(path, [Shop(world)], codec=codec(ONE), clock=clock) as runner:
        runner.start(Shop, Order("book"), id="o-1")
        becomes(lambda: bool(world.calls))
        until(runner.start(Shop, Order("book"), id="o-2"), "waiting")
    clock.advance(timedelta(minutes=2))
    with Runner(path, [Shop(world)], codec=codec(TWO), clock=clock) as runner:
        until(runner.start(Shop, Order("pen"), id="o-3"), "waiting")
        assert runner.send("o-2", Note("waits"), id="m-1").verdict == "queued"
        becomes(lambda: any(found.id == "o-2" for found in runner.list(held=True)))
        assert all("is sealed" in found.held for found in runner.list(held=True))
        checked = runner.verify("o-2")
        assert not checked.ok
        assert "Entry 1 of run 'o-2'" in checked.reason
        assert runner.statistics(timedelta(days=1)).entries > 0
    with Runner(path, [Shop(world)], codec=codec(ONE, TWO), clock=clock) as runner:
        until(runner.get("o-1"), "waiting")
        becomes(lambda: runner.get("o-2").data.note == "waits")
        assert runner.list(held=True) == []


def test_a_message_that_nobody_here_can_open_waits(tmp_path: Path, world: World) -> None:
    """It was acknowledged, so it is not refused for a key that its owner lacks."""
    path = tmp_path / "app.db"
    SQLiteJournal(path).close()
    with Client(path, [Shop(world)], codec=codec(TWO)) as client:
        client.start(Shop, Order("book"), id="o-1")
    with Runner(path, [Shop(world)], codec=codec(ONE)) as runner:
        until(runner.start(Shop, Order("pen"), id="o-2"), "waiting")
        assert [found.id for found in runner.list()] == ["o-2"]
        assert runner.health().messages == 1
    with Runner(path, [Shop(world)], codec=codec(ONE, TWO)) as runner:
        becomes(lambda: len(runner.list()) == 2)
        until(runner.get("o-1"), "waiting")


def test_a_refusal_is_sealed_and_read_by_its_sender(tmp_path: Path, world: World) -> None:
    """Its text may quote what was sent."""
    path = tmp_path / "app.db"
    with Runner(path, [Shop(world)], codec=codec(ONE)) as runner:
        until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
        with Client(path, [Shop(world)], codec=codec(ONE)) as client:
            receipt = client.send("o-1", Note("bad"), id="m-1")
            incident = until_incident(runner.get("o-1"))
            with pytest.raises(Refused, match="no open incident 99"):
                client.get("o-1").skip(99, reason="there is none")
            assert (receipt.verdict, incident > 0) == ("queued", True)
        with Client(path, [Shop(world)], codec=codec(TWO)) as client, pytest.raises((NotAnswered, Sealed)):
            client.verdict(client.send("o-9", Note("lost"), id="m-9"), 0.05)


def test_the_limit_is_of_what_is_sealed(tmp_path: Path, world: World) -> None:
    """Not of the sealed bytes, which are a third longer: the same data fits with and without a key."""
    with Runner(tmp_path / "app.db", [Shop(world)], codec=codec(ONE), limit=1000) as runner:
        until(runner.start(Shop, Order("x" * 900), id="fits"), "waiting")
        with pytest.raises(TooLarge):
            runner.start(Shop, Order("x" * 1000), id="does-not")


def test_a_run_of_another_key_can_be_killed(tmp_path: Path, world: World) -> None:
    """When its key is lost for good, somebody must be able to end it."""
    path = tmp_path / "app.db"
    with Runner(path, [Shop(world)], codec=codec(ONE)) as runner:
        until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
    with Runner(path, [Shop(world)], codec=codec(TWO)) as runner:
        with pytest.raises(RunHeld):
            runner.get("o-1").cancel()
        with pytest.raises((RunHeld, Sealed)):
            runner.get("o-1").kill(reason="its key is lost")
        assert runner.list(status="killed")[0].id == "o-1"


def test_the_command_line_is_given_the_key_by_name(tmp_path: Path, world: World) -> None:
    """Without it, or with another, the sentence says which run of which file."""
    path = tmp_path / "app.db"
    place = f"{__name__}:APPLICATION"
    with Runner(path, [Shop(world)], codec=APPLICATION) as runner:
        until(runner.start(Shop, Order(SECRET), id="o-1"), "waiting")
        assert SECRET in asked("--codec", place, "show", path, "o-1").output
        sent = asked("--codec", place, "send", path, "o-1", "Note", '{"text": "hello"}')
        assert (sent.exit_code, runner.get("o-1").data.note) == (0, "hello")
        assert told("--codec", place, "verify", path, "--app", APP) == {"runs": 1, "wrong": []}
        for options in ([], ["--codec", f"{__name__}:WRONG"]):
            answer = asked(*options, "show", path, "o-1")
            assert answer.exit_code == 1
            assert f"Run 'o-1' of journal '{path}' is sealed" in " ".join(answer.stderr.split())
    wrong = asked("--codec", f"{__name__}:SECRET", "runs", path)
    assert (wrong.exit_code, "is no SealedCodec" in wrong.stderr) == (2, True)


def test_messages_beneath_are_sealed_too(tmp_path: Path, world: World) -> None:
    """What a client without the key puts is taken as it is: the owner reads what is not sealed."""
    path = tmp_path / "app.db"
    with Runner(path, [Shop(world)], codec=codec(ONE)) as runner:
        until(runner.start(Shop, Order("book"), id="o-1"), "waiting")
        journal = SQLiteJournal(path)
        journal.put(MessageRecord(run="o-1", id="m", kind="event", name="Note", body=b'{"text":"plain"}', at=1))
        journal.close()
        becomes(lambda: runner.get("o-1").data.note == "plain")
