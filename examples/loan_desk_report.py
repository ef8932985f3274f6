"""What is said at the end of the day: one loan's story, the sums, and whether the bank agrees."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from examples.loan_desk_checks import Ending, Outcome, examine
from examples.loan_desk_data import PURPOSES
from examples.loan_desk_memory import MEMORY, read_entries
from examples.loan_desk_processes import FolderError
from examples.loan_desk_show import Tally, story, table
from examples.loan_desk_tables import applications, connect, ledger
from statemachine import Client, RunView, Workflow

JOURNAL = "desk.db"
"""The name of the database in the demo's folder."""
DASHBOARD = "-m statemachine serve --app examples.loan_desk:LoanDesk"
"""What opens a page on a journal, said to a Python that has the extras `[cli,web,diagrams]`, as `make demo`'s has."""


ENDS: tuple[Outcome, ...] = ("paid", "declined", "undone")
"""The names of the final states."""


def outcome(view: RunView[Any]) -> Outcome:
    """How a loan ended, if it has: by its final state, or undone in the middle of its way."""
    if view.status in {"running", "undoing"}:
        return "open"
    for end in ENDS:
        if view.status == "completed" and view.state == (end,):
            return end
    return "undone"


def report(folder: Path, desk: Workflow[Any], *, four_eyes: int, tally: Tally | None = None) -> bool:
    """Print it. Whether every check holds. Without a tally, what only those who were there know is left out.

    Raises:
        FolderError: Nothing was handed in there.
    """
    if not (folder / JOURNAL).exists():
        message = f"{folder} holds no {JOURNAL}; is it the folder of a day at the loan desk?"
        raise FolderError(message)
    with Client(folder / JOURNAL, [desk]) as client, closing(connect(folder / JOURNAL)) as connection:
        loans = applications(connection)
        if not loans:
            message = f"{folder / JOURNAL} holds no application"
            raise FolderError(message)
        kills = tally.kills if tally else []
        endings = [ending(client, loan, kills) for loan in dict.fromkeys(loans)]
        told = _most_telling(endings)
        run = client.get(told.loan)
        title = f"{told.loan}: {told.amount:,} marks for {PURPOSES[run.data.application.purpose]}"
        print("", *story(title, run.journal(), _last_word(told)), sep="\n  ")
        checks = examine(loans, endings, ledger(connection), read_entries(folder / MEMORY), four_eyes=four_eyes)
    print("", *table(_sums(endings, tally), checks), sep="\n")
    print(f"\n  See the day: {_python()} {DASHBOARD} {folder / JOURNAL}")
    return not any(check.against for check in checks)


def _python() -> str:
    """This interpreter, as one would type it here."""
    path = Path(sys.executable)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def ending(client: Client, loan: str, kills: list[datetime]) -> Ending:
    """How a run ended, as its journal has it."""
    run = client.get(loan)
    view, entries = run.look(), run.journal()
    over = [bool(entry.state) and entry.state[0] in ENDS for entry in entries]
    return Ending(
        loan,
        view.data.application.amount,
        outcome(view),
        why=view.data.objection() or ("the bank did not answer" if view.error else "the account was closed"),
        approved_by=view.data.approved_by,
        failures=sum(entry.kind in {"failed", "undo-failed"} for entry in entries),
        ends=sum(now and not before for before, now in pairwise([False, *over])) + (view.status == "failed"),
        folds=client.verify(loan).ok,
        kills=sum(view.started < kill < view.updated for kill in kills),
    )


def _most_telling(endings: Sequence[Ending]) -> Ending:
    """The loan whose story is told: undone, after more than one approval, through kills, on many attempts."""
    return max(endings, key=lambda one: (one.outcome == "undone", len(one.approved_by), one.kills, one.failures))


def _sums(endings: Sequence[Ending], tally: Tally | None) -> list[tuple[str, int, str]]:
    """The rows of the table."""
    by_outcome = {how: [one for one in endings if one.outcome == how] for how in ("paid", "declined", "undone")}
    paid = by_outcome["paid"]
    rows = [
        ("applications", len(endings), f"{sum(one.amount for one in endings):,} marks"),
        ("paid", len(paid), f"{sum(one.amount for one in paid):,} marks"),
        *((how, len(by_outcome[how]), _reasons(by_outcome[how])) for how in ("declined", "undone")),
        ("failed attempts", sum(one.failures for one in endings), "of steps, tried again"),
    ]
    if tally:
        seen_to = ", ".join(f"{number} × {what}" for what, number in tally.incidents.items())
        rows += [
            ("refused approvals", tally.refused, "the same clerk twice"),
            ("incidents", tally.incidents.total(), f"all seen to: {seen_to}" if seen_to else ""),
            ("kills survived", len(tally.kills), f"in {tally.seconds:.0f} seconds"),
        ]
    return rows


def _reasons(endings: Sequence[Ending]) -> str:
    return ", ".join(f"{number} × {why}" for why, number in Counter(one.why for one in endings).most_common())


def _last_word(one: Ending) -> str:
    approved = f"approved by {' and '.join(one.approved_by)}" if one.approved_by else "approved by nobody"
    why = "" if one.outcome == "paid" else f": {one.why}"
    through = (
        f"; the worker was killed {'once' if one.kills == 1 else f'{one.kills} times'} meanwhile" if one.kills else ""
    )
    return f"{approved}; {one.outcome}{why}{through}"
