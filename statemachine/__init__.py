"""Durable statecharts for Python: every transition is in the journal before anyone is told of it."""

from __future__ import annotations

from statemachine import _clash as _clash
from statemachine.data import evolve
from statemachine.definition import Definition
from statemachine.errors import (
    AlreadyStarted,
    BeingUndone,
    BlockingCall,
    DefinitionError,
    HandlerFailed,
    NoSuchRun,
    NotAccepted,
    NotOver,
    NotStored,
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
from statemachine.events import Call, Connection, Event, Outbox
from statemachine.retry import Retry
from statemachine.runner import AsyncRun, AsyncRunner, Client, Receipt, Result, Run, Runner, RunSummary, RunView
from statemachine.states import Compound, History, Parallel, State
from statemachine.steps import step, transaction
from statemachine.transitions import after, always, joined, on, on_entry, on_exit
from statemachine.workflow import Workflow

__all__ = [
    "AlreadyStarted",
    "AsyncRun",
    "AsyncRunner",
    "BeingUndone",
    "BlockingCall",
    "Call",
    "Client",
    "Compound",
    "Connection",
    "Definition",
    "DefinitionError",
    "Event",
    "HandlerFailed",
    "History",
    "NoSuchRun",
    "NotAccepted",
    "NotOver",
    "NotStored",
    "Outbox",
    "Parallel",
    "Receipt",
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
    "evolve",
    "joined",
    "on",
    "on_entry",
    "on_exit",
    "step",
    "transaction",
]
