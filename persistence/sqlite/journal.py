"""`SQLiteJournal`: the Journal protocol over one SQLite file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from persistence.errors import CommitUnknown, JournalError, NoJournal, fenced
from persistence.journal import Work
from persistence.records import Change, LiveGroup, MessageRecord, Pruned
from persistence.sqlite import application, erasing, reading, sql
from persistence.sqlite.backup import Progress, copy
from persistence.sqlite.connection import Connect, Opener, Pool, Synchronous, begin
from persistence.sqlite.forking import Birth
from persistence.sqlite.guarded import GuardedConnection
from persistence.sqlite.opening import prepare
from persistence.sqlite.ownership import Ownership
from persistence.sqlite.reader import Reader
from persistence.sqlite.trouble import Translated
from persistence.sqlite.wal import LONG, checkpoint, log_length
from persistence.sqlite.writing import Writer

LOOK_EVERY = 200
"""Changes between two looks at the length of the write-ahead log; each writes some three pages to it."""


class SQLiteJournal(Reader):
    """A journal in an SQLite file on a local disk; the application's own file is welcome.

    Args:
        path: The database. Made if it is not there; its folder must be.
        connect: Opens a connection to a path: `sqlite3.connect` by default, or another SQLite's of the same shape,
            whose errors are sqlite3's with `sqlite_errorcode` set (threads may share what it gives:
            `check_same_thread=False`).
        synchronous: FULL: a commit survives power loss. NORMAL: faster, and the last commits may be lost with power,
            though not with the
            process.
        busy_timeout: Seconds to wait while others write.
        make: False: refuse a file that is not there, instead of making it.
        adopt: Keep the journal in a database that has tables of its own and no journal yet.

    Raises:
        NoJournal: The file is not there, and `make` is False.
        Foreign: The file has other tables and `adopt` is False, or it is no database.
        NewerSchema: A later version of this package made it.
        Unsuitable: It cannot be a journal where or as it is.
        Forked: It was open in the parent when this process was made by fork.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        connect: Connect | None = None,
        synchronous: Synchronous = "FULL",
        busy_timeout: float = 5.0,
        make: bool = True,
        adopt: bool = False,
    ) -> None:
        self._path = os.fspath(path)
        if not make and not Path(self._path).exists():
            msg = (
                f"There is no file {self._path!r}, and a client makes none. Look at the path; or start the application "
                "that owns it first, whose runner makes it."
            )
            raise NoJournal(msg)
        self._log = Path(f"{os.path.realpath(self._path)}-wal")
        self._opener = Opener(self._path, connect, synchronous, busy_timeout)
        self._birth = Birth(self._path, self._connections)
        self._readers = Pool(self._opener, patient=True)
        self._senders = Pool(self._opener, patient=False)
        self._ownership = Ownership(self._path, busy_timeout)
        self._writing = threading.RLock()
        self._writer: Writer | None = None
        self._second: sqlite3.Connection | None = None
        self._watch: sqlite3.Connection | None = None
        self._pulse = 0
        self._heard: tuple[int, int] = (0, 0)
        self._since_look = 0
        self._cut_in = self._cut_pause = 1
        """Commits until what was erased is tried to be cut off, and how many it was the last time."""
        try:
            self.sqlite_version = prepare(self._opener, adopt=adopt)
            """The SQLite beneath, as `wal_reset_race` asks for it."""
        except BaseException:
            self._birth.end()
            raise

    @property
    def name(self) -> str:
        """The path, as it was given."""
        return self._path

    def _connections(self) -> Iterator[sqlite3.Connection]:
        """All that are open, for a child that must not close them."""
        yield from self._readers.every()
        yield from self._senders.every()
        if self._writer is not None:
            yield self._writer.connection
        for connection in (self._second, self._watch):
            if connection is not None:
                yield connection

    # ------------------------------------------------------------------------------------------------------ the owner

    def claim(self, owner: str, lease: float) -> int:
        """See `Journal.claim`. The lock is on `<path>.owner`; see `persistence.sqlite.ownership`."""
        with self._alone(), Translated(self._path):
            connection = self._opener.open(patient=False)
            try:
                epoch = self._ownership.claim(connection, owner, lease)
            except BaseException:
                connection.close()
                raise
            self._drop_writer()
            self._writer = Writer(connection, self._path, self._opener.busy_timeout)
            return epoch

    def renew(self, epoch: int) -> None:
        """See `Journal.renew`. Writes to the lock's file; to the database only while its log has what was erased."""
        with self._alone():
            with self._readers.connection() as connection:
                self._ownership.renew(connection, epoch)
            if self._writer is not None and self._writer.erased:
                self._cut_in = 0
                self._cut(self._writer)

    def release(self, epoch: int) -> None:
        """See `Journal.release`."""
        with self._alone():
            self._ownership.release(epoch)
            if not self._ownership.held:
                self._drop_writer()

    def owner(self) -> str | None:
        """See `Journal.owner`."""
        with self._alone():
            return self._ownership.owner()

    @contextmanager
    def _alone(self) -> Generator[None]:
        """One thread at a time, in the process that opened the journal."""
        self._birth.check()
        with self._writing:
            yield

    def _owning(self, epoch: int) -> Writer:
        if self._writer is None:
            with self._readers.connection() as connection:
                current, owner = connection.execute(sql.EPOCH).fetchone()
            raise fenced(self._path, epoch, current, owner)
        return self._writer

    def _drop_writer(self) -> None:
        if self._second is not None:
            self._second.close()
            self._second = None
        if self._writer is not None:
            self._writer.connection.close()
            self._writer = None

    # ----------------------------------------------------------------------------------------------------- committing

    def commit(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        """See `Journal.commit`. A `Work` gets a `GuardedConnection`.

        It is called a second time if another's statement voids the batch.
        """
        self._birth.check()
        with self._writing:  # as `_alone`, without the cost of a generator in each commit
            self._since_look += len(changes)
            writer = self._owning(epoch)
            erased = writer.erased
            failures = writer.commit(epoch, changes)
            if writer.erased != erased:  # it is to be gone when it is acknowledged
                self._cut_in, self._cut_pause = 0, 1
                self._cut(writer, erasing.PATIENCE)
            return failures

    def hold(self, epoch: int, group: LiveGroup, reason: str) -> None:
        """See `Journal.hold`."""
        with self._alone():
            self._owning(epoch).hold(epoch, group, reason)

    def prune(self, epoch: int, before: int, remember: int, *, dry: bool) -> Pruned:
        """See `Journal.prune`. What was removed leaves the files, too, as soon as nobody reads a view from before."""
        with self._alone():
            self._since_look = LOOK_EVERY
            writer = self._owning(epoch)
            pruned = writer.prune(epoch, before, remember, dry=dry)
            writer.erased += not dry
            return pruned

    def size(self) -> tuple[int, int]:
        """See `Journal.size`."""
        return Path(self._path).stat().st_size, log_length(self._log)

    def backup(self, to: Path, progress: Progress | None = None) -> None:
        """See `Journal.backup`. Nobody waits for it; the write-ahead log grows until it has ended."""
        self._birth.check()
        with Translated(self._path), closing(self._opener.open()) as own:
            copy(own, Path(self._path).stat().st_mode, to, progress)

    def tidy(self, epoch: int) -> None:
        """See `Journal.tidy`: a checkpoint when the write-ahead log has grown past 4 MiB."""
        with self._alone():
            writer = self._owning(epoch)
            if writer.erased:
                self._cut(writer)
            if self._since_look < LOOK_EVERY:
                return
            self._since_look = 0
            if log_length(self._log) > LONG:
                self._checkpoint(writer)

    def _checkpoint(self, writer: Writer) -> bool:
        with Translated(self._path):
            if self._second is None:
                self._second = self._opener.open()
            return checkpoint(writer.connection, self._second, self._opener.busy_timeout)

    def _cut(self, writer: Writer, wait: float = 0.0) -> None:
        """Have what was erased leave the files; where that cannot be yet, it is tried again, ever more seldom."""
        self._cut_in -= 1
        if self._cut_in > 0:
            return
        with suppress(JournalError, sqlite3.Error, OSError):  # it is committed: whatever this meets changes nothing
            if erasing.cut(writer, self._log, lambda: self._checkpoint(writer), wait):
                writer.erased = 0
        self._cut_in = self._cut_pause
        self._cut_pause = min(self._cut_pause * 2, LOOK_EVERY) if writer.erased else 1

    # -------------------------------------------------------------------------------------------------------- clients

    def put(self, message: MessageRecord, connection: Any = None) -> MessageRecord:
        """See `Journal.put`. A transactional step's own connection is welcome, too."""
        self._birth.check()
        if isinstance(connection, GuardedConnection):
            with connection.unguarded() as own:
                self._pulse += 1  # the owner's own commit, of which SQLite would not tell it
                return reading.put(own, message)
        if connection is not None:
            application.check(connection, self._path)
            return reading.put(connection, message)
        with self._senders.connection() as own:
            begin(own, self._opener.busy_timeout)
            queued = reading.put(own, message)
            self._end_putting(own, message)
            return queued

    def _end_putting(self, own: sqlite3.Connection, message: MessageRecord) -> None:
        try:
            own.execute("COMMIT")
        except sqlite3.Error as error:
            if own.in_transaction:
                raise  # SQLite declined before it wrote
            msg = (
                f"Journal {self._path!r}: putting message {message.id!r} to run {message.run!r} failed at its commit "
                f"({error}), and whether it is queued is unknown. Put it again under the same id: it counts once."
            )
            raise CommitUnknown(msg) from error

    def pulse(self) -> int:
        """See `Journal.pulse`. The owner's own commits do not change it."""
        self._birth.check()
        # While a commit is under way nothing is asked; what others did in the meantime is told the next time.
        if self._writing.acquire(blocking=False):
            try:
                self._listen()
            finally:
                self._writing.release()
        return self._pulse

    def _listen(self) -> None:
        # SQLite's number is comparable only with itself on one connection
        # (https://www.sqlite.org/pragma.html#pragma_data_version), and is blind to that connection's own commits: so
        # the owner asks on the connection that it commits on.
        if self._writer is not None:
            connection = self._writer.connection
        else:
            connection = self._watch = self._watch or self._opener.open()
        with Translated(self._path):
            (version,) = connection.execute("PRAGMA data_version").fetchone()
        heard = (id(connection), version)
        if heard != self._heard:
            self._heard = heard
            self._pulse += 1

    def close(self) -> None:
        """See `Journal.close`. In a child made by fork it does nothing: all of it is the parent's."""
        if not self._birth.here:
            return
        with self._writing:
            if self._writer is not None and self._ownership.held:
                with suppress(JournalError, sqlite3.Error):  # what is not copied now is copied by the next owner
                    self._checkpoint(self._writer)
                if self._writer.erased:
                    self._cut_in = 0
                    self._cut(self._writer)
            self._drop_writer()
            if self._watch is not None:
                self._watch.close()
                self._watch = None
            self._readers.close()
            self._senders.close()
            self._ownership.close()
            self._birth.end()
