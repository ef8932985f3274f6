"""A new version that has items where there were none, or others: runs that are amid that are held."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from persistence import MemoryJournal
from statemachine import Call, Event, Retry, Runner, State, Workflow, evolve, on, step
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


def numbers(load: Load) -> tuple[int, ...]:
    """Other items."""
    return tuple(range(len(load.documents)))


def sizes(load: Load, results: Sequence[int]) -> Load:
    """How much it is."""
    return evolve(load, stored=sum(results))


def names(load: Load, results: Sequence[str]) -> Load:
    """How it is called."""
    return evolve(load, letters="".join(results))


class Sizes(Workflow[Load], name="measuring", version=1):
    fails: str = ""

    doing = State(initial=True)
    waiting = State()
    left = State(final=True, compensate=True)

    @step(doing, each=documents, to=waiting, into=sizes, retry=Retry(9, delay=60))
    def do(self, load: Load, document: str) -> int:
        if document == self.fails:
            raise OSError
        return len(document)

    @do.undo
    def undo(self, load: Load, document: str) -> None: ...

    leave = on(Leave, source=waiting, to=left)


class Numbers(Workflow[Load], name="measuring", version=2):
    doing = State(initial=True)
    waiting = State()
    left = State(final=True, compensate=True)

    @step(doing, each=numbers, to=waiting, into=sizes, retry=Retry(9, delay=60))
    def do(self, load: Load, number: int) -> int:
        return number

    @do.undo
    def undo(self, load: Load, number: int) -> None: ...

    leave = on(Leave, source=waiting, to=left)


class Names(Workflow[Load], name="measuring", version=2):
    doing = State(initial=True)
    waiting = State()
    left = State(final=True, compensate=True)

    @step(doing, each=documents, to=waiting, into=names, retry=Retry(9, delay=60))
    def do(self, load: Load, document: str) -> str:
        return document

    @do.undo
    def undo(self, load: Load, document: str) -> None: ...

    leave = on(Leave, source=waiting, to=left)


@pytest.mark.parametrize(("fails", "after"), [("b", Numbers), ("b", Names), ("", Numbers)])
def test_other_items_or_results_are_held(fails: str, after: type[Workflow[Load]]) -> None:
    """Those that are stored are of the old type: neither the step nor its undo can go on with them."""
    journal, clock = MemoryJournal(), VirtualClock()
    with Runner(journal, [Sizes(fails)], clock=clock) as runner:
        run = runner.start(Sizes, Load(("a", "b")), id="r")
        becomes(lambda: bool(run.look().timers) if fails else run.state == ("waiting",))
    beside = MemoryJournal(beside=journal)
    with Runner(beside, [Numbers() if after is Numbers else Names()], clock=clock) as runner:
        clock.advance(3600)
        if not fails:
            runner.send("r", Leave())
        becomes(lambda: bool(runner.list(held=True)))
        assert "the items of step do do not fit" in runner.list(held=True)[0].held
    with Runner(MemoryJournal(beside=beside), [Sizes()], clock=clock) as runner:
        if fails:
            becomes(lambda: runner.get("r").state == ("waiting",))
            runner.send("r", Leave())
        assert runner.result("r", 10).state == ("left",)


def test_an_other_result_does_not_matter_once_it_is_folded() -> None:
    """Only its items are needed to undo it."""
    journal = MemoryJournal()
    with Runner(journal, [Sizes()]) as runner:
        run = runner.start(Sizes, Load(("a", "b")), id="r")
        becomes(lambda: run.state == ("waiting",))
    with Runner(MemoryJournal(beside=journal), [Names()]) as runner:
        runner.send("r", Leave())
        assert runner.result("r", 10).state == ("left",)


@pytest.mark.parametrize("undoes", [False, True])
def test_items_that_the_journal_lacks_need_a_person(caplog: pytest.LogCaptureFixture, *, undoes: bool) -> None:
    """Whatever has become of the file: the run does not stand still without a word."""
    journal, clock = MemoryJournal(), VirtualClock()
    with Runner(journal, [Sizes("" if undoes else "b")], clock=clock) as runner:
        run = runner.start(Sizes, Load(("a", "b")), id="r")
        becomes(lambda: run.state == ("waiting",) if undoes else bool(run.look().timers))
    beside = MemoryJournal(beside=journal)
    beside._store.fans._given.clear()
    with Runner(beside, [Sizes()], clock=clock) as runner:
        if undoes:
            runner.send("r", Leave())
        else:
            clock.advance(60)
        becomes(lambda: bool(runner.get("r").incidents))
        assert "the journal lacks item" in runner.get("r").incidents[0].message
    assert "an error of the runner" in caplog.text
