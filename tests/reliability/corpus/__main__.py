"""Write the dump of the present schema: `python -m tests.reliability.corpus`."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from persistence.sqlite.sql import MIGRATIONS
from statemachine import Client, Runner
from tests.reliability.corpus.story import Letter, Mailing, Note, Office, Post, Tear

FOLDER = Path(__file__).parent
STAMPED = ("waiting", "over", "undone", "stuck")


def tell(path: Path) -> None:
    """Runs that wait, are over, undone, stuck at their pivot, waiting to be retried with an event deferred, and put."""
    with Runner(path, [Mailing(Office(closed=True))]) as runner:
        for run in (*STAMPED, "retried"):
            to = {"stuck": "nobody", "retried": "later"}.get(run, "ada")
            runner.start(Mailing, Letter(to), id=run, tags={"to": to})
        _until(lambda: all(runner.get(run).look().state == ("waiting",) for run in STAMPED))
        runner.send("waiting", Note("soon"), id="note-1", actor="grace", reason="she asked")
        runner.send("over", Post("grace"), id="post-1")
        runner.send("undone", Tear(), id="tear-1")
        runner.send("stuck", Post("grace"), id="post-2")
        _until(lambda: any(one.due is not None for one in runner.list(tags={"to": "later"})))
        runner.send("retried", Note("deferred"), id="note-2")
        for run in ("over", "undone"):
            runner.result(run, timeout=10)
        _until(lambda: len(runner.get("stuck").look().incidents) > 0)
    with Client(path, [Mailing(Office())]) as client:
        client.send("waiting", Note("by post"), id="note-3")
        client.start(Mailing, Letter("bob"), id="put")


def _until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not so():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.005)


def dump(path: Path) -> str:
    """A database as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def main(folder: Path = FOLDER) -> Path:
    """Write the dump; where it went."""
    with TemporaryDirectory() as place:
        path = Path(place) / "app.db"
        tell(path)
        target = folder / f"{MIGRATIONS[-1]}.sql"
        target.write_text(dump(path), encoding="utf-8")
    return target


if __name__ == "__main__":
    print(main())
