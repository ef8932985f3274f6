"""Each fault, planted in a sound workflow, is found, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from statemachine.checking import CODES, check
from statemachine.definition import Definition
from tests.unit.checking.building import (
    INNER_LAST,
    SOUND,
    arc,
    compound,
    final,
    machine,
    only,
    state,
    with_arcs,
    with_state,
    with_states,
    without_arcs,
)


def regions(*transitions: object, **more: object) -> Definition:
    """Two regions, a and b, each from one to two to a final three, joined to the end."""
    states = [state("both", kind="parallel")]
    for name in ("both.a", "both.b"):
        states += [compound(name, "one"), state(f"{name}.one"), state(f"{name}.two"), final(f"{name}.three")]
    return machine((*states, final("end")), transitions, **more)  # type: ignore[arg-type]


JOINED = (
    arc("both.a.one", "A", "both.a.two"),
    arc("both.a.two", "A", "both.a.three"),
    arc("both.b.one", "B", "both.b.two"),
    arc("both.b.two", "B", "both.b.three"),
    arc("both", "done.state.both", "end"),
)


class TestSound:
    def test_the_sound_workflow_is_clean(self) -> None:
        """Nothing is found in it, and it was seen whole."""
        report = check(SOUND)
        assert report.findings == ()
        assert report.clean
        assert report.explored.whole

    def test_joined_regions_are_clean(self) -> None:
        """The other workflow in which faults are planted is sound as well."""
        assert check(regions(*JOINED)).clean

    def test_functions_are_not_needed(self) -> None:
        """Only the structure is looked at, so a definition whose functions are absent can be checked."""
        assert SOUND.code.functions == {}
        assert check(SOUND).clean


class TestUnreachable:
    def test_a_state_that_nothing_reaches(self) -> None:
        """It is named."""
        found = only(with_arcs(with_states(SOUND, state("orphan")), arc("orphan", "Approve", "paid")))
        assert (found.severity, found.code, found.about) == ("error", "unreachable", ("orphan",))

    def test_what_lies_behind_is_told_with_it(self) -> None:
        """A chain of unreached states is one fault, at its head, even where the tail stands first."""
        planted = with_states(SOUND, state("tail"), state("head"))
        found = only(with_arcs(planted, arc("head", "Go", "tail"), arc("tail", "Go", "paid")))
        assert found.about == ("head", "tail")

    def test_a_ring_that_nothing_enters(self) -> None:
        """States that only lead to each other are one fault."""
        planted = with_states(SOUND, state("ring"), state("rang"))
        found = only(with_arcs(planted, arc("ring", "Go", "rang"), arc("rang", "Go", "ring")))
        assert found.about == ("ring", "rang")

    def test_a_compound_is_told_with_what_is_in_it(self) -> None:
        """Not each nested state by itself."""
        planted = with_states(SOUND, compound("island", "shore"), state("island.shore"), final("island.sea"))
        found = only(
            with_arcs(planted, arc("island.shore", "Swim", "island.sea"), arc("island", "done.state.island", "paid"))
        )
        assert found.about == ("island", "island.shore", "island.sea")

    def test_a_final_state_out_of_reach_is_told_before_the_join_that_waits_for_it(self) -> None:
        """The way to a region's final state is missing: the regions are never joined because of that."""
        found = only(without_arcs(regions(*JOINED), "both.b.two", "B"))
        assert (found.code, found.about) == ("unreachable", ("both.b.three", "end"))


