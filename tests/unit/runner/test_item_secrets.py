"""Items and what came of them, where a journal is sealed, and where a run is erased: nothing of them can be read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from persistence import Codec, ItemRecord, MemoryJournal, SealedCodec, SQLiteJournal
from statemachine import Runner, State, Workflow, evolve, step
from statemachine.inputs import Kill
from statemachine.runner.clock import SystemClock
from statemachine.runner.erasing import Erasing
from statemachine.runner.hosted import Workflows
from statemachine.runner.mover import Mover
from statemachine.runner.noting import Noting
from statemachine.runner.recording import NOBODY
from statemachine.runner.requests import Commanding, Starting
from tests.unit.runner.desk import becomes
from tests.unit.runner.fanning import Gathering, Keep, Load, Shelf, documents

SECRET = "the-name-of-a-patient"


def turned(raw: bytes) -> bytes:
    """A cipher for tests: each byte the other way round."""
    return bytes(255 - byte for byte in raw)


def found(path: Path) -> bool:
    """Whether the secret stands in the file or its log."""
    log = path.with_name(f"{path.name}-wal")
    return any(SECRET.encode() in file.read_bytes() for file in (path, log) if file.exists())


def test_a_sealed_journal_shows_no_item(tmp_path: Path) -> None:
    """Neither given nor failed, forward or back; and all of it is read with the key."""
    path = tmp_path / "app.db"

    def trouble(document: str, _attempt: int) -> None:
        if document != "plain":
            raise OSError(document)

    shelf = Shelf(trouble=trouble)
    with Runner(path, [Gathering(shelf)], codec=SealedCodec(turned, turned)) as runner:
        run = runner.start(Gathering, Load((SECRET, "plain")), id="r")
        becomes(lambda: run.look().progress != () and run.look().progress[0].again == 1)
        assert not found(path)
        journal = SQLiteJournal(path)
        assert len(journal.items("r", 1)) == 2
        journal.close()


def test_an_erased_run_leaves_no_item(tmp_path: Path) -> None:
    """What was given and what came of it leave the file."""
    path = tmp_path / "app.db"
    with Runner(path, [Gathering(Shelf())]) as runner:
        run = runner.start(Gathering, Load((SECRET,)), id="r")
        becomes(lambda: run.state == ("waiting",))
        run.send(Keep())
        run.result(timeout=10)
        assert found(path)
        runner.erase("r", reason="asked to")
        assert not found(path)
        assert run.look().progress == ()


def told(load: Load, results: Sequence[str]) -> Load:
    """What was read."""
    return evolve(load, letters="".join(results))


class Reading(Workflow[Load], name="reading"):
    gate: threading.Event
    begun: threading.Event
    read: threading.Event

    going = State(initial=True)
    over = State(final=True)

    @step(going, each=documents, to=over, into=told)
    def go(self, load: Load, document: str) -> str:
        self.begun.set()
        self.gate.wait(10)
        self.read.set()
        return document


def test_what_a_thread_makes_after_the_erasure_is_not_kept(tmp_path: Path) -> None:
    """The run was killed and erased while it still ran."""
    path = tmp_path / "app.db"
    gate, begun, read = threading.Event(), threading.Event(), threading.Event()
    with Runner(path, [Reading(gate, begun, read)]) as runner:
        run = runner.start(Reading, Load((SECRET,)), id="r")
        assert begun.wait(10)
        run.kill()
        runner.erase("r", reason="asked to")
        assert not found(path)
        gate.set()
        assert read.wait(10)
    assert not found(path)
    journal = SQLiteJournal(path)
    assert journal.items("r", 1) == []
    journal.close()


def test_what_comes_in_the_commit_of_the_erasure_waits_for_it() -> None:
    """And then is not kept."""
    journal, gate = MemoryJournal(), threading.Event()
    mover = Mover(journal, Workflows([Reading(gate, gate, gate)], codec=Codec(), limit=99, verify=True), SystemClock())
    mover.epoch = journal.claim("test", 60)
    mover.move([Starting("r", mover.workflows.named("reading"), Load((SECRET,)), {})])
    mover.move([Commanding("r", Kill(), NOBODY)])
    late = Noting(run="r", visit=1, items=(ItemRecord(run="r", visit=1, number=0, state="done", at=0, body=b"1"),))
    erased, noted = mover.move([Erasing("r"), late])
    assert (erased.error, noted.again) == (None, True)
    (noted,) = mover.move([late])
    assert noted.answer is False
    assert journal.items("r", 1) == []
