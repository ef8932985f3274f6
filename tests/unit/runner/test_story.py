"""A run's story: what each entry left and entered, each attempt of its work, across versions and where it breaks."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from persistence import MemoryJournal
from statemachine import Runner
from statemachine.testing import VirtualClock
from tests.unit.runner.desk import Confirm, Order, Reject, Shop, World, until, until_incident
from tests.unit.runner.test_deploys import FieldAdded, First, LongerParcel, Parcel, Send


def test_lines_say_what_was_left_and_entered_and_what_failed() -> None:
    """A step that fails once, an event, a timer of the second attempt: one line each, with its states."""
    clock, world = VirtualClock(), World()
    world.failures = [OSError("the line is dead")]
    with Runner(MemoryJournal(), [Shop(world)], clock=clock) as runner:
        run = runner.start(Shop, Order("book"))
        until_waiting(runner, run.id)
        clock.advance(60)
        until(run, "waiting")
        run.send(Confirm(by="ada"), actor="ada")
        assert run.result(timeout=10).state == ("sent",)
        lines = run.story().lines
    assert [(line.entry.kind, line.entry.name, line.exited, line.entered) for line in lines] == [
        ("start", "", (), ("reserving",)),
        ("failed", "reserve", (), ()),
        ("timer", "reserve", (), ()),
        ("succeeded", "reserve", ("reserving",), ("waiting",)),
        ("event", "Confirm", ("waiting",), ("charging",)),
        ("succeeded", "charge", ("charging",), ("sent",)),
    ]
    failure = lines[1].failure
    assert failure is not None
    assert failure.message == "the line is dead"
    assert "OSError" in failure.traceback


def until_waiting(runner: Runner, run: str) -> None:
    """Come back when the second attempt waits for its time."""
    while runner.get(run).look().seq < 2:
        pass


def test_attempts_have_their_times_and_when_the_next_is_due() -> None:
    """The failed attempt, the one that succeeded, and the undo that went with a person's no."""
    clock, world = VirtualClock(), World()
    world.failures = [OSError("the line is dead")]
    began = clock.now()
    with Runner(MemoryJournal(), [Shop(world)], clock=clock) as runner:
        run = runner.start(Shop, Order("book"))
        until_waiting(runner, run.id)
        assert [(one.outcome, one.again) for one in run.story().attempts] == [("failed", began + timedelta(seconds=60))]
        clock.advance(60)
        until(run, "waiting")
        run.send(Reject())
        assert run.result(timeout=10).state == ("rejected",)
        attempts = run.story().attempts
    assert [(one.step, one.number, one.undo, one.outcome) for one in attempts] == [
        ("reserve", 1, False, "failed"),
        ("reserve", 2, False, "succeeded"),
        ("reserve", 1, True, "succeeded"),
    ]
    assert attempts[1].began == attempts[1].ended == began + timedelta(seconds=60)


def test_an_incident_stands_at_the_line_that_opened_it() -> None:
    """A pivot whose outcome is unknown: the line says so, and the attempt has failed."""
    world = World()
    with Runner(MemoryJournal(), [Shop(world)], clock=VirtualClock()) as runner:
        run = runner.start(Shop, Order("book"))
        until(run, "waiting")
        world.failures = [OSError("no answer")]
        run.send(Confirm())
        number = until_incident(run)
        story = run.story()
    assert [incident.number for incident in story.lines[-1].incidents] == [number]
    assert story.attempts[-1].outcome == "failed"
    assert story.broken == ""


def test_a_killed_run_leaves_its_attempt() -> None:
    """An attempt that ran when its run was killed has been left, at that time."""
    world = World()
    world.gate.clear()
    with Runner(MemoryJournal(), [Shop(world)], clock=VirtualClock(), grace=0) as runner:
        run = runner.start(Shop, Order("book"))
        while not world.calls:
            pass
        run.kill(reason="a test")
        world.gate.set()
        assert [one.outcome for one in run.story().attempts] == ["left"]


def test_entries_before_an_adoption_are_told_without_states_and_verify_begins_after_it() -> None:
    """The first version's entries are not folded with the second's definition."""
    journal = MemoryJournal()
    with Runner(journal, [First()]) as runner:
        runner.start(First, Parcel("here"), id="p")
        runner.get("p").send(Send())
    with Runner(journal, [FieldAdded()]) as runner:
        run = runner.get("p")
        run.send(Send())
        story = run.story()
        checked = runner.verify("p")
    assert [(line.entry.kind, line.entered) for line in story.lines] == [
        ("start", ()),
        ("event", ()),
        ("adopt", ()),
        ("event", ("sent",)),
    ]
    assert (checked.ok, checked.since, checked.folded) == (True, 3, 2)


def test_a_journal_that_does_not_fold_says_where() -> None:
    """A lost entry breaks the story there; what could be told is told, and `verify` gives the same reason."""
    journal = MemoryJournal()
    with Runner(journal, [FieldAdded()]) as runner:
        runner.start(FieldAdded, LongerParcel("here"), id="p")
        runner.get("p").send(Send())
        runner.get("p").send(Send())
        entries = journal.entries("p")
        body = msgspec.json.decode(entries[1].body)
        body["input"]["occurrence"]["name"] = "Unheard"
        journal._store.entries["p"][entries[1].seq] = msgspec.structs.replace(
            entries[1], body=msgspec.json.encode(body)
        )
        story = runner.get("p").story()
        checked = runner.verify("p")
    assert story.broken == "entry 2 (event) is unmatched now, as number 2"
    assert checked.reason == story.broken
    assert [line.entered for line in story.lines] == [("packed",), (), ()]
