"""What a run asks of its host, as plain data: steps, undos, timers, messages, child machines.

No command holds a function or an object. A host performs them only after the snapshot they came with is committed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from statemachine.snapshot import Status


class RunStep(msgspec.Struct, frozen=True, gc=False):
    """Attempt a step. `key` is stable over attempts, restarts and hosts.

    A step with `StepSpec.each` is done for each item that has no outcome yet, each with a key of its own: see
    `item_key`. The run is told when all have one, or one has failed for good; while it is paused, none is begun.
    """

    step: str
    visit: int
    attempt: int
    key: str


def item_key(key: str, number: int) -> str:
    """The key of one item of a visit, from that visit's."""
    return f"{key}:{number}"


class CancelStep(msgspec.Struct, frozen=True, gc=False):
    """Cancel the attempt that runs, then report `Stopped` (or its outcome, when it had one after all)."""

    step: str
    visit: int


class Undo(msgspec.Struct, frozen=True, gc=False):
    """Attempt the undo of a visit. `undoes` is the key its forward step had.

    A step that was done for each of many items is undone one by one, the last first: those that were done or may have
    been, without those in `Undoing.left`.
    """

    step: str
    visit: int
    attempt: int
    key: str
    undoes: str


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Report `Elapsed(number)` when `due` (UTC) is past. The snapshot lists it too, for a host that scans."""

    number: int
    due: datetime


class CancelTimer(msgspec.Struct, frozen=True, gc=False):
    """Forget a timer."""

    number: int


class Finish(msgspec.Struct, frozen=True):
    """The run is over; `status` says how, `value` is the done data of its final state (for a parent machine)."""

    status: Status
    value: Any = None


class Send(msgspec.Struct, frozen=True, omit_defaults=True):
    """Deliver an event to another run (or another target a host knows), in the same commit.

    `id` makes it arrive once.
    """

    to: str
    name: str
    value: Any
    id: str
    send_id: str | None = None
    at: datetime | None = None


class Invocation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which child machine to host, as the function of an `InvokeSpec` says.

    SCXML's type, src or content, and parameters.
    """

    id: str = ""
    """Empty: the core makes one of the state's name and the visit."""
    type: str = ""
    src: str = ""
    content: str = ""
    data: Any = None


class Invoke(msgspec.Struct, frozen=True):
    """Host a child machine."""

    id: str
    what: Invocation
    autoforward: bool


class StopChild(msgspec.Struct, frozen=True):
    """End a child machine whose state was left."""

    id: str


class Forward(msgspec.Struct, frozen=True):
    """Pass an event on to a child machine (SCXML autoforward)."""

    id: str
    occurrence: Any


Command = RunStep | CancelStep | Undo | SetTimer | CancelTimer | Finish | Send | Invoke | StopChild | Forward
