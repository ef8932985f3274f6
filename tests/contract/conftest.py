"""What the tests of journals share: the shipped suite fails as a test does, and a journal in a file of its own."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from persistence import SQLiteJournal

pytest.register_assert_rewrite("persistence.contract")


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture(name="journal")
def _journal(path: Path) -> Iterator[SQLiteJournal]:
    with closing(SQLiteJournal(path, synchronous="NORMAL")) as journal:
        yield journal
