"""The public names, frozen: one that comes or goes is a decision, and shows in the diff of this file."""

from __future__ import annotations

import types

import persistence
import statemachine
import statemachine.runner
import statemachine.testing

PUBLIC: dict[str, str] = {
    "statemachine": """
        AlreadyStarted AsyncRun AsyncRunner BeingUndone BlockingCall Call Client Compound Connection
        Definition DefinitionError Event HandlerFailed History Moment NoSuchRun NotAccepted NotOver NotStored Outbox
        Parallel Receipt Refused RefusedVerb Result Retry Run RunHeld RunOver RunSummary RunView Runner
        RunnerClosed State StateMachineError TooLarge UndeclaredEvent UnknownWorkflow Workflow after always
        check evolve joined on on_entry on_exit step transaction waive
    """,
    "statemachine.runner": """
        AsyncRun AsyncRunner Client Clock Entry Receipt Result Run RunSummary RunView Runner SystemClock
        Transitioned Verified
    """,
    "statemachine.testing": """
        CrashSchedule Harness KillAt Trial VirtualClock WorkflowMachine crash_at every_crash journal_points step_points
        watched watched_steps
    """,
    "persistence": """
        AnswerRecord AttemptRecord Busy Change Closed Codec CommitUnknown ConnectionGuarded Damaged
        EntryRecord Fenced Foreign Forked Journal JournalError LiveGroup MemoryJournal MessageRecord
        NewerSchema NotStorable Owned Query RunRecord SQLiteJournal SeenRecord Stale Unsuitable Unwritable
        Work wal_reset_race
    """,
}


def test_the_public_names_are_these() -> None:
    """`__all__` of each public package is what is written here."""
    packages: list[types.ModuleType] = [statemachine, statemachine.runner, statemachine.testing, persistence]
    declared = {package.__name__: sorted(package.__all__) for package in packages}
    assert declared == {name: sorted(names.split()) for name, names in PUBLIC.items()}


def test_nothing_public_is_undeclared() -> None:
    """A name without underscore that a package binds, apart from its own modules, is in its `__all__`."""
    packages: list[types.ModuleType] = [statemachine, statemachine.runner, statemachine.testing, persistence]
    undeclared = {
        package.__name__: sorted(
            name
            for name, value in vars(package).items()
            if not name.startswith("_")
            and name not in package.__all__
            and not isinstance(value, types.ModuleType)
            and name != "annotations"
        )
        for package in packages
    }
    assert undeclared == {package.__name__: [] for package in packages}


def test_every_public_thing_explains_itself() -> None:
    """Each public class and function has a docstring of its own."""
    packages: list[types.ModuleType] = [statemachine, statemachine.runner, statemachine.testing, persistence]
    wordless = [
        f"{package.__name__}.{name}"
        for package in packages
        for name in package.__all__
        if isinstance(value := getattr(package, name), (type, types.FunctionType)) and not value.__doc__
    ]
    assert wordless == []
