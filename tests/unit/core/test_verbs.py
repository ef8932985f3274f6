"""What a person may say of a run and of its incidents, and what is refused with the reason."""

from __future__ import annotations

import pytest

from statemachine.definition import Definition
from statemachine.errors import RefusedVerb
from statemachine.inputs import Cancel, IncidentVerb, Lost, Pause, Resolve, Resume, Stopped
from statemachine.retry import Retry
from statemachine.testing.host import Host
from tests.unit.core.charts import NAMES, Book, define, final, five_steps, go, state, step


def charging() -> Definition:
    """A step that runs at most once, after one that can be undone."""
    return define(
        [state("hold"), state("charge"), final("end"), final("sorry", compensate=True)],
        [
            go("hold", "done.step.hold", "charge"),
            go("charge", "done.step.charge", "end"),
            go("charge", "stop", "sorry"),
        ],
        steps=[step("hold", "hold"), step("charge", "charge", kind="at-most-once")],
    )


@pytest.mark.parametrize("verb", ["retry", "skip", "done"])
@pytest.mark.parametrize("forgetful", [False, True])
def test_a_step_lost_at_a_crash_is_decided_by_a_person(verb: IncidentVerb, forgetful: bool) -> None:
    """At most once means that only a person may have it run again."""
    host = Host(charging(), Book(), forgetful=forgetful)
    host.succeed("hold")
    visit = host.visit("charge")
    del host.running[visit]
    host.tell(Lost("charge", visit, 1))
    assert host.incident.kind == "lost"
    assert host.incident.message == (
        "Step 'charge' runs at most once and was running when the process died; its effect is unknown. "
        "Find out, then say 'done' if it happened or 'skip' if it did not."
    )
    assert host.running == {}
    host.resolve(verb)
    if verb == "retry":
        host.succeed("charge")
    if verb == "skip":
        host.undo()
        assert [name for name, _ in host.undone()] == ["hold"]
        assert host.ended() == "failed"
    else:
        assert host.ended() == "completed"


def test_a_lost_step_whose_state_is_left_may_have_acted() -> None:
    """Nobody decided: its undo runs, for an undo must succeed where there is nothing to undo."""
    host = Host(charging(), Book())
    host.succeed("hold")
    visit = host.visit("charge")
    del host.running[visit]
    host.tell(Lost("charge", visit, 1))
    host.send("stop")
    assert not host.snapshot.incidents
    host.unwind()
    assert [name for name, _ in host.undone()] == ["charge", "hold"]
    assert host.ended() == "completed"


def test_a_step_that_was_running_at_three_crashes_waits() -> None:
    """It may be what ends the process."""
    host = Host(five_steps(), Book())
    visit = host.visit("one")
    host.running.clear()
    assert host.tell(Lost("one", visit, 3)).verdict == "accepted"
    assert host.incident.kind == "crashes"
    assert host.incident.message.startswith("Step 'one' was running at 3 crashes in a row")
    assert host.tell(Lost("one", visit, 4)).verdict == "late"
    host.resolve("retry")
    host.succeed("one")
    assert host.state == ("two",)


def test_an_undo_that_was_running_at_three_crashes_waits() -> None:
    """It may be what ends the process. The verbs of an undo decide it, and one is late for what is decided."""
    for verb in ("retry", "skip", "done"):
        host = Host(five_steps(), Book())
        host.succeed("one")
        host.tell(Cancel())
        host.stop("two")
        undo = host.undoing
        assert undo is not None
        assert host.tell(Lost(undo.step, undo.visit + 9, 3, undo=True)).verdict == "late"
        host.undoing = None
        assert host.tell(Lost(undo.step, undo.visit, 3, undo=True)).verdict == "accepted"
        assert host.incident.kind == "undo"
        assert host.incident.message.startswith(f"The undo of step {undo.step!r} was running at 3 crashes in a row")
        assert host.tell(Lost(undo.step, undo.visit, 4, undo=True)).verdict == "late"
        host.resolve(verb)
        assert not host.snapshot.incidents
        host.unwind()
        assert host.ended() == "cancelled"


