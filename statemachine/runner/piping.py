"""What a step in a process of its own and its runner say to each other: values as the journal's JSON, never pickled."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from datetime import datetime
from typing import Any

import msgspec

from statemachine.errors import BrokenStep
from statemachine.snapshot import Failure
from statemachine.workflow import Workflow


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done."""

    maker: str
    """Where the workflow's class, or what makes the workflow, is found: `module:name`."""
    definition: str
    """The hash of what the runner has."""
    step: str
    data: bytes
    saved: bytes | None
    key: str
    run: str
    attempt: int
    deadline: datetime | None


class Beat(msgspec.Struct, frozen=True, tag=True):
    """It lives."""


class Emit(msgspec.Struct, frozen=True, tag=True):
    """It gives something out."""

    value: Any


class Save(msgspec.Struct, frozen=True, tag=True):
    """It saves, and waits for `Saved`."""

    value: bytes


class Returned(msgspec.Struct, frozen=True, tag=True):
    """It is done."""

    value: bytes


class Unreturned(msgspec.Struct, frozen=True, tag=True):
    """It is done, and its result cannot be told."""

    failure: Failure


class Raised(msgspec.Struct, frozen=True, tag=True):
    """It has failed: by which declared error, if by one, and whether another attempt is forbidden."""

    failure: Failure
    arm: int | None
    final: bool


class Saved(msgspec.Struct, frozen=True, tag=True):
    """What became of a save; empty when it is durable."""

    refused: str = ""


Said = Beat | Emit | Save | Returned | Unreturned | Raised
said_of = msgspec.msgpack.Decoder(Said).decode
task_of = msgspec.msgpack.Decoder(Task).decode
saved_of = msgspec.msgpack.Decoder(Saved).decode
packed = msgspec.msgpack.Encoder().encode


def check_maker(maker: str, step: str) -> None:
    """Refuse a workflow that a process of its own would not find. Raises BrokenStep."""
    module, _, name = maker.partition(":")
    main = sys.modules.get(module)
    if module == "__main__" and getattr(main, "__file__", None) is None:
        reason = f"{name} was defined where no other process finds it; put it into a module, and import that"
        raise BrokenStep(name, None, f"step {step} has process=, and {reason}")
    try:
        found(maker)
    except (ImportError, AttributeError) as error:
        reason = f"step {step} has process=, and another process does not find {maker}: {error}"
        raise BrokenStep(name, None, reason) from error


def found(maker: str) -> Any:
    """The class, or what makes the workflow. Raises ImportError, AttributeError."""
    module, _, name = maker.partition(":")
    there: Any = importlib.import_module(module)
    for part in name.split("."):
        there = getattr(there, part)
    return there


def made(maker: str) -> Workflow[Any]:
    """The workflow: what was named makes it; a class that has collaborators gives one that is without them."""
    there = found(maker)
    if not isinstance(there, type):
        given: Workflow[Any] = there()
        return given
    create: Any = object.__new__
    workflow: Workflow[Any] = create(there)
    fields: Any = dataclasses.fields
    for field in fields(there):
        missing = field.default is dataclasses.MISSING
        setattr(workflow, field.name, NotHere(field.name) if missing else field.default)
    return workflow


class NotHere:
    """A collaborator that was left behind with the runner."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, asked: str) -> Any:
        message = (
            f"collaborator {self._name!r} (asked for {asked!r}) is not in the process of this step; give process= a "
            "function that makes the workflow there"
        )
        raise AttributeError(message)
