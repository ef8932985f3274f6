"""How steps, collaborators and functions of one name are compiled."""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import attrs
import pytest

from statemachine import (
    Call,
    Connection,
    Event,
    Moment,
    Retry,
    State,
    Workflow,
    after,
    evolve,
    on,
    step,
    transaction,
)
from statemachine.definition import UndoSpec
from statemachine.inputs import Begin, Elapsed, Received
from statemachine.snapshot import Occurrence
from statemachine.transition import refusal, start, transition
from statemachine.workflow import bind
from tests.unit.definition.parts import Approve, Decline, Loan, large
from tests.unit.definition.test_compiling import NOW, Bureau, Desk, Note, in_time


class Works(Workflow[Loan]):
    """Steps in all their shapes."""

    factor: int

    one = State(initial=True)
    two = State()
    three = State()
    four = State()
    five = State()
    last = State(final=True)

    @step(one, to=two)
    def plain(self, loan: Loan) -> Loan:
        """Sync."""
        return evolve(loan, amount=loan.amount * self.factor)

    @plain.undo(retry=Retry(9), timeout=timedelta(seconds=5))
    async def unplain(self, loan: Loan, call: Call) -> None:
        """Async, with its call."""
        assert call.undoes
        assert loan.amount

    @step(two, to=three, once=True, overall=timedelta(minutes=10))
    def called(self, loan: Loan, call: Call) -> Loan:
        """Sync, with its call."""
        return evolve(loan, applicant=call.key)

    @step(three, to=four, failed=last, effect=False)
    async def waited(self, loan: Loan) -> Loan:
        """Async."""
        return evolve(loan, amount=loan.amount + self.factor)

    @transaction(four, to=five)
    def booked(self, loan: Loan, connection: Connection) -> Loan:
        """Transactional."""
        connection.execute("insert into ledger values (?)", (loan.amount,))
        return loan

    @booked.undo(retry=Retry(2))
    def unbooked(self, loan: Loan, connection: Connection, call: Call) -> None:
        """Transactional, with its call."""
        connection.execute("delete from ledger where amount = ?", (loan.amount + call.attempt - 1,))

    @transaction(five, to=last, pivot=True)
    def closed(self, loan: Loan, connection: Connection, call: Call) -> Loan:
        """Transactional, with its call."""
        return evolve(loan, applicant=f"{call.run} {connection.execute('select 1').fetchone()}")


def test_steps_are_called_alike() -> None:
    """A host calls `(data, call)`, or `(data, connection, call)`, and sees which are async."""
    functions = bind(Works(3)).code.functions
    loan, call = Loan(amount=2), Call(key="k", undoes="u")
    asynchronous = {name for name, function in functions.items() if inspect.iscoroutinefunction(function)}
    assert asynchronous == {"Works.unplain", "Works.waited"}
    assert functions["Works.plain"](loan, call) == Loan(amount=6)
    assert functions["Works.called"](loan, call) == Loan("k", 2)
    assert asyncio.run(functions["Works.waited"](loan, call)) == Loan(amount=5)
    assert asyncio.run(functions["Works.unplain"](loan, call)) is None
    connection = sqlite3.connect(":memory:")
    connection.execute("create table ledger (amount)")
    assert functions["Works.booked"](loan, connection, call) == loan
    assert connection.execute("select * from ledger").fetchall() == [(2,)]
    functions["Works.unbooked"](loan, connection, call)
    assert connection.execute("select * from ledger").fetchall() == []
    assert functions["Works.closed"](loan, connection, call) == Loan("test (1,)", 2)
    connection.close()


def test_steps_keep_what_was_said_of_them() -> None:
    """Kinds, tuning, undos."""
    steps = {one.name: one for one in Works.definition.steps}
    assert {name: one.kind for name, one in steps.items()} == {
        "plain": "at-least-once",
        "called": "at-most-once",
        "waited": "at-least-once",
        "booked": "transactional",
        "closed": "transactional",
    }
    assert steps["plain"].undo == UndoSpec(function="Works.unplain", retry=Retry(9), timeout=5.0)
    assert steps["booked"].undo == UndoSpec(function="Works.unbooked", retry=Retry(2), timeout=300.0)
    assert steps["called"].overall == 600.0
    assert steps["waited"].failed
    assert not steps["waited"].effect
    assert steps["closed"].pivot


def test_on_an_object_a_step_is_the_plain_function() -> None:
    """So a test calls it; on the class it is what was declared, with the method's docstring."""
    works = Works(factor=4)
    assert works.plain(Loan(amount=2)) == Loan(amount=8)
    assert works.called(Loan(), Call()) == Loan("test")
    assert asyncio.run(works.waited(Loan())) == Loan(amount=4)
    assert Works.plain.__doc__ == "Sync."
    assert Desk(Bureau()).noted(Loan("ada"), Note(text="hi")) == Loan("ada (hi)")


