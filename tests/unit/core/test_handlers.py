"""Functions that raise: nothing happened where a sender waits, else an incident; and machines that never rest."""

from __future__ import annotations

import attrs
import pytest

from statemachine.definition import Definition, TimerSpec
from statemachine.errors import EndlessLoop, HandlerFailed, RefusedVerb
from statemachine.inputs import Begin
from statemachine.scope import Scope
from statemachine.snapshot import Occurrence
from statemachine.testing.host import START, Host
from statemachine.transition import start
from tests.unit.core.charts import Book, compound, define, final, go, noting, parallel, state, step


class Fault:
    """A handler whose fault can be mended."""

    def __init__(self) -> None:
        self.there = True

    def __call__(self, data: Book, occurrence: Occurrence, _scope: Scope) -> Book:
        if self.there:
            message = f"no {occurrence.name}"
            raise LookupError(message)
        return attrs.evolve(data, log=(*data.log, occurrence.name))


def faulty(fault: Fault) -> Definition:
    """A fault on an event, on a step's outcome, on a timer, in a guard, an entry and an exit."""
    return define(
        [
            state("idle"),
            state("work"),
            state("wait"),
            state("entered", entry=(("fault",),)),
            state("left", exit=(("fault",),)),
            state("there"),
        ],
        [
            go("idle", "event", "there", "noted", "fault"),
            go("idle", "guarded", "there", guard="fault"),
            go("idle", "enter", "entered"),
            go("idle", "left", "left"),
            go("idle", "work", "work"),
            go("idle", "wait", "wait"),
            go("left", "leave", "there"),
            go("work", "done.step.work", "there", "fault"),
            go("wait", "after.wait", "there", "fault"),
        ],
        steps=[step("work", "work")],
        timers=[TimerSpec(state="wait", event="after.wait", delay=1.0)],
        functions={"fault": fault, "noted": noting("noted")},
    )


@pytest.mark.parametrize("event", ["event", "guarded", "enter", "leave"])
def test_on_send_nothing_has_happened_and_the_sender_hears_of_it(event: str) -> None:
    """Whatever function raised, half a transition is none."""
    host = Host(faulty(Fault()), Book())
    if event == "leave":
        host.send("left")
    before = host.snapshot
    with pytest.raises(HandlerFailed) as failed:
        host.send(event)
    assert host.snapshot is before
    assert str(failed.value) == (
        f"test run 'r-1' in {before.states[0]}: fault raised LookupError: no {event}. "
        "The run is as it was; guards and handlers must not raise."
    )
    assert isinstance(failed.value.__cause__, LookupError)


@pytest.mark.parametrize("event", ["event", "guarded", "enter", "leave", "done.step.work", "after.wait"])
@pytest.mark.parametrize("forgetful", [False, True])
def test_elsewhere_it_is_an_incident_whose_event_can_be_handled_again(event: str, forgetful: bool) -> None:
    """A queued event, an outcome and a timer stand: the run waits in its state, and `retry` delivers again."""
    fault = Fault()
    host = Host(faulty(fault), Book(), forgetful=forgetful)
    if event == "done.step.work":
        host.send("work")
        assert host.succeed("work", a=1).verdict == "accepted"
    elif event == "after.wait":
        host.send("wait")
        assert host.elapse().verdict == "accepted"
    else:
        if event == "leave":
            host.send("left")
        assert host.send(event, queued=True).verdict == "accepted"
    assert host.state in {("idle",), ("left",), ("work",), ("wait",)}
    assert host.snapshot.data.log == ()
    assert host.incident.kind == "handler"
    assert host.incident.message == f"Handling {event!r} raised LookupError: no {event}"
    assert host.incident.failure is not None
    assert "test_handlers.py" in host.incident.failure.traceback
    assert host.incident.event is not None
    assert host.incident.event.name == event
    number = host.incident.number
    with pytest.raises(RefusedVerb, match="an event is handled by the workflow only; say 'retry' or 'skip'"):
        host.resolve("done")
    host.resolve("retry")
    assert host.incident.number != number, "still broken: a new incident"
    fault.there = False
    host.resolve("retry")
    assert not host.snapshot.incidents
    assert host.state == ("entered",) if event == "enter" else ("there",)
    if event == "done.step.work":
        assert [done.step for done in host.snapshot.undo] == ["work"]
        assert host.snapshot.data.a == 1
    assert host.done() == ([("work", host.deeds[0].visit)] if event == "done.step.work" else [])


def test_an_event_that_is_skipped_is_gone() -> None:
    """The person's reason is in the journal; the run stays where it is."""
    host = Host(faulty(Fault()), Book())
    host.send("event", queued=True)
    host.resolve("skip")
    assert not host.snapshot.incidents
    assert host.state == ("idle",)


def test_an_outcome_that_no_guard_takes_is_an_incident() -> None:
    """A step's outcome never leaves a run waiting for nothing."""
    definition = define(
        [state("work"), final("end")],
        [go("work", "done.step.work", "end", guard="never")],
        steps=[step("work", "work")],
        functions={"never": lambda *_: False},
    )
    host = Host(definition, Book())
    host.succeed("work")
    assert host.incident.kind == "handler"
    assert host.incident.message == "No transition is enabled by 'done.step.work' in work"


