"""A process whose run fails, who tells of it in a file, and dies: `python -m tests.crash.teller FILE TOLD POINT`.

It is killed at the crash point. Without one it ends when everybody was told.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import attrs

from persistence import SQLiteJournal
from statemachine import Runner, State, Workflow, step
from statemachine.runner import Notice
from statemachine.testing import KillAt, watched


@attrs.frozen
class Letter:
    to: str


class Post(Workflow[Letter], name="post"):
    sending = State(initial=True)
    sent = State(final=True)

    @step(sending, to=sent)
    async def send(self, letter: Letter) -> Letter:
        message = f"{letter.to} has moved"
        raise LookupError(message)


def main(file: str, told: str, point: str) -> None:
    """Start a run that fails, and tell."""

    def tell(notice: Notice) -> None:
        with Path(told).open("a", encoding="utf-8") as out:
            out.write(f"{notice.id}\n")

    journal = SQLiteJournal(file)
    with Runner(watched(journal, KillAt(point)), [Post()], on_failed=tell) as runner:
        runner.start(Post, Letter("ada"), id="p-1").result(timeout=10)
        while journal.notices(0, 1):
            time.sleep(0.005)


if __name__ == "__main__":
    main(*sys.argv[1:])
