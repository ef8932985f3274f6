"""Functions of another shape or over other types than their place asks for are refused, with the line they stand in."""

# What is refused here at import is, where a checker can see it, refused by the checkers as well; see tests/typing.
# mypy: disable-error-code="arg-type, call-overload, misc, truthy-bool, type-arg, type-var"
# mypy: disable-error-code="assignment, no-untyped-def, untyped-decorator, valid-type, var-annotated"
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportFunctionMemberAccess=false, reportInvalidTypeForm=false
# pyright: reportIncompatibleVariableOverride=false, reportAssignmentType=false, reportSelfClsParameterName=false

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from statemachine import Call, Connection, Moment, Outbox, State, Workflow, after, evolve, on, step, transaction
from statemachine.errors import BrokenFunction
from tests.unit.definition.parts import Approve, Decline, Loan, Other, large, refused, scored

if TYPE_CHECKING:
    from decimal import Decimal


def of_other(other: Other) -> bool:
    """A guard over other data."""
    return bool(other.name)


def of_decline(loan: Loan, event: Decline) -> bool:
    """A guard over another event."""
    return bool(event.reason and loan.amount)


def says_text(loan: Loan) -> str:
    """Not a guard."""
    return loan.applicant


async def asynchronous(loan: Loan) -> bool:
    """A guard that waits."""
    return loan.amount > 0


def writes(loan: Loan, outbox: Outbox) -> bool:
    """A guard that could do something."""
    return bool(loan and outbox)


def of_three(loan: Loan, event: Approve, more: int) -> bool:
    """A guard that wants too much."""
    return bool(loan and event and more)


def by_keyword(loan: Loan, *, event: Approve) -> bool:
    """A guard that wants it by keyword."""
    return bool(loan and event)


def of_money(loan: Decimal) -> bool:
    """A guard whose annotation only checkers can read."""
    return bool(loan)


@pytest.mark.parametrize(
    ("guard", "reason"),
    [
        (of_other, "of_other: it takes 'other' as Other, where Loan is given"),
        (of_decline, "of_decline: it takes 'event' as Decline, where Approve is given"),
        (says_text, "says_text: it returns str, where bool is expected"),
        (asynchronous, "asynchronous: guards and handlers are pure and never async"),
        (writes, "writes: a guard or delay only reads: annotate Moment instead of Outbox"),
        (of_three, "of_three: it takes (data) or (data, event), and Moment if it asks for one"),
        (by_keyword, "by_keyword: event cannot be given: parameters are positional"),
        (of_money, "of_money: its annotation 'Decimal' cannot be read; import it at run time"),
    ],
)
def test_guards(guard: Callable[..., Any], reason: str) -> None:
    """A guard is `(data)` or `(data, event)` -> bool, of this workflow's data and of the event it stands with."""
    with pytest.raises(BrokenFunction, match=re.escape(reason)) as caught:

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=first, to=last, when=guard)

    assert caught.value.place == f"{__file__}:{inspect.getsourcelines(guard)[1]}"


def test_an_arm_of_a_step_has_no_event() -> None:
    """After a step, there is no event that a guard could look at."""
    with refused(BrokenFunction, "of_decline: it takes (data), and Moment if it asks for one"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=(last.when(of_decline), last))
            def work(self, loan: Loan) -> Loan:
                return loan


def test_a_guard_is_compared_with_each_event_it_stands_with() -> None:
    """That it fits one event says nothing of another."""
    with refused(BrokenFunction, "of_decline: it takes 'event' as Decline, where Approve is given"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Decline, source=first, to=last, when=of_decline)
            two = on(Approve, source=first, to=last.when(of_decline))


def test_something_that_has_no_name() -> None:
    """A definition names its functions."""
    with pytest.raises(
        BrokenFunction, match="is not a function; a definition names its functions, so write it with def"
    ):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=first, to=last, when=partial(large))