def test_lost_and_stopped_for_a_visit_that_was_left() -> None:
    """Both say that no attempt runs any more; a second one is late."""
    host = Host(five_steps(), Book())
    visit = host.visit("one")
    host.cancel()
    host.cancelling.clear()
    assert host.tell(Lost("one", visit, 1)).verdict == "accepted"
    assert host.undo_under_way() == "one"
    assert host.tell(Stopped(visit)).verdict == "late"


@pytest.mark.parametrize("verb", ["skip", "done"])
@pytest.mark.parametrize("reason", [None, ""])
def test_a_decision_needs_a_reason(verb: IncidentVerb, reason: str | None) -> None:
    """It stands in the journal for whoever asks later; trying again needs none."""
    host = Host(five_steps(pivot="one"), Book())
    host.fail("one", final=True)
    with pytest.raises(RefusedVerb, match=f"Cannot .*{verb} .*run 'r-1': say why: a reason is required"):
        host.tell(Resolve(host.incident.number, verb, "ops", reason))
    host.tell(Resolve(host.incident.number, "retry"))
    assert not host.snapshot.incidents


def test_an_unknown_incident_is_refused_with_those_there_are() -> None:
    """A decision made twice, or on a wrong number, changes nothing."""
    host = Host(five_steps(pivot="one"), Book())
    host.fail("one", final=True)
    number = host.incident.number
    with pytest.raises(RefusedVerb, match=f"it has no open incident 99; open: {number}"):
        host.tell(Resolve(99, "retry"))
    host.resolve("done")
    with pytest.raises(RefusedVerb, match=f"it has no open incident {number}; open: none"):
        host.tell(Resolve(number, "done", "ops", "again"))


def test_a_failed_undo_can_be_retried_until_it_succeeds() -> None:
    """Each `retry` of a person has all attempts again, under the same key."""
    host = Host(five_steps(), Book())
    host.succeed("one")
    host.fail("two", arm=0)
    keys = set()
    for _ in range(3):
        for _ in range(2):
            assert host.undoing is not None
            keys.add((host.undoing.key, host.undoing.undoes))
            host.fail_undo()
            if not host.snapshot.incidents:
                host.elapse("undo")
        host.resolve("retry")
    host.undo()
    assert len(keys) == 1
    assert host.ended() == "completed"


def test_a_final_failure_of_an_undo_is_not_tried_again() -> None:
    """`Retry(never=…)` of the undo: an incident at once."""
    host = Host(five_steps(), Book())
    host.succeed("one")
    host.fail("two", arm=0)
    host.fail_undo(final=True)
    assert host.incident.kind == "undo"
    assert host.incident.message == "The undo of step 'one' failed 1 time(s): Trouble: cannot undo"


def test_pausing_twice_and_going_on_unpaused_change_nothing() -> None:
    """Both are idempotent; a run that is over refuses both."""
    host = Host(five_steps(), Book())
    host.tell(Resume())
    assert len(host.begun) == 1
    host.tell(Pause())
    host.tell(Pause())
    host.tell(Resume())
    assert [command.key for command in host.begun[1:]] == [host.begun[0].key], "asked for again, under the same key"
    for name in NAMES:
        host.succeed(name)
    for told in (Pause(), Resume()):
        with pytest.raises(RefusedVerb, match=r"run 'r-1': it is over \(completed\)"):
            host.tell(told)


def test_a_retry_that_comes_due_while_paused_begins_when_the_run_goes_on() -> None:
    """Nothing new is started while paused, and nothing is forgotten."""
    host = Host(five_steps(retry=Retry(3, delay=1)), Book())
    host.fail("one")
    host.tell(Pause())
    host.elapse("retry")
    assert host.running == {}
    host.tell(Resume())
    assert [command.attempt for command in host.running.values()] == [2]
