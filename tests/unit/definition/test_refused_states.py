"""States that make no statechart are refused when the class is made."""

# What is refused here at import is, where a checker can see it, refused by the checkers as well; see tests/typing.
# mypy: disable-error-code="arg-type, call-overload, misc, truthy-bool, type-arg, type-var"
# mypy: disable-error-code="assignment, no-untyped-def, untyped-decorator, valid-type, var-annotated"
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportFunctionMemberAccess=false, reportInvalidTypeForm=false
# pyright: reportIncompatibleVariableOverride=false, reportAssignmentType=false, reportSelfClsParameterName=false

from __future__ import annotations

from statemachine import Compound, Parallel, State, Workflow, joined, on
from statemachine.errors import BrokenState
from tests.unit.definition.parts import Approve, Loan, refused


def test_a_workflow_without_an_initial_state() -> None:
    """Somewhere it must begin."""
    with refused(BrokenState, "no initial state; mark exactly one with initial=True"):

        class Broken(Workflow[Loan]):
            end = State(final=True)


def test_a_workflow_with_two_initial_states() -> None:
    """It cannot begin in two places; both are named."""
    with refused(BrokenState, "two initial states, first and second; mark exactly one"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            second = State(initial=True)


def test_a_compound_without_an_initial_state() -> None:
    """Neither can a compound."""
    with refused(BrokenState, "no initial state", "work"):

        class Broken(Workflow[Loan]):
            class work(Compound, initial=True):
                first = State(final=True)


def test_a_compound_with_nothing_in_it() -> None:
    """A compound is for nesting."""
    with refused(BrokenState, "no initial state", "work"):

        class Broken(Workflow[Loan]):
            class work(Compound, initial=True):
                pass


def test_a_parallel_state_with_nothing_in_it() -> None:
    """A parallel state has regions."""
    with refused(BrokenState, "nothing is nested in it", "work"):

        class Broken(Workflow[Loan]):
            class work(Parallel, initial=True):
                pass


def test_an_initial_region() -> None:
    """Regions are all entered, so none is first."""
    with refused(BrokenState, "all regions of a parallel state are entered; drop initial=True", "work.left"):

        class Broken(Workflow[Loan]):
            class work(Parallel, initial=True):
                left = State(initial=True)


def test_a_final_region() -> None:
    """A region goes on until a state within it is final."""
    with refused(BrokenState, "a region is a state that goes on", "work"):

        class Broken(Workflow[Loan]):
            class work(Parallel, initial=True):
                left = State(final=True)


def test_one_state_under_two_names() -> None:
    """Each name is a state of its own."""
    with refused(BrokenState, "it is the same object as 'first'", "second"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            second = first


def test_a_reserved_name() -> None:
    """`definition` is where a workflow keeps its definition."""
    with refused(BrokenState, "rename the state", "definition"):

        class Broken(Workflow[Loan]):
            definition = State(initial=True)


def test_an_annotated_state() -> None:
    """What is annotated is an argument of the constructor."""
    with refused(BrokenState, "it is annotated, which makes it an argument of the constructor", "first"):

        class Broken(Workflow[Loan]):
            first: State = State(initial=True)


def test_a_step_inside_a_compound() -> None:
    """Nested classes hold states only."""
    with refused(BrokenState, "'done' stands inside it; nested classes hold states only", "work"):

        class Broken(Workflow[Loan]):
            class work(Compound, initial=True):
                first = State(initial=True)
                last = State(final=True)
                done = on(Approve, source=first, to=last)


def test_a_handler_inside_a_compound() -> None:
    """A decorated method is one, too."""
    with refused(BrokenState, "'handle' stands inside it", "work"):

        class Broken(Workflow[Loan]):
            class work(Compound, initial=True):
                first = State(initial=True)

                @on(Approve, source=first)
                def handle(self, loan: Loan, event: Approve) -> Loan:
                    return loan


def test_a_nested_class_derived_from_another() -> None:
    """States are not inherited: two states would be one object."""

    class Shared(Compound):
        first = State(initial=True)

    with refused(BrokenState, "derive it from Compound or from Parallel, and from nothing else", "work"):

        class Broken(Workflow[Loan]):
            class work(Shared, initial=True):
                pass


def test_a_workflow_derived_from_a_whole_one() -> None:
    """States, steps and their order are one text; what derives could not be read top to bottom."""

    class Whole(Workflow[Loan]):
        first = State(initial=True)
        last = State(final=True)
        done = on(Approve, source=first, to=last)

    with refused(BrokenState, "Whole is a whole workflow, which nothing can be added to"):

        class Broken(Whole):
            pass


def test_no_data_type() -> None:
    """The data has a type."""
    with refused(BrokenState, "say what its data is: class X(Workflow[YourData])"):

        class Broken(Workflow):
            first = State(initial=True)


def test_an_empty_name() -> None:
    """A journal stores the name."""
    with refused(BrokenState, "a workflow has a name, and a version from 1"):

        class Broken(Workflow[Loan], name=""):
            first = State(initial=True)


def test_a_version_below_one() -> None:
    """Versions count from 1."""
    with refused(BrokenState, "a workflow has a name, and a version from 1"):

        class Broken(Workflow[Loan], version=0):
            first = State(initial=True)


def test_a_state_that_nothing_leaves() -> None:
    """A run would wait there for ever."""
    with refused(BrokenState, "nothing leaves it and it is not final; add a way out, or final=True", "second"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            second = State()
            go = on(Approve, source=first, to=second)


def test_a_way_that_leads_nowhere_is_no_way_out() -> None:
    """A transition without target stays."""
    with refused(BrokenState, "nothing leaves it and it is not final", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            noted = on(Approve, source=first)


def test_a_state_inside_that_waits_for_what_needs_it() -> None:
    """That the compound around it is done is no way out of a state that is not final."""
    with refused(BrokenState, "nothing leaves it and it is not final", "work.second"):

        class Broken(Workflow[Loan]):
            class work(Compound, initial=True):
                first = State(initial=True)
                second = State()
                last = State(final=True)

            end = State(final=True)
            one = on(Approve, source=work.first, to=(work.second.when(lambda _: True), work.last))
            done = joined(work, to=end)


def test_a_state_is_left_with_the_compound_around_it() -> None:
    """A way out of the compound is one."""

    class Fine(Workflow[Loan]):
        class work(Compound, initial=True):
            first = State(initial=True)

        end = State(final=True)
        done = on(Approve, source=work, to=end)

    assert len(Fine.definition.states) == 3


def test_a_state_is_left_with_the_region_beside_it() -> None:
    """What leaves the parallel state from one region leaves all of them."""

    class Fine(Workflow[Loan]):
        class work(Parallel, initial=True):
            left = State()
            right = State()

        end = State(final=True)
        done = on(Approve, source=work.left, to=end)

    assert len(Fine.definition.states) == 4


def test_a_compound_that_is_done_for_ever() -> None:
    """Its final state is not the run's."""
    with refused(BrokenState, "once 'work' is done, nothing leads out of it; add joined(work, to=…)", "work.last"):

        class Broken(Workflow[Loan]):
            class work(Compound, initial=True):
                first = State(initial=True)
                last = State(final=True)

            done = on(Approve, source=work.first, to=work.last)
