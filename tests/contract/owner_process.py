"""A process that opens a journal and does what it is told on its standard input, a word a line, answering each."""

from __future__ import annotations

import sys
from collections.abc import Callable

from persistence import JournalError, SQLiteJournal
from persistence.contract import a_message, start


def main(path: str, lease: str) -> None:
    """Obey until the input ends or it says `close`."""
    journal = SQLiteJournal(path)
    epoch = 0
    runs = 0

    def claim() -> object:
        nonlocal epoch
        epoch = journal.claim(f"process {path and lease}", float(lease))
        return epoch

    def commit() -> object:
        nonlocal runs
        runs += 1
        return journal.commit(epoch, [start(f"r{epoch}-{runs}")])

    words: dict[str, Callable[[], object]] = {
        "open": lambda: "",
        "claim": claim,
        "commit": commit,
        "renew": lambda: journal.renew(epoch),
        "put": lambda: journal.put(a_message()).number,
        "owner": journal.owner,
        "close": journal.close,
    }
    for line in sys.stdin:
        word = line.strip()
        try:
            print(f"ok {words[word]()}", flush=True)
        except JournalError as error:
            print(f"{type(error).__name__} {error}", flush=True)
        if word == "close":
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