class TestNeverTaken:
    def test_behind_one_without_a_guard(self) -> None:
        """The first always wins; the finding names it and the shortest path."""
        found = only(with_arcs(SOUND, arc("review", "Decline", "paid", declared="late")))
        assert (found.severity, found.code, found.about) == ("error", "never-taken", ("late",))
        assert "'decline' (review -(Decline)-> declined)" in found.message
        assert found.path[0] == "screening"
        assert found.path[-1].endswith("review")

    def test_behind_the_same_guard(self) -> None:
        """A guard answers once: two arms with the same are one."""
        found = only(with_arcs(SOUND, arc("second", "Approve", "paid", when="someone_else", declared="again")))
        assert (found.code, found.about) == ("never-taken", ("again",))

    def test_behind_states_nested_in_its_source(self) -> None:
        """An inner transition comes first; when each nested state has one, the outer one never wins."""
        inner = (compound("box", "left"), state("box.left"), state("box.right"), final("end"))
        found = only(
            machine(
                inner,
                (
                    arc("box.left", "Turn", "box.right"),
                    arc("box.right", "Turn", "box.left"),
                    arc("box", "Turn", "end", declared="out"),
                    arc("box", "End", "end"),
                ),
            )
        )
        assert (found.code, found.about) == ("never-taken", ("out",))

    def test_on_an_event_that_never_happens(self) -> None:
        """One that is not declared cannot come."""
        planted = attrs.evolve(with_arcs(SOUND, arc("review", "Typo", "paid", declared="typo")), events=SOUND.events)
        found = only(planted)
        assert (found.code, found.about) == ("never-taken", ("typo",))
        assert "Typo never happens" in found.message

    def test_on_a_compound_that_has_nothing_final(self) -> None:
        """It is never done."""
        planted = with_states(SOUND, compound("desk", "open"), state("desk.open"))
        found = only(
            with_arcs(
                planted,
                arc("review", "Sit", "desk"),
                arc("desk", "Rise", "declined"),
                arc("desk", "done.state.desk", "declined", declared="done"),
            )
        )
        assert (found.code, found.about) == ("never-taken", ("done",))
        assert "desk is done never happens" in found.message

    def test_in_a_state_that_is_left_at_once(self) -> None:
        """An event cannot come where the machine never waits."""
        found = only(with_arcs(SOUND, arc("routing", "Approve", "paid", declared="here")))
        assert (found.code, found.about) == ("never-taken", ("here",))
        assert "left at once" in found.message

    def test_behind_one_of_another_region(self) -> None:
        """Of two regions that would leave by one event, the first written wins, and here both always would."""
        both = (state("both", kind="parallel"), state("both.a"), state("both.b"), final("end"))
        found = only(machine(both, (arc("both.a", "Stop", "end"), arc("both.b", "Stop", "both", declared="late"))))
        assert (found.code, found.about) == ("never-taken", ("late",))
        assert "another region" in found.message

    def test_on_a_descriptor_that_matches_nothing(self) -> None:
        """In a definition from data, a name may be one that no event has."""
        planted = attrs.evolve(with_arcs(SOUND, arc("review", ".*", "paid")), descriptors=True, events=())
        assert "no event that may come has that name" in only(planted).message

    def test_what_only_it_leads_to_is_told_with_it(self) -> None:
        """The lost transition is the fault, the state that nothing reaches its consequence."""
        planted = with_arcs(
            with_states(SOUND, state("appeal")),
            arc("review", "Decline", "appeal", declared="appealed"),
            arc("appeal", "Approve", "paid"),
        )
        found = only(planted)
        assert (found.code, found.about) == ("never-taken", ("appealed", "appeal"))

    def test_a_state_that_it_alone_would_lead_out_of_is_not_told_again(self) -> None:
        """That no final state can be reached follows from it."""
        planted = with_arcs(
            with_states(SOUND, state("limbo")),
            arc("review", "Lose", "limbo"),
            arc("limbo", "Find", "limbo"),
            arc("limbo", "Find", "review", declared="found"),
        )
        assert only(planted).code == "never-taken"


class TestDeadEnds:
    def test_a_state_without_a_way_to_the_end(self) -> None:
        """Found with the shortest path that leads there."""
        planted = with_arcs(
            with_states(SOUND, state("limbo")), arc("review", "Lose", "limbo"), arc("limbo", "Look", "limbo")
        )
        found = only(planted)
        assert (found.severity, found.code, found.about) == ("error", "dead-end", ("limbo",))
        assert found.path[-2:] == (
            "(Scored) checks.fraud.scored, checks.income.known -> (checks is done) review",
            "(Lose) limbo",
        )

    def test_states_that_only_lead_to_each_other(self) -> None:
        """They are one fault, and what only leads there is told with them."""
        planted = with_arcs(
            with_states(SOUND, state("before"), state("one"), state("other")),
            arc("review", "Lose", "before"),
            arc("before", "Go", "one"),
            arc("one", "Go", "other"),
            arc("other", "Go", "one"),
        )
        found = only(planted)
        assert (found.code, found.about) == ("dead-end", ("one", "other", "before"))

    def test_a_region_that_is_stuck(self) -> None:
        """The stuck state is blamed, not its neighbours in the other region."""
        planted = with_states(regions(*JOINED), state("both.a.lost"))
        found = only(with_arcs(planted, arc("both.a.one", "Lose", "both.a.lost")))
        assert (found.code, found.about) == ("dead-end", ("both.a.lost",))

    def test_a_combination_without_a_way_to_the_end(self) -> None:
        """Each state is sound by itself; that both are active together is the fault."""
        planted = regions(
            arc("both.a.one", "A", "both.a.two"),
            arc("both.b.one", "B", "both.b.two"),
            arc("both.a.one", "End", "end"),
            arc("both.b.one", "End", "end"),
        )
        states = tuple(one for one in planted.states if one.kind != "final" or one.name == "end")
        found = only(attrs.evolve(planted, states=states))
        assert (found.code, found.about) == ("dead-end", ("both.a.two", "both.b.two"))

    def test_a_workflow_that_never_ends(self) -> None:
        """Without a final state there is one finding, not one for each state."""
        found = only(machine((state("on"), state("off")), (arc("on", "Off", "off"), arc("off", "On", "on"))))
        assert found.code == "dead-end"
        assert "no final state" in found.message


