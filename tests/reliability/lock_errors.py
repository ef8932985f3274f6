"""Errors of the lock's file: what opens, locks, reads and writes it fails, at every place of a scripted life.

SQLite never sees this file, so its VFS cannot fail it: the functions of `persistence.sqlite.lockfile` that ask the
system do. A journal is claimed, renewed, released, claimed by another, and taken over from an owner that is suspended.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from unittest.mock import patch

import attrs

from persistence import Fenced, Owned, SQLiteJournal, Unwritable
from persistence.contract import LEASE, start
from persistence.sqlite import lockfile, ownership
from tests.reliability.evidence import Row, Scale, Section, shown

T = TypeVar("T")
NAME = "app.db"
STUBBORN = 3
"""How often the same thing is asked for while the file stays broken, before it is mended."""


@attrs.frozen
class Fault:
    """A way in which the system refuses, and which of its calls."""

    what: str
    error: int
    calls: frozenset[str]
    sticky: bool
    short: bool = False
    """A write takes a part and says so, instead of an error."""


_ALL = frozenset(("open", "lock", "read", "write"))
FAULTS = tuple(
    Fault(f"{what}, {'until mended' if sticky else 'once'}", code, calls, sticky, short)
    for what, code, calls, short in (
        ("the lock's file: input/output error", errno.EIO, _ALL, False),
        ("the lock's file: no room", errno.ENOSPC, frozenset(("open", "write")), False),
        ("the lock's file: a write cut short", 0, frozenset(("write",)), True),
        ("the lock's file: too many open files", errno.EMFILE, frozenset(("open",)), False),
        ("the lock's file: no locks left", errno.ENOLCK, frozenset(("lock",)), False),
        ("the lock's file: not permitted", errno.EACCES, frozenset(("open",)), False),
    )
    for sticky in (False, True)
)


class Wrong(Exception):
    """A promise did not hold; its name says which."""


class Failing:
    """Stands before the system's calls on the lock's file; the n-th of some kinds fails, and all after it if sticky."""

    def __init__(self, fault: Fault, nth: int) -> None:
        self.seen = 0
        self.hits = 0
        self._fault = fault
        self._nth = nth
        self._healed = False

    def heal(self) -> None:
        """The cause is gone."""
        self._healed = True

    @contextmanager
    def placed(self) -> Iterator[None]:
        """Within, what the lock's file asks of the system comes by here."""
        with ExitStack() as stack:
            for name in ("_open", "_lock", "_locked"):
                real = getattr(lockfile, name)
                stack.enter_context(
                    patch.object(lockfile, name, self._before("open" if name == "_open" else "lock", real))
                )
            stack.enter_context(patch.object(lockfile, "os", _System(self)))
            stack.enter_context(patch.object(ownership, "_SECOND_LOOK", 0.001))
            yield

    def _before(self, call: str, real: Callable[..., T]) -> Callable[..., T]:
        def do(*arguments: Any) -> T:
            self.meet(call)
            return real(*arguments)

        return do

    def meet(self, call: str) -> bool:
        """Raise what the system says; or tell that this write is to be cut short."""
        fault = self._fault
        if self._healed or call not in fault.calls:
            return False
        self.seen += 1
        if self.seen != self._nth and not (fault.sticky and self.seen > self._nth > 0):
            return False
        self.hits += 1
        if fault.short:
            return True
        raise OSError(fault.error, os.strerror(fault.error))


