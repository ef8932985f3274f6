"""The same for steps, events and timers: each fault, planted in a sound workflow, is found, and nothing else is."""

from __future__ import annotations

import attrs
import pytest

from statemachine.checking import check
from statemachine.definition import Definition, TimerSpec
from statemachine.retry import Retry
from tests.unit.checking.building import (
    DAY,
    SOUND,
    UNDO,
    arc,
    compound,
    final,
    machine,
    only,
    state,
    step,
    with_arcs,
    with_state,
    with_states,
    with_step,
    without_arcs,
)


class TestSagas:
    def test_an_effect_before_the_pivot_without_undo(self) -> None:
        """It would stay; the path leads through it to the pivot."""
        found = only(with_step(SOUND, "screen", effect=True))
        assert (found.severity, found.code, found.about) == ("error", "uncompensated", ("screen", "screening"))
        assert found.path[0] == "screening"
        assert found.path[-1] == "(hold succeeds) paying"

    def test_a_step_left_while_it_runs_may_have_had_its_effect(self) -> None:
        """Its success leads away from the pivot, an event leads on to it."""
        planted = with_arcs(
            with_states(SOUND, state("asking")),
            arc("review", "Consult", "asking"),
            arc("asking", "done.step.consult", "declined"),
            arc("asking", "Enough", "holding"),
        )
        found = only(attrs.evolve(planted, steps=(*SOUND.steps, step("consult", "asking"))))
        assert (found.code, found.about) == ("uncompensated", ("consult", "asking"))

    def test_a_declared_error_is_known_to_have_had_no_effect(self) -> None:
        """When only that leads on to the pivot, there is nothing to undo."""
        planted = with_arcs(
            with_states(SOUND, state("asking")),
            arc("review", "Consult", "asking"),
            arc("asking", "done.step.consult", "declined"),
            arc("asking", "error.step.consult.0", "holding"),
        )
        assert check(attrs.evolve(planted, steps=(*SOUND.steps, step("consult", "asking", errors=("Busy",))))).clean

    def test_a_step_after_the_pivot_that_may_give_up(self) -> None:
        """There it can only wait for a person."""
        found = only(with_step(without_arcs(SOUND, "telling", "failed.step.tell"), "tell", failed=False))
        assert (found.severity, found.code, found.about) == ("error", "gives-up", ("tell", "telling"))
        assert found.path[-1] == "(pay succeeds) telling"

    def test_a_second_pivot(self) -> None:
        """A pivot whose outcome is unknown waits for a person, in spite of failed=, so there is no other."""
        found = only(with_step(SOUND, "tell", pivot=True))
        assert (found.severity, found.code, found.about) == ("error", "gives-up", ("tell", "telling"))
        assert "is a pivot again" in found.message
        assert found.path[-1] == "(pay succeeds) telling"

    def test_a_step_behind_a_way_that_is_seldom_taken(self) -> None:
        """Also what only a step's failure leads to goes forward after the pivot."""
        planted = with_arcs(
            without_arcs(with_states(SOUND, state("writing")), "telling", "failed.step.tell"),
            arc("telling", "failed.step.tell", "writing"),
            arc("writing", "done.step.write", "paid"),
        )
        found = only(attrs.evolve(planted, steps=(*SOUND.steps, step("write", "writing"))))
        assert (found.code, found.about) == ("gives-up", ("write", "writing"))
        assert found.path[-2:] == ("(pay succeeds) telling", "(tell is given up) writing")

    def test_a_failed_that_leads_to_a_compensating_final_state(self) -> None:
        """Giving up after the pivot does not undo what came before it."""
        planted = without_arcs(SOUND, "telling", "failed.step.tell")
        found = only(with_arcs(planted, arc("telling", "failed.step.tell", "declined", declared="tell")))
        assert (found.code, found.about) == ("undone-after-pivot", ("declined",))
        assert found.path[-1] == "(tell is given up) declined"

    def test_a_pivot_on_a_cycle_through_a_compound_that_is_done(self) -> None:
        """The way back leads through `done.state`, and begins with the shortest way there."""
        states = (compound("work", "paying"), state("work.paying"), final("work.paid"), state("next"), final("end"))
        ways = (
            arc("work.paying", "done.step.pay", "work.paid"),
            arc("work", "done.state.work", "next"),
            arc("next", "More", "work"),
            arc("next", "Stop", "end"),
        )
        found = only(machine(states, ways, steps=(step("pay", "work.paying", pivot=True),)))
        assert (found.severity, found.code, found.about) == ("error", "pivot-cycle", ("pay", "work.paying"))
        assert found.path[:2] == ("work.paying", "(pay succeeds) work.paid -> (work is done) next")

    def test_a_compensating_final_state_after_the_pivot(self) -> None:
        """It promises what cannot be kept."""
        found = only(with_arcs(SOUND, arc("telling", "Decline", "declined", declared="regret")))
        assert (found.severity, found.code, found.about) == ("error", "undone-after-pivot", ("declined",))
        assert found.path[-2:] == ("(pay succeeds) telling", "(Decline) declined")

    def test_a_pivot_on_a_cycle_through_itself(self) -> None:
        """The path goes round."""
        found = only(with_arcs(SOUND, arc("telling", "Again", "paying", declared="again")))
        assert (found.severity, found.code, found.about) == ("error", "pivot-cycle", ("pay", "paying"))
        assert found.path[-2:] == ("(Again) paying", "(pay succeeds) telling")

    def test_a_step_with_an_undo_on_a_cycle(self) -> None:
        """The snapshot grows with each turn: a warning."""
        planted = with_arcs(
            with_states(SOUND, state("counting")),
            arc("review", "Count", "counting"),
            arc("counting", "done.step.count", "review"),
        )
        found = only(attrs.evolve(planted, steps=(*SOUND.steps, step("count", "counting", undo=UNDO))))
        assert (found.severity, found.code, found.about) == ("warning", "undo-cycle", ("count", "counting"))

    def test_nothing_is_undone_after_the_pivot_however_often_it_is_done(self) -> None:
        """There a loop adds nothing to what may have to be undone."""
        planted = with_arcs(
            with_states(SOUND, state("counting")),
            arc("telling", "Count", "counting"),
            arc("counting", "done.step.count", "telling"),
            arc("counting", "failed.step.count", "telling"),
        )
        assert check(
            attrs.evolve(planted, steps=(*SOUND.steps, step("count", "counting", undo=UNDO, failed=True)))
        ).clean

    def test_at_most_once_with_retries(self) -> None:
        """The two contradict each other."""
        found = only(with_step(SOUND, "pay", retry=Retry(4)))
        assert (found.severity, found.code, found.about) == ("error", "retried-once", ("pay", "paying"))
        assert "4 attempts" in found.message


