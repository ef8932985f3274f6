"""The shell around the core: loads runs, works out transitions, commits them, then performs their commands."""

from __future__ import annotations

from statemachine import _clash as _clash
from statemachine.runner.aio import AsyncRun, AsyncRunner
from statemachine.runner.clock import Clock, SystemClock
from statemachine.runner.halting import Hold
from statemachine.runner.noticing import Notice
from statemachine.runner.observing import Committed, ItemVerdict, Observer
from statemachine.runner.operations import Health
from statemachine.runner.output import Emitted
from statemachine.runner.plainly import to_plain
from statemachine.runner.restoring import Uncertain, restore
from statemachine.runner.run import Run
from statemachine.runner.statistics import Statistics, StepNumbers, Waiting
from statemachine.runner.story import Attempt, Story, StoryLine
from statemachine.runner.sync import Client, Runner
from statemachine.runner.verify import Verified
from statemachine.runner.views import Entry, Plain, Progress, Receipt, Result, RunSummary, RunView, Saved, Transitioned

__all__ = [
    "AsyncRun",
    "AsyncRunner",
    "Attempt",
    "Client",
    "Clock",
    "Committed",
    "Emitted",
    "Entry",
    "Health",
    "Hold",
    "ItemVerdict",
    "Notice",
    "Observer",
    "Plain",
    "Progress",
    "Receipt",
    "Result",
    "Run",
    "RunSummary",
    "RunView",
    "Runner",
    "Saved",
    "Statistics",
    "StepNumbers",
    "Story",
    "StoryLine",
    "SystemClock",
    "Transitioned",
    "Uncertain",
    "Verified",
    "Waiting",
    "restore",
    "to_plain",
]
