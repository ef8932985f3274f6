"""Steps for each of many items that cannot work, or whose types do not fit, are refused when the class is made."""

# What is refused here at import is, where a checker can see it, refused by the checkers as well; see tests/typing.
# mypy: disable-error-code="arg-type, call-overload, misc, no-untyped-def, untyped-decorator, no-any-return, index"
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from statemachine import Call, ItemOutcome, Moment, State, Workflow, step
from statemachine.errors import BrokenFunction, BrokenStep, NotStorable
from tests.unit.definition.parts import Loan, refused


def names(loan: Loan) -> tuple[str, ...]:
    """The items."""
    return (loan.applicant,)


def counted(loan: Loan, results: Sequence[int]) -> Loan:
    """The fold."""
    return loan


def noted(loan: Loan, results: Sequence[ItemOutcome[int]]) -> Loan:
    """The fold of what is collected."""
    return loan


def of_moment(loan: Loan, moment: Moment) -> tuple[str, ...]:
    """Items of a time."""
    return ()


def not_many(loan: Loan) -> int:
    """No items."""
    return 1


def unsaid(loan: Loan):  # noqa: ANN201 -- what is missing is looked for
    """Items of no type."""
    return (loan.applicant,)


def whole(self: object, loan: Loan, name: str) -> int:
    """Does one."""
    return 1


def of_number(self: object, loan: Loan, number: int) -> int:
    """Does another."""
    return 1


def untyped(self: object, loan: Loan, name) -> int:  # noqa: ANN001 -- likewise
    """Does whatever."""
    return 1


def silent(self: object, loan: Loan, name: str) -> None:
    """Says nothing."""


def of_object(self: object, loan: Loan, name: object) -> int:
    """Does anything."""
    return 1


def saving(self: object, loan: Loan, name: str, call: Call[int]) -> int:
    """Saves."""
    return 1


def declare(function: Callable[..., Any] = whole, **options: Any) -> None:
    """A workflow with such a step."""

    class Broken(Workflow[Loan]):
        first = State(initial=True)
        last = State(final=True)
        work = step(first, to=last, **{"each": names, "into": counted, **options})(function)


def _given(options: dict[str, Any], last: State) -> dict[str, Any]:
    given = {"each": names, "into": counted, **options}
    return given | {"failed": last} if "failed" in given else given


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"once": True}, "is at-most-once; of many items each is done at least once"),
        ({"pivot": True}, "is a pivot, which is done in one piece"),
        ({"limit": 0}, "limit=0; at least 1 of them must be able to run"),
        ({"limit": "many"}, "limit='many'"),
        ({"failures": "ignore"}, "failures='ignore'; say 'stop' or 'collect'"),
        ({"failures": "collect", "into": noted, "failed": State()}, "drop error= and failed="),
    ],
)
def test_options_that_cannot_work(options: dict[str, Any], reason: str) -> None:
    """Each with what to do."""
    with pytest.raises(BrokenStep) as caught:

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            work = step(first, to=last, **_given(options, last))(whole)

    assert reason in str(caught.value)


def test_failures_that_are_collected_for_nobody() -> None:
    """A fold says what is made of them."""
    with refused(BrokenStep, "say in into= what is made of them", "first"):
        declare(silent, into=None, failures="collect")


def test_failures_of_no_items() -> None:
    """They are said of items."""
    with refused(BrokenStep, "failures='collect' is said of items; say which, each=…", "first"):
        declare(each=None, into=None, failures="collect")


@pytest.mark.parametrize(
    ("function", "options", "reason"),
    [
        (of_number, {}, "it takes 'number' as int, where str is given"),
        (whole, {"each": of_moment}, "it takes (data), as nothing else says what the items of a visit are"),
        (whole, {"each": not_many}, "it returns int, where a sequence of items is expected"),
        (whole, {"into": noted}, "as Sequence[ItemOutcome[int]], where Sequence[int] is given"),
        (whole, {"failures": "collect"}, "as Sequence[int], where Sequence[ItemOutcome[int]] is given"),
    ],
)
def test_types_that_do_not_fit(function: Callable[..., Any], options: dict[str, Any], reason: str) -> None:
    """What a checker cannot see, or was not asked."""
    with pytest.raises(BrokenFunction) as caught:
        declare(function, **options)
    assert reason in str(caught.value)


def test_items_and_what_is_kept_of_them_have_a_type_that_can_be_stored() -> None:
    """They are in the journal."""
    with pytest.raises(BrokenStep, match="say what untyped is done for"):
        declare(untyped, each=unsaid)
    with pytest.raises(NotStorable, match="item of of_object"):
        declare(of_object, each=unsaid)
    with pytest.raises(BrokenStep, match="one of many saves nothing"):
        declare(saving)


def test_the_item_may_be_said_by_either() -> None:
    """By the step, or by what gives the items."""
    declare(whole, each=unsaid)
    declare(untyped)