class TestRegions:
    @pytest.mark.parametrize("guard", [None, "large"])
    def test_what_finishes_one_keeps_the_other_from_it(self, guard: str | None) -> None:
        """Each can finish, never both: by the same event, or by the two answers of one guard."""
        apart = (
            (arc("both.a.one", "A", "both.a.three"), arc("both.b.one", "A", "both.b.two"))
            if guard is None
            else (
                arc("both.a.one", "A", "both.a.three", when=guard, declared="a"),
                arc("both.a.one", "A", "both.a.two", declared="a"),
                arc("both.b.one", "A", "both.b.two", when=guard, declared="b"),
                arc("both.b.one", "A", "both.b.three", declared="b"),
            )
        )
        more = (arc("both.a.one", "B", "both.a.two"), arc("both.b.one", "B", "both.b.three")) if guard is None else ()
        ways = (arc("both.a.two", "Out", "end"), arc("both.b.two", "Out", "end"), arc("both", "done.state.both", "end"))
        found = only(regions(*apart, *more, *ways))
        assert (found.severity, found.code, found.about) == ("error", "never-joined", ("both",))
        assert found.path == ("both.a.one, both.b.one",)

    def test_a_region_with_nothing_final(self) -> None:
        """The region is named; that the state after the join is unreached follows."""
        found = only(with_state(regions(*JOINED), "both.b.three", kind="atomic"))
        assert (found.severity, found.code, found.about) == ("error", "never-joined", ("both", "both.b", "end"))
        assert "nothing in 'both.b' is final" in found.message

    def test_a_region_that_is_itself_parallel(self) -> None:
        """It may be the last to be done; what can never be done in it is told as one fault, with what lies behind."""
        assert check(INNER_LAST).findings == ()
        found = only(without_arcs(INNER_LAST, "all.inner.one.on", "done.state.all.two"))
        assert (found.code, found.about) == ("unreachable", ("all.inner.one.end", "end"))

    def test_regions_that_finish_only_one_at_a_time(self) -> None:
        """Each can be done, but what finishes one sets the other back."""
        found = only(
            regions(
                *JOINED[:1],
                arc("both.a.two", "A", "both.a.three", "both.b.one"),
                JOINED[2],
                arc("both.b.two", "B", "both.b.three", "both.a.one"),
                arc("both", "done.state.both", "end", declared="joined"),
                arc("both", "Stop", "end"),
            )
        )
        assert (found.severity, found.code, found.about) == ("error", "never-joined", ("both",))
        assert "never all of them at once" in found.message


