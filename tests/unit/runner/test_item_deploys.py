"""A new version that has items where there were none, or the other way round: its runs that are amid that are held."""

from __future__ import annotations

import pytest

from persistence import MemoryJournal
from statemachine import Call, Event, Retry, Runner, State, Workflow, on, step
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import becomes
from tests.unit.runner.fanning import Load, documents


class Leave(Event, frozen=True):
    """It is undone."""


class Whole(Workflow[Load], name="changing", version=1):
    fails: bool = False

    doing = State(initial=True)
    waiting = State()
    left = State(final=True, compensate=True)

    @step(doing, to=waiting, retry=Retry(9, delay=60))
    def do(self, load: Load, call: Call) -> Load:
        if self.fails:
            raise OSError
        return load

    @do.undo
    def undo(self, load: Load) -> None: ...

    leave = on(Leave, source=waiting, to=left)


class Single(Workflow[Load], name="changing", version=2):
    fails: bool = False

    doing = State(initial=True)
    waiting = State()
    left = State(final=True, compensate=True)

    @step(doing, each=documents, to=waiting, retry=Retry(9, delay=60))
    def do(self, load: Load, document: str, call: Call) -> None:
        if self.fails:
            raise OSError

    @do.undo
    def undo(self, load: Load, document: str) -> None: ...

    leave = on(Leave, source=waiting, to=left)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(("before", "after"), [(Whole, Single), (Single, Whole)])
def test_it_is_held(before: type[Workflow[Load]], after: type[Workflow[Load]], *, fails: bool) -> None:
    """What was done in one way is neither done nor undone in the other."""
    journal, clock = MemoryJournal(), VirtualClock()
    made = Whole(fails) if before is Whole else Single(fails)
    with Runner(journal, [made], clock=clock) as runner:
        run = runner.start(before, Load(("a",)), id="r")
        becomes(lambda: bool(run.look().timers) if fails else run.state == ("waiting",))
    beside = MemoryJournal(beside=journal)
    with Runner(beside, [Whole() if after is Whole else Single()], clock=clock) as runner:
        clock.advance(3600)
        if not fails:
            assert runner.send("r", Leave()).verdict == "queued"
        becomes(lambda: bool(runner.list(held=True)))
        (held,) = runner.list(held=True)
        assert "each= of step do" in held.held