class TestEvents:
    def test_declared_and_never_accepted(self) -> None:
        """No transition takes it."""
        found = only(attrs.evolve(SOUND, events=(*SOUND.events, "Withdraw")))
        assert (found.severity, found.code, found.about) == ("error", "never-accepted", ("Withdraw",))

    def test_deferred_and_never_taken_later(self) -> None:
        """The states that take it are all behind."""
        found = only(with_state(SOUND, "telling", defer=("Proof",)))
        assert (found.severity, found.code, found.about) == ("error", "never-recalled", ("telling", "Proof"))
        assert found.path[-1].endswith("telling")

    def test_deferred_and_taken_by_nothing_at_all(self) -> None:
        """Told once, where it is deferred."""
        planted = with_state(attrs.evolve(SOUND, events=(*SOUND.events, "Later")), "review", defer=("Later",))
        assert only(planted).code == "never-recalled"


class TestTimers:
    def test_that_no_transition_takes(self) -> None:
        """Nothing happens when it is due."""
        found = only(
            attrs.evolve(SOUND, timers=(*SOUND.timers, TimerSpec(state="second", event="after.second.0", delay=60.0)))
        )
        assert (found.severity, found.code, found.about) == ("error", "never-fires", ("second",))
        assert "1 minute" in found.message

    @pytest.mark.parametrize("delay", [7 * DAY, 30 * DAY])
    def test_behind_one_that_always_leaves_first(self, delay: float) -> None:
        """The state is left by then; the transition it has is not told again."""
        found = only(late_timer(delay))
        assert (found.code, found.about) == ("never-fires", ("chase", "review"))
        assert "after 7 days the state is left" in found.message

    def test_before_one_that_leaves(self) -> None:
        """An earlier one can fire; if it stays, so can the other."""
        assert check(late_timer(DAY, stays=True)).clean

    def test_the_later_written_may_be_the_earlier(self) -> None:
        """When it is due counts, not where it stands."""
        assert only(late_timer(DAY)).about == ("lapse", "review")

    def test_with_a_delay_that_the_data_says(self) -> None:
        """It cannot be compared, so nothing is said."""
        assert check(late_timer("some_day")).clean

    def test_in_a_state_that_is_left_at_once(self) -> None:
        """No time passes there."""
        planted = with_arcs(SOUND, arc("routing", "after.routing.0", "declined", declared="slow"))
        found = only(
            attrs.evolve(
                planted, timers=(*SOUND.timers, TimerSpec(state="routing", event="after.routing.0", delay=60.0))
            )
        )
        assert (found.code, found.about) == ("never-fires", ("slow", "routing"))
        assert "left at once" in found.message


def late_timer(delay: float | str, *, stays: bool = False) -> Definition:
    """A second timer in review, which already lapses after seven days."""
    planted = with_arcs(SOUND, arc("review", "after.review.1", *(() if stays else ("second",)), declared="chase"))
    return attrs.evolve(planted, timers=(*SOUND.timers, TimerSpec(state="review", event="after.review.1", delay=delay)))
