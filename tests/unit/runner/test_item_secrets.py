"""Items and what came of them, where a journal is sealed, and where a run is erased: nothing of them can be read."""

from __future__ import annotations

from pathlib import Path

from persistence import SealedCodec, SQLiteJournal
from statemachine import Runner
from tests.unit.runner.desk import becomes
from tests.unit.runner.fanning import Gathering, Keep, Load, Shelf

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
