"""A journal made anew from a backup: checked, claimed once for a new epoch, on the disk before it has its name."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from persistence.errors import Damaged, Owned, Unsuitable
from persistence.records import Change
from persistence.sqlite.backup import copy, new_file
from persistence.sqlite.journal import SQLiteJournal
from persistence.sqlite.ownership import Ownership
from persistence.sqlite.trouble import Translated

_LEASE = 60.0


def restore(
    backup: str | os.PathLike[str], to: str | os.PathLike[str], change: Callable[[SQLiteJournal], Change]
) -> None:
    """Make a journal from a backup, which stays as it is.

    Args:
        backup: What `Journal.backup` has made, or any copy of a journal's file that is whole.
        to: Where to; there must be no such file, and no log of one.
        change: Says what is committed in it before anybody can open it.

    Raises:
        Unsuitable: There is something of that name.
        Owned: A process still owns what was there.
        Damaged, Foreign, NewerSchema: The backup is none that can be used; nothing was made.
    """
    source, target = Path(backup), Path(to)
    if not source.is_file():
        msg = f"There is no backup {str(source)!r}."
        raise Unsuitable(msg)
    _refuse_owned(target)
    with Translated(str(source)), new_file(target, source.stat().st_mode) as partial:
        with closing(_reading(source)) as own:
            _check(own, source)
            partial.unlink()
            copy(own, source.stat().st_mode, partial, None)
        with closing(SQLiteJournal(partial)) as journal:
            epoch = journal.claim(f"restore of {source.name}", _LEASE)
            for failure in journal.commit(epoch, [change(journal)]):
                if failure is not None:
                    raise failure
            journal.release(epoch)
        _refuse_log(partial)


def _refuse_owned(to: Path) -> None:
    ownership = Ownership(str(to), 0.0)
    try:
        owner = ownership.owner()
    finally:
        ownership.close()
    if owner is not None:
        msg = f"Journal {str(to)!r} is owned by {owner!r}, which still runs. Stop it first, and move its file away."
        raise Owned(msg)


def _reading(source: Path) -> sqlite3.Connection:
    """A connection that writes nothing, not even beside the file: it may lie where nobody may write."""
    log = source.with_name(source.name + "-wal")
    immutable = "" if log.exists() and log.stat().st_size else "&immutable=1"
    return sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro{immutable}", uri=True, isolation_level=None)


def _check(own: sqlite3.Connection, source: Path) -> None:
    (found,) = own.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        msg = f"Backup {str(source)!r} is damaged: {found}. Take an older one."
        raise Damaged(msg)
    if not own.execute("SELECT 1 FROM sqlite_master WHERE name = 'statemachine_owner'").fetchone():
        msg = f"{str(source)!r} is a database without a journal. Give a backup of one."
        raise Unsuitable(msg)


def _refuse_log(partial: Path) -> None:
    """What was committed must be in the file itself, for its log does not get the file's name."""
    log = partial.with_name(partial.name + "-wal")
    if log.exists() and log.stat().st_size:
        msg = f"{partial} could not be closed whole. Nothing was restored; try again."
        raise Unsuitable(msg)
