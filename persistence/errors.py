"""What a journal raises. `JournalError` is the base and never raised itself."""

from __future__ import annotations

import msgspec


class JournalError(Exception):
    """Base of all errors of a journal."""


class Owned(JournalError):
    """Another process (or another runner in this one) moves this journal's runs."""


class Fenced(JournalError):
    """Another owner has claimed the journal since; this one must stop."""


class Stale(JournalError):
    """The run is not where the change expected it."""


class CommitUnknown(JournalError):
    """A commit failed, and whether it happened can only be learned by reading."""


class Unwritable(JournalError):
    """The journal cannot be written now (disk full, read-only, I/O error); nothing was written."""


class Busy(JournalError):
    """Somebody else kept the database locked for longer than the busy timeout; nothing was written."""


class NoJournal(JournalError, FileNotFoundError):
    """There is no such file, and whoever opens it is to make none."""


class Foreign(JournalError):
    """The file is not a journal: another application's database, or not a database at all."""


class NewerSchema(JournalError):
    """The file was written by a later version of this package."""


class Unsuitable(JournalError):
    """The database cannot be used as a journal as it is (its journal mode, its file system, a missing feature)."""


class Damaged(JournalError):
    """The database is damaged, or a record in it is."""


class Sealed(JournalError, msgspec.DecodeError):
    """What was read is sealed with a key that was not given here."""


class Forked(JournalError):
    """The journal was opened before a fork and is used after it."""


class Closed(JournalError):
    """The journal is used after it was closed."""


class ConnectionGuarded(JournalError):
    """A transactional step tried to end or leave the transaction it runs in."""


class WrongConnection(JournalError):
    """What is put on the connection given would not be part of the application's transaction."""


class NotStorable(JournalError, TypeError):
    """A type or value that cannot be stored and read back equal."""


def fenced(name: str, epoch: int, current: int, owner: str) -> Fenced:
    """The error for an owner whose epoch is not, or no longer, the journal's."""
    if epoch == current:
        msg = f"Journal {name!r}: epoch {epoch} was given back. Claim the journal again before writing."
    else:
        said = f"Journal {name!r} was claimed by {owner!r} (epoch {current}) after this owner (epoch {epoch})."
        msg = f"{said} Nothing was written; this owner must stop."
    return Fenced(msg)
