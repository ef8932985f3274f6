"""Other writers: an application writes the same file while a runner moves its runs, and is not polite about it.

It keeps the write lock for longer than the runner waits, owns `user_version` and `application_id`, keeps its file in
DELETE mode until the runner comes, and checkpoints on its own. Senders wait or are told that the file is locked; no run
fails for it; what was acknowledged is there, and what is the application's is as the application left it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import attrs

from persistence import Busy, SQLiteJournal
from statemachine import Connection, Event, Runner, State, Workflow, evolve, on, step, transaction
from tests.reliability.evidence import Row, Scale, Section, shown

PATIENCE = 60.0
"""Seconds after which a run that has not ended is taken for lost."""
BUSY = 0.2
"""Seconds that the runner waits for a lock, where the application keeps it for longer."""


@attrs.frozen
class Parcel:
    weight: int
    packed: bool = False
    sent: bool = False


class Release(Event, frozen=True):
    by: str


class Shipping(Workflow[Parcel], name="shipping"):
    packing = State(initial=True)
    waiting = State(waits_for="clerk")
    sending = State()
    sent = State(final=True)

    @step(packing, to=waiting)
    async def pack(self, parcel: Parcel) -> Parcel:
        return evolve(parcel, packed=True)

    release = on(Release, source=waiting, to=sending)

    @transaction(sending, to=sent)
    def send(self, parcel: Parcel, connection: Connection) -> Parcel:
        connection.execute("INSERT INTO sent DEFAULT VALUES")
        return evolve(parcel, sent=True)


class Desk:
    """Sends runs on their way through a runner, as patiently as a sender who is told that the file is locked."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.acknowledged: list[str] = []
        self.told = 0

    def ship(self, run: str) -> None:
        """Start a run, and release it."""
        self._insist(lambda: self._runner.start(Shipping, Parcel(1), id=run))
        self._await(run, lambda state: state != ("packing",))
        self._insist(lambda: self._runner.send(run, Release("ada"), id=f"release {run}"))
        self.acknowledged.append(run)

    def _insist(self, ask: Callable[[], object]) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                ask()
            except Busy as error:
                self.told += 1
                if "app.db" not in str(error) or time.monotonic() > until:
                    raise
            else:
                return

    def _await(self, run: str, arrived: Callable[[tuple[str, ...]], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not arrived(self._runner.get(run).look().state):
            if time.monotonic() > until:
                msg = f"{run} does not go on"
                raise TimeoutError(msg)
            time.sleep(0.01)

    def lost(self) -> list[str]:
        """Runs that did not end as they would undisturbed."""
        return [run for run in self.acknowledged if not self._ended(run)]

    def _ended(self, run: str) -> bool:
        result = self._runner.result(run, timeout=PATIENCE)
        return result.status == "completed" and self._runner.verify(run).ok


class Application:
    """The other writer, with a table and numbers of its own."""

    def __init__(self, path: Path, mode: str = "WAL") -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self.connection.execute(f"PRAGMA journal_mode = {mode}")
        self.connection.execute("CREATE TABLE IF NOT EXISTS book (title TEXT)")
        self.connection.execute("CREATE TABLE IF NOT EXISTS sent (number INTEGER PRIMARY KEY)")
        self.connection.execute("PRAGMA user_version = 7")
        self.connection.execute("PRAGMA application_id = 77")
        self.books = 0

    def write(self) -> None:
        """A commit of its own."""
        self.connection.execute("INSERT INTO book VALUES ('Mort')")
        self.books += 1

    def wrong(self) -> str:
        """What of it is not as it left it."""
        numbers = [
            self.connection.execute(statement).fetchone()[0]
            for statement in ("PRAGMA user_version", "PRAGMA application_id", "SELECT COUNT(*) FROM book")
        ]
        return "" if numbers == [7, 77, self.books] else f"the application's numbers are {numbers}"


@contextmanager
def _place() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder) / "app.db"


def _judged(desk: Desk, application: Application) -> str:
    lost = desk.lost()
    (sent,) = application.connection.execute("SELECT COUNT(*) FROM sent").fetchone()
    if lost or sent != len(desk.acknowledged):
        return f"{len(desk.acknowledged)} parcels, {sent} sent; runs that did not end well: {lost[:3]}"
    return application.wrong()


@contextmanager
def _holding(path: Path, seconds: float, pause: float) -> Iterator[None]:
    """The write lock is another's for so many seconds, then free for a moment, again and again."""
    done = threading.Event()
    begun = threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
            while not done.is_set():
                other.execute("BEGIN IMMEDIATE")
                begun.set()
                done.wait(seconds)
                other.execute("COMMIT")
                done.wait(pause)

    holder = threading.Thread(target=hold)
    holder.start()
    begun.wait()
    try:
        yield
    finally:
        done.set()
        holder.join()


def _locked(seconds: float, pause: float, busy: float, runs: int) -> tuple[str, int]:
    """The application keeps the write lock, while runs are started, stepping, released and working in a commit."""
    with _place() as path:
        application = Application(path)
        journal = SQLiteJournal(path, adopt=True, busy_timeout=busy)
        with closing(application.connection), closing(journal), Runner(journal, [Shipping()]) as runner:
            desk = Desk(runner)
            desk.ship("before")
            with _holding(path, seconds, pause):
                for number in range(runs):
                    desk.ship(f"during-{number}")
                lost = desk.lost()
            return f"runs that did not end well: {lost[:3]}" if lost else _judged(desk, application), desk.told


def _takes_over(seconds: float) -> str:
    """The application has the lock while one runner closes and another, standing by, is to take over."""
    with _place() as path:
        application = Application(path)
        with closing(application.connection):
            first = SQLiteJournal(path, adopt=True, busy_timeout=BUSY)
            second = SQLiteJournal(path, busy_timeout=BUSY)
            epoch = first.claim("the first", 60)
            with closing(first), closing(second), Runner(second, [Shipping()], standby=True) as after:
                application.connection.execute("BEGIN IMMEDIATE")
                first.release(epoch)
                time.sleep(seconds)
                application.connection.execute("COMMIT")
                until = time.monotonic() + PATIENCE
                while not after.owner:
                    if time.monotonic() > until:
                        return "the runner that stands by never took over"
                    time.sleep(0.01)
                desk = Desk(after)
                desk.ship("after")
                return _judged(desk, application)


def _begins_in_delete_mode(random: Random, runs: int) -> str:
    """The file is the application's, in DELETE mode; adopted, it is in WAL mode and both go on."""
    with _place() as path:
        application = Application(path, "DELETE")
        with closing(application.connection):
            application.write()
            journal = SQLiteJournal(path, adopt=True)
            with closing(journal), Runner(journal, [Shipping()]) as runner:
                desk = Desk(runner)
                for number in range(runs):
                    if random.random() < 0.5:
                        application.write()
                    desk.ship(f"run-{number}")
                return _judged(desk, application)


def _switches_back(runs: int) -> str:
    """The application asks for DELETE mode while the runner runs: SQLite says no, and both go on."""
    with _place() as path:
        application = Application(path)
        with closing(application.connection):
            journal = SQLiteJournal(path, adopt=True)
            with closing(journal), Runner(journal, [Shipping()]) as runner:
                desk = Desk(runner)
                desk.ship("before")
                impatient = sqlite3.connect(path, isolation_level=None, timeout=0)
                with closing(impatient):
                    for number in range(runs):
                        try:
                            impatient.execute("PRAGMA journal_mode = DELETE").fetchone()
                        except sqlite3.OperationalError:
                            application.write()
                        desk.ship(f"run-{number}")
                return _judged(desk, application)


def _checkpoints(kind: str, runs: int, _: int = 0) -> str:
    """The application checkpoints after every write, in its own way, beside a busy runner."""
    with _place() as path:
        application = Application(path)
        with closing(application.connection):
            journal = SQLiteJournal(path, adopt=True)
            done = threading.Event()

            def check() -> None:
                while not done.is_set():
                    application.write()
                    application.connection.execute(f"PRAGMA wal_checkpoint({kind})").fetchall()

            with closing(journal), Runner(journal, [Shipping()]) as runner:
                desk = Desk(runner)
                other = threading.Thread(target=check)
                other.start()
                try:
                    for number in range(runs):
                        desk.ship(f"run-{number}")
                finally:
                    done.set()
                    other.join()
                wrong = _judged(desk, application)
            (found,) = application.connection.execute("PRAGMA integrity_check").fetchone()
            return wrong or ("" if found == "ok" else str(found))


def _row(what: str, trials: int, attempt: Callable[[int], str], note: str = "") -> Row:
    wrong: list[str] = []
    for number in shown(what, range(trials)):
        try:
            found = attempt(number)
        except Exception as error:  # noqa: BLE001 -- whatever goes wrong, the trial has failed
            found = f"{type(error).__name__}: {error}"
        wrong += [found] if found else []
    return Row(what, trials, len(wrong), wrong[0] if wrong else note)


def gather(scale: Scale, seed: int) -> Section:
    """See `Evidence`."""
    began = time.monotonic()
    random = Random(seed)
    many, runs, long = (5, 10, 10.0) if scale == "full" else (1, 3, 3 * BUSY)
    told: list[int] = []

    def impatient(_: int) -> str:
        # Free for a second between: all that a run needs is committed in the gaps, whatever it meets at first.
        wrong, number = _locked(long, 1.0, BUSY, 1)
        told.append(number)
        return wrong

    rows = [
        _row(f"holds the write lock for {long:.1f} s, the runner waits {BUSY} s", max(1, many // 2), impatient),
        _row(
            f"holds the write lock for {2 * BUSY} s again and again, the runner waits {BUSY} s",
            many,
            lambda _: _locked(2 * BUSY, 0.05, BUSY, runs)[0],
        ),
        _row("holds the write lock for 1 s, the runner waits 5 s", many, lambda _: _locked(1.0, 0.05, 5.0, runs)[0]),
        _row("holds the write lock while a runner that stands by takes over", many, lambda _: _takes_over(4 * BUSY)),
        _row("has its file in DELETE mode", many, lambda _: _begins_in_delete_mode(random, runs)),
        _row("asks for DELETE mode again and again", many, lambda _: _switches_back(runs)),
        *(
            _row(f"checkpoints on its own: {kind}", many, partial(_checkpoints, kind, runs))
            for kind in ("PASSIVE", "FULL", "RESTART", "TRUNCATE")
        ),
    ]
    if told and not rows[0].lost:
        rows[0] = attrs.evolve(rows[0], note=f"senders were told {sum(told):,} times that the file is locked")
    return Section("Other writers of the file", seed, tuple(rows), time.monotonic() - began)