class TestEventlessLoops:
    def test_a_loop_without_guards(self) -> None:
        """It never comes to rest; what lies in it is not told again."""
        planted = with_arcs(
            with_states(SOUND, state("tick"), state("tock")),
            arc("review", "Wind", "tick"),
            arc("tick", "", "tock"),
            arc("tock", "", "tick"),
            arc("tock", "Stop", "declined"),
        )
        found = only(planted)
        assert (found.severity, found.code, found.about) == ("error", "eventless-loop", ("tick", "tock"))
        assert found.path[-1] == "(Wind) tick -> tock -> tick"

    def test_a_targetless_one_without_a_guard(self) -> None:
        """It goes on for ever where it stands."""
        planted = with_arcs(
            with_states(SOUND, state("spin")),
            arc("review", "Wind", "spin"),
            arc("spin", "", actions=("count",)),
            arc("spin", "Stop", "declined"),
        )
        assert (only(planted).severity, only(planted).about) == ("error", ("spin",))

    def test_a_loop_whose_guards_nothing_changes(self) -> None:
        """No function on the way changes the data, so a guard that holds once holds for ever."""
        planted = with_arcs(
            with_states(SOUND, state("tick"), state("tock")),
            arc("review", "Wind", "tick"),
            arc("tick", "", "tock", when="wound"),
            arc("tock", "", "tick"),
            arc("tick", "Stop", "declined"),
        )
        found = only(planted)
        assert (found.severity, found.about) == ("error", ("tick", "tock"))
        assert "once 'wound' holds" in found.message

    def test_a_loop_whose_guard_may_end_it(self) -> None:
        """A function changes the data, so it may end: a warning."""
        planted = with_arcs(
            with_states(SOUND, state("tick"), state("tock")),
            arc("review", "Wind", "tick"),
            arc("tick", "", "tock", when="wound", actions=("unwind",)),
            arc("tock", "", "tick"),
            arc("tick", "Stop", "declined"),
        )
        found = only(planted)
        assert (found.severity, found.code) == ("warning", "eventless-loop")

    def test_a_loop_through_a_state_that_is_done(self) -> None:
        """Internal events are no events from outside."""
        planted = machine(
            (compound("box", "open"), state("box.open"), final("box.shut"), final("end")),
            (
                arc("box.open", "", "box.shut"),
                arc("box", "done.state.box", "box"),
                arc("box", "End", "end"),
            ),
        )
        assert only(planted).code == "eventless-loop"


class TestAmbiguity:
    def test_guards_that_cannot_be_compared(self) -> None:
        """Two declarations for one event: a warning that names both guards."""
        found = only(with_arcs(SOUND, arc("second", "Approve", "paid", when="hurried", declared="rush")))
        assert (found.severity, found.code, found.about) == ("warning", "ambiguous", ("approve_too", "rush"))
        assert "someone_else and hurried both hold" in found.message

    def test_two_declarations_that_meet_in_several_states(self) -> None:
        """Told once."""
        meet = [
            arc(source, "Note", "declined", when=when, declared=when)
            for source in ("review", "second")
            for when in ("short", "long")
        ]
        assert only(with_arcs(SOUND, *meet)).about == ("short", "long")

    def test_one_guard_and_none(self) -> None:
        """They are surely enabled together when the guard holds: an error."""
        found = only(with_arcs(SOUND, arc("second", "Approve", "review", declared="else")))
        assert (found.severity, found.code, found.about) == ("error", "ambiguous", ("approve_too", "else"))

    def test_arms_of_one_declaration_are_in_their_priority(self) -> None:
        """An order in one tuple is meant."""
        arms = [arc("second", "Ask2", to, when=when, declared="ask2") for to, when in (("review", "p"), ("paid", "q"))]
        assert check(with_arcs(SOUND, *arms, arc("second", "Ask2", "declined", declared="ask2"))).clean

    def test_an_inner_state_comes_before_an_outer_one(self) -> None:
        """That is what nesting means."""
        assert check(with_arcs(SOUND, arc("checks.fraud.scoring", "Park", "review", when="p", declared="in"))).clean

    def test_two_regions_that_one_event_leaves_by_different_ways(self) -> None:
        """Only the first written is taken."""
        found = only(
            regions(
                *JOINED,
                arc("both.a.one", "Stop", "end", declared="first"),
                arc("both.b.two", "Stop", "both.a.two", declared="second"),
            )
        )
        assert (found.severity, found.code, found.about) == ("warning", "ambiguous", ("first", "second"))
        assert found.path == ("both.a.one, both.b.one", "(B) both.a.one, both.b.two")

    def test_two_regions_that_one_event_leaves_by_the_same_way(self) -> None:
        """Which of them wins makes no difference."""
        stops = [arc(f"both.{name}.one", "Stop", "end", declared=name) for name in "ab"]
        assert check(regions(*JOINED, *stops)).clean


def test_each_code_is_planted_here() -> None:
    """A check without a planted fault would be one that nobody has seen find anything."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [code for code in CODES if f'"{code}"' not in text] == []
