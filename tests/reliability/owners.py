"""Processes that want one file at once: what each does, and what it notes of how it went."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from persistence import Change, Fenced, Forked, MessageRecord, Owned, SQLiteJournal, Work
from statemachine import Runner, RunnerClosed
from statemachine.errors import OpenedBeforeFork
from tests.reliability.desk import Desk, until
from tests.reliability.errand import Confirm, Errand, Job, Rest
from tests.reliability.ledger import Ledger

LEASE = 0.4
"""Seconds, so that a suspended owner is soon replaced."""
BREATH = 0.03
"""Seconds between two runs, so that an owner is mostly suspended outside a commit; inside one nobody can take over."""
TRIES = 5


def there(folder: Path, sign: str) -> bool:
    """Whether the one who waits for others has given a sign."""
    return (folder / sign).exists()


def wait_for(folder: Path, sign: str) -> None:
    """Wait for a sign."""
    until(lambda: there(folder, sign), lambda: f"nobody gave the sign {sign!r}")


def contend(folder: Path, name: str) -> None:
    """Open at the same instant as others. Who owns works until all have been refused, several times each."""
    desk = Desk(folder, lambda _: None)
    wait_for(folder, "go")
    try:
        with desk.runner() as runner:
            desk.world.ledger.note("opened", name)
            run = desk.start(runner, "r")
            desk.send(run, Confirm())
            wait_for(folder, "enough")
            desk.end(run)
    except Owned:
        desk.world.ledger.note("refused", name)
        _try_again(desk, name)


def _try_again(desk: Desk, name: str) -> None:
    for _ in range(TRIES):
        try:
            with desk.runner():
                desk.world.ledger.note("opened", name)
        except Owned:
            desk.world.ledger.note("refused-again", name)


class Unrenewed(SQLiteJournal):
    """Its owner hears nothing from its lease, so a commit is what tells it that another has claimed; notes each such.

    A runner renews every third of its lease, and one that wakes would mostly learn it there and try no commit any more.
    """

    def __init__(self, path: Path, ledger: Ledger) -> None:
        super().__init__(path)
        self._ledger = ledger

    def renew(self, epoch: int) -> None:
        """Renew, where nobody else has claimed."""
        with suppress(Fenced):
            super().renew(epoch)

    def commit(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        """Commit, and note what was refused: the runs that it would have begun."""
        try:
            return super().commit(epoch, changes)
        except Fenced:
            begun = [one.run.run for one in changes if isinstance(one, Change) and one.run and one.expected == -1]
            self._ledger.note("late-commit", ",".join(begun) or "-")
            raise


def work_on(folder: Path, unrenewed: bool) -> None:
    """Own the file with a short lease, and start and answer runs until this process is told that it owns no more."""
    desk = Desk(folder, lambda _: None)
    journal = Unrenewed(desk.file, desk.world.ledger) if unrenewed else SQLiteJournal(desk.file)
    number = 0
    runner = Runner(journal, [Errand(desk.world)], lease=LEASE)
    runner.__enter__()
    desk.world.ledger.note("owner", "first")
    try:
        while not there(folder, "enough"):
            run = desk.start(runner, f"first-{number}")
            desk.send(run, Confirm() if number % 2 else Rest())
            number += 1
            time.sleep(BREATH)
    except (Fenced, RunnerClosed) as error:
        desk.world.ledger.note("stopped", type(error).__name__)
    runner.close()
    journal.close()


def take_over(folder: Path, sends: int) -> None:
    """Stand by, take over, and bring all runs to their end."""
    desk = Desk(folder, lambda _: None)
    with Runner(desk.file, [Errand(desk.world)], standby=True, lease=LEASE) as runner:
        until(lambda: runner.owner, lambda: "never became the owner")
        desk.world.ledger.note("owner", "second")
        for number in range(sends):
            run = desk.start(runner, f"second-{number}")
            desk.send(run, Confirm())
        wait_for(folder, "enough")
        for summary in runner.list(limit=10_000):
            run = runner.get(summary.id)
            if summary.id.startswith("first-") and summary.state == ("waiting",):
                desk.send(run, Rest(), "late")  # its answer was never acknowledged, or never sent
            until(lambda: desk.decide(run) in {"", "waiting"}, lambda: f"{run.id} stays in {run.state}")  # noqa: B023
            if run.state == ("waiting",):
                desk.send(run, Rest(), "late")
            desk.end(run)


def fork_open(folder: Path) -> None:
    """Fork with a runner and a journal open: the child may do nothing with them, and ends; the parent goes on."""
    desk = Desk(folder, lambda _: None)
    journal = SQLiteJournal(desk.file)
    with Runner(journal, [Errand(desk.world)]) as runner:
        run = desk.start(runner, "r")
        child = os.fork()
        if child == 0:
            _as_child(desk, runner, journal)
        _, status = os.waitpid(child, 0)
        desk.world.ledger.note("child-ended", str(status))
        try:
            with desk.runner():
                desk.world.ledger.note("opened", "beside")
        except Owned:
            desk.world.ledger.note("refused", "beside")
        desk.send(run, Confirm())
        desk.end(run)
    journal.close()


def _as_child(desk: Desk, runner: Runner, journal: SQLiteJournal) -> None:
    """Try everything, and end without a word to the parent's locks."""
    message = MessageRecord(run="r", id="forked", kind="event", name="Confirm", body=b"{}", at=time.time_ns() // 1000)
    uses: dict[str, tuple[Callable[[], object], type[Exception]]] = {
        "runner": (lambda: runner.start(Errand, Job(), id="forked"), OpenedBeforeFork),
        "commit": (lambda: journal.commit(1, []), Forked),
        "put": (lambda: journal.put(message), Forked),
        "claim": (lambda: journal.claim("child", 1), Forked),
    }
    for name, (use, refusal) in uses.items():
        try:
            use()
            desk.world.ledger.note("used", name)
        except refusal:
            desk.world.ledger.note("forbidden", name)
    runner.close()
    journal.close()
    os._exit(0)
