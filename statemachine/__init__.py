"""Durable statecharts for Python: every transition is in the journal before anyone is told of it.

The runner's names, `check` and `diagram` are loaded when they are first asked for: another host, or a module that only
defines workflows, pays for no event loop, thread pool or SQLite.
"""

from __future__ import annotations

import importlib
import typing

from statemachine import _clash as _clash
from statemachine.cache import Cache, ItemCache
from statemachine.calls import Call
from statemachine.collected import ItemOutcome
from statemachine.data import evolve
from statemachine.definition import Definition
from statemachine.errors import (
    AlreadySent,
    AlreadyStarted,
    BeingUndone,
    BlockingCall,
    DefinitionError,
    HandlerFailed,
    NoSuchRun,
    NotAccepted,
    NotAnswered,
    NotOver,
    NotStored,
    OpenedBeforeFork,
    Overloaded,
    Refused,
    RefusedVerb,
    RunHeld,
    RunnerClosed,
    RunOver,
    StateMachineError,
    TooLarge,
    UndeclaredEvent,
    UnknownWorkflow,
)
from statemachine.events import Connection, Event, Moment, Outbox
from statemachine.redacted import Redacted, redacted
from statemachine.retry import Retry
from statemachine.states import Compound, History, Parallel, State
from statemachine.steps import step
from statemachine.transacting import transaction
from statemachine.transitions import after, always, joined, on, on_entry, on_exit
from statemachine.waivers import waive
from statemachine.workflow import Workflow

if typing.TYPE_CHECKING:
    from statemachine.checking import check
    from statemachine.diagrams import diagram
    from statemachine.runner import AsyncRun, AsyncRunner, Client, Receipt, Result, Run, Runner, RunSummary, RunView
else:

    def __getattr__(name: str) -> object:
        """A name of the runner's, or of what stands on it, at its first use."""
        if name not in __all__:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        room = {"check": "checking", "diagram": "diagrams"}.get(name, "runner")
        value = getattr(importlib.import_module(f"statemachine.{room}"), name)
        globals()[name] = value
        return value


__all__ = [
    "AlreadySent",
    "AlreadyStarted",
    "AsyncRun",
    "AsyncRunner",
    "BeingUndone",
    "BlockingCall",
    "Cache",
    "Call",
    "Client",
    "Compound",
    "Connection",
    "Definition",
    "DefinitionError",
    "Event",
    "HandlerFailed",
    "History",
    "ItemCache",
    "ItemOutcome",
    "Moment",
    "NoSuchRun",
    "NotAccepted",
    "NotAnswered",
    "NotOver",
    "NotStored",
    "OpenedBeforeFork",
    "Outbox",
    "Overloaded",
    "Parallel",
    "Receipt",
    "Redacted",
    "Refused",
    "RefusedVerb",
    "Result",
    "Retry",
    "Run",
    "RunHeld",
    "RunOver",
    "RunSummary",
    "RunView",
    "Runner",
    "RunnerClosed",
    "State",
    "StateMachineError",
    "TooLarge",
    "UndeclaredEvent",
    "UnknownWorkflow",
    "Workflow",
    "after",
    "always",
    "check",
    "diagram",
    "evolve",
    "joined",
    "on",
    "on_entry",
    "on_exit",
    "redacted",
    "step",
    "transaction",
    "waive",
]