def looping(*, chance: bool = False) -> Definition:
    """An eventless transition that is always enabled, or two events that raise each other."""
    return define(
        [state("idle"), state("round"), state("about")],
        [
            go("idle", "go", "round"),
            go("round", "", "about"),
            go("about", "", "round"),
            go("idle", "ping", None, "ping"),
        ],
        functions={"ping": lambda data, _occurrence, scope: (scope.raise_event("ping"), data)[1]},
        initial="round" if chance else "idle",
    )


@pytest.mark.parametrize("event", ["go", "ping"])
def test_a_machine_that_never_comes_to_rest_is_stopped(event: str) -> None:
    """Eventless transitions or raised events without end: an error that says where, and nothing has happened."""
    host = Host(looping(), Book())
    before = host.snapshot
    with pytest.raises(EndlessLoop, match=r"test run 'r-1' did not come to rest after 1000 microsteps \(last in "):
        host.send(event)
    assert host.snapshot is before
    host.send(event, queued=True)
    assert host.incident.kind == "handler"
    assert host.state == ("idle",)


def test_a_machine_that_loops_at_its_start_is_not_started() -> None:
    """The starter hears of it."""
    with pytest.raises(EndlessLoop):
        start(looping(chance=True), "r-1", Begin(Book(), "nonce"), START)


def test_a_handler_that_raises_at_the_start_is_raised_to_the_starter() -> None:
    """There is no run then."""
    definition = define([state("one", entry=(("raise",),))])
    with pytest.raises(HandlerFailed, match="test run 'r-1' in no state: raise raised ZeroDivisionError: a bug"):
        start(definition, "r-1", Begin(Book(), "nonce"), START)


def test_an_exit_handler_that_raises_at_the_end_is_no_half_end() -> None:
    """Reaching the final state is part of the same transition: it raises to its sender, whole."""
    definition = define(
        [state("one"), final("end", exit=(("raise",),))],
        [go("one", "go", "end")],
    )
    host = Host(definition, Book())
    before = host.snapshot
    with pytest.raises(HandlerFailed):
        host.send("go")
    assert host.snapshot is before
    host.send("go", queued=True)
    assert host.incident.kind == "handler"
    assert host.state == ("one",)
    assert host.status == "running"


def forgetting() -> Definition:
    """Functions of which each has forgotten its `return`, in a transition, a fold and an entry, beside a step."""
    return define(
        [
            parallel("both"),
            compound("l", "work", "both"),
            state("work", "l"),
            final("l.end", "l"),
            compound("r", "idle", "both"),
            state("idle", "r"),
            state("entered", "r", entry=(("forget",),)),
        ],
        [
            go("work", "done.step.work", "l.end"),
            go("idle", "event", None, "forget"),
            go("idle", "enter", "entered"),
        ],
        steps=[step("work", "work", into="forget")],
        functions={"forget": lambda *_: None},
        results={"work": int},
    )


@pytest.mark.parametrize("event", ["event", "enter"])
def test_a_handler_that_returns_no_data_has_failed(event: str) -> None:
    """Its `return` was forgotten: the run's data is not None from then on, and the sender hears of it."""
    host = Host(forgetting(), Book(a=1))
    before = host.snapshot
    with pytest.raises(HandlerFailed, match="forget raised OtherData: expected data of type Book, got NoneType"):
        host.send(event)
    assert host.snapshot is before
    host.send(event, queued=True)
    assert host.incident.kind == "handler"
    assert host.snapshot.data == Book(a=1)


def test_a_fold_that_returns_no_data_has_failed() -> None:
    """The step took effect, so it is an incident."""
    host = Host(forgetting(), Book(a=1))
    host.succeed("work", 3)
    assert host.incident.kind == "result"
    assert "raised OtherData: expected data of type Book, got NoneType" in host.incident.message
    assert host.snapshot.data == Book(a=1)


@pytest.mark.parametrize("what", ["done.step.work", "after.work"])
def test_what_a_left_visit_still_has_to_say_does_not_move_the_next(what: str) -> None:
    """An outcome or timer whose handling raised belongs to its visit: in the next, the step runs anew."""
    fault = Fault()
    definition = define(
        [state("work"), state("rest"), state("there")],
        [
            go("work", "done.step.work", "there", "fault"),
            go("work", "after.work", "there", "fault"),
            go("work", "leave", "rest"),
            go("rest", "back", "work"),
        ],
        steps=[step("work", "work")],
        timers=[TimerSpec(state="work", event="after.work", delay=1.0)],
        functions={"fault": fault},
    )
    host = Host(definition, Book())
    if what == "done.step.work":
        host.succeed("work")
    else:
        host.elapse("after")
    fault.there = False
    assert host.incident.event is not None
    assert host.incident.event.name == what
    host.send("leave")
    host.send("back")
    with pytest.raises(RefusedVerb, match="it is about a state that was left since; say 'skip'"):
        host.resolve("retry")
    assert host.state == ("work",)
    host.resolve("skip")
    assert not host.snapshot.incidents
    host.succeed("work")
    assert host.state == ("there",)
