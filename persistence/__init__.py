"""How a journal of runs is kept: the `Journal` protocol, its records, a codec, and journals in SQLite and in memory."""

from persistence.codec import Codec
from persistence.errors import (
    Busy,
    Closed,
    CommitUnknown,
    ConnectionGuarded,
    Damaged,
    Fenced,
    Foreign,
    Forked,
    JournalError,
    NewerSchema,
    NotStorable,
    Owned,
    Stale,
    Unsuitable,
    Unwritable,
)
from persistence.journal import Journal, Work
from persistence.memory import MemoryJournal
from persistence.records import (
    AnswerRecord,
    AttemptRecord,
    Change,
    EntryRecord,
    LiveGroup,
    MessageRecord,
    Pruned,
    Query,
    RunRecord,
    SeenRecord,
)
from persistence.sqlite import SQLiteJournal, wal_reset_race

__all__ = [
    "AnswerRecord",
    "AttemptRecord",
    "Busy",
    "Change",
    "Closed",
    "Codec",
    "CommitUnknown",
    "ConnectionGuarded",
    "Damaged",
    "EntryRecord",
    "Fenced",
    "Foreign",
    "Forked",
    "Journal",
    "JournalError",
    "LiveGroup",
    "MemoryJournal",
    "MessageRecord",
    "NewerSchema",
    "NotStorable",
    "Owned",
    "Pruned",
    "Query",
    "RunRecord",
    "SQLiteJournal",
    "SeenRecord",
    "Stale",
    "Unsuitable",
    "Unwritable",
    "Work",
    "wal_reset_race",
]
