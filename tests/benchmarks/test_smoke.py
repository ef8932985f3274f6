"""Our side of each benchmark works, on little work; nothing here is timed, and no peer is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.families import FAMILIES
from tests.benchmarks.ours.__main__ import MEASURES
from tests.benchmarks.ours.where import WORK, where
from tests.benchmarks.report import Measured, section
from tests.benchmarks.rows import Family, Row, Size, at_least, at_most, spread
from tests.benchmarks.turns import OURS, Answers, Broken, Call, Sample

QUICK = [family(Size(quick=True)) for family in FAMILIES]


def mine(family: Family) -> dict[str, Call]:
    """The measures of a family that need no peer."""
    return {name: call for name, call in family.calls.items() if call.command == OURS}


@pytest.mark.parametrize("family", [one for one in QUICK if mine(one)], ids=lambda family: family.name)
def test_our_side_of_a_family_gives_its_figures(family: Family, tmp_path: Path) -> None:
    """Each measure of ours ends well, having checked that the work it timed was done, and finds positive figures."""
    files: dict[str, str] = {}

    def here(call: Call) -> Call:
        made = call.asked.get("made")
        if made is None:
            return call
        return Call(call.command, {**call.asked, "made": files.setdefault(made, str(tmp_path / Path(made).name))})

    for call in family.made.values():
        here(call).run(tmp_path)
    for number, (name, call) in enumerate(mine(family).items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        figures = [value for value in here(call).run(folder).values() if isinstance(value, int | float)]
        assert figures, name
        assert min(figures) >= 0, name


def test_every_measure_belongs_to_a_family() -> None:
    """What can be asked of our side is asked by a row, or makes what one needs."""
    calls = [call for family in QUICK for call in (*family.calls.values(), *family.made.values())]
    asked = {call.asked["measure"] for call in calls if call.command == OURS}
    assert set(MEASURES) - asked <= {"commit", "cut log", "where"}


def test_a_family_has_a_line_for_each_row_and_says_what_was_not_reached() -> None:
    """A row that misses its floor is shown like the others, in bold."""
    answers = Answers({"ours": [{"rate": 1.0}, {"rate": 3.0}], "theirs": [{"rate": 2.0}, {"rate": 2.0}]})

    def rows(found: Answers) -> list[Row]:
        ratio = found.of("ours", "rate").over(found.of("theirs", "rate"))
        return [
            Row("fast", "1", "theirs", "2", **at_least(ratio, 2, 3)),
            Row("small", "1", "theirs", "2", **at_most(ratio, 1.5)),
        ]

    text = section(Measured(Family(name="f", title="T", note="How.", calls={}, rows=rows), answers))
    assert "| 1.00 × (0.50–1.50) | ≥ 2 ×, aim 3 × | **not reached** |" in text
    assert "| 1.00 × (0.50–1.50) | ≤ 1.5 × | reached |" in text


@pytest.mark.parametrize(("value", "said"), [(2.9, "**not reached**"), (3.0, "floor reached"), (6.0, "aim reached")])
def test_a_ratio_is_held_to_floor_and_aim(value: float, said: str) -> None:
    """The median decides, and the bound itself is enough."""
    assert at_least(Sample((value,)), 3, 6)["reached"] == said


def test_a_measure_that_fails_says_why(tmp_path: Path) -> None:
    """No figure is made up for it."""
    with pytest.raises(Broken, match="KeyError"):
        Call(OURS, {"measure": "unheard of"}).run(tmp_path)


def test_rows_without_a_peer_say_so_and_the_others_stand() -> None:
    """One peer that fails costs its own rows alone, and the reason is told below the table."""
    answers = Answers({"ours": [{"rate": 1.0}], "theirs": []}, {"theirs": "it ended with 1: no room"})

    def rows(found: Answers) -> list[Row]:
        ours, theirs = found.of("ours", "rate"), found.of("theirs", "rate")
        return [Row("fast", spread(ours), "theirs", spread(theirs), **at_least(ours.over(theirs), 2))]

    text = section(Measured(Family(name="f", title="T", note="How.", calls={}, rows=rows), answers))
    assert "| fast | 1.00 | theirs | not measured | not measured | ≥ 2 × | **not measured** |" in text
    assert "theirs was not measured: it ended with 1: no room" in text


@pytest.mark.parametrize("work", sorted(WORK))
def test_a_profile_says_where_the_time_goes(work: str, tmp_path: Path) -> None:
    """The parts are the journal's, the core's, the runner's."""
    parts = where({"work": work, "times": 2, "folder": str(tmp_path)})["parts"]
    assert {"SQLite and the disk", "pure core", "runner: batches, attempts, records"} <= parts.keys()
