"""The loan desk of the examples at full load, to be killed at random: its workflow, its people, its bank and its books.

The worker's steps note in the ledger what they execute, and under which key; the people note what was acknowledged. The
bank is the example's own process, which nobody kills: busy, dropping connections, silent after it has done what it was
asked, taking each key once, and remembering on disk.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import attrs

from examples.loan_desk import FOUR_EYES, LoanDesk, People
from examples.loan_desk_checks import examine
from examples.loan_desk_data import generate
from examples.loan_desk_memory import MEMORY, read_entries
from examples.loan_desk_remote import Bank, Bureau
from examples.loan_desk_report import ending
from examples.loan_desk_show import Tally
from examples.loan_desk_tables import applications, connect, ledger
from persistence import SQLiteJournal
from statemachine import Client, Receipt, Refused, Runner
from statemachine.definition import Definition, Function
from statemachine.workflow import bind
from tests.reliability.ledger import Ledger

LOANS = 40
"""As many as the people have under way at once."""
FILE = "journal.db"
GLANCE = 0.01


def prepare(folder: Path) -> None:
    """An empty journal with the desk's own tables beside it."""
    SQLiteJournal(folder / FILE).close()
    connect(folder / FILE).close()


def desk(port: int) -> LoanDesk:
    """The workflow with its collaborators."""
    return LoanDesk(Bureau(port), Bank(port))


def serve(folder: Path, port: int) -> None:
    """The worker's process: moves the loans until all have ended."""
    with Runner(folder / FILE, [noted(desk(port), Ledger(folder / "ledger"))]) as runner:
        while not _over(runner):
            time.sleep(GLANCE)


def _over(runner: Runner) -> bool:
    runs = runner.list(limit=LOANS + 1)
    return len(runs) == LOANS and all(run.status not in {"running", "undoing"} for run in runs)


def noted(workflow: LoanDesk, executed: Ledger) -> Definition:
    """The workflow, bound, whose steps and undos note their key before they do anything."""
    definition = bind(workflow)
    functions = dict(definition.code.functions)
    for step in definition.steps:
        functions[step.function] = _noting(functions[step.function], lambda call: executed.note("do", call.key))
        if step.undo is not None:
            undo = step.undo.function
            functions[undo] = _noting(functions[undo], lambda call: executed.note("undo", call.undoes))
    return attrs.evolve(definition, code=attrs.evolve(definition.code, functions=functions))


def _noting(function: Function, note: Callable[[Any], None]) -> Function:
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def perform(*arguments: Any) -> Any:
            note(arguments[-1])
            return await function(*arguments)

        return perform

    @wraps(function)
    def do(*arguments: Any) -> Any:
        note(arguments[-1])
        return function(*arguments)

    return do


class Heard(Client):
    """A client that notes which events were acknowledged."""

    executed: Ledger

    def send(self, run: str, event: object, **more: Any) -> Receipt:
        """Send, and note it."""
        receipt = super().send(run, event, **more)
        self.executed.note("acknowledged", "put", run, receipt.id)
        return receipt


def people(folder: Path, port: int, seed: int) -> None:
    """The people's process. Begun again, they know from the books who has applied, and decide again what they did."""
    with Heard(folder / FILE, [desk(port)]) as client, closing(connect(folder / FILE)) as connection:
        client.executed = Ledger(folder / "ledger")
        known = set(applications(connection))
        everybody = ((f"loan-{number}", one) for number, one in enumerate(generate(LOANS, seed)))
        arriving = ((loan, one) for loan, one in everybody if loan not in known)
        desk_people = People(
            client,
            connection,
            Bank(port),
            seed,
            Tally(),
            open=set(known),  # pyright: ignore[reportCallIssue] -- attrs names `_open` so
        )
        while len(known) < LOANS or desk_people.under_way:
            desk_people.apply(arriving)
            for loan in set(applications(connection)) - known:
                client.executed.note("acknowledged", "put", loan, "start")
                known.add(loan)
            desk_people.decide()
            with suppress(Refused):  # who was killed with a verb on its way finds that it was taken
                desk_people.operate()
            desk_people.settle()
            time.sleep(GLANCE)


def checked(folder: Path) -> Iterator[str]:
    """What the desk's own checks find against it, which hold its books and journal against the bank's memory."""
    with Client(folder / FILE, [desk(0)]) as client, closing(connect(folder / FILE)) as connection:
        loans = applications(connection)
        endings = [ending(client, loan, []) for loan in dict.fromkeys(loans)]
        for check in examine(loans, endings, ledger(connection), read_entries(folder / MEMORY), four_eyes=FOUR_EYES):
            yield from (f"{check.sentence}: {against}" for against in check.against)
