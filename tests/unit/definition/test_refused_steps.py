"""Steps, undos and pivots that stand where they cannot work are refused when the class is made."""

# What is refused here at import is, where a checker can see it, refused by the checkers as well; see tests/typing.
# mypy: disable-error-code="arg-type, call-overload, misc, truthy-bool, type-arg, type-var"
# mypy: disable-error-code="assignment, no-untyped-def, untyped-decorator, valid-type, var-annotated"
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportFunctionMemberAccess=false, reportInvalidTypeForm=false
# pyright: reportIncompatibleVariableOverride=false, reportAssignmentType=false, reportSelfClsParameterName=false

from __future__ import annotations

import math

import pytest

from statemachine import Compound, Parallel, Retry, State, Workflow, after, always, joined, on, step, transaction
from statemachine.definition import Definition, StateSpec, StepSpec, TransitionSpec
from statemachine.errors import BrokenState, BrokenStep, BrokenTransition
from statemachine.validation import validate
from tests.unit.definition.parts import Approve, Loan, large, refused


def test_two_steps_in_one_state() -> None:
    """At most one step for each state."""
    with refused(BrokenStep, "it has two steps, one and two; give each a state of its own", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last)
            def one(self, loan: Loan) -> Loan:
                return loan

            @step(first, to=last)
            def two(self, loan: Loan) -> Loan:
                return loan


def test_a_step_in_a_compound() -> None:
    """Steps belong to atomic states."""
    with refused(BrokenStep, "step one stands in a state that is compound; only an atomic one works", "work"):

        class Broken(Workflow[Loan]):
            class work(Compound, initial=True):
                first = State(initial=True)

            last = State(final=True)

            @step(work, to=last)
            def one(self, loan: Loan) -> Loan:
                return loan