class _System:
    """The module `os` as the lock's file sees it."""

    def __init__(self, failing: Failing) -> None:
        self._failing = failing

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def read(self, descriptor: int, size: int) -> bytes:
        """See `os.read`."""
        self._failing.meet("read")
        return os.read(descriptor, size)

    def write(self, descriptor: int, content: bytes) -> int:
        """See `os.write`."""
        if self._failing.meet("write"):
            content = content[: len(content) // 50]
        return os.write(descriptor, content)


class Life:
    """The script. Whoever is refused asks again, as a runner does; the file is mended when that was often enough."""

    def __init__(self, file: Path, failing: Failing) -> None:
        self._file = file
        self._failing = failing
        self._epoch = 0
        self._begun: list[str] = []

    def live(self) -> None:
        """To its end, and what must hold at each place of it. Raises Wrong."""
        with closing(SQLiteJournal(self._file)) as first, closing(SQLiteJournal(self._file)) as second:
            epoch = self._claim(first, "first", LEASE)
            self._insist(lambda: first.renew(epoch))
            self._see(self._insist(first.owner) == "first", "it is not said who owns it")
            self._refused(second)
            self._commit(first, epoch)
            first.release(epoch)
            self._see(self._insist(second.owner) is None, "it is said to be owned, and was released")
            suspended = self._claim(second, "suspended", 0.0)
            replaced = self._claim(first, "the next", LEASE)
            self._commit(first, replaced)
            self._fenced(lambda: second.commit(suspended, [start("late")]))
            self._fenced(lambda: self._insist(lambda: second.renew(suspended)))
            second.close()
            self._insist(lambda: first.renew(replaced))
        self._failing.heal()
        with closing(SQLiteJournal(self._file)) as last:
            self._commit(last, self._claim(last, "the last", LEASE))
            there = [run for run in self._begun if last.run(run) is not None]
            self._see(there == self._begun, f"of {self._begun} there is {there}")
            self._see(last.run("late") is None, "the commit of an owner that was replaced is there")

    def _claim(self, journal: SQLiteJournal, owner: str, lease: float) -> int:
        epoch = self._insist(lambda: journal.claim(owner, lease))
        self._see(epoch > self._epoch, f"the epoch is {epoch} after {self._epoch}")
        self._epoch = epoch
        return epoch

    def _commit(self, journal: SQLiteJournal, epoch: int) -> None:
        run = f"run-{len(self._begun)}"
        self._see(journal.commit(epoch, [start(run)]) == [None], "its commit failed")
        self._begun.append(run)

    def _refused(self, journal: SQLiteJournal) -> None:
        try:
            self._insist(lambda: journal.claim("another", LEASE))
        except Owned:
            return
        msg = "another has claimed what is owned"
        raise Wrong(msg)

    def _fenced(self, ask: Callable[[], object]) -> None:
        try:
            ask()
        except Fenced:
            return
        msg = "an owner that was replaced is not stopped"
        raise Wrong(msg)

    def _insist(self, ask: Callable[[], T]) -> T:
        for refused in range(STUBBORN + 1):
            if refused == STUBBORN:
                self._failing.heal()
            try:
                return ask()
            except Unwritable as error:
                self._see(f"{NAME}.owner" in str(error), f"the error does not name the file: {error}")
        msg = "it does not go on once the file is mended"
        raise Wrong(msg)

    @staticmethod
    def _see(holds: bool, otherwise: str) -> None:
        if not holds:
            raise Wrong(otherwise)


def attempt(fault: Fault, nth: int) -> tuple[str, Failing]:
    """One life with one fault, at the n-th call; none for 0. What is wrong, empty when nothing is."""
    failing = Failing(fault, nth)
    with TemporaryDirectory() as place, failing.placed():
        try:
            Life(Path(place) / NAME, failing).live()
        except Exception as error:  # noqa: BLE001 -- any other error than the journal's own is what is looked for
            return f"{type(error).__name__}: {error}", failing
    return "", failing


def _row(fault: Fault, scale: Scale, seed: int) -> Row:
    undisturbed, counted = attempt(fault, 0)
    every = range(1, counted.seen + 1)
    places = every if scale == "full" else sorted(Random(seed).sample(every, min(5, len(every))))
    wrong = [f"undisturbed: {undisturbed}"] if undisturbed else []
    failures = 0
    for nth in shown(fault.what, places):
        found, failing = attempt(fault, nth)
        failures += failing.hits
        wrong += [f"at the {nth}th: {found}"] if found else []
    return Row(fault.what, len(places), len(wrong), wrong[0] if wrong else f"{failures:,} failures of the system")


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    rows = tuple(_row(fault, scale, seed) for fault in FAULTS)
    return Section("I/O errors of the lock's file, which SQLite does not see", seed, rows, time.monotonic() - began)
