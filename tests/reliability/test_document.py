"""The document says what was gathered, and the command says so with its exit code."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.reliability import __main__ as command
from tests.reliability import sections
from tests.reliability.evidence import Row, Scale, Section
from tests.reliability.ledger import Ledger
from tests.reliability.table import document


class Planted:
    """A section with what a test gives it."""

    def __init__(self, *rows: Row) -> None:
        self.__name__ = "tests.planted"
        self._rows = rows

    def gather(self, scale: Scale, seed: int) -> Section:
        """See `Evidence`."""
        return Section(f"Planted, {scale}", seed, self._rows, 1.5)


def test_the_document_has_a_table_for_each_section() -> None:
    """Counts are summed, aligned and named; what stands in a cell cannot break the table."""
    section = Section("Kills", 7, (Row("a|b", 1200, 0), Row("c", 3, 1, "seed 7:\ntrial 2")), 61.4)
    lines = document([section], 7, date(2030, 1, 2)).splitlines()
    assert "| Trials   | 1,203 " in "\n".join(lines)
    assert lines[lines.index("## Kills") + 2 :] == [
        "| what     | tried | lost | note            |",
        "| -------- | ----: | ---: | --------------- |",
        "| a\\|b     | 1,200 |    0 |                 |",
        "| c        |     3 |    1 | seed 7: trial 2 |",
        "| *in all* | 1,203 |    1 | 61 s            |",
    ]


@pytest.mark.parametrize(("lost", "code"), [(0, 0), (1, 1)])
def test_the_command_writes_the_document_and_fails_when_something_was_lost(
    lost: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is printed is what is written; a slice, or one section alone, writes nothing."""
    monkeypatch.setattr(command, "SECTIONS", (Planted(Row("a", 5, lost)),))
    monkeypatch.setattr(command, "PLACE", tmp_path / "reliability.md")
    assert command.main(["--seed", "5", "--short"]) == code
    assert command.main(["--seed", "5", "planted"]) == code
    assert not (tmp_path / "reliability.md").exists()
    capsys.readouterr()
    assert command.main(["--seed", "5"]) == code
    assert capsys.readouterr().out == (tmp_path / "reliability.md").read_text(encoding="utf-8") + "\n"


def test_every_section_has_a_name_of_its_own() -> None:
    """A section is asked for by the name of its module."""
    names = [command.name_of(section) for section in sections.SECTIONS]
    assert len(names) == len(set(names))


def test_a_ledger_gives_back_what_was_noted(tmp_path: Path) -> None:
    """By its first word, from every process that wrote to the file."""
    first, second = Ledger(tmp_path / "ledger"), Ledger(tmp_path / "ledger")
    first.note("effect", "k-1")
    second.note("effect", "k-2")
    first.note("acknowledged", "start", "r")
    assert second.lines("effect") == [("k-1",), ("k-2",)]
    assert len(first.lines()) == 3
