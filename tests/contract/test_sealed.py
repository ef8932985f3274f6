"""A journal that seals keeps the contract, and gives the one beneath nothing that could be read."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from persistence import Change, Journal, MemoryJournal, Sealed, SealedCodec, SQLiteJournal, opened, records, sealed
from persistence.contract import LEASE, JournalContract, a_message, start, step
from persistence.sealed import PAYLOADS


def shifted(by: int) -> SealedCodec:
    """A cipher that no one should use; it notices another key as a real one does."""

    def opening(raw: bytes) -> bytes:
        if raw[0] != by:
            message = "another key"
            raise ValueError(message)
        return bytes((one - by) % 256 for one in raw[1:])

    return SealedCodec(lambda raw: bytes((by, *((one + by) % 256 for one in raw))), opening)


class TestSealedMemoryJournal(JournalContract):
    def open(self) -> Journal:
        self.beneath = MemoryJournal()
        return sealed(self.beneath, shifted(7))

    def beside(self, journal: Journal) -> Journal:
        return sealed(MemoryJournal(beside=self.beneath), shifted(7))


def payloads(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of a record that are bytes."""
    return tuple(name for name, hint in typing.get_type_hints(kind).items() if hint is bytes)


def test_every_field_of_bytes_is_sealed() -> None:
    """A payload that is added to a record is either sealed, or its field is of another type."""
    kinds: list[Any] = [kind for kind in vars(records).values() if isinstance(kind, type)]
    found = {kind: names for kind in kinds if issubclass(kind, msgspec.Struct) and (names := payloads(kind))}
    assert found == PAYLOADS


def test_every_record_of_a_change_that_has_payloads_is_sealed(tmp_path: Path) -> None:
    """Whichever way it comes: run, entries, messages to others, answers, messages put; none is in the file."""
    secret = b"4711-0815"
    with_secret: dict[str, Any] = {"snapshot": secret, "input": secret}
    change = start(**with_secret)
    entry = msgspec.structs.replace(change.entries[0], body=secret)
    change = msgspec.structs.replace(change, entries=(entry,), messages=(a_message("sent", body=secret),))
    beneath = SQLiteJournal(tmp_path / "app.db")
    journal = sealed(beneath, shifted(3))
    epoch = journal.claim("ada", LEASE)
    put = journal.put(a_message("put", body=secret))
    answer = records.AnswerRecord(number=put.number, verdict="refused", answer=secret)
    assert journal.commit(epoch, [change, lambda _: Change(answers=(answer,))]) == [None, None]
    assert journal.commit(epoch, [step(snapshot=secret, input=secret)]) == [None]
    run, told = journal.run("r"), journal.message(put.number)
    assert run is not None
    assert told is not None
    assert (run.input, run.snapshot, told.body, told.answer) == (secret,) * 4
    assert journal.commit(epoch, [Change(saved=(records.SavedRecord(run="r", visit=1, at=5, value=secret),))]) == [None]
    saved = journal.saved("r", 1)
    assert saved is not None
    assert saved.value == secret
    assert [message.body for message in journal.inbox(0, 9)] == [secret]
    assert journal.entries("r")[0].body == secret == journal.log(0, 1)[0].body
    journal.release(epoch)
    journal.close()
    assert not [path.name for path in tmp_path.iterdir() if secret in path.read_bytes()]


def test_what_was_written_before_there_was_a_key_is_read(tmp_path: Path) -> None:
    """A key may be given to a journal that has runs; each is sealed as it is moved."""
    beneath = MemoryJournal()
    journal = sealed(beneath, shifted(3))
    epoch = beneath.claim("ada", LEASE)
    beneath.commit(epoch, [start(snapshot=b"{}")])
    run = journal.run("r")
    assert run is not None
    assert run.snapshot == b"{}"
    journal.commit(epoch, [step(snapshot=b"{}")])
    raw = beneath.run("r")
    assert raw is not None
    with pytest.raises(Sealed):
        opened(raw.snapshot)


def test_what_another_key_sealed_is_handed_on_unopened_and_written_back_as_it_was() -> None:
    """Whoever marks such a run (held, killed) harms nothing in it."""
    beneath = MemoryJournal()
    epoch = beneath.claim("ada", LEASE)
    sealed(beneath, shifted(3)).commit(epoch, [start()])
    before = beneath.run("r")
    other = sealed(beneath, shifted(4))
    run = other.run("r")
    assert run is not None
    assert before is not None
    with pytest.raises(Sealed, match="Run 'r' of journal"):
        opened(run.snapshot)
    marked = msgspec.structs.replace(run, held="nobody can read it")
    assert other.commit(epoch, [Change(run=marked, expected=run.seq)]) == [None]
    after = beneath.run("r")
    assert after is not None
    assert after.held
    assert (after.snapshot, after.input) == (before.snapshot, before.input)


def test_functions_that_do_not_belong_together_are_refused() -> None:
    """Before anything is sealed with them."""
    with pytest.raises(ValueError, match="does not give back"):
        SealedCodec(lambda raw: raw[::-1], lambda raw: raw)
