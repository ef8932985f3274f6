"""Journals in SQLite files: `SQLiteJournal`, and what its users must know of the SQLite beneath."""

from persistence.sqlite.examine import examine
from persistence.sqlite.journal import SQLiteJournal
from persistence.sqlite.restoring import restore
from persistence.sqlite.wal import wal_reset_race

__all__ = ["SQLiteJournal", "examine", "restore", "wal_reset_race"]
