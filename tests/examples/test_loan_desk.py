"""The whole demo as a customer starts it, the checks it makes, and that they find what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import attrs
import httpx
import msgspec
import pytest

from examples.loan_desk import main
from examples.loan_desk_checks import Check, Ending, examine
from examples.loan_desk_data import generate, write
from examples.loan_desk_memory import MEMORY, Entry, read_entries
from examples.loan_desk_report import JOURNAL
from examples.loan_desk_show import Progress, story, table
from statemachine.runner import Entry as JournalEntry
from tests.examples.serving import serving

ROOT = Path(__file__).parents[2]
CHECKS = 6


def demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it as `make demo` does."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "examples.loan_desk", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder and the output of a small day with two kills, on a file."""
    folder = tmp_path_factory.mktemp("demo")
    write(folder / "some.data", generate(36, 11))
    run = demo("--folder", str(folder / "day"), DATA=str(folder / "some.data"), KILLS="2", SEED="11")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "day", run.stdout


@pytest.mark.slow
def test_a_small_day_ends_well(day: tuple[Path, str]) -> None:
    """All applications end, both kills are survived, every check holds, and the sums add up."""
    _, output = day
    numbers = {words[0]: words[1] for line in output.splitlines() if len(words := line.split()) > 1}
    assert numbers["applications"] == "36"
    assert sum(int(numbers[how]) for how in ("paid", "declined", "undone")) == 36
    assert int(numbers["paid"]) > 0
    assert int(numbers["declined"]) > 0
    assert int(numbers["undone"]) > 0
    assert "kills survived          2" in output
    assert output.count("SIGKILL") == 2
    assert output.rstrip().endswith(f"serve --app examples.loan_desk:LoanDesk {day[0] / JOURNAL}")
    assert (output.count("✓"), output.count("✗")) == (CHECKS, 0)


@pytest.mark.slow
def test_the_command_that_it_names_opens_its_page(day: tuple[Path, str], tmp_path: Path) -> None:
    """The last line of the demo, as it stands there, shows the loans."""
    python, dash_m, module, *arguments = day[1].rstrip().rpartition("See the day: ")[2].split()
    assert (Path(python).resolve(), dash_m) == (Path(sys.executable).resolve(), "-m")
    with serving(module, tmp_path, *arguments) as server:
        assert "loan-desk" in httpx.get(server.url, follow_redirects=True).text


@pytest.mark.slow
def test_one_loans_story_is_told_in_ten_lines(day: tuple[Path, str]) -> None:
    """Its path, who approved and what was undone, between two blank lines."""
    _, output = day
    told = output.split("\n\n")[1].split("  loan-")[1].splitlines()
    assert 5 <= len(told) <= 10
    assert " marks for " in told[0]
    assert any(" → holding" in line for line in told)
    assert any("undone: hold" in line for line in told)
    assert "approved by " in told[-1]


@pytest.mark.slow
def test_a_day_can_be_checked_again(day: tuple[Path, str]) -> None:
    """What is on disk is enough."""
    folder, _ = day
    again = demo("--check", str(folder))
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("✓") == CHECKS


@pytest.mark.slow
def test_a_check_that_fails_makes_it_exit_non_zero(day: tuple[Path, str]) -> None:
    """A payment that the bank made twice, a hold that stayed: the bank's memory says so, and so does the demo."""
    folder, _ = day
    memory = folder / MEMORY
    before = memory.read_bytes()
    paid = next(entry for entry in read_entries(memory) if entry.op == "pay")
    twice = msgspec.structs.replace(paid, key="another")
    left = Entry(op="hold", loan=paid.loan, key="left", amount=1)
    try:
        memory.write_bytes(before + b"".join(msgspec.json.encode(entry) + b"\n" for entry in (twice, left)))
        again = demo("--check", str(folder))
    finally:
        memory.write_bytes(before)
    assert again.returncode == 1
    assert (
        f"{paid.loan} is paid, and the bank paid [{paid.amount}, {paid.amount}] instead of [{paid.amount}]"
        in again.stdout
    )
    assert f"{paid.loan} has 1 open hold" in again.stdout
    assert again.stdout.count("✗") == 3


