"""Encryption at rest: a journal over another, whose payloads are sealed before they are given to it.

Sealed is what a record holds as bytes: snapshots, inputs, items, results, messages and answers. What a journal must
find and order runs by stays as it is: ids, workflow names, states, times, tags, actors, reasons.

Sealed bytes begin with a mark that no JSON begins with. So what was written before there was a key is read as it is,
and what no key opens is handed on unopened, to be refused where it is read (`Codec.decode`, `opened`) and written back
untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from persistence.errors import Sealed
from persistence.journal import Journal, Work
from persistence.records import (
    AnswerRecord,
    CachedRecord,
    Change,
    EntryRecord,
    GivenRecord,
    ItemRecord,
    MessageRecord,
    NoticeRecord,
    Query,
    RunRecord,
    SavedRecord,
    SeenRecord,
)

MARK = b"\x00sealed\x00"
_PROBE = b'{"sealed":"and opened again"}'
R = TypeVar(
    "R",
    RunRecord,
    EntryRecord,
    MessageRecord,
    AnswerRecord,
    CachedRecord,
    GivenRecord,
    ItemRecord,
    NoticeRecord,
    SavedRecord,
    SeenRecord,
)

PAYLOADS: dict[type[Any], tuple[str, ...]] = {
    RunRecord: ("input", "snapshot"),
    EntryRecord: ("body",),
    MessageRecord: ("body", "answer"),
    AnswerRecord: ("answer",),
    CachedRecord: ("value",),
    GivenRecord: ("items",),
    ItemRecord: ("body",),
    SavedRecord: ("value",),
    NoticeRecord: ("body",),
    SeenRecord: ("digest",),
}
"""The fields of records that are sealed: all that are bytes."""


class Unopened(bytes):
    """Sealed bytes that no key opened, with a sentence about whose they are."""

    where: str


def opened(raw: bytes, where: str = "What was to be read") -> bytes:
    """The bytes, if they are not sealed. `where` says whose they are, should they not know it themselves.

    Raises:
        Sealed: They are; the message says whose they are.
    """
    if raw.startswith(MARK):
        said = f"{getattr(raw, 'where', where)} is sealed, and no key given here opens it."
        msg = f"{said} Give Runner(codec=...) (or --codec) the key that it was sealed with."
        raise Sealed(msg)
    return raw


class SealedCodec:
    """Two functions that seal and open payloads: what `Runner(codec=...)` takes.

    Args:
        seal: Bytes to sealed bytes; what it gives must be authenticated, so that `open` notices another key.
        open: Sealed bytes to bytes. Raises anything when it cannot.

    Both are called from any thread, and must not wait.

    Raises:
        ValueError: What `seal` gives `open` does not give back.
    """

    def __init__(self, seal: Callable[[bytes], bytes], open: Callable[[bytes], bytes]) -> None:
        self._seal = seal
        self._open = open
        if open(seal(_PROBE)) != _PROBE:
            msg = "open() does not give back what seal() was given: nothing that is stored could be read again."
            raise ValueError(msg)

    def seal(self, raw: bytes) -> bytes:
        """The bytes, sealed; nothing stays nothing, and what is sealed stays as it is."""
        return raw if not raw or raw.startswith(MARK) else MARK + self._seal(raw)

    def open(self, raw: bytes, where: str) -> bytes:
        """The bytes, opened; where no key fits, unopened."""
        if not raw.startswith(MARK):
            return raw
        try:
            return self._open(raw[len(MARK) :])
        except Exception:  # noqa: BLE001 -- whatever a cipher raises, it could not
            unopened = Unopened(raw)
            unopened.where = where
            return unopened


def sealed(journal: Journal, codec: SealedCodec | None) -> Journal:
    """A journal over this one that seals what it is given and opens what it gives; without a codec, this one."""
    return journal if codec is None else cast("Journal", _SealedJournal(journal, codec))


def beneath(journal: Journal) -> Journal:
    """The journal that keeps what this one seals; one that seals nothing keeps it itself."""
    return journal.beneath if isinstance(journal, _SealedJournal) else journal


class _SealedJournal:
    """See the module. What holds no payload goes to the journal beneath as it is."""

    def __init__(self, journal: Journal, codec: SealedCodec) -> None:
        self.beneath = journal
        self._codec = codec

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)

    # Sealing.

    def commit(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        return self.beneath.commit(epoch, [self._sealed(change) for change in changes])

    def put(self, message: MessageRecord, connection: Any = None) -> MessageRecord:
        return self._open(self.beneath.put(self._seal(message), connection))

    def _sealed(self, change: Change | Work) -> Change | Work:
        if not isinstance(change, Change):
            return lambda connection: self._all(change(connection))
        return self._all(change)

    def _all(self, change: Change) -> Change:
        return replace(
            change,
            run=self._run(change),
            entries=tuple(map(self._seal, change.entries)),
            seen=tuple(map(self._seal, change.seen)),
            answers=tuple(map(self._seal, change.answers)),
            messages=tuple(map(self._seal, change.messages)),
            cached=tuple(map(self._seal, change.cached)),
            given=tuple(map(self._seal, change.given)),
            items=tuple(map(self._seal, change.items)),
            saved=tuple(map(self._seal, change.saved)),
            notices=tuple(map(self._seal, change.notices)),
        )

    def _run(self, change: Change) -> RunRecord | None:
        run = change.run
        if run is None or change.expected < 0:
            return run and self._seal(run)
        return replace(
            run, snapshot=self._codec.seal(run.snapshot)
        )  # the rest is written at the start, and never again

    def _seal(self, record: R) -> R:
        fields = {name: self._codec.seal(getattr(record, name)) for name in PAYLOADS[type(record)]}
        return replace(record, **fields)

    # Opening.

    def run(self, run: str) -> RunRecord | None:
        record = self.beneath.run(run)
        return None if record is None else self._open(record)

    def runs(self, query: Query) -> list[RunRecord]:
        return [self._open(record) for record in self.beneath.runs(query)]

    def busy(self, after: str, limit: int) -> list[RunRecord]:
        return [self._open(record) for record in self.beneath.busy(after, limit)]

    def entries(self, run: str, after: int = 0, limit: int = 1000) -> list[EntryRecord]:
        return [self._open(entry) for entry in self.beneath.entries(run, after, limit)]

    def log(self, after: int, limit: int) -> list[EntryRecord]:
        return [self._open(entry) for entry in self.beneath.log(after, limit)]

    def seen(self, run: str, id: str) -> SeenRecord | None:
        record = self.beneath.seen(run, id)
        return None if record is None else self._open(record)

    def inbox(self, after: int, limit: int) -> list[MessageRecord]:
        return [self._open(message) for message in self.beneath.inbox(after, limit)]

    def message(self, number: int) -> MessageRecord | None:
        message = self.beneath.message(number)
        return None if message is None else self._open(message)

    def notices(self, after: int, limit: int) -> list[NoticeRecord]:
        return [self._open(notice) for notice in self.beneath.notices(after, limit)]

    def cached(self, shelf: str, key: str) -> CachedRecord | None:
        record = self.beneath.cached(shelf, key)
        return None if record is None else self._open(record)

    def given(self, run: str, visit: int, number: int) -> GivenRecord | None:
        record = self.beneath.given(run, visit, number)
        return None if record is None else self._open(record)

    def items(
        self, run: str, visit: int, *, back: bool = False, after: int = -1, limit: int = 1000, bodies: bool = True
    ) -> list[ItemRecord]:
        found = self.beneath.items(run, visit, back=back, after=after, limit=limit, bodies=bodies)
        return [self._open(item) for item in found] if bodies else found

    def saved(self, run: str, visit: int) -> SavedRecord | None:
        record = self.beneath.saved(run, visit)
        return None if record is None else self._open(record)

    def _open(self, record: R) -> R:
        where = f"{_what(record)} of journal {self.beneath.name!r}"
        fields = {name: self._codec.open(getattr(record, name), where) for name in PAYLOADS[type(record)]}
        return replace(record, **fields)


def _what(record: Any) -> str:
    if isinstance(record, EntryRecord):
        return f"Entry {record.seq} of run {record.run!r}"
    if isinstance(record, MessageRecord):
        return f"Message {record.id!r} to run {record.run!r}"
    if isinstance(record, GivenRecord):
        return f"Item {record.first} of visit {record.visit} of run {record.run!r}"
    if isinstance(record, ItemRecord):
        return f"What came of item {record.number} of visit {record.visit} of run {record.run!r}"
    if isinstance(record, SavedRecord):
        return f"What visit {record.visit} has saved of run {record.run!r}"
    if isinstance(record, SeenRecord):
        return f"What tells event {record.id!r} of run {record.run!r}"
    if isinstance(record, NoticeRecord):
        return f"A notice of run {record.run!r}"
    return f"{'Result' if isinstance(record, CachedRecord) else 'Run'} {record.run!r}"
