"""How a scenario is played: each move is made again after a death, and noted in the ledger once it is acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from persistence import CommitUnknown, Journal, SQLiteJournal, Unwritable
from statemachine import Client, NoSuchRun, NotAccepted, Receipt, Refused, Run, Runner, Workflow
from statemachine.snapshot import Incident
from statemachine.testing import watched, watched_steps
from statemachine.testing.points import Hook
from tests.reliability.errand import Errand, Job, World

PATIENCE = 20.0
"""Seconds after which a state that was to come is given up."""

R = TypeVar("R", bound=Runner)
T = TypeVar("T")
Wrap = Callable[[Journal], Journal]


class Desk:
    """Opens runners on one folder, whose journals and steps pass the points of `hook`."""

    def __init__(self, folder: Path, hook: Hook, wrap: Wrap = lambda journal: journal) -> None:
        self.world = World(folder)
        self.file = folder / "journal.db"
        self._hook = hook
        self._wrap = wrap

    @contextmanager
    def runner(self, workflows: Sequence[Workflow[Any]] = (), **options: Any) -> Generator[Runner]:
        """A runner, closed in peace. One that could not be opened for an answer that got lost is opened again."""
        given = [watched_steps(workflow, self._hook) for workflow in workflows or [Errand(self.world)]]
        with ExitStack() as closing:
            opened = partial(self._opened, lambda journal: Runner(journal, given, grace=5, **options))
            yield insist(lambda: closing.enter_context(opened()))

    @contextmanager
    def client(self, workflows: Sequence[Workflow[Any]] = ()) -> Generator[Client]:
        """A client of the same file."""
        given = workflows or [Errand(self.world)]
        with self._opened(lambda journal: Client(journal, given)) as client:
            yield client

    @contextmanager
    def _opened(self, make: Callable[[Journal], R]) -> Generator[R]:
        journal = self._wrap(SQLiteJournal(self.file))
        try:
            with make(watched(journal, self._hook)) as opened:
                yield opened
        finally:
            journal.close()

    # Moves.

    def start(self, runner: Runner, run: str, trouble: str = "", kind: type[Workflow[Job]] = Errand) -> Run[Job]:
        """Start a run."""
        started = insist(lambda: runner.start(kind, Job(trouble), id=run))
        self.acknowledged("start", run)
        return started

    def send(self, run: Run[Any], event: object, id: str = "event") -> None:
        """Send an event by its id, until the run is where it takes it."""
        until(lambda: self._sent(run, event, id), lambda: f"{run.id} in {run.state} does not take {event}")
        self.acknowledged("event", run.id, id)

    def _sent(self, run: Run[Any], event: object, id: str) -> bool:
        try:
            insist(lambda: run.send(event, id=id))
        except NotAccepted:
            self.decide(run)
            return False
        return True

    def verb(self, run: Run[Any], kind: str) -> None:
        """Give an operator's verb, unless it was recorded before."""

        def unless_recorded() -> None:
            if all(entry.kind != kind for entry in run.journal()):
                getattr(run, kind)()

        insist(unless_recorded)
        self.acknowledged("verb", run.id, kind)

    def put(self, client: Client, run: str, event: object, id: str) -> Receipt:
        """Queue an event through the file."""
        receipt = insist(lambda: client.send(run, event, id=id))
        self.acknowledged("put", run, id)
        return receipt

    def settle(self, client: Client, receipt: Receipt) -> None:
        """Wait for the verdict on a queued event."""
        with suppress(Refused):
            client.verdict(receipt, timeout=PATIENCE)

    def reach(self, run: Run[Any], *states: str) -> None:
        """Wait until the run is in one of these states, deciding what incidents come."""
        until(lambda: self.decide(run) in states, lambda: f"{run.id} is in {run.state}, not {states}: {run.incidents}")

    def end(self, run: Run[Any]) -> None:
        """Wait until the run is over, deciding what incidents come."""
        until(lambda: not self.decide(run), lambda: f"{run.id} does not end, but is in {run.state}: {run.incidents}")

    def decide(self, run: Run[Any]) -> str:
        """Do what an operator does who can see the receiver. Gives the run's state; empty once it is over."""
        try:
            look = run.look()
        except NoSuchRun:
            return "queued"
        for incident in look.incidents:
            insist(lambda incident=incident: self._decide(run, incident))  # type: ignore[misc]
            self.acknowledged("verb", run.id, "resolve")
        return look.state[0] if look.status in {"running", "undoing"} else ""

    def _decide(self, run: Run[Any], incident: Incident) -> None:
        if all(incident.number != other.number for other in run.look().incidents):
            return
        if incident.step == "notify":
            took = any(what == "once" and key.startswith(f"{run.id}:") for what, key in self.world.effects())
            (run.done if took else run.retry)(incident.number, reason="the receiver was asked")
        else:
            self.world.effect("mended", run.id)
            run.retry(incident.number)

    def acknowledged(self, *words: str) -> None:
        """Note what a call on the runner has come back from."""
        self.world.ledger.note("acknowledged", *words)


def insist(call: Callable[[], T]) -> T:
    """What a caller does whose call on the journal failed, heard or not: makes it again, with the same ids."""
    while True:
        try:
            return call()
        except (CommitUnknown, Unwritable):
            continue


def until(holds: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait until something holds."""
    assert becomes(holds, PATIENCE), otherwise()


def becomes(holds: Callable[[], bool], patience: float) -> bool:
    """Whether something holds, within so many seconds."""
    deadline = time.monotonic() + patience
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.001)
    return True
