"""Options of another type than their place takes: a name for a tuple of names, a number for a policy, a list."""

# What is refused here at import is, where a checker can see it, refused by the checkers as well; see tests/typing.
# mypy: disable-error-code="arg-type, call-overload, misc, truthy-bool, type-arg, type-var"
# mypy: disable-error-code="assignment, no-untyped-def, untyped-decorator, valid-type, var-annotated"
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportFunctionMemberAccess=false, reportInvalidTypeForm=false
# pyright: reportIncompatibleVariableOverride=false, reportAssignmentType=false, reportSelfClsParameterName=false

from __future__ import annotations

from typing import Any

import pytest

from statemachine import Compound, Event, Retry, State, Workflow, after, on, on_entry, step, transaction
from statemachine.errors import BrokenState, BrokenStep, BrokenTransition
from tests.unit.definition.parts import Approve, Loan, refused


class Renamed(Event, frozen=True, was="Old"):
    """Its former names are three of one letter."""


@pytest.mark.parametrize("line", [{"name": 5}, {"name": ""}, {"version": "1"}, {"version": 0}])
def test_a_class_line(line: dict[str, Any]) -> None:
    """A name and a number."""
    with refused(BrokenState, "a workflow has a name, and a version from 1"):

        class Broken(Workflow[Loan], **line):
            first = State(initial=True)
            last = State(final=True)
            done = on(Approve, source=first, to=last)


def test_former_names_of_a_workflow() -> None:
    """A string is a row of letters."""
    with refused(BrokenState, "was='old' is no tuple of names; write was=('…',)"):

        class Broken(Workflow[Loan], was="old"):
            first = State(initial=True)
            last = State(final=True)
            done = on(Approve, source=first, to=last)


def test_former_names_of_a_state() -> None:
    """Of a state as of the whole."""
    with refused(BrokenState, "was='old' is no tuple of names", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True, was="old")


def test_former_names_of_a_compound() -> None:
    """A list is none either: what is compiled is never changed."""
    with refused(BrokenState, "was=['old'] is no tuple of names", "work"):

        class Broken(Workflow[Loan]):
            class work(Compound, initial=True, was=["old"]):
                first = State(initial=True)


def test_former_names_of_an_event() -> None:
    """A run's stored event would be looked for under each letter."""
    with refused(BrokenState, "was='Old' is no tuple of names", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            done = on(Renamed, source=first, to=last)


def test_one_deferred_event() -> None:
    """Not alone."""
    with refused(BrokenState, "defer=Approve is no tuple of events; write defer=(Approve,)", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True, defer=Approve)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"retry": 5}, "retry=5 is no Retry; write retry=Retry(5)"),
        ({"error": ValueError}, "error=ValueError leads nowhere; write error={ValueError: state}"),
        ({"error": {"ValueError": None}}, "'ValueError' in error= is no type of exception"),
        ({"error": {(KeyError, ValueError): None}}, "in error= is no type of exception; give each its own entry"),
    ],
)
@pytest.mark.parametrize("kind", [step, transaction])
def test_options_of_a_step(kind: Any, options: dict[str, Any], reason: str) -> None:
    """They would be errors when its first attempt has failed."""
    with refused(BrokenStep, reason, "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @kind(first, to=last, **options)
            def work(self, loan: Loan) -> Loan:
                return loan


def test_the_retry_of_an_undo() -> None:
    """It is asked after the run has failed, when nothing else may."""
    with refused(BrokenStep, "retry=3 is no Retry; write retry=Retry(3)", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, retry=Retry(2))
            def work(self, loan: Loan) -> Loan:
                return loan

            @work.undo(retry=3)
            def unwork(self, loan: Loan) -> None: ...


def test_a_list_of_states() -> None:
    """Several stand in a tuple."""
    with refused(
        BrokenTransition, "[<State first>, <State second>] is not a state of this workflow; give several as a"
    ):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            second = State()
            last = State(final=True)
            done = on(Approve, source=[first, second], to=last)


def test_a_transition_in_no_state() -> None:
    """It would never be taken."""
    with refused(BrokenTransition, "done stands in no state; name those in which it happens"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            done = on(Approve, source=(), to=last)


def test_an_entry_of_no_state() -> None:
    """Nor would it."""
    with refused(BrokenTransition, "begin stands in no state; name those in which it happens"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            done = on(Approve, source=first, to=last)

            @on_entry()
            def begin(self, loan: Loan) -> Loan:
                return loan


def test_a_transition_to_no_state() -> None:
    """Leaving `to` out is how it stays; an empty tuple is a mistake."""
    with refused(BrokenTransition, "stay has to=() and leads nowhere; leave to= out, or name a state"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            stay = on(Approve, source=first, to=())
            done = on(Approve, source=first, to=last)


def test_states_in_a_plain_class() -> None:
    """It looks like a compound and is none."""
    with refused(BrokenState, "it holds states; derive it from Compound or Parallel", "work"):

        class Broken(Workflow[Loan]):
            class work:
                inner = State(initial=True)

            last = State(final=True)
            done = on(Approve, source=work.inner, to=last)


# What stands in the class body and would be lost there.


def test_a_step_without_name_and_method() -> None:
    """Nobody would miss it."""
    with refused(BrokenStep, "a step stands here without its method; use it as a decorator"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            step(first, to=last)
            lapse = after(1, source=first, to=last)


def test_a_step_whose_name_is_taken() -> None:
    """An undo called like its step stands in its place: the step would be gone, and nothing would say so."""
    with refused(BrokenStep, "step hold stands here, and its name is given to something else after it"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            lapse = after(1, source=first, to=last)

            @step(first, to=last)
            def hold(self, loan: Loan) -> Loan:  # pyright: ignore[reportRedeclaration]
                return loan

            @hold.undo  # type: ignore[no-redef]
            def hold(self, loan: Loan) -> None: ...


def test_a_step_with_two_undos() -> None:
    """Only one of them would be called."""
    with refused(BrokenStep, "step has two undos, release and refund; make them one"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last)
            def hold(self, loan: Loan) -> Loan:
                return loan

            @hold.undo
            def release(self, loan: Loan) -> None: ...

            @hold.undo(retry=Retry(3))
            def refund(self, loan: Loan) -> None: ...
