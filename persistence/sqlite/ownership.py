"""Who moves the runs of a file: an OS lock, a lease, and an epoch that every commit checks.

* The lock tells at once that an owner has died: the system frees it.
* The lease tells that an owner which has the lock has been suspended. It is renewed in the lock's file, so that an idle
  owner writes nothing into the database.
* The epoch makes both safe. It stands in the database, grows with every claim, and is checked inside every commit; an
  owner that was taken for dead, and was not, is stopped there (`Fenced`), whatever the files say.

What the disk says of the lock's file is `Unwritable`, as it is of the database: a claim leaves nothing behind, a
renewal is tried again.
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from persistence.errors import Owned, Unwritable, fenced
from persistence.sqlite import sql
from persistence.sqlite.connection import begin
from persistence.sqlite.lockfile import LockFile, Stamp, boot, now

_SECOND_LOOK = 0.1
"""Seconds until a lease that has run out is looked at again.

An owner that has just taken the lock may not have stamped it yet.
"""


class Ownership:
    """One journal's claim to its file. Not thread-safe: its journal sees to it that one thread at a time is here."""

    def __init__(self, path: str, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._lock_path = f"{os.path.realpath(path)}.owner"
        self._file: LockFile | None = None
        self._holder = object()
        self._stamp: Stamp | None = None

    @property
    def held(self) -> bool:
        """Whether this journal has claimed and not released."""
        return self._stamp is not None

    def claim(self, connection: sqlite3.Connection, owner: str, lease: float) -> int:
        """Become the owner; see `Journal.claim`."""
        if self._stamp is not None:
            msg = f"Journal {self._path!r} is owned by this very object, as {self._stamp.owner!r}."
            raise Owned(msg)
        with self._told():
            file = self._shared()
            try:
                locked = file.lock(self._holder)
                before = file.read()
                if locked:
                    # Free lock: its owner is dead, unless it is one that took over and has waited for the lock since.
                    if before is not None and before.waits(now()):
                        self._refuse(before)
                else:
                    self._see_that_it_is_suspended(file, before)
                self._stamp = self._bump(connection, file, before, Stamp(0, owner, 0, 0, lease, boot(), locked))
            except BaseException:
                file.unlock(self._holder)
                raise
        return self._stamp.epoch

    def _see_that_it_is_suspended(self, file: LockFile, stamp: Stamp | None) -> None:
        """Raises Owned unless the one that has the lock has let its lease run out."""
        if stamp is not None and (stamp.alive(now()) or not stamp.of_this_boot):
            self._refuse(stamp)
        time.sleep(_SECOND_LOOK)
        again = file.read()
        if again is None or again != stamp:
            self._refuse(again)

    def _refuse(self, stamp: Stamp | None) -> None:
        if stamp is not None and stamp.pid == os.getpid() and self._file is not None and self._file.held_here:
            msg = (
                f"Journal {self._path!r} is owned by {stamp.owner!r}, this very process: a runner that was opened here "
                "before has not been closed. Close that one, by leaving its `with` block or by its `close()`; where "
                "nothing names it any more, as in a notebook, restart the process."
            )
            raise Owned(msg)
        who = f"{stamp.owner!r} (process {stamp.pid})" if stamp else "another process, which is just starting"
        msg = (
            f"Journal {self._path!r} is owned by {who}. One runner at a time moves a journal: stop that one, open this "
            "one as a client, or let it stand by."
        )
        raise Owned(msg)

    def _bump(self, connection: sqlite3.Connection, file: LockFile, before: Stamp | None, after: Stamp) -> Stamp:
        """The next epoch, committed; and stamped first, so that there is no claim that the lock's file does not tell.

        Whoever dies between the two is replaced once that lease has run out. Of two that take over from one suspended
        owner, the second finds it replaced.
        """
        begin(connection, self._patience)
        stamped = False
        try:
            epoch, _ = connection.execute(sql.EPOCH).fetchone()
            if not after.locked and file.read() != before:
                self._refuse(file.read())
            connection.execute(sql.BUMP_EPOCH, (after.owner,))
            after = Stamp(os.getpid(), after.owner[:200], int(epoch) + 1, now(), after.lease, after.boot, after.locked)
            stamped = True
            file.write(after)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if stamped:
                with suppress(OSError):
                    file.write(before)
            raise
        return after

    def renew(self, connection: sqlite3.Connection, epoch: int) -> None:
        """See `Journal.renew`; and take the lock, if this owner took over without it and it is free by now."""
        current, owner = connection.execute(sql.EPOCH).fetchone()
        if self._stamp is None or self._file is None or current != epoch or self._stamp.epoch != epoch:
            raise fenced(self._path, epoch, current, owner)
        with self._told():
            locked = self._file.lock(self._holder)
            old = self._stamp
            self._stamp = Stamp(old.pid, old.owner, epoch, now(), old.lease, old.boot, locked)
            self._file.write(self._stamp)

    def release(self, epoch: int) -> None:
        """See `Journal.release`."""
        if self._stamp is None or self._file is None or self._stamp.epoch != epoch:
            return
        with suppress(OSError):  # a stamp that stays says nothing without the lock
            stamp = self._file.read()
            if stamp is not None and stamp.epoch == epoch:
                # Where a suspended one still has the lock, a stamp that has run out lets others take over again.
                self._file.write(None if stamp.locked else msgspec.structs.replace(stamp, lease=0.0))
        self._file.unlock(self._holder)
        self._stamp = None

    def owner(self) -> str | None:
        """See `Journal.owner`."""
        if self._file is None and not Path(self._lock_path).exists():
            return None
        with self._told():
            file = self._shared()
            stamp = file.read()
            if stamp is None:
                return None
            return stamp.owner if stamp.waits(now()) or (stamp.locked and file.locked()) else None

    def close(self) -> None:
        """Give up the lock, if it is held, and the file."""
        if self._stamp is not None:
            self.release(self._stamp.epoch)
        if self._file is not None:
            self._leave()
            self._file = None

    @contextmanager
    def _told(self) -> Generator[None]:
        """What the disk says of the lock's file, as the journal's error."""
        try:
            yield
        except OSError as error:
            msg = (
                f"Journal {self._path!r}: the file that says who owns it, {self._lock_path!r}, cannot be used "
                f"({error}). See that it may be opened and written, and that the disk has room; then it goes on."
            )
            raise Unwritable(msg) from error

    def _shared(self) -> LockFile:
        if self._file is None:
            self._file = LockFile.share(self._lock_path)
            # Also when nobody closes the journal: its lock must not outlive it in this process.
            self._leave = weakref.finalize(self, self._file.leave, self._holder)
        return self._file
