"""What a receiver needs to do each thing once: a file of lines, each under a key, that outlives whoever writes it."""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import msgspec


class Line(msgspec.Struct, frozen=True):
    """What was done, and by which key it was asked for."""

    key: str
    done: str


@attrs.frozen
class Once:
    """The file. It is there when something was done."""

    path: Path

    def do(self, what: str, *, key: str) -> bool:
        """Note that it is done: on the disk when this returns. False for a key that is known; nothing is noted then."""
        if any(line.key == key for line in self.lines()):
            return False
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(Line(key, what)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return True

    def lines(self) -> list[Line]:
        """All that was done, in its order. A line that was cut short by a crash was told to nobody, and is not read."""
        if not self.path.exists():
            return []
        whole, _, cut = self.path.read_bytes().rpartition(b"\n")
        if cut:
            os.truncate(self.path, len(whole) + 1 if whole else 0)
        return [msgspec.json.decode(line, type=Line) for line in whole.splitlines()]
