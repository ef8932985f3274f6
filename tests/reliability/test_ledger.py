"""The ledger keeps whole lines, and a line that a kill has torn is no line."""

from __future__ import annotations

from pathlib import Path

from tests.reliability.ledger import Ledger


def test_lines_come_back_and_torn_ones_do_not(tmp_path: Path) -> None:
    """What was never acknowledged to its writer is not read, and spoils nothing that follows."""
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    ledger.note("acknowledged", "start", "a")
    with path.open("ab") as torn:
        torn.write(b"\nacknowledged start ab")
    ledger.note("executed", "k")
    ledger.close()
    assert Ledger(path).lines() == [("acknowledged", "start", "a"), ("executed", "k")]
    assert Ledger(path).lines("executed") == [("k",)]
