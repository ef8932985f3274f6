"""The workflow that is killed: every kind of step, and a way into every kind of transition."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import attrs

from persistence import SQLiteJournal
from statemachine import Call, Connection, Event, Retry, State, Workflow, after, evolve, on, step, transaction
from tests.reliability.ledger import Ledger

QUICK = Retry(3, delay=0.005)


@attrs.frozen
class Job:
    trouble: str = ""
    """Which step, or undo, fails at its first attempt."""
    reserved: bool = False
    booked: bool = False
    paid: bool = False


class Confirm(Event, frozen=True):
    by: str = "ada"


class Reject(Event, frozen=True):
    by: str = "bob"


class Linger(Event, frozen=True):
    pass


class Rest(Event, frozen=True):
    pass


class Notify(Event, frozen=True):
    pass


class Ask(Event, frozen=True):
    pass


class Try(Event, frozen=True):
    pass


class Declined(Exception):
    """A declared error: known to have had no effect."""


class World:
    """What the steps do: a ledger of executions, and a receiver that remembers keys on disk and takes each once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger(folder / "ledger")
        self._taken = folder / "taken"
        self._taken.mkdir(exist_ok=True)

    def effect(self, what: str, key: str) -> None:
        """Execute something under a key: noted each time, taken the first time."""
        self.ledger.note(what, key)
        try:
            os.close(os.open(self._place(what, key), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        taken = os.open(self._taken, os.O_RDONLY)
        os.fsync(taken)
        os.close(taken)

    def took(self, what: str, key: str) -> bool:
        """Whether the receiver has had this key."""
        return self._place(what, key).exists()

    def effects(self) -> list[tuple[str, str]]:
        """What the receiver took: `(what, key)`."""
        return [(what, key) for what, _, key in (path.name.partition(" ") for path in self._taken.iterdir())]

    def _place(self, what: str, key: str) -> Path:
        return self._taken / f"{what} {key}"


class Errand(Workflow[Job], name="errand"):
    world: World

    reserving = State(initial=True, defer=(Confirm,))
    booking = State(defer=(Confirm,))
    waiting = State()
    lingering = State()
    resting = State()
    notifying = State()
    asking = State()
    trying = State()
    paying = State()
    paid = State(final=True)
    settled = State(final=True)
    rejected = State(final=True, compensate=True)
    declined = State(final=True, compensate=True)
    given_up = State(final=True, compensate=True)

    @step(reserving, to=booking, retry=QUICK)
    async def reserve(self, job: Job, call: Call[int]) -> Job:
        self.world.effect("do", call.key)
        if job.trouble == "reserve" and call.attempt == 1:
            raise ConnectionError
        if job.trouble == "slow":
            await call.save(call.attempt)
            await asyncio.sleep(0.03)
        return evolve(job, reserved=True)

    @reserve.undo(retry=QUICK)
    def release(self, job: Job, call: Call) -> None:
        self.world.effect("undo", call.undoes)
        if job.trouble == "release" and call.attempt == 1:
            raise ConnectionError

    @transaction(booking, to=waiting)
    def book(self, job: Job, connection: Connection, call: Call) -> Job:
        connection.execute("INSERT INTO booking (key) VALUES (?)", (call.key,))
        return evolve(job, booked=True)

    @book.undo
    def unbook(self, job: Job, connection: Connection, call: Call) -> None:
        connection.execute("INSERT INTO unbooking (key) VALUES (?)", (call.undoes,))

    confirm = on(Confirm, source=waiting, to=paying)
    reject = on(Reject, source=waiting, to=rejected)
    linger_on = on(Linger, source=waiting, to=lingering)
    rest = on(Rest, source=waiting, to=resting)
    rested = after(timedelta(milliseconds=10), source=resting, to=settled)
    tell = on(Notify, source=waiting, to=notifying)
    question = on(Ask, source=waiting, to=asking)
    try_it = on(Try, source=waiting, to=trying)

    @step(lingering, to=settled, effect=False)
    async def linger(self, job: Job) -> Job:
        await asyncio.Event().wait()
        return job

    @step(notifying, to=settled, once=True, effect=False)
    def notify(self, job: Job, call: Call) -> Job:
        self.world.effect("once", call.key)
        return job

    @step(asking, to=settled, error={Declined: declined}, effect=False)
    async def ask(self, job: Job) -> Job:
        raise Declined

    @step(trying, to=settled, retry=Retry(2, delay=0.005), failed=given_up, effect=False)
    def attempt(self, job: Job, call: Call) -> Job:
        self.world.effect("do", call.key)
        raise ConnectionError

    @step(paying, to=paid, pivot=True)
    def pay(self, job: Job, call: Call) -> Job:
        self.world.effect("do", call.key)
        if job.trouble == "pay" and not self.world.took("mended", call.run):
            raise ConnectionError
        return evolve(job, paid=True)


def numbers(_job: Job) -> tuple[int, ...]:
    """What is put one by one."""
    return (1, 2)


def all_put(job: Job, put: Sequence[int]) -> Job:
    """They are."""
    return evolve(job, booked=sum(put) == 3)


class Many(Workflow[Job], name="many"):
    """Saves on its way, does one step for each of many items, fails, and undoes them."""

    counting = State(initial=True)
    putting = State()
    ending = State()
    ended = State(final=True)

    @step(counting, to=putting, effect=False)
    def count(self, job: Job, call: Call[int]) -> Job:
        call.save(1)
        return evolve(job, reserved=True)

    @step(putting, each=numbers, to=ending, into=all_put, retry=QUICK)
    async def put(self, job: Job, number: int, call: Call) -> int:
        return number

    @put.undo(retry=QUICK)
    async def take(self, job: Job, number: int, call: Call) -> None:
        return None

    @step(ending, to=ended, effect=False)
    def end(self, job: Job) -> Job:
        raise ConnectionError


class Memo(Workflow[Job], name="memo", version=1):
    """As it was when its runs were started."""

    written = State(initial=True)
    filed = State(final=True)

    file = on(Confirm, source=written, to=filed)


class MemoSince(Workflow[Job], name="memo", version=2):
    """As it is deployed over them."""

    written = State(initial=True)
    filed = State(final=True)
    thrown = State(final=True)

    file = on(Confirm, source=written, to=filed)
    throw = on(Reject, source=written, to=thrown)


def prepare(folder: Path) -> None:
    """An application's database, with tables of its own, that is also a journal."""
    connection = sqlite3.connect(folder / "journal.db")
    connection.execute("CREATE TABLE booking (key TEXT NOT NULL)")
    connection.execute("CREATE TABLE unbooking (key TEXT NOT NULL)")
    connection.commit()
    connection.close()
    SQLiteJournal(folder / "journal.db", adopt=True).close()


class Template:
    """A prepared database, to be copied into a folder of its own for each trial."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.place = folder / "template"
        self.place.mkdir()
        prepare(self.place)

    def copy(self) -> Path:
        """A new folder with a copy."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        shutil.copy(self.place / "journal.db", folder / "journal.db")
        return folder