def test_a_handler_for_another_event() -> None:
    """A handler gets the event it stands with."""
    with refused(BrokenFunction, "Broken.handle: it takes 'event' as Decline, where Approve is given"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @on(Approve, source=first, to=last)
            def handle(self, loan: Loan, event: Decline) -> Loan:
                return loan


def test_a_handler_over_other_data() -> None:
    """A checker cannot see this: the method is sound by itself."""
    with refused(BrokenFunction, "Broken.handle: it takes 'other' as Other, where Loan is given"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @on(Approve, source=first, to=last)
            def handle(self, other: Other, event: Approve) -> Other:
                return evolve(other, name=event.by)


def test_a_handler_that_returns_something_else() -> None:
    """A handler returns the next data."""
    with refused(BrokenFunction, "Broken.handle: it returns int, where Loan is expected"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @on(Approve, source=first, to=last)
            def handle(self, loan: Loan, event: Approve) -> int:
                return loan.amount


def test_an_async_handler() -> None:
    """What waits is a step."""
    with refused(BrokenFunction, "guards and handlers are pure and never async; what has effects is a step"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @on(Approve, source=first, to=last)
            async def handle(self, loan: Loan, event: Approve) -> Loan:
                return loan


def test_a_method_without_self() -> None:
    """It is called on the workflow object."""
    with refused(BrokenFunction, "Broken.handle: it is a method, so it takes self first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @on(Approve, source=first, to=last)
            def handle() -> Loan:
                return Loan()


def test_a_step_over_other_data() -> None:
    """A checker cannot see this either."""
    with refused(BrokenFunction, "Broken.work: it takes 'other' as Other, where Loan is given"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last)
            async def work(self, other: Other) -> Other:
                return other


def test_a_step_that_returns_something_else() -> None:
    """Without `into=`, it returns the data; with a call, too."""
    with refused(BrokenFunction, "Broken.work: it returns float, where Loan is expected"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last)
            async def work(self, loan: Loan, call: Call) -> float:
                return loan.score


def test_a_step_that_only_looks_async() -> None:
    """The runner must know before it calls."""
    with refused(BrokenFunction, "without being async; write async def"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last)
            def work(self, loan: Loan) -> Awaitable[Loan]:
                raise NotImplementedError


def test_a_step_with_more_than_a_call() -> None:
    """What it needs from the application are collaborators."""
    with refused(BrokenFunction, "Broken.work: it takes (self, data), with a Call after that if it asks for one"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last)
            def work(self, loan: Loan, call: Call, more: int) -> Loan:
                return loan


def test_a_step_whose_call_is_something_else() -> None:
    """The third parameter is the call."""
    with refused(BrokenFunction, "Broken.work: it takes 'key' as str, where Call is given"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last)
            def work(self, loan: Loan, key: str) -> Loan:
                return loan


def test_a_fold_of_something_else() -> None:
    """What the step returns is what the fold takes."""
    with refused(BrokenFunction, "scored: it takes 'score' as float, where str is given"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, into=scored)
            def work(self, loan: Loan) -> str:
                return loan.applicant


def test_a_fold_without_result() -> None:
    """A fold takes both."""
    with refused(BrokenFunction, "a fold takes (data, result) and returns data"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, into=lambda loan: loan)
            def work(self, loan: Loan) -> str:
                return loan.applicant


def test_an_async_transaction() -> None:
    """It runs inside the commit."""
    with refused(BrokenFunction, "a transactional step is sync, since it runs inside the commit; drop async"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @transaction(first, to=last)
            async def work(self, loan: Loan, connection: Connection) -> Loan:
                return loan


def test_a_transaction_without_connection() -> None:
    """That is what it is for."""
    with refused(BrokenFunction, "it takes 'call' as Call, where the connection is given"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @transaction(first, to=last)
            def work(self, loan: Loan, call: Call) -> Loan:
                return loan


def test_an_undo_over_other_data() -> None:
    """An undo gets the data of the step."""
    with refused(BrokenFunction, "Broken.unwork: it takes 'other' as Other, where Loan is given"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last)
            def work(self, loan: Loan) -> Loan:
                return loan

            @work.undo
            def unwork(self, other: Other) -> None: ...


def test_an_undo_with_a_result() -> None:
    """An undo changes nothing in the run."""
    with refused(BrokenFunction, "Broken.unwork: it returns Loan, where NoneType is expected"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last)
            def work(self, loan: Loan) -> Loan:
                return loan

            @work.undo
            def unwork(self, loan: Loan) -> Loan:
                return loan


def test_a_delay_that_is_none() -> None:
    """A delay says when."""

    def never(loan: Loan) -> str:
        return loan.applicant

    with refused(BrokenFunction, "never: it returns str, where"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = after(never, source=first, to=last)


def test_what_is_not_annotated_is_taken_on_trust() -> None:
    """By its place: data first, then the event; so lambdas may be guards."""

    class Fine(Workflow[Loan]):
        first = State(initial=True)
        last = State(final=True)
        one = on(
            Approve, source=first, to=(last.when(lambda loan: loan.amount > 1), last.when(lambda _, event: event.by))
        )

        @on(Decline, source=first, to=last)
        def handle(self, loan, event):  # noqa: ANN001, ANN202
            return loan

    assert [one.guard for one in Fine.definition.transitions] == ["Fine.<lambda>", "Fine.<lambda>#2", None]


def test_a_wider_annotation_fits() -> None:
    """A guard of anything is a guard of this data; a union that has it, too."""

    def anything(value: object) -> bool:
        return value is not None

    def either(value: Loan | Other) -> bool:
        return isinstance(value, Loan)

    def reads(loan: Loan, moment: Moment) -> bool:
        return bool(loan and moment.run)

    class Fine(Workflow[Loan]):
        first = State(initial=True)
        last = State(final=True)
        one = on(Approve, source=first, to=(last.when(anything), last.when(either), last.when(reads)))

    assert [one.guard for one in Fine.definition.transitions] == ["anything", "either", "reads"]
