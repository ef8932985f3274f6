"""The owner's lock: a file of its own beside the database, locked by the operating system and stamped by its owner.

The lock is POSIX `fcntl.lockf` (elsewhere `msvcrt.locking`): the system frees it when the process dies, however it
dies, and a child made by fork does not inherit it. Its one trap is that closing *any* descriptor of the file drops all
of the process's locks on it, so a process keeps exactly one descriptor for each such file, in a registry, shared by all
of its journals.

The stamp tells when the owner was last alive, in seconds of a clock that never goes back and that all processes of one
boot share (`time.monotonic`; on a machine that sleeps it may stop, for owner and claimant alike). Wall time would call
an owner dead when somebody sets the clock. Whether two stamps are of one boot is told by the boot's identity, where the
system has one.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec

if sys.platform == "win32":  # pragma: no cover - Windows
    import msvcrt
else:
    import fcntl

_SIZE = 1024
"""A stamp is written padded to this many bytes in one call, so that nobody reads half of one."""

# The locked byte lies far behind the stamp, because on Windows a locked byte cannot be read by others.
_LOCKED_BYTE = 1 << 30


class Stamp(msgspec.Struct, frozen=True):
    """What an owner writes into the lock's file."""

    pid: int
    owner: str
    epoch: int
    renewed: float
    lease: float
    boot: str
    locked: bool = True
    """False: it took over from an owner that is suspended with the lock, and waits for the lock to be free."""

    @property
    def of_this_boot(self) -> bool:
        """Whether its times can be compared with this machine's clock."""
        return self.boot == boot()

    def alive(self, now: float) -> bool:
        """Whether its lease still runs, if it is of this boot."""
        return 0 <= now - self.renewed < self.lease

    def waits(self, now: float) -> bool:
        """Whether its owner moves runs without having the lock."""
        return not self.locked and self.of_this_boot and self.alive(now)


def boot() -> str:
    """What tells this boot of the machine from another; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class LockFile:
    """One lock's file, as this process has it open. Get it by `share`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._users = 0
        self._descriptor = _open(path)
        self._holder: object = None

    @classmethod
    def share(cls, path: str) -> LockFile:
        """The process's one `LockFile` of this path. Give it back by `leave`."""
        path = os.path.realpath(path)
        with _registry.mutex:
            shared = _registry.files.get(path)
            if shared is None:
                shared = _registry.files[path] = cls(path)
            shared._users += 1
            return shared

    def leave(self, who: object) -> None:
        """Free the lock if `who` has it, and close the file when nobody here needs it any more."""
        with _registry.mutex:
            if _registry.files.get(self.path) is not self:
                return  # inherited over a fork: it is the parent's
            self.unlock(who)
            self._users -= 1
            if self._users == 0:
                del _registry.files[self.path]
                os.close(self._descriptor)

    def lock(self, who: object) -> bool:
        """Take the lock, if it is free."""
        with _registry.mutex:
            if self._holder is None:
                self._follow()
                if _lock(self._descriptor):
                    self._holder = who
            return self._holder is who

    def _follow(self) -> None:
        """Open the file anew if somebody has removed it: a lock on a file without a name keeps nobody out."""
        if os.fstat(self._descriptor).st_nlink == 0:
            removed, self._descriptor = self._descriptor, _open(self.path)
            os.close(removed)

    def unlock(self, who: object) -> None:
        """Free the lock, if `who` has it."""
        with _registry.mutex:
            if self._holder is who:
                self._holder = None
                with suppress(OSError):  # what the system would not free, it frees when the file is closed
                    _unlock(self._descriptor)

    @property
    def held_here(self) -> bool:
        """Whether a journal of this process has the lock. A process's number would not say: containers repeat it."""
        return self._holder is not None

    def locked(self) -> bool:
        """Whether anybody has the lock, here or in another process. Takes nothing, so it disturbs nobody."""
        with _registry.mutex:
            return self._holder is not None or _locked(self._descriptor)

    def read(self) -> Stamp | None:
        """The last stamp; None if there is none or it makes no sense."""
        with _registry.mutex:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            text = os.read(self._descriptor, _SIZE)
        try:
            return msgspec.json.decode(text, type=Stamp)
        except msgspec.DecodeError:
            return None

    def write(self, stamp: Stamp | None) -> None:
        """Leave a stamp, or wipe the last one. Raises OSError, also when only a part of it was written."""
        text = (b"" if stamp is None else msgspec.json.encode(stamp)).ljust(_SIZE) + b"\n"
        with _registry.mutex:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            if os.write(self._descriptor, text) != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)


class _Registry:
    """The lock files this process has open."""

    def __init__(self) -> None:
        self.mutex = threading.RLock()
        self.files: dict[str, LockFile] = {}

    def forget(self) -> None:
        """In a child after fork: the files, and any lock on them, are the parent's."""
        self.__init__()  # type: ignore[misc]


_registry = _Registry()
if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_registry.forget)


def now() -> float:
    """Seconds by the clock that stamps are written in."""
    return time.monotonic()


if sys.platform == "win32":  # pragma: no cover - Windows

    def _lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

    def _locked(descriptor: int) -> bool:
        # Windows has no way to ask but to try.
        if not _lock(descriptor):
            return True
        _unlock(descriptor)
        return False

else:
    # struct flock is laid out in two ways (fcntl(2)): Linux begins with the type, the BSDs and macOS with the range.
    _TYPE_FIRST = sys.platform.startswith(("linux", "sunos", "cygwin"))

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCKED_BYTE, os.SEEK_SET)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, _LOCKED_BYTE, os.SEEK_SET)

    def _locked(descriptor: int) -> bool:
        if _TYPE_FIRST:
            asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0)
            (kind,) = struct.unpack_from("h", fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
        else:  # pragma: no cover - macOS and the BSDs
            asked = struct.pack("qqihh", _LOCKED_BYTE, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
            kind = struct.unpack("qqihh", fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))[3]
        return bool(kind != fcntl.F_UNLCK)