def test_a_step_in_a_final_state() -> None:
    """Nothing happens in a final state."""
    with refused(BrokenTransition, "it is final, so nothing leaves it", "last"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            go = on(Approve, source=first, to=last)

            @step(last, to=first)
            def one(self, loan: Loan) -> Loan:
                return loan


def test_a_step_without_its_method() -> None:
    """`step` is a decorator."""
    with refused(BrokenStep, "one is a step without its method; use it as a decorator"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = step(first, to=last)


def test_a_step_without_a_way_on() -> None:
    """When no guard holds, the run would stand still."""
    with refused(BrokenStep, "step one has no way on when no guard of to= holds", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=(last.when(large),))
            def one(self, loan: Loan) -> Loan:
                return loan


def test_an_error_without_a_way_on() -> None:
    """The same for a declared error."""
    with refused(BrokenStep, "step one has no way on when no guard of error= for ValueError holds", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, error={ValueError: last.when(large)})
            def one(self, loan: Loan) -> Loan:
                return loan


def test_a_failure_without_a_way_on() -> None:
    """The same for `failed=`."""
    with refused(BrokenStep, "step one has no way on when no guard of failed= holds", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, failed=last.when(large))
            def one(self, loan: Loan) -> Loan:
                return loan


def test_once_with_retries() -> None:
    """At most once is at most once."""
    with refused(BrokenStep, "step one runs at most once, so it has no retries; drop once= or retry=", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, once=True, retry=Retry(2))
            def one(self, loan: Loan) -> Loan:
                return loan


@pytest.mark.parametrize(
    "times", [{"timeout": 0}, {"timeout": math.inf}, {"timeout": math.nan}, {"overall": 0}, {"overall": math.inf}]
)
def test_no_time_at_all(times: dict[str, float]) -> None:
    """A timeout is above zero, and a deadline that can be reached."""
    with refused(BrokenStep, "step one has no time at all, or has no end", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, **times)
            def one(self, loan: Loan) -> Loan:
                return loan


def test_an_undo_of_what_has_no_effect() -> None:
    """One of the two is a mistake."""
    with refused(BrokenStep, "step one says effect=False and has an undo; drop one of the two", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, effect=False)
            def one(self, loan: Loan) -> Loan:
                return loan

            @one.undo
            def unone(self, loan: Loan) -> None: ...


def test_an_error_that_says_nothing() -> None:
    """That any exception had no effect cannot be known."""
    with refused(BrokenStep, "Exception in error= says nothing about the effect; name an error of its own", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, error={Exception: last})
            def one(self, loan: Loan) -> Loan:
                return loan


def test_an_error_behind_a_wider_one() -> None:
    """It would never be reached."""
    with refused(BrokenStep, "KeyError in error= is never reached, since LookupError stands before it", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, error={LookupError: last, KeyError: last})
            def one(self, loan: Loan) -> Loan:
                return loan


def test_a_result_without_type() -> None:
    """What is recorded must be read again."""
    with refused(BrokenStep, "say what one returns, so that it can be stored"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, into=lambda loan, _result: loan)
            def one(self, loan: Loan):  # noqa: ANN202
                return loan.amount


def test_a_pivot_in_a_parallel_region() -> None:
    """It decides for the whole run."""
    with refused(BrokenStep, "pivot one stands in a parallel region", "work.left.first"):

        class Broken(Workflow[Loan]):
            class work(Parallel, initial=True):
                class left(Compound):
                    first = State(initial=True)
                    last = State(final=True)

                class right(Compound):
                    first = State(initial=True)
                    last = State(final=True)

            end = State(final=True)
            go = on(Approve, source=work.right.first, to=work.right.last)
            done = joined(work, to=end)

            @step(work.left.first, to=work.left.last, pivot=True)
            def one(self, loan: Loan) -> Loan:
                return loan


def test_a_pivot_with_an_undo() -> None:
    """From a pivot on nothing is undone."""
    with refused(BrokenStep, "pivot one has an undo, but from a pivot on nothing is undone", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, pivot=True)
            def one(self, loan: Loan) -> Loan:
                return loan

            @one.undo
            def unone(self, loan: Loan) -> None: ...


def test_a_pivot_on_a_cycle() -> None:
    """It happens once in a run."""
    with refused(BrokenStep, "pivot one is on a cycle through itself", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            second = State()
            last = State(final=True)
            again = on(Approve, source=second, to=(first.when(large), last))

            @step(first, to=second, pivot=True)
            def one(self, loan: Loan) -> Loan:
                return loan


def test_a_pivot_that_is_tried_again_after_an_error_is_no_cycle() -> None:
    """A declared error is known to have had no effect, so the pivot has not happened."""

    class Fine(Workflow[Loan]):
        first = State(initial=True)
        second = State()
        last = State(final=True)
        again = on(Approve, source=second, to=first)

        @step(first, to=last, error={ValueError: second}, pivot=True)
        def one(self, loan: Loan) -> Loan:
            return loan

    assert Fine.definition.steps[0].pivot


def test_a_pivot_inside_a_compound_is_no_cycle() -> None:
    """What is behind it in the compound does not enter the compound again."""

    class Fine(Workflow[Loan]):
        class work(Compound, initial=True):
            first = State(initial=True)
            second = State()
            last = State(final=True)

        end = State(final=True)
        go = on(Approve, source=work.second, to=work.last)
        done = joined(work, to=end)

        @step(work.first, to=work.second, pivot=True)
        def one(self, loan: Loan) -> Loan:
            return loan

    assert Fine.definition.steps[0].pivot


def test_an_undo_after_a_pivot() -> None:
    """It would never be run; the step that has it is named."""
    with refused(BrokenStep, "step two has an undo, but it may run after pivot one", "second"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            second = State()
            last = State(final=True)

            @step(first, to=second, pivot=True)
            def one(self, loan: Loan) -> Loan:
                return loan

            @step(second, to=last)
            def two(self, loan: Loan) -> Loan:
                return loan

            @two.undo
            def untwo(self, loan: Loan) -> None: ...


@pytest.mark.parametrize("leaving", ["on", "after", "always"])
def test_a_state_with_a_pivot_that_something_else_leaves(leaving: str) -> None:
    """Whether the pivot happened would be unknown."""
    with refused(BrokenStep, "while pivot one runs, only its outcome may leave the state", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)

            @step(first, to=last, pivot=True)
            def one(self, loan: Loan) -> Loan:
                return loan

            if leaving == "on":
                other = on(Approve, source=first, to=last)
            elif leaving == "after":
                other = after(1, source=first, to=last)
            else:
                other = always(source=first, to=last, when=large)


def test_a_compound_around_a_pivot_that_something_leaves() -> None:
    """What leaves the compound leaves the pivot."""
    with refused(BrokenStep, "the transition of work on Approve leaves it too", "work.first"):

        class Broken(Workflow[Loan]):
            class work(Compound, initial=True):
                first = State(initial=True)

            last = State(final=True)
            other = on(Approve, source=work, to=last)

            @step(work.first, to=last, pivot=True)
            def one(self, loan: Loan) -> Loan:
                return loan


def test_a_note_beside_a_pivot_is_allowed() -> None:
    """A transition without target leaves nothing."""

    class Fine(Workflow[Loan]):
        first = State(initial=True)
        last = State(final=True)
        noted = on(Approve, source=first)

        @transaction(first, to=last, pivot=True)
        def one(self, loan: Loan, connection: object) -> Loan:
            return loan

    assert Fine.definition.steps[0].kind == "transactional"


def test_definitions_from_data() -> None:
    """What no class can say is refused, too."""
    states = (StateSpec(name="first"), StateSpec(name="second"), StateSpec(name="last", kind="final"))
    enter = TransitionSpec(source="", targets=("first",))
    one, two = (
        StepSpec(name="one", state=name, function="f", retry=Retry(), timeout=1) for name in ("first", "second")
    )
    with pytest.raises(BrokenStep, match="step one has no way on"):
        validate(Definition(name="d", states=states, initial=enter, steps=(one,)))
    stays = TransitionSpec(source="first", events=(one.succeeded_event,))
    with pytest.raises(BrokenStep, match="step one has no state to go on to in to="):
        validate(Definition(name="d", states=states, initial=enter, steps=(one,), transitions=(stays,)))
    goes = TransitionSpec(source="first", events=(one.succeeded_event,), targets=("second",))
    with pytest.raises(BrokenStep, match="two steps are called one"):
        validate(Definition(name="d", states=states, initial=enter, steps=(one, two), transitions=(goes,)))
    gone = StepSpec(name="gone", state="gone", function="f", retry=Retry(), timeout=1)
    with pytest.raises(BrokenStep, match="step gone stands in a state that is missing"):
        validate(Definition(name="d", states=states, initial=enter, steps=(gone,)))
    with pytest.raises(BrokenState, match="nothing leaves it"):
        validate(Definition(name="d", states=states, initial=enter, steps=(one,), transitions=(goes,)))
