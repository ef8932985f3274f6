"""The report: waivers, how much was seen, what a terminal shows, and the command that shows it."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import get_args

import attrs
import pytest
from click.testing import CliRunner

import statemachine
from statemachine import Compound, Event, Retry, State, Workflow, after, on, step, waive
from statemachine.checking import CODES, check
from statemachine.cli.app import commands
from statemachine.definition import Definition
from statemachine.identity import hash_of
from statemachine.waivers import Check
from tests.unit.checking.building import (
    SOUND,
    arc,
    compound,
    final,
    machine,
    only,
    state,
    with_arcs,
    with_states,
    with_step,
    with_waiver,
)

ROOT = Path(__file__).parents[3]
BROKEN = with_step(SOUND, "screen", effect=True)
CANNOT_END = with_arcs(
    with_states(SOUND, state("limbo")), arc("review", "Lose", "limbo"), arc("limbo", "Look", "limbo")
)


class Go(Event, frozen=True):
    """On."""


@attrs.frozen
class Sheet:
    """What is written."""

    words: int = 0


class Paper(Workflow[Sheet], name="paper"):
    """Signed, and then kept or lost; what is found in it is meant."""

    drafting = State(initial=True)
    lost = waive("dead-end", "nobody has ever found one again")(State())

    @waive("unreachable", "the archive is being built")
    class archive(Compound):
        """Not yet."""

        shelf = State(initial=True)

    kept = State(final=True)

    @waive("uncompensated", "the stamp stays on the paper")
    @step(drafting, to=lost)
    async def stamp(self, data: Sheet) -> Sheet:
        return data

    look = on(Go, source=lost, to=lost)
    burn = on(Go, source=archive, to=kept)

    @waive("ambiguous", "the first wins")
    @on(Go, source=drafting, to=kept)
    def go(self, data: Sheet, event: Go) -> Sheet:
        return Sheet(data.words + len(str(event)))


def region_product(regions: int, size: int, *more: object) -> Definition:
    """Regions beside each other, each with an event of its own: more combinations than one explores."""
    states = [state("all", kind="parallel")]
    arcs = [arc("all", "done.state.all", "end")]
    for region in (f"all.r{number}" for number in range(regions)):
        states.append(compound(region, "s0"))
        states += [state(f"{region}.s{place}") for place in range(size - 1)]
        states.append(final(f"{region}.s{size - 1}"))
        arcs += [arc(f"{region}.s{n}", f"E{region}", f"{region}.s{n + 1}") for n in range(size - 1)]
    return machine((*states, final("end")), (*arcs, *more))  # type: ignore[arg-type]


class TestWaivers:
    def test_a_waived_finding_is_told_with_its_reason_and_counts_no_more(self) -> None:
        """Neither as an error nor as a warning."""
        report = check(with_waiver(BROKEN, "uncompensated", "screen", "the bureau only answers questions"))
        assert report.clean
        assert [one.waived for one in report.waived] == ["the bureau only answers questions"]
        assert "meant so: the bureau only answers questions" in str(report)

    def test_a_waiver_beside_another_declaration_waives_nothing(self) -> None:
        """It is for what it stands beside, and being idle is told itself."""
        report = check(with_waiver(BROKEN, "uncompensated", "hold"))
        assert [one.code for one in report.errors] == ["uncompensated"]
        assert [one.code for one in report.warnings] == ["unused-waiver"]

    def test_a_waiver_of_the_whole_workflow(self) -> None:
        """It stands beside no declaration."""
        assert check(with_waiver(BROKEN, "uncompensated")).clean

    def test_a_waiver_with_nothing_to_waive(self) -> None:
        """A warning, so that it goes when its reason goes."""
        found = only(with_waiver(SOUND, "dead-end", "review"))
        assert (found.severity, found.code, found.about) == ("warning", "unused-waiver", ("review",))

    def test_a_waiver_of_no_check(self) -> None:
        """The checks there are, are named."""
        assert "names no check; the checks are ambiguous, dead-end" in only(with_waiver(SOUND, "deadend")).message

    def test_the_codes_that_can_be_written_are_the_checks(self) -> None:
        """A misspelt one is seen by a type checker."""
        assert sorted(get_args(Check)) == sorted(set(CODES) - {"unused-waiver"})

    def test_waivers_are_no_part_of_the_hash(self) -> None:
        """Runs under way do not mind what is said about the checks."""
        assert hash_of(with_waiver(SOUND, "dead-end")) == hash_of(SOUND)

    def test_they_stand_beside_declarations_of_a_class(self) -> None:
        """State, nested class, step and handler, each under its own name."""
        beside = {waiver.at: waiver.code for waiver in Paper.definition.waivers}
        assert beside == {
            "lost": "dead-end",
            "archive": "unreachable",
            "stamp": "uncompensated",
            "go": "ambiguous",
        }

    def test_or_on_the_class_itself(self) -> None:
        """Then for the whole workflow, which compiles only once."""

        @waive("dead-end", "a lamp is never done")
        class Lamp(Workflow[Sheet]):
            """On, off, on."""

            off = State(initial=True)
            on_ = State()
            press = on(Go, source=off, to=on_)
            release = on(Go, source=on_, to=off)

        assert check(Lamp).clean
        assert Lamp.compiled.definition is Lamp.definition

    def test_a_waiver_without_a_reason_is_refused(self) -> None:
        """The reason is the point."""
        with pytest.raises(ValueError, match="says why"):
            waive("dead-end", " ")


class TestExtent:
    def test_a_finite_machine_is_seen_whole(self) -> None:
        """Two regions of three states are nine configurations, the last of which is left at once."""
        explored = check(region_product(2, 3)).explored
        assert (explored.configurations, explored.whole) == (9, True)

    def test_the_bound_is_told(self) -> None:
        """What was not seen is not claimed."""
        report = check(region_product(2, 3), work=30)
        assert not report.explored.whole
        assert "then stopped: there are more" in str(report)
        assert report.clean

    def test_beyond_the_bound_the_structure_still_speaks(self) -> None:
        """What can never be, whatever the combination, is found without seeing them all."""
        planted = region_product(12, 5, arc("orphan", "Go", "end"), arc("all.r1.s1", "Stick", "stuck"))
        planted = with_states(planted, state("orphan"), state("stuck"))
        planted = with_arcs(planted, arc("stuck", "Stay", "stuck"))
        report = check(planted, work=5_000)
        assert not report.explored.whole
        assert {(one.code, one.about) for one in report.findings} == {
            ("unreachable", ("orphan",)),
            ("dead-end", ("stuck",)),
        }

    def test_the_regions_of_a_large_machine(self) -> None:
        """A region without a final state is found there, too, and nothing that follows from it."""
        whole = region_product(12, 5)
        states = tuple(attrs.evolve(one, kind="atomic") if one.name == "all.r3.s4" else one for one in whole.states)
        report = check(attrs.evolve(whole, states=states), work=5_000)
        assert [one.code for one in report.findings] == ["never-joined"]

    def test_deferred_events_of_a_large_machine(self) -> None:
        """One that no transition at all takes is never recalled."""
        whole = region_product(12, 5)
        states = tuple(
            attrs.evolve(one, defer=("Eall.r3", "Later")) if one.name == "all" else one for one in whole.states
        )
        (found,) = check(attrs.evolve(whole, states=states), work=5_000).findings
        assert (found.code, found.about) == ("never-recalled", ("all", "Later"))


class TestShown:
    def test_a_finding_with_its_path(self) -> None:
        """The sentence, and a line for each event on the shortest way."""
        assert """\
