"""What a state may not be given, and what a definition built from data may not be."""

# What is refused here at import is, where a checker can see it, refused by the checkers as well; see tests/typing.
# mypy: disable-error-code="arg-type, call-overload, misc, truthy-bool, type-arg, type-var"
# mypy: disable-error-code="assignment, no-untyped-def, untyped-decorator, valid-type, var-annotated"
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportFunctionMemberAccess=false, reportInvalidTypeForm=false
# pyright: reportIncompatibleVariableOverride=false, reportAssignmentType=false, reportSelfClsParameterName=false

from __future__ import annotations

import pytest

from statemachine import Compound, History, Parallel, State, Workflow, on, step
from statemachine.definition import Definition, StateSpec, TimerSpec, TransitionSpec
from statemachine.errors import BrokenState, BrokenTransition
from statemachine.validation import validate
from tests.unit.definition.parts import Approve, Decline, Loan, refused


def test_compensate_on_a_state_that_is_not_final() -> None:
    """Undoing is an end."""
    with refused(BrokenState, "only a final state of the workflow itself, not of a compound, compensates", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True, compensate=True)


def test_compensate_inside_a_compound() -> None:
    """Only the run's own end undoes it."""
    with refused(BrokenState, "only a final state of the workflow itself", "work.last"):

        class Broken(Workflow[Loan]):
            class work(Compound, initial=True):
                first = State(initial=True)
                last = State(final=True, compensate=True)


def test_a_final_state_that_defers() -> None:
    """Nothing comes after it."""
    with refused(BrokenState, "it is final, so nothing waits in it; drop defer= and waits_for=", "last"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True, defer=(Approve,))
            done = on(Approve, source=first, to=last)


def test_deferring_what_nothing_takes() -> None:
    """A deferred event waits for a state that takes it."""
    with refused(BrokenState, "it defers Decline, which no transition takes", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True, defer=(Decline,))
            last = State(final=True)
            done = on(Approve, source=first, to=last)


def test_deferring_what_is_no_event() -> None:
    """Only events are deferred."""
    with refused(BrokenState, "which is not a type of event", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True, defer=(Loan,))


def test_history_without_default_in_a_parallel_state() -> None:
    """In a compound it falls back on the initial state; a parallel state has none."""
    with refused(BrokenState, "say where to go when nothing is remembered: History(state)", "work.past"):

        class Broken(Workflow[Loan]):
            class work(Parallel, initial=True):
                left = State()
                past = History()

            end = State(final=True)
            done = on(Approve, source=work, to=end)


def test_a_former_name_that_is_another_state_now() -> None:
    """A run in `second` would be taken for one in `first`."""
    with refused(BrokenState, "it was 'second', which is another state", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True, was=("second",))
            second = State(final=True)
            done = on(Approve, source=first, to=second)


def test_two_states_with_one_former_name() -> None:
    """Where would a run go that was in it?"""
    with refused(BrokenState, "it was 'old', which is another state", "second"):

        class Broken(Workflow[Loan]):
            first = State(initial=True, was=("old",))
            second = State(final=True, was=("old",))
            done = on(Approve, source=first, to=second)


def test_a_state_of_another_workflow() -> None:
    """A target is one of the workflow's own states."""

    class Fine(Workflow[Loan]):
        first = State(initial=True)
        last = State(final=True)
        done = on(Approve, source=first, to=last)

    with refused(BrokenTransition, "<State last> is not a state of this workflow; name one of its own", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            done = on(Approve, source=first, to=Fine.last)


def test_a_step_in_a_state_of_another_workflow() -> None:
    """So is a step's."""
    elsewhere = State()
    with refused(BrokenTransition, "is not a state of this workflow"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)

            @step(elsewhere, to=first)
            def work(self, loan: Loan) -> Loan:
                return loan


# Definitions built from data are held to the same.

FIRST = StateSpec(name="first")
LAST = StateSpec(name="last", kind="final")
ENTER = TransitionSpec(source="", targets=("first",))
GO = TransitionSpec(source="first", events=("go",), targets=("last",))


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (Definition(name="d", states=(FIRST, FIRST), initial=ENTER), "two states have one name"),
        (Definition(name="d", states=(FIRST,), initial=TransitionSpec(source="")), "no initial state"),
        (Definition(name="d", states=(LAST,), initial=ENTER), "there is no state 'first'"),
        (
            Definition(name="d", states=(FIRST, StateSpec(name="in", parent="out")), initial=ENTER),
            "it is nested in 'out', which is not there",
        ),
        (
            Definition(name="d", states=(FIRST, StateSpec(name="in", parent="first")), initial=ENTER),
            "in is nested in a state that is atomic",
        ),
        (
            Definition(
                name="d",
                states=(
                    StateSpec(name="first", kind="compound", initial=TransitionSpec(source="first", targets=("last",))),
                    StateSpec(name="in", parent="first"),
                    LAST,
                ),
                initial=ENTER,
            ),
            "its initial state 'last' is not nested in it",
        ),
        (
            Definition(name="d", states=(FIRST, StateSpec(name="h", kind="history")), initial=ENTER),
            "say where to go when nothing is remembered",
        ),
        (
            Definition(
                name="d",
                states=(FIRST, LAST),
                initial=ENTER,
                transitions=(GO,),
                timers=(TimerSpec(state="gone", event="after.gone.0", delay=1),),
            ),
            "timer after.gone.0 is set in a state that is not there",
        ),
        (
            Definition(
                name="d",
                states=(FIRST, LAST),
                initial=ENTER,
                transitions=(GO,),
                timers=(TimerSpec(state="last", event="after.last.0", delay=1),),
            ),
            "it is final, so nothing waits in it; drop its timer",
        ),
    ],
)
def test_definitions_from_data(definition: Definition, reason: str) -> None:
    """What no class can say is refused, too."""
    with pytest.raises((BrokenState, BrokenTransition), match=reason):
        validate(definition)


def test_a_definition_with_scxml_ways_may_stand_still() -> None:
    """SCXML allows a state that nothing leaves."""
    validate(Definition(name="d", states=(FIRST,), initial=ENTER, descriptors=True))
    with pytest.raises(BrokenState, match="nothing leaves it"):
        validate(Definition(name="d", states=(FIRST,), initial=ENTER))
