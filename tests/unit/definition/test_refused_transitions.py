"""Transitions that are ambiguous, never taken or lead nowhere are refused when the class is made."""

# What is refused here at import is, where a checker can see it, refused by the checkers as well; see tests/typing.
# mypy: disable-error-code="arg-type, call-overload, misc, truthy-bool, type-arg, type-var"
# mypy: disable-error-code="assignment, no-untyped-def, untyped-decorator, valid-type, var-annotated"
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportFunctionMemberAccess=false, reportInvalidTypeForm=false
# pyright: reportIncompatibleVariableOverride=false, reportAssignmentType=false, reportSelfClsParameterName=false

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from statemachine import Compound, Event, Parallel, State, Workflow, after, always, joined, on, on_entry
from statemachine.errors import BrokenState, BrokenTransition
from tests.unit.definition.parts import Approve, Decline, Loan, large, refused


def test_two_unguarded_transitions_on_one_event() -> None:
    """The second would never be taken."""
    with refused(BrokenTransition, "two transitions on Approve, and the first has no guard", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=first, to=last)
            two = on(Approve, source=first, to=last)


def test_an_arm_behind_one_without_guard() -> None:
    """Arms are tried in their order."""
    with refused(BrokenTransition, "two transitions on Approve, and the first has no guard", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=first, to=(last, last.when(large)))


def test_two_arms_with_one_guard() -> None:
    """A guard that did not hold does not hold a moment later."""
    with refused(BrokenTransition, "two transitions on Approve have the guard large", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=first, to=(last.when(large), first.when(large)))


def test_two_eventless_transitions_without_guard() -> None:
    """The same without an event."""
    with refused(BrokenTransition, "two transitions without event, and the first has no guard", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = always(source=first, to=last)
            two = always(source=first, to=last, when=large)


def test_an_eventless_transition_that_never_ends() -> None:
    """It would be taken again and again."""
    with refused(BrokenTransition, "an eventless transition without guard or target never ends; guard it", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=first, to=last)

            @always(source=first)
            def again(self, loan: Loan) -> Loan:
                return loan


def test_the_same_event_on_two_levels_is_no_mistake() -> None:
    """The inner state's transition wins, as statecharts have it."""

    class Fine(Workflow[Loan]):
        class work(Compound, initial=True):
            first = State(initial=True)

        last = State(final=True)
        other = State(final=True)
        inner = on(Approve, source=work.first, to=last)
        outer = on(Approve, source=work, to=other)

    assert [one.source for one in Fine.definition.transitions] == ["work.first", "work"]


def test_a_way_out_of_a_final_state() -> None:
    """Nothing leaves it."""
    with refused(BrokenTransition, "it is final, so nothing leaves it; drop final=True or the way out", "last"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=(first, last), to=last)


def test_a_timer_in_a_final_state() -> None:
    """Nothing waits in it."""
    with refused(BrokenState, "it is final, so nothing waits in it; drop its timer or final=True", "last"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=first, to=last)
            two = after(1, source=last, to=first)


def test_a_timer_in_the_past() -> None:
    """Time goes forward."""
    with refused(BrokenTransition, "is in the past", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = after(timedelta(seconds=-1), source=first, to=last)


@pytest.mark.parametrize("delay", [math.inf, math.nan, timedelta.max])
def test_a_timer_beyond_all_time(delay: Any) -> None:
    """It would be an error when its state is entered, and the run could never enter it."""
    with refused(BrokenState, "is no time to wait; give 0 to 1e+10 s", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = after(delay, source=first, to=last)


def test_a_timer_in_words() -> None:
    """Seconds, a timedelta or a function."""
    with refused(BrokenTransition, "'7 days' is no delay; give seconds, a timedelta or a function", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = after("7 days", source=first, to=last)


def test_a_timer_that_does_nothing() -> None:
    """It leads nowhere and has no handler."""
    with refused(BrokenTransition, "one leads nowhere and does nothing; name a state in to=", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = after(1, source=first)
            two = on(Approve, source=first, to=last)


def test_something_that_is_no_event() -> None:
    """An event type derives from Event."""
    with refused(BrokenTransition, "is not a type derived from Event", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Loan, source=first, to=last)


def test_event_itself() -> None:
    """All events at once is none."""
    with refused(BrokenTransition, "is not a type derived from Event", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Event, source=first, to=last)


def test_an_event_named_like_the_machines_own() -> None:
    """It could not be told from the end of a step."""

    class Finished(Event, frozen=True, name="done.step.pay"):
        """Misnamed."""

    with refused(BrokenTransition, "event name 'done.step.pay' begins like those of the machine itself"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Finished, source=first, to=last)


def test_two_events_with_one_name() -> None:
    """A stored event must have one type."""

    class Also(Event, frozen=True, name="Approve"):
        """Misnamed."""

    with refused(BrokenTransition, "two types of event are stored as 'Approve', Approve and Also", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=first, to=last)
            two = on(Also, source=first, to=last)


def test_two_events_with_one_former_name() -> None:
    """A stored event must have one type, whatever it was called."""

    class One(Event, frozen=True, was=("Old",)):
        """The one."""

    class Two(Event, frozen=True, was=("Old",)):
        """The other."""

    with refused(BrokenTransition, "two events were 'Old'", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(One, source=first, to=last)
            two = on(Two, source=first, to=last)


def test_a_former_name_that_is_another_event_now() -> None:
    """The same, with a present name."""

    class One(Event, frozen=True, was=("Approve",)):
        """The one."""

    with refused(BrokenTransition, "event 'One' was 'Approve', which is another event now"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(One, source=first, to=last)
            two = on(Approve, source=first, to=last)


def test_a_mutable_event() -> None:
    """An event happened as it happened."""

    class Changing(Event, frozen=False):
        """Mutable."""

    with refused(BrokenTransition, "event 'Changing' is mutable; derive it with frozen=True", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Changing, source=first, to=last)


def test_a_parallel_state_that_is_never_done() -> None:
    """A region without a final state is never done; the message says which."""
    with refused(BrokenTransition, "it is never done, since no state in 'work.right' is final", "work"):

        class Broken(Workflow[Loan]):
            class work(Parallel, initial=True):
                class left(Compound):
                    first = State(initial=True)
                    last = State(final=True)

                class right(Compound):
                    first = State(initial=True)

            end = State(final=True)
            move = on(Approve, source=work.left.first, to=work.left.last)
            done = joined(work, to=end)


def test_a_compound_that_is_never_done() -> None:
    """The same for a compound by itself."""
    with refused(BrokenTransition, "it is never done, since no state in 'work' is final", "work"):

        class Broken(Workflow[Loan]):
            class work(Compound, initial=True):
                first = State(initial=True)

            end = State(final=True)
            out = on(Approve, source=work, to=end)
            done = joined(work, to=end)


def test_a_transition_without_a_name() -> None:
    """It would be lost without a word; the error points at its line."""
    with refused(BrokenTransition, "a transition stands here without a name; assign it: name = …"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=first, to=last)
            on(Decline, source=first, to=last)


def test_an_entry_without_a_handler() -> None:
    """`on_entry` is a decorator."""
    with refused(BrokenTransition, "on_entry stands without its handler; use it as a decorator", "first"):

        class Broken(Workflow[Loan]):
            first = State(initial=True)
            last = State(final=True)
            one = on(Approve, source=first, to=last)
            two = on_entry(first)
