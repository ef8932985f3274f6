"""What a journal raises. `JournalError` is the base and never raised itself."""

from __future__ import annotations


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


class Foreign(JournalError):
    """The file is not a journal: another application's database, or not a database at all."""


class NewerSchema(JournalError):
    """The file was written by a later version of this package."""


class Unsuitable(JournalError):
    """The database cannot be used as a journal as it is (its journal mode, its file system, a missing feature)."""


class Damaged(JournalError):
    """The database is damaged, or a record in it is."""


class Forked(JournalError):
    """The journal was opened before a fork and is used after it."""


class Closed(JournalError):
    """The journal is used after it was closed."""


class ConnectionGuarded(JournalError):
    """A transactional step tried to end or leave the transaction it runs in."""


class NotStorable(JournalError, TypeError):
    """A type or value that cannot be stored and read back equal."""
