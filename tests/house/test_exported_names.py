"""The public names, frozen: one that comes or goes is a decision, and shows in the diff of this file."""

from __future__ import annotations

import types

import persistence
import statemachine
import statemachine.dashboard
import statemachine.diagrams
import statemachine.integrations.telemetry
import statemachine.runner
import statemachine.testing

PUBLIC: dict[str, str] = {
    "statemachine": """
        AlreadySent AlreadyStarted AsyncRun AsyncRunner BeingUndone BlockingCall Cache Call Client Compound Connection
        Definition DefinitionError Event HandlerFailed History ItemCache ItemOutcome Moment NoSuchRun NotAccepted
        NotAnswered NotOver NotStored OpenedBeforeFork Outbox Overloaded Parallel Receipt Redacted Refused
        RefusedVerb Result Retry Run RunHeld RunOver RunSummary RunView Runner RunnerClosed State
        StateMachineError TooLarge UndeclaredEvent UnknownWorkflow Workflow after always check diagram evolve
        joined on on_entry on_exit redacted step transaction waive
    """,
    "statemachine.runner": """
        AsyncRun AsyncRunner Attempt Client Clock Committed Emitted Entry Health Hold ItemVerdict Notice
        Observer Plain Progress Receipt Result Run RunSummary RunView Runner Saved Statistics StepNumbers Story
        StoryLine SystemClock Transitioned Uncertain Verified Waiting restore to_plain
    """,
    "statemachine.diagrams": """
        Diagram NoGraphvizError diagram
    """,
    "statemachine.dashboard": """
        dashboard
    """,
    "statemachine.testing": """
        CrashSchedule Harness KillAt Trial VirtualClock WorkflowMachine crash_at every_crash journal_points step_points
        watched watched_steps
    """,
    "statemachine.integrations.telemetry": """
        Telemetry
    """,
    "persistence": """
        AnswerRecord AttemptRecord Busy CachedRecord Change Closed Codec CommitUnknown ConnectionGuarded Damaged
        EntryRecord FanCount FanRecord Fenced Foreign Forked GivenRecord HoldRecord ItemRecord Journal
        JournalError LiveGroup MemoryJournal MessageRecord NewerSchema NoJournal NotStorable NoticeRecord Owned Pruned
        Query RunRecord SQLiteJournal SavedRecord Sealed SealedCodec SeenRecord ShelfRecord Stale Unsuitable Unwritable
        Work WrongConnection beneath examine opened restore sealed wal_reset_race
    """,
}

PACKAGES: list[types.ModuleType] = [
    statemachine,
    statemachine.runner,
    statemachine.dashboard,
    statemachine.diagrams,
    statemachine.integrations.telemetry,
    statemachine.testing,
    persistence,
]


def test_the_public_names_are_these() -> None:
    """`__all__` of each public package is what is written here."""
    declared = {package.__name__: sorted(package.__all__) for package in PACKAGES}
    assert declared == {name: sorted(names.split()) for name, names in PUBLIC.items()}


def test_nothing_public_is_undeclared() -> None:
    """A name without underscore that a package binds, apart from its own modules, is in its `__all__`."""
    undeclared = {
        package.__name__: sorted(
            name
            for name, value in vars(package).items()
            if not name.startswith("_")
            and name not in package.__all__
            and not isinstance(value, types.ModuleType)
            and name != "annotations"
        )
        for package in PACKAGES
    }
    assert undeclared == {package.__name__: [] for package in PACKAGES}


def test_every_public_thing_explains_itself() -> None:
    """Each public class and function has a docstring of its own."""
    wordless = [
        f"{package.__name__}.{name}"
        for package in PACKAGES
        for name in package.__all__
        if isinstance(value := getattr(package, name), (type, types.FunctionType)) and not value.__doc__
    ]
    assert wordless == []
