"""A VFS for apsw over the system's own: it records what SQLite asks of the disk, and fails where it is told to.

Files, locks and the shared memory of the write-ahead log (xShm…) are the real ones of the system's VFS, in a folder
of their own. Only syncs are left out: they are recorded, and what they would have made durable is worked out from the
record (see `tests.reliability.disk.image`).

Before the shared memory apsw lets nobody stand (`apsw.VFSFile` has no xShmMap, xShmLock, xShmBarrier and xShmUnmap):
no failure of it is tried here.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Literal, Protocol

import apsw
import attrs

from tests.reliability.disk.connection import connect

Kind = Literal["create", "delete", "write", "truncate", "sync", "lost", "folder"]
Trouble = Literal["full", "io", "short", "read-only"]
SECTOR = 512


class Buffer(Protocol):
    """What SQLite gives to be written."""

    def __buffer__(self, flags: int, /) -> memoryview: ...


_numbers = count()
_ALONGSIDE = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL


@attrs.frozen
class Operation:
    """Something done to the disk.

    `lost`: a sync failed, so what was written since the last one is in the system's memory and never reaches the disk.
    `folder`: the folder was synced, and with it which files there are.
    """

    kind: Kind
    file: str
    offset: int = 0
    data: bytes = b""


class Disk:
    """What happens in one folder through its VFS.

    Attributes:
        operations: Everything done so far, in order.
        meet: Asked before everything that can fail, with its kind and file; what it says goes wrong.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.operations: list[Operation] = []
        self.meet: Callable[[str, str], Trouble | None] = lambda _kind, _file: None
        self._name = f"recorded-{next(_numbers)}"
        self._vfs = _Vfs(self._name, self)
        self._lock = threading.Lock()

    def connect(self, path: str) -> sqlite3.Connection:
        """A journal's `connect=`."""
        return connect(path, self._name)

    def done(self, kind: Kind, path: str, offset: int = 0, data: bytes = b"") -> None:
        """Record an operation."""
        with self._lock:
            self.operations.append(Operation(kind, Path(path).name, offset, data))

    def end(self) -> None:
        """Give the VFS up."""
        self._vfs.unregister()


class Failing:
    """Says that the k-th thing that can fail fails, and how; `sticky`: everything after it, too, until `heal`."""

    def __init__(self, nth: int, trouble: Trouble, kinds: frozenset[str], *, sticky: bool) -> None:
        self.hits = 0
        self.seen = 0
        self._nth = nth
        self._trouble: Trouble = trouble
        self._kinds = kinds
        self._sticky = sticky
        self._healed = False

    def __call__(self, kind: str, _file: str) -> Trouble | None:
        if self._healed or kind not in self._kinds:
            return None
        self.seen += 1
        if self.seen == self._nth or (self._sticky and self.seen > self._nth):
            self.hits += 1
            return self._trouble
        return None

    def heal(self) -> None:
        """The cause is gone."""
        self._healed = True


def _error(code: int) -> Exception:
    error = apsw.exceptionfor(code)
    error.args = (str(apsw.mapping_extended_result_codes.get(code) or apsw.mapping_result_codes[code]),)
    return error


class _Vfs(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        self._disk = disk
        super().__init__(name, base="")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if name is None:
            return apsw.VFSFile("", name, flags)  # temporary, and of no concern after a crash
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        there = Path(path).exists()
        trouble = self._disk.meet("open", path)
        if trouble == "read-only" and there:
            # As the system's VFS does where it may not write.
            flags[0] = flags[0] & ~(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE) | apsw.SQLITE_OPEN_READONLY
        elif trouble is not None and not (there and trouble == "full"):
            raise _error(apsw.SQLITE_CANTOPEN)
        file = _File(self._disk, path, name, flags)
        if not there:
            self._disk.done("create", path)
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        if self._disk.meet("delete", filename) in {"io", "read-only"}:
            raise _error(apsw.SQLITE_IOERR_DELETE)
        super().xDelete(filename, False)
        self._disk.done("delete", filename)
        if syncdir:
            self._disk.done("folder", filename)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, path: str, name: str | apsw.URIFilename, flags: list[int]) -> None:
        self._disk = disk
        self._path = path
        # The first sync of a file that stands beside the database syncs the folder, too (UNIXFILE_DIRSYNC).
        self._syncs_folder = bool(flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & _ALONGSIDE)
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        if self._disk.meet("read", self._path) == "io":
            raise _error(apsw.SQLITE_IOERR_READ)
        return super().xRead(amount, offset)

    def xWrite(self, data: Buffer, offset: int) -> None:  # noqa: N802
        trouble = self._disk.meet("write", self._path)
        whole = bytes(data)
        if trouble == "short":
            half = whole[: len(whole) // 2]
            super().xWrite(half, offset)
            self._disk.done("write", self._path, offset, half)
        if trouble is not None:
            raise _error(apsw.SQLITE_FULL if trouble in {"full", "short"} else apsw.SQLITE_IOERR_WRITE)
        super().xWrite(whole, offset)
        self._disk.done("write", self._path, offset, whole)

    def xFileSize(self) -> int:  # noqa: N802
        if self._disk.meet("size", self._path) == "io":
            raise _error(apsw.SQLITE_IOERR_FSTAT)
        return super().xFileSize()

    def xLock(self, level: int) -> None:  # noqa: N802
        if self._disk.meet("lock", self._path) == "io":
            raise _error(apsw.SQLITE_IOERR_LOCK)
        super().xLock(level)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        if self._disk.meet("truncate", self._path) in {"io", "read-only"}:
            raise _error(apsw.SQLITE_IOERR_TRUNCATE)
        super().xTruncate(newsize)
        self._disk.done("truncate", self._path, newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self._disk.meet("sync", self._path) in {"io", "read-only"}:
            self._disk.done("lost", self._path)
            raise _error(apsw.SQLITE_IOERR_FSYNC)
        self._disk.done("sync", self._path)
        if self._syncs_folder:
            self._disk.done("folder", self._path)
            self._syncs_folder = False