def test_a_malformed_file_is_named_with_line_and_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is begun, and the exit status says so."""
    write(tmp_path / "bad.data", generate(3, 7))
    lines = (tmp_path / "bad.data").read_text().splitlines()
    lines[1] = lines[1].replace(lines[1].split()[0], "B11", 1)
    (tmp_path / "bad.data").write_text("\n".join(lines))
    assert main(["--data", str(tmp_path / "bad.data"), "--folder", str(tmp_path / "day")]) == 2
    said = capsys.readouterr()
    assert said.err.strip().endswith("line 2, column 1 (checking account): 'B11' is none of A11, A12, A13, A14")
    assert not (tmp_path / "day").exists()


@pytest.mark.parametrize("wrong", [["--applications", "0"], ["--kills", "-1"], ["--kills", "often"]])
def test_numbers_that_make_no_sense_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As any command does: usage, the reason, exit status 2."""
    with pytest.raises(SystemExit) as stopped:
        main(wrong)
    assert stopped.value.code == 2
    assert "usage: loan_desk" in capsys.readouterr().err


def test_only_the_folder_of_a_day_can_be_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder is named, and stays empty."""
    assert main(["--check", str(tmp_path)]) == 2
    assert f"{tmp_path} holds no {JOURNAL}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# The checks, each with what it must find.

ENDINGS = [
    Ending("a", 9_000, "paid", approved_by=("Ada", "Grace")),
    Ending("b", 500, "declined"),
    Ending("c", 700, "undone", approved_by=("Ada",)),
]
ENTRIES = [
    Entry(op="hold", loan="a", key="ha", amount=9_000, reference="H-1"),
    Entry(op="pay", loan="a", key="pa", amount=9_000, hold="ha", reference="P-2"),
    Entry(op="hold", loan="c", key="hc", amount=700, reference="H-3"),
    Entry(op="release", loan="c", key="rc", hold="hc", reference="R-4"),
]
LEDGER = [("a", 9_000, "P-2")]
HANDED_IN = ["a", "b", "c"]


def failing(
    endings: list[Ending] = ENDINGS,
    entries: list[Entry] = ENTRIES,
    ledger: list[tuple[str, int, str]] = LEDGER,
    handed_in: list[str] = HANDED_IN,
) -> list[str]:
    """The first words of the checks that fail, by their contradictions."""
    checks = examine(handed_in, endings, ledger, entries, four_eyes=5_000)
    assert len(checks) == CHECKS
    return [contradiction for check in checks for contradiction in check.against]


def test_a_good_day_is_not_contradicted() -> None:
    """The checks hold for what is right."""
    assert failing() == []


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        (ENTRIES[:1] + ENTRIES[2:], ["a is paid, and the bank paid nothing instead of [9000]", "a has 1 open hold"]),
        ([*ENTRIES, msgspec.structs.replace(ENTRIES[1], key="p2")], ["the bank paid [9000, 9000] instead of [9000]"]),
        (
            [*ENTRIES[:1], msgspec.structs.replace(ENTRIES[1], amount=9), *ENTRIES[2:]],
            ["the bank paid [9] instead of [9000]"],
        ),
        (ENTRIES[:3], ["c has 1 open hold"]),
        ([*ENTRIES, Entry(op="pay", loan="b", key="pb", amount=500)], ["b is declined, and the bank paid [500]"]),
        (
            [*ENTRIES, Entry(op="release", loan="a", key="ra", hold="ha")],
            ["a was paid by the bank, and its hold was rel"],
        ),
        (
            [*ENTRIES, Entry(op="hold", loan="z", key="hz")],
            ["z was handed in 0 times and has 0 runs", "z has 1 open hold"],
        ),
    ],
)
def test_the_banks_memory_contradicts(entries: list[Entry], found: list[str]) -> None:
    """What the bank did, and the desk does not know of, is found."""
    against = failing(entries=entries)
    for words in found:
        assert any(words in one for one in against), against


@pytest.mark.parametrize(
    ("endings", "found"),
    [
        ([*ENDINGS, ENDINGS[1]], "b was handed in 1 times and has 2 runs"),
        (ENDINGS[:2], "c was handed in 1 times and has 0 runs"),
        ([*ENDINGS[:2], attrs.evolve(ENDINGS[2], ends=2)], "c is undone and ended 2 times"),
        ([*ENDINGS[:2], attrs.evolve(ENDINGS[2], outcome="open", ends=0)], "c is open and ended 0 times"),
        (
            [attrs.evolve(ENDINGS[0], approved_by=("Ada", "Ada")), *ENDINGS[1:]],
            "a of 9,000 was approved by Ada and Ada",
        ),
        ([attrs.evolve(ENDINGS[0], approved_by=()), *ENDINGS[1:]], "a of 9,000 was approved by nobody"),
        ([attrs.evolve(ENDINGS[0], folds=False), *ENDINGS[1:]], "a"),
    ],
)
def test_the_journal_contradicts(endings: list[Ending], found: str) -> None:
    """A run that is missing, double, unended, ended twice, wrongly approved or unlike its journal is found."""
    assert failing(endings=endings) == [found]


@pytest.mark.parametrize(
    ("ledger", "found"),
    [
        ([], "a 9000 P-2 was booked 0 times and paid 1 times"),
        (LEDGER * 2, "a 9000 P-2 was booked 2 times and paid 1 times"),
    ],
)
def test_the_ledger_contradicts(ledger: list[tuple[str, int, str]], found: str) -> None:
    """What was booked twice, or not at all, is found."""
    assert failing(ledger=ledger) == [found]


def test_an_application_that_was_handed_in_twice_is_found() -> None:
    """The application's own row counts, too."""
    assert failing(handed_in=["a", "b", "c", "c"]) == ["c was handed in 2 times and has 1 runs"]