def test_collaborators_are_arguments() -> None:
    """In their order, by name, with their defaults."""
    assert Desk(Bureau(1)).names == ()
    assert Desk(names=("a",), bureau=Bureau(2)).bureau == Bureau(2)
    with pytest.raises(TypeError, match="bureau"):
        Desk()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


D = TypeVar("D")


def test_a_base_without_states_has_collaborators() -> None:
    """It is no workflow by itself; those derived from it say what the data is, or leave it to the base."""

    class WithBureau(Workflow[D]):
        bureau: Bureau

    class ForLoans(WithBureau[Loan]):
        more: int = 1

    class One(ForLoans, name="one", version=3, was=("eins",)):
        first = State(initial=True)
        last = State(final=True)
        go = on(Approve, source=first, to=last)

    assert One(Bureau(7), 2).bureau.limit == 7
    assert One.definition.code.data is Loan
    assert (One.definition.name, One.definition.version, One.definition.was) == ("one", 3, ("eins",))
    assert not hasattr(WithBureau, "definition")


def test_classes_made_in_functions() -> None:
    """Annotations may name what is local to the function that makes the class."""

    @attrs.frozen
    class Local:
        a: int = 0

    class Go(Event, frozen=True):
        pass

    def odd(local: Local) -> bool:
        return local.a % 2 == 1

    class Small(Workflow[Local]):
        first = State(initial=True)
        last = State(final=True)

        @on(Go, source=first, to=last, when=odd)
        def go(self, local: Local, _event: Go) -> Local:
            return evolve(local, a=local.a + 1)

    assert Small.definition.code.data is Local
    assert set(Small.definition.code.functions) == {"odd", "Small.go"}


def test_two_functions_of_one_name_are_told_apart() -> None:
    """The second is numbered; the same function keeps its one name."""

    def above(limit: int) -> Callable[[Loan], bool]:
        def same(loan: Loan) -> bool:
            return loan.amount > limit

        return same

    one, two = above(1), above(2)

    class Twins(Workflow[Loan]):
        first = State(initial=True)
        last = State(final=True)
        go = on(Approve, source=first, to=(last.when(one), last.when(two)))
        no = on(Decline, source=first, to=(last.when(two), last.when(one)))

    assert [one.guard for one in Twins.definition.transitions] == ["same", "same#2", "same#2", "same"]
    functions = Twins.definition.code.functions
    assert [functions[name](Loan(amount=2), Occurrence(""), None) for name in ("same", "same#2")] == [True, False]


def test_when_and_an_arm_both_hold() -> None:
    """The guard of the whole and the guard of the arm."""

    class Both(Workflow[Loan]):
        first = State(initial=True)
        last = State(final=True)
        go = on(Approve, source=first, to=(last.when(in_time), first), when=large)

    assert [one.guard for one in Both.definition.transitions] == ["large and in_time", "large"]
    outcome = start(Both.definition, "run", Begin(Loan(amount=2_000), nonce="n"), NOW)
    told = Received(Occurrence("Approve", Approve(by="x")))
    assert transition(Both.definition, outcome.snapshot, told, NOW).snapshot.states == ("last",)
    late = NOW + timedelta(days=3_000)
    assert transition(Both.definition, outcome.snapshot, told, late).snapshot.states == ("first",)
    assert refusal(Both.definition, outcome.snapshot, "Approve") == (
        "The amount is large.; It is not too late.",
        "The amount is large.",
    )


def test_two_errors_of_one_name_are_told_apart() -> None:
    """Each has its own arm."""
    mine = type("ConnectionError", (Exception,), {})

    class Errors(Workflow[Loan]):
        first = State(initial=True)
        last = State(final=True)

        @step(first, to=last, error={ConnectionError: last, mine: last})
        def work(self, loan: Loan) -> Loan:
            return loan

    assert Errors.definition.steps[0].errors == ("ConnectionError", "ConnectionError#2")
    assert Errors.definition.code.exceptions == {"ConnectionError": ConnectionError, "ConnectionError#2": mine}


def test_a_delay_until_a_time() -> None:
    """A delay function may say the UTC time itself."""

    def tomorrow(_loan: Loan, moment: Moment) -> datetime:
        return moment.now + timedelta(days=1)

    class Waits(Workflow[Loan]):
        first = State(initial=True)
        last = State(final=True)
        go = after(tomorrow, source=first, to=last)

    outcome = start(Waits.definition, "run", Begin(Loan(), nonce="n"), NOW)
    (timer,) = outcome.snapshot.timers
    assert timer.due == NOW + timedelta(days=1)
    elapsed = transition(Waits.definition, outcome.snapshot, Elapsed(timer.number), timer.due)
    assert elapsed.snapshot.states == ("last",)
