"""Applications in the German Credit format: what is read, what is refused, what is invented."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples.loan_desk_data import COLUMNS, PURPOSES, Application, DataFileError, generate, read, write

GOOD = "A11 6 A34 A43 1169 A65 A75 4 A93 A101 4 A121 67 A143 A152 2 A173 1 A192 A201 1"


def given_file(folder: Path, content: str) -> Path:
    """A file that holds this."""
    path = folder / "german.data"
    path.write_text(content, encoding="utf-8")
    return path


def test_the_real_file_is_read_whole(shared: Callable[[str], Path]) -> None:
    """A thousand applications, their sum and their classes are those that the file's README states."""
    applications = read(shared("data/german.data"))
    assert len(applications) == 1000
    assert sum(one.amount for one in applications) == 3_271_258
    assert Counter(one.good for one in applications) == {1: 700, 2: 300}


def test_a_line_becomes_an_application(tmp_path: Path) -> None:
    """Each column lands in its field, blank lines are passed over."""
    (one,) = read(given_file(tmp_path, f"\n{GOOD}\n\n"))
    assert (one.checking, one.months, one.purpose, one.amount) == ("A11", 6, "A43", 1169)
    assert (one.age, one.foreign_worker, one.good) == (67, "A201", 1)


def test_invented_applications_follow_from_their_seed() -> None:
    """The same seed gives the same, another seed gives others, and fewer are the first of more."""
    assert generate(50, 7) == generate(50, 7)
    assert generate(50, 7) != generate(50, 8)
    assert generate(10, 7) == generate(50, 7)[:10]


def test_invented_applications_have_the_shape_of_real_ones(shared: Callable[[str], Path]) -> None:
    """Quartiles of the numbers and shares of the codes are near those of the real file, and none lies outside."""
    real, invented = read(shared("data/german.data")), generate(2000, 7)
    for field in ("amount", "months", "age"):
        ours, theirs = ([getattr(one, field) for one in many] for many in (invented, real))
        assert min(theirs) <= min(ours) <= max(ours) <= max(theirs)
        for own, other in zip(statistics.quantiles(ours, n=4), statistics.quantiles(theirs, n=4), strict=True):
            assert own == pytest.approx(other, rel=0.12)
    for field in ("checking", "history", "purpose", "job"):
        mine, others = (Counter(getattr(one, field) for one in many) for many in (invented, real))
        for code, count in others.items():
            assert mine[code] / 2 == pytest.approx(count, abs=45)


@given(st.integers(1, 30), st.integers(0, 2**32))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_again(tmp_path: Path, count: int, seed: int) -> None:
    """Invented applications pass every rule of the reader and come back equal."""
    path, applications = tmp_path / "invented.data", generate(count, seed)
    write(path, applications)
    assert read(path) == applications
    assert {one.purpose for one in applications} <= PURPOSES.keys()


@given(st.integers(1, 4), st.integers(1, len(COLUMNS)), st.sampled_from(["", "A", "A00", "-1", "0", "1.5", "9999999"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_malformed_column_is_named_with_its_line(tmp_path: Path, line: int, column: int, wrong: str) -> None:
    """The message names file, line, column by number and by name, and the word."""
    lines: list[list[str]] = [list[str](GOOD.split()) for _ in range(4)]
    lines[line - 1][column - 1] = wrong
    path = given_file(tmp_path, "\n".join(" ".join(words) for words in lines))
    with pytest.raises(DataFileError) as raised:
        read(path)
    message = str(raised.value)
    assert message.startswith(f"{path}, line {line}")
    if wrong:
        assert f"line {line}, column {column} ({COLUMNS[column - 1].name}): {wrong!r} is " in message
    else:
        assert "has 20 columns, expected 21" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no application; expected lines of 21 columns separated by blanks"),
        (GOOD.replace(" ", ","), "line 1: has 1 columns, expected 21"),
        (f"{GOOD}\n{GOOD} 1\n", "line 2: has 22 columns, expected 21"),
        (f"{GOOD}\n\nA11 é\n", "line 3: holds a byte that is not ASCII"),
        (GOOD.replace("A43", "A430"), "line 1, column 4 (purpose): 'A430' is none of A40, A41, A42"),
        (GOOD.replace("1169", "11 69"), "line 1: has 22 columns"),
        (GOOD.replace(" 6 ", " ６ "), "line 1: holds a byte that is not ASCII"),
        (GOOD.replace("67", "17"), "line 1, column 13 (age in years): '17' is not a whole number from 18 to 100"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """Whatever is wrong is said in one sentence that names the place."""
    with pytest.raises(DataFileError) as raised:
        read(given_file(tmp_path, content))
    assert message in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message says which, and why."""
    with pytest.raises(DataFileError, match=r"nowhere\.data: cannot be read: No such file"):
        read(tmp_path / "nowhere.data")


def test_every_column_has_its_field() -> None:
    """The table of columns and the fields of an application are the same, in the same order."""
    assert len(COLUMNS) == len(attrs.fields(Application)) == 21
    assert all(column.codes or column.low <= column.high for column in COLUMNS)