# What is shown.


class Terminal(StringIO):
    """Something that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_is_redrawn_on_a_terminal() -> None:
    """One line, drawn again in its place; news stands above it."""
    terminal = Terminal()
    progress = Progress(10, to=terminal)
    progress.show(5, "half")
    progress.say("a kill")
    progress.show(10, "all")
    progress.end()
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert drawn[1] == f"{'█' * 12}{'░' * 12}    5/10  half"
    assert drawn[2].endswith("a kill\n")
    assert drawn[3] == f"{'█' * 24}   10/10  all\n"


@pytest.mark.parametrize("columns", [20, 80, 132])
def test_a_bar_never_wraps(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fits on a narrow terminal, where a wrapped line could not be drawn again in its place."""
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal()
    Progress(1000, to=terminal).show(500, "paid 301  declined 172  undone 27  with clerks 31  kills 3/5")
    drawn = terminal.getvalue().removeprefix("\r\x1b[K")
    assert len(drawn) < columns
    assert drawn.startswith("█" * 3 + "░" * 3 if columns < 132 else "█" * 12 + "░" * 12)


def test_a_bar_is_a_line_each_tenth_elsewhere() -> None:
    """A log file gets eleven lines, however often the bar is shown."""
    log = StringIO()
    progress = Progress(200, to=log)
    for done in range(201):
        progress.show(done, "")
    progress.end()
    assert len(log.getvalue().splitlines()) == 11


def journal(*lines: tuple[str, str, dict[str, object]]) -> list[JournalEntry]:
    """Entries of these kinds, names and inputs, a second apart."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        JournalEntry(
            run="r",
            seq=number,
            at=began + timedelta(seconds=number),
            kind=kind,
            name=name,
            state=("somewhere",),
            event_id="",
            actor="Ada",
            reason=None,
            body=msgspec.json.encode({"input": said}),
        )
        for number, (kind, name, said) in enumerate(lines)
    ]


def test_attempts_share_a_line_of_the_story() -> None:
    """What failed and then went well is one line that counts; what failed for good is one, too."""
    failure = {"type": "TimeoutError"}
    told = story(
        "title",
        journal(
            ("start", "", {}),
            ("failed", "hold", {"visit": 1, "failure": failure}),
            ("timer", "", {}),
            ("succeeded", "hold", {"visit": 1, "changed": {"hold": "key", "payment": "P-1"}}),
            ("event", "Approve", {}),
            ("failed", "pay", {"visit": 2, "failure": failure}),
            ("failed", "pay", {"visit": 2, "failure": failure}),
            ("undo-failed", "", {"visit": 1, "failure": failure}),
            ("undone", "", {"visit": 1}),
        ),
        "last",
    )
    assert [told[0], *(line[10:].split(" → ")[0].strip() for line in told[1:-1]), told[-1]] == [
        "title",
        "hold: payment P-1 (attempt 2)",
        "Approve by Ada",
        "pay failed: TimeoutError (attempt 2)",
        "undone: hold (attempt 2)",
        "last",
    ]


def test_a_long_story_is_cut_in_the_middle() -> None:
    """Ten lines, and one of them says how many are left out."""
    told = story("title", journal(*(("event", f"E{number}", {}) for number in range(30))), "last")
    assert len(told) == 10
    assert "… 23 more lines …" in told[4]
    assert "E29" in told[-2]


def test_the_table_shows_what_contradicts_a_check() -> None:
    """Five contradictions at most, and how many more there are."""
    lines = table([("paid", 1234, "marks")], [Check("all is well", ()), Check("none is lost", tuple("abcdefg"))])
    assert lines[0] == "  paid                1,234   marks"
    assert lines[2:4] == ["  ✓ all is well", "  ✗ none is lost"]
    assert lines[-1].strip() == "and 2 more"
