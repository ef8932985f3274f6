"""What of a folder is left when the power goes: worked out from what was recorded, not from what the system kept.

What was synced stays. What was written since is, by the kind of loss, dropped, kept, kept in part, kept out of order,
torn at sectors, or garbled. Which files there are is a matter of the folder's own sync.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Literal

import attrs

from tests.reliability.disk.vfs import SECTOR, Operation

Loss = Literal["kept", "dropped", "in part", "reordered", "torn", "garbled"]
LOSSES: tuple[Loss, ...] = ("dropped", "in part", "reordered", "torn", "garbled")
"""What a loss of power may do to what was not synced. `kept` is what the death of the process alone leaves."""


def _applied(content: bytearray, operation: Operation) -> None:
    if operation.kind == "truncate":
        del content[operation.offset :]
        content.extend(bytes(operation.offset - len(content)))
    else:
        content.extend(bytes(max(0, operation.offset - len(content))))
        content[operation.offset : operation.offset + len(operation.data)] = operation.data


@attrs.define(eq=False)
class _File:
    """A file whatever it is called: what is on the disk, what the system shows of it, and what lies between."""

    durable: bytearray = attrs.field(factory=bytearray)
    shown: bytearray = attrs.field(factory=bytearray)
    pending: list[Operation] = attrs.field(factory=list[Operation])


class Folder:
    """A folder as it is after each operation, and what is left of it if the power goes there."""

    def __init__(self, files: Mapping[str, bytes] = {}) -> None:
        self._shown = {name: _File(bytearray(content), bytearray(content)) for name, content in files.items()}
        self._durable = dict(self._shown)
        self._pending: list[tuple[str, _File | None]] = []

    def perform(self, operation: Operation) -> None:
        """One more operation was done."""
        if operation.kind == "create":
            self._name(operation.file, _File())
        elif operation.kind == "delete":
            self._name(operation.file, None)
        elif operation.kind == "folder":
            self._durable = dict(self._shown)
            self._pending.clear()
        else:
            self._change(self._shown[operation.file], operation)

    def _name(self, name: str, file: _File | None) -> None:
        self._pending.append((name, file))
        if file is None:
            del self._shown[name]
        else:
            self._shown[name] = file

    @staticmethod
    def _change(file: _File, operation: Operation) -> None:
        if operation.kind == "sync":
            for one in file.pending:
                _applied(file.durable, one)
            file.pending.clear()
        elif operation.kind == "lost":
            file.pending.clear()
        else:
            _applied(file.shown, operation)
            file.pending.append(operation)

    def unsynced(self) -> bool:
        """Whether a loss of power would lose anything here."""
        return bool(self._pending) or any(file.pending for file in self._shown.values())

    def left(self, loss: Loss, random: Random) -> dict[str, bytes]:
        """The files that are left, and what is in them."""
        if loss == "kept":
            return {name: bytes(file.shown) for name, file in self._shown.items()}
        names = dict(self._durable)
        for name, file in self._pending:
            if loss != "dropped" and random.random() < 0.5:
                if file is None:
                    names.pop(name, None)
                else:
                    names[name] = file
        return {name: _survivor(file, loss, random) for name, file in names.items()}


def _survivor(file: _File, loss: Loss, random: Random) -> bytes:
    content = bytearray(file.durable)
    for operation in _surviving(file.pending, loss, random):
        _applied(content, operation)
    return bytes(content)


def _surviving(pending: list[Operation], loss: Loss, random: Random) -> Iterable[Operation]:
    """What of the operations since the last sync reaches the disk, in the order in which it does."""
    if loss == "dropped" or not pending:
        return []
    if loss == "torn":
        whole = random.randrange(len(pending))
        return [*pending[:whole], *_torn(pending[whole], random)]
    left = [operation for operation in pending if random.random() < 0.5]
    if loss == "reordered":
        random.shuffle(left)
    if loss == "garbled":
        # Its length reached the disk, its content did not; what was never written over is as it was.
        return [_garbled(operation, random) if random.random() < 0.3 else operation for operation in left]
    return left


def _torn(operation: Operation, random: Random) -> Iterable[Operation]:
    """Some of the sectors of a write."""
    if operation.kind != "write":
        return [operation]
    end = operation.offset + len(operation.data)
    starts = [operation.offset, *range((operation.offset // SECTOR + 1) * SECTOR, end, SECTOR)]
    pieces = [
        attrs.evolve(operation, offset=start, data=operation.data[start - operation.offset : stop - operation.offset])
        for start, stop in zip(starts, [*starts[1:], end], strict=True)
    ]
    return [piece for piece in pieces if random.random() < 0.5]


def _garbled(operation: Operation, random: Random) -> Operation:
    return attrs.evolve(operation, data=random.randbytes(len(operation.data))) if operation.data else operation


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Put files into an empty folder."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