loan, version 1: 1 error

error dead-end: No final state can be reached from 'limbo'.
    by  screening
        (screen succeeds) checks.fraud.scoring, checks.income.asking
        (Proof) checks.fraud.scoring, checks.income.known
        (Scored) checks.fraud.scored, checks.income.known -> (checks is done) review
        (Lose) limbo

Explored """ in str(check(CANNOT_END))

    def test_the_defaults_of_each_step(self) -> None:
        """Attempts, timeout and kind, whether they were given or not."""
        table = str(check(SOUND)).rpartition("\n\n")[2].splitlines()
        assert [line.split() for line in table] == [
            ["step", "in", "kind", "attempts", "each", "at", "most", "in", "all"],
            ["screen", "screening", "at", "least", "once", "5", "30", "seconds", "no", "effect"],
            ["hold", "holding", "at", "least", "once", "1", "5", "minutes", "undo"],
            ["pay", "paying", "at", "most", "once", "1", "5", "minutes", "pivot"],
            ["tell", "telling", "at", "least", "once", "1", "5", "minutes"],
        ]

    def test_what_was_found_is_counted(self) -> None:
        """Errors, warnings and waivers, in that order."""
        several = with_waiver(with_waiver(with_step(CANNOT_END, "screen", effect=True), "uncompensated"), "never-taken")
        assert str(check(several)).startswith("loan, version 1: 1 error, 1 warning, 1 waived\n")

    def test_a_workflow_class_is_checked_by_the_public_name(self) -> None:
        """`statemachine.check` takes the class; times and outcomes read as they were written."""

        class Bill(Workflow[Sheet]):
            """To be paid."""

            due = State(initial=True)
            paying = State()
            chased = State()
            paid = State(final=True)

            @step(paying, to=paid, error={LookupError: chased}, failed=chased, retry=Retry(3), overall=90.5)
            async def pay(self, data: Sheet) -> Sheet:
                return data

            go = on(Go, source=due, to=paying)
            chase = after(timedelta(hours=36), source=due, to=chased)
            again = on(Go, source=chased, to=chased)

        report = statemachine.check(Bill)
        (found,) = report.findings
        assert found.path == ("due", "(after 36 hours) chased")
        assert "3         5 minutes     90.5 seconds" in str(report)


class TestCommand:
    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m statemachine` in a process of its own."""
        whole = [sys.executable, "-m", "statemachine", *arguments]
        return subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    def test_it_prints_the_report(self) -> None:
        """And fails because there is an error."""
        ran = self.command("check", f"{__name__}:CANNOT_END")
        assert ran.returncode == 1, ran.stderr
        assert ran.stdout == f"{check(CANNOT_END)}\n"

    def test_it_succeeds_without_errors(self) -> None:
        """A workflow in order, and one in which all is waived."""
        ran = CliRunner().invoke(commands, ["check", f"{__name__}:SOUND", f"{__name__}:Paper"])
        assert ran.exit_code == 0
        assert "paper, version 1" in ran.stdout

    @pytest.mark.parametrize(
        ("place", "said"),
        [
            ("nowhere", "say module:name"),
            ("nowhere:Loan", "No module named 'nowhere'"),
            ("json:Loan", "no attribute 'Loan'"),
            ("json:JSONDecoder", "is no workflow"),
        ],
    )
    def test_what_is_not_there_is_said(self, place: str, said: str) -> None:
        """In a sentence, on standard error, with an exit code of its own."""
        ran = CliRunner().invoke(commands, ["check", place])
        assert ran.exit_code == 2
        assert said in ran.stderr
