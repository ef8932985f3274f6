"""Loan applications in the UCI "German Credit" format: read from a file, or generated in the same shape from a seed.

The format: one application a line, 21 columns separated by blanks, no header. Coded columns (`A11` ...) mean what the
description of the repository says (H. Hofmann, Statlog German Credit Data, DOI 10.24432/C5NC77). Amounts are in marks.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import attrs
import msgspec


@attrs.frozen
class Application:
    """One line of the file, its columns in their order."""

    checking: str
    months: int
    history: str
    purpose: str
    amount: int
    savings: str
    employment: str
    instalment_rate: int
    status: str
    guarantor: str
    residence_since: int
    property: str
    age: int
    other_plans: str
    housing: str
    credits: int
    job: str
    dependants: int
    telephone: str
    foreign_worker: str
    good: int
    """1: was paid back, 2: was not. Known afterwards, so nobody who decides may look at it."""


@attrs.frozen
class Column:
    """What one column may hold: one of `codes`, or a whole number from `low` to `high`.

    `codes` has how many of 1,000 real applications bear each, `quarters` the least, the quartiles and the greatest of
    the real numbers: what is generated has their shape.
    """

    name: str
    codes: dict[str, int] = attrs.field(factory=dict[str, int])
    low: int = 1
    high: int = 0
    quarters: tuple[int, int, int, int, int] = (1, 1, 1, 1, 1)

    def read(self, text: str) -> str | int:
        """The value that the text stands for.

        Raises:
            ValueError: It is not one that this column may hold.
        """
        if self.codes:
            if text not in self.codes:
                message = f"{text!r} is none of {', '.join(self.codes)}"
                raise ValueError(message)
            return text
        if not (text.isascii() and text.isdigit()) or not self.low <= int(text) <= self.high:
            message = f"{text!r} is not a whole number from {self.low:,} to {self.high:,}"
            raise ValueError(message)
        return int(text)

    def draw(self, chance: random.Random) -> str | int:
        """A value by chance, as often as in the real file."""
        if self.codes:
            return chance.choices(list(self.codes), list(self.codes.values()))[0]
        quarter = chance.randrange(4)
        least, most = self.quarters[quarter : quarter + 2]
        return round(least + (most - least) * chance.random() ** 2)


COLUMNS = (
    Column("checking account", {"A11": 274, "A12": 269, "A13": 63, "A14": 394}),
    Column("duration in months", high=120, quarters=(4, 12, 18, 24, 72)),
    Column("credit history", {"A30": 40, "A31": 49, "A32": 530, "A33": 88, "A34": 293}),
    Column(
        "purpose",
        {
            "A40": 234,
            "A41": 103,
            "A42": 181,
            "A43": 280,
            "A44": 12,
            "A45": 22,
            "A46": 50,
            "A47": 0,
            "A48": 9,
            "A49": 97,
            "A410": 12,
        },
    ),
    Column("amount", high=1_000_000, quarters=(250, 1_366, 2_320, 3_972, 18_424)),
    Column("savings", {"A61": 603, "A62": 103, "A63": 63, "A64": 48, "A65": 183}),
    Column("employment since", {"A71": 62, "A72": 172, "A73": 339, "A74": 174, "A75": 253}),
    Column("instalment rate", high=4, quarters=(1, 2, 3, 4, 4)),
    Column("personal status", {"A91": 50, "A92": 310, "A93": 548, "A94": 92, "A95": 0}),
    Column("other debtors", {"A101": 907, "A102": 41, "A103": 52}),
    Column("residence since", high=4, quarters=(1, 2, 3, 4, 4)),
    Column("property", {"A121": 282, "A122": 232, "A123": 332, "A124": 154}),
    Column("age in years", low=18, high=100, quarters=(19, 27, 33, 42, 75)),
    Column("other instalment plans", {"A141": 139, "A142": 47, "A143": 814}),
    Column("housing", {"A151": 179, "A152": 713, "A153": 108}),
    Column("number of credits", high=9, quarters=(1, 1, 1, 2, 4)),
    Column("job", {"A171": 22, "A172": 200, "A173": 630, "A174": 148}),
    Column("people liable for", high=9, quarters=(1, 1, 1, 1, 2)),
    Column("telephone", {"A191": 596, "A192": 404}),
    Column("foreign worker", {"A201": 963, "A202": 37}),
    Column("class", high=2, quarters=(1, 1, 1, 2, 2)),
)

NAMES = tuple(field.name for field in attrs.fields(Application))

PURPOSES = {
    "A40": "a new car",
    "A41": "a used car",
    "A42": "furniture",
    "A43": "radio and television",
    "A44": "household appliances",
    "A45": "repairs",
    "A46": "education",
    "A47": "a holiday",
    "A48": "retraining",
    "A49": "business",
    "A410": "other things",
}


class DataFileError(Exception):
    """A file is not in the format. The message names file, line and column."""


def read(path: Path) -> list[Application]:
    """All applications of a file, in its order. Blank lines are passed over.

    Raises:
        DataFileError: The file cannot be read, is empty, or a line is malformed; nothing of it is used then.
    """
    try:
        text = path.read_text(encoding="ascii")
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise DataFileError(message) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"{path}, line {line}: holds a byte that is not ASCII; is this a German Credit file?"
        raise DataFileError(message) from error
    applications = list(_parse(path, text))
    if not applications:
        message = f"{path}: holds no application; expected lines of {len(COLUMNS)} columns separated by blanks"
        raise DataFileError(message)
    return applications


def _parse(path: Path, text: str) -> Iterator[Application]:
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != len(COLUMNS):
            message = f"{path}, line {number}: has {len(words)} columns, expected {len(COLUMNS)} separated by blanks"
            raise DataFileError(message)
        values: list[str | int] = []
        for place, (column, word) in enumerate(zip(COLUMNS, words, strict=True), start=1):
            try:
                values.append(column.read(word))
            except ValueError as error:
                message = f"{path}, line {number}, column {place} ({column.name}): {error}"
                raise DataFileError(message) from error
        yield _application(values)


def _application(values: list[str | int]) -> Application:
    return msgspec.convert(dict(zip(NAMES, values, strict=True)), Application)


def generate(count: int, seed: int) -> list[Application]:
    """Invented applications, the same for the same seed."""
    chance = random.Random(seed)
    return [_application([column.draw(chance) for column in COLUMNS]) for _ in range(count)]


def write(path: Path, applications: list[Application]) -> None:
    """Write a file that `read` gives back."""
    lines = (" ".join(str(value) for value in attrs.astuple(one)) for one in applications)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
