"""How a scenario is played: each move is made again after a death, and noted in the ledger once it is acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from persistence import Journal, SQLiteJournal
from statemachine import Client, Definition, NotAccepted, Receipt, Refused, Run, Runner, Workflow
from statemachine.testing import watched, watched_steps
from statemachine.testing.points import Hook
from tests.reliability.errand import Errand, Job, World

PATIENCE = 20.0
"""Seconds after which a state that was to come is given up."""

Wrap = Callable[[Journal], Journal]


class Desk:
    """Opens runners on one folder, whose journals and steps pass the points of `hook`."""

    def __init__(self, folder: Path, hook: Hook, wrap: Wrap = lambda journal: journal) -> None:
        self.world = World(folder)
        self.file = folder / "journal.db"
        self._hook = hook
        self._wrap = wrap

    @contextmanager
    def runner(self, workflows: Sequence[Workflow[Any]] = ()) -> Generator[Runner]:
        """A runner, closed in peace."""
        with self._journal() as journal, Runner(journal, self._watched(workflows), grace=5) as runner:
            yield runner

    @contextmanager
    def client(self) -> Generator[Client]:
        """A client of the same file, in this process."""
        with self._journal() as journal, Client(journal, [Errand(self.world)]) as client:
            yield client

    @contextmanager
    def _journal(self) -> Generator[Journal]:
        journal = self._wrap(SQLiteJournal(self.file))
        try:
            yield watched(journal, self._hook)
        finally:
            journal.close()

    def _watched(self, workflows: Sequence[Workflow[Any]]) -> list[Definition]:
        return [watched_steps(workflow, self._hook) for workflow in workflows or [Errand(self.world)]]

    # Moves.

    def start(self, runner: Runner, run: str, trouble: str = "", kind: type[Workflow[Job]] = Errand) -> Run[Job]:
        """Start a run."""
        started = runner.start(kind, Job(trouble), id=run)
        self._acknowledged("start", run)
        return started

    def send(self, run: Run[Any], event: object, id: str = "event") -> None:
        """Send an event by its id, until the run is where it takes it."""
        until(lambda: self._sent(run, event, id), lambda: f"{run.id} in {run.state} does not take {event}")
        self._acknowledged("event", run.id, id)

    def _sent(self, run: Run[Any], event: object, id: str) -> bool:
        try:
            run.send(event, id=id)
        except NotAccepted:
            self.decide(run)
            return False
        return True

    def verb(self, run: Run[Any], kind: str) -> None:
        """Give an operator's verb, unless it was recorded before."""
        if all(entry.kind != kind for entry in run.journal()):
            getattr(run, kind)()
        self._acknowledged("verb", run.id, kind)

    def put(self, client: Client, run: str, event: object, id: str) -> Receipt:
        """Queue an event through the file."""
        receipt = client.send(run, event, id=id)
        self._acknowledged("put", run, id)
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
        look = run.look()
        for incident in look.incidents:
            if incident.step == "notify":
                took = any(what == "once" and key.startswith(f"{run.id}:") for what, key in self.world.effects())
                (run.done if took else run.retry)(incident.number, reason="the receiver was asked")
            else:
                self.world.effect("mended", run.id)
                run.retry(incident.number)
            self._acknowledged("verb", run.id, "resolve")
        return look.state[0] if look.status in {"running", "undoing"} else ""

    def _acknowledged(self, *words: str) -> None:
        self.world.ledger.note("acknowledged", *words)


def until(holds: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.001)
