"""What happened outside the database, line by line, each durable before anybody goes on: the oracle of the evidence."""

from __future__ import annotations

import os
from pathlib import Path


class Ledger:
    """A file to which any number of processes append lines; `note` returns when its line is on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def note(self, *words: str) -> None:
        """Append one line of words, which hold no space."""
        os.write(self._file, (" ".join(words) + "\n").encode())
        os.fsync(self._file)

    def lines(self, what: str = "") -> list[tuple[str, ...]]:
        """The words after `what` of every line that begins with it; of every line, all words, when it is empty."""
        lines = [tuple(line.split(" ")) for line in self.path.read_text(encoding="utf-8").splitlines()]
        return [words[1:] for words in lines if words[0] == what] if what else lines

    def close(self) -> None:
        """Give the file up."""
        os.close(self._file)
