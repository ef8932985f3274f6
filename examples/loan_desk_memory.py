"""The bank's own memory: a file of entries, each on disk before its order is answered.

It is apart from the desk's database, so it can bear witness: whatever the desk believes, this is what the bank did.
"""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import msgspec

MEMORY = "bank.jsonl"
"""Its name in the demo's folder."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something the bank did. `hold` is the key of the hold that was released or paid from."""

    op: str
    loan: str = ""
    key: str = ""
    amount: int = 0
    hold: str = ""
    reference: str = ""


def read_entries(path: Path) -> list[Entry]:
    """What the file holds. A last line that was cut off in the middle was never answered, so it does not count."""
    content = path.read_bytes() if path.exists() else b""
    return [msgspec.json.decode(line, type=Entry) for line in content.splitlines(keepends=True) if line.endswith(b"\n")]


def _line(entry: Entry) -> bytes:
    return msgspec.json.encode(entry) + b"\n"


class Memory:
    """The entries, and what follows from them."""

    def __init__(self, path: Path) -> None:
        self.by_key: dict[str, Entry] = {}
        self.holds: set[str] = set()
        self.released: set[str] = set()
        self.cleared: set[str] = set()
        self.outage = False
        self.orders = 0
        entries = read_entries(path)
        for entry in entries:
            self._learn(entry)
        self._path = path
        path.touch()
        os.truncate(path, sum(len(_line(entry)) for entry in entries))  # without what was cut off

    def write(self, entry: Entry) -> Entry:
        """Give the entry its reference and put it on disk."""
        prefix = {"hold": "H", "pay": "P", "release": "R"}.get(entry.op, "X")
        entry = msgspec.structs.replace(entry, reference=f"{prefix}-{self.orders + 1:05}")
        with self._path.open("ab") as file:
            file.write(_line(entry))
            file.flush()
            os.fsync(file.fileno())
        self._learn(entry)
        return entry

    def _learn(self, entry: Entry) -> None:
        self.orders += 1
        if entry.key:
            self.by_key[entry.key] = entry
        if entry.op == "hold":
            self.holds.add(entry.key)
        elif entry.op == "release":
            self.released.add(entry.hold)
            self.holds.discard(entry.hold)
        elif entry.op == "pay":
            self.holds.discard(entry.hold)
        elif entry.op == "clear":
            self.cleared.add(entry.loan)
        elif entry.op == "outage":
            self.outage = True


@attrs.frozen
class Account:
    """What the bank did for one loan."""

    payments: tuple[Entry, ...] = ()
    open_holds: tuple[str, ...] = ()
    released: int = 0


def accounts(entries: list[Entry]) -> dict[str, Account]:
    """What the bank did, by loan, worked out from its entries alone."""
    by_loan: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.loan:
            by_loan.setdefault(entry.loan, []).append(entry)
    return {loan: _account(mine) for loan, mine in by_loan.items()}


def _account(entries: list[Entry]) -> Account:
    released = {entry.hold for entry in entries if entry.op == "release"}
    used = {entry.hold for entry in entries if entry.op == "pay"}
    held = [entry.key for entry in entries if entry.op == "hold"]
    return Account(
        payments=tuple(entry for entry in entries if entry.op == "pay"),
        open_holds=tuple(key for key in held if key not in released | used),
        released=sum(key in released for key in held),
    )
