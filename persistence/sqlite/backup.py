"""A copy of a journal's file while it is in use: whole, as of one moment, and on the disk before it has its name.

SQLite's own backup (https://www.sqlite.org/backup.html) reads on a connection that keeps one view open, so that it
never has to begin again, however much is committed meanwhile, and nobody waits for it. The log cannot begin anew until
it has ended.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from persistence.errors import Unsuitable, Unwritable
from persistence.sqlite import sql

Progress = Callable[[int, int], object]
"""Called with how many bytes are copied, and of how many."""
PAGES = 2048
"""Pages copied at once."""


def copy(source: Any, mode: int, to: Path, progress: Progress | None) -> None:
    """Copy the database of a connection of its own to a file that is not there yet.

    Raises:
        Unsuitable: There is something of that name.
        Unwritable: It cannot be written there.
    """
    with new_file(to, mode) as partial:
        if isinstance(source, sqlite3.Connection):
            _by_pages(source, partial, progress)
        else:  # another SQLite, whose connections copy in another way
            source.execute("VACUUM INTO ?", (str(partial),))


def _by_pages(source: sqlite3.Connection, partial: Path, progress: Progress | None) -> None:
    (page,) = source.execute("PRAGMA page_size").fetchone()

    def told(_status: int, left: int, total: int) -> None:
        if progress is not None:
            progress((total - left) * page, total * page)

    source.execute("BEGIN")
    source.execute(sql.EPOCH).fetchone()  # from here on it sees one view
    with closing(sqlite3.connect(partial, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous = OFF")  # it is synced once, as a whole
        source.backup(target, pages=PAGES, progress=told, sleep=0)
    source.execute("COMMIT")


@contextmanager
def new_file(to: Path, mode: int) -> Generator[Path]:
    """A file that gets its name when all of it is on the disk, and not at all if anything fails.

    Raises:
        Unsuitable: There is something of that name, or a log of what was there.
        Unwritable: It cannot be written there.
    """
    _refuse_to_overwrite(to)
    partial = to.with_name(f"{to.name}.{os.getpid()}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode & 0o777, exist_ok=False)
        partial.chmod(mode & 0o777)
        yield partial
        _sync(partial)
        os.link(partial, to)  # as a rename that overwrites nothing
        _sync(to.parent)
    except FileExistsError:
        _refuse_to_overwrite(to)
        raise
    except OSError as error:
        msg = f"{to} cannot be written: {error}. Nothing of that name was left; make room, or give another place."
        raise Unwritable(msg) from error
    finally:
        for suffix in ("", "-wal", "-shm", "-journal", ".owner"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def _refuse_to_overwrite(to: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        there = to.with_name(to.name + suffix)
        if there.exists():
            why = "" if suffix == "" else ", which SQLite would take for a part of it"
            msg = f"{there} is there already{why}. Nothing is overwritten: give another name, or move it away."
            raise Unsuitable(msg)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
