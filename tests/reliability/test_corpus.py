"""There is a journal of every schema version, as it wrote it, and the command that writes one works."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from persistence.sqlite.sql import MIGRATIONS
from tests.reliability.corpus.__main__ import main
from tests.reliability.old_files import corpus, moved, restore

SCHEMA = Path(__file__).parents[1] / "contract" / "schema.sql"
PUBLISHED_WITHOUT = ("m001_tables",)
"""Migrations after which no version ever stopped."""


def test_every_schema_has_a_file() -> None:
    """A new migration needs the dump of a journal that it made: `python -m tests.reliability.corpus`."""
    assert [dump.stem for dump in corpus()] == [name for name in MIGRATIONS if name not in PUBLISHED_WITHOUT]


def test_the_newest_file_has_the_present_schema(tmp_path: Path) -> None:
    """A migration that was changed after its dump was written is a mistake, or an unpublished one: write it anew."""
    restore(corpus()[-1], tmp_path / "app.db")
    statement = "SELECT sql FROM sqlite_master WHERE name LIKE 'statemachine%' AND sql IS NOT NULL ORDER BY name"
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        found = [text for (text,) in connection.execute(statement)]
    assert ";\n\n".join(found) + ";\n" == SCHEMA.read_text(encoding="utf-8")


def test_a_file_is_written_by_the_command(tmp_path: Path) -> None:
    """And what it wrote is a journal whose runs go on."""
    written = main(tmp_path)
    assert written.name == corpus()[-1].name
    restore(written, tmp_path / "app.db")
    assert moved(tmp_path / "app.db") == []
