"""What a step gave and cannot be recorded: an incident that says so, and nothing of it in the data."""

from __future__ import annotations

from statemachine.inputs import Input, Pause, Resume, Succeeded
from statemachine.snapshot import Failure, Snapshot
from statemachine.testing.host import START, Host
from statemachine.transition import transition
from tests.unit.core.charts import Book, define, final, go, setting, state, step

TOO_LARGE = Failure("TooLarge", "it is 9 MiB")


def refused(host: Host, told: Input) -> Snapshot[Book]:
    """The run after an input whose handling gave what the host cannot record."""
    return transition(host.definition, host.snapshot, told, START, refused=TOO_LARGE).snapshot


def test_a_steps_fields_that_cannot_be_recorded_are_not_in_the_data() -> None:
    """The effect happened, so its step waits for a person; data as it was can be recorded."""
    definition = define([state("one"), final("end")], [go("one", "done.step.one", "end")], steps=[step("one", "one")])
    host = Host(definition, Book())
    snapshot = refused(host, Succeeded("one", host.visit("one"), {"a": 9}))
    (incident,) = snapshot.incidents
    assert incident.kind == "result"
    assert incident.message == "Step 'one' took effect, but recording what came of it raised TooLarge: it is 9 MiB"
    assert snapshot.data == Book()
    assert [pending.incident for pending in snapshot.pending] == [incident.number]
    assert snapshot.states == ("one",)


def test_events_recalled_when_a_run_goes_on_become_incidents_and_one_that_no_guard_lets_in_waits_on() -> None:
    """Whichever is to blame, the data of none is taken, so that what is left can be recorded."""
    definition = define(
        [state("one")],
        [go("one", "never", None, "set", guard="no"), go("one", "late", None, "set"), go("one", "later")],
        functions={"set": setting(a=9), "no": lambda *_: False},
    )
    host = Host(definition, Book())
    host.tell(Pause())
    for name in ("never", "late", "later"):
        host.send(name)
    snapshot = refused(host, Resume())
    assert snapshot.data == Book()
    assert [incident.event.name for incident in snapshot.incidents if incident.event] == ["late", "later"]
    assert [occurrence.name for occurrence in snapshot.deferred] == ["never"]
