"""What happened outside the database, line by line, each durable before anybody goes on: the oracle of the evidence."""

from __future__ import annotations

import os
from pathlib import Path

WHOLE = "."
"""Ends a line that was written whole."""


class Ledger:
    """A file to which any number of processes append lines; `note` returns when its line is on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def note(self, *words: str) -> None:
        """Append one line of words, which hold no space.

        A kill may tear a line where it crosses a page, so each begins on a line of its own and ends with a mark.
        """
        os.write(self._file, ("\n" + " ".join((*words, WHOLE))).encode())
        os.fsync(self._file)

    def lines(self, what: str = "") -> list[tuple[str, ...]]:
        """The words after `what` of every line that begins with it; of every line, all words, when it is empty."""
        found = [tuple(line.split(" ")) for line in self.path.read_text(encoding="utf-8").splitlines()]
        lines = [words[:-1] for words in found if words[-1] == WHOLE]
        return [words[1:] for words in lines if words[0] == what] if what else lines

    def close(self) -> None:
        """Give the file up."""
        os.close(self._file)
