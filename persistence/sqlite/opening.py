"""Before a file is used as a journal: is it one, may it become one, is its schema the one this package knows?"""

from __future__ import annotations

import importlib
import os
import sqlite3
import sys
import time
from pathlib import Path

from persistence.errors import Busy, Damaged, Foreign, NewerSchema, Unsuitable
from persistence.sqlite.connection import Opener
from persistence.sqlite.sql import MIGRATION_SET, MIGRATIONS
from persistence.sqlite.trouble import Translated

OLDEST = (3, 35, 0)
"""The oldest SQLite that has all the SQL used here."""

NETWORK = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "fuse.sshfs"))
"""Names of Linux file systems whose locks and shared memory SQLite's WAL mode cannot trust (https://www.sqlite.org/wal.html)."""


def prepare(opener: Opener, *, adopt: bool) -> tuple[int, ...]:
    """Make sure that the file is a journal with the schema of this package, creating or migrating it where it may.

    Returns:
        The version of the SQLite beneath.

    Raises:
        Foreign: It has tables, none of them a journal's, and `adopt` is False; or it is no SQLite database.
        NewerSchema: A later version of this package made it.
        Damaged: It was cut inside a page.
        Unsuitable: It cannot be kept in WAL mode, or lies on a network file system.
    """
    check_place(opener.path)
    with Translated(opener.path):
        connection = opener.open()
        try:
            version = sqlite_version(connection)
            _check_version(opener.path, version)
            _check_whole(connection, opener.path)
            missing = _missing(connection, opener.path, adopt=adopt)
            _use_wal(connection, opener)
            if missing:
                migrate(connection)
        finally:
            connection.close()
    return version


def sqlite_version(connection: sqlite3.Connection) -> tuple[int, ...]:
    """The SQLite under this connection, which need not be the one that Python's own module links."""
    (version,) = connection.execute("SELECT sqlite_version()").fetchone()
    return tuple(int(part) for part in version.split("."))


def _check_version(path: str, version: tuple[int, ...]) -> None:
    if version < OLDEST:
        found, needed = (".".join(map(str, parts)) for parts in (version, OLDEST))
        msg = f"Journal {path!r} needs SQLite {needed} or later, and this Python has {found}."
        raise Unsuitable(msg)


def _check_whole(connection: sqlite3.Connection, path: str) -> None:
    """Refuse a file that ends inside a page: SQLite reads the rest of it as zeros, and says nothing.

    One of no bytes is an empty database, and may become a journal. What a log or a journal beside the file may still
    complete is SQLite's to judge. The file is only asked for its size: to open and close it would drop SQLite's locks.
    """
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    beside = (f"{path}-wal", f"{path}-journal")
    size = _size(path)
    if size % page and not any(map(_size, beside)) and _size(path) == size:
        msg = (
            f"{path!r} is {size:,} bytes long, which is no whole number of its pages of {page:,} bytes: it was cut "
            "short. Nothing was written to it. Restore it from a copy."
        )
        raise Damaged(msg)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a path as SQLite takes it
    except OSError:
        return 0


def check_place(path: str) -> None:
    """Refuse a place where a journal cannot be safe, as far as that can be seen cheaply (on Linux.

    The kind of file system).
    """
    if path == ":memory:" or not path:
        msg = "A journal in a file needs a path. For one in memory use MemoryJournal."
        raise Unsuitable(msg)
    kind = file_system(os.path.realpath(path), Path("/proc/self/mountinfo")) if sys.platform == "linux" else ""
    if kind in NETWORK:
        msg = (
            f"Journal {path!r} lies on a network file system ({kind}), where SQLite's locks cannot be trusted. "
            "Keep it on a local disk, on the one machine whose processes use it."
        )
        raise Unsuitable(msg)


def file_system(path: str, mounts: Path) -> str:
    """The kind of file system that a path lies on, from a table like /proc/self/mountinfo.

    Empty when it does not say.
    """
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = before.split()[4].encode().decode("unicode_escape")
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, after.split()[0]
    return kind


def _missing(connection: sqlite3.Connection, path: str, *, adopt: bool) -> bool:
    """Whether migrations are still to be applied. Writes nothing."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    applied: set[str] = set()
    if "_sqlite_migrations" in tables:
        rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (MIGRATION_SET,))
        applied = {name for (name,) in rows}
    unknown = applied.difference(MIGRATIONS)
    if unknown:
        msg = (
            f"Journal {path!r} was written by a later version of this package: it has {', '.join(sorted(unknown))}. "
            "Upgrade durable-statemachine; an older one must not touch the file."
        )
        raise NewerSchema(msg)
    ours = sorted(name for name in tables if name.startswith("statemachine_"))
    if ours and not applied:
        said = f"{path!r} has tables named like a journal's ({', '.join(ours[:5])}) that no migration made."
        msg = f"{said} Rename them, or keep the journal in another file."
        raise Foreign(msg)
    others = sorted(name for name in tables if not name.startswith("sqlite_"))
    if others and not applied and not adopt:
        msg = (
            f"{path!r} is a database with tables of its own ({', '.join(others[:5])}) and no journal. "
            "To keep a journal beside them give SQLiteJournal(path, adopt=True): the file is put into WAL mode, your "
            "tables stay as they are."
        )
        raise Foreign(msg)
    return applied != set(MIGRATIONS)


def _use_wal(connection: sqlite3.Connection, opener: Opener) -> None:
    """SQLite does not wait for locks here as it does elsewhere, so this does."""
    deadline = time.monotonic() + opener.busy_timeout
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() > deadline:
                msg = f"Journal {opener.path!r} cannot be put into WAL mode while others use the file. Stop them once."
                raise Busy(msg) from error
            time.sleep(0.01)
            continue
        if mode != "wal":
            msg = f"Journal {opener.path!r} cannot be put into WAL mode (it stays in {mode!r} mode), which it needs."
            raise Unsuitable(msg)
        return


def migrate(connection: sqlite3.Connection) -> None:
    """Apply what is missing, in one transaction.

    Two processes that open a new file at once do it one after the other.
    """
    schema = importlib.import_module("persistence.sqlite.schema")
    connection.execute("BEGIN IMMEDIATE")
    try:
        schema.apply(connection)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
