"""Deferred events: kept durably, in the order of arrival, taken before newer ones as soon as a state accepts them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from statemachine.definition import Definition
from statemachine.inputs import Pause, Resume
from statemachine.scope import Scope
from statemachine.snapshot import Occurrence
from statemachine.testing.host import Host
from tests.unit.core.charts import Book, compound, define, final, go, raising, state, step


def heard(data: Book, occurrence: Occurrence, _scope: Scope) -> Book:
    """Notes the event and its value."""
    return attrs.evolve(data, log=(*data.log, f"{occurrence.name}{occurrence.value}"))


def mailbox(**functions: Any) -> Definition:
    """A busy state that keeps a and b waiting (its parent c), and an open one that takes them."""
    return define(
        [
            compound("outer", "busy", defer=("c",)),
            state("busy", "outer", defer=("a", "b")),
            state("open", "outer"),
            state("shut"),
            final("end"),
        ],
        [
            go("busy", "ready", "open"),
            go("open", "a", None, "heard"),
            go("open", "b", "busy", "heard"),
            go("open", "c", None, "heard"),
            go("outer", "shut", "shut"),
            go("shut", "end", "end"),
        ],
        functions={"heard": heard, **functions},
    )


def send_all(host: Host, *events: str) -> list[str]:
    """Send events, valued by their places; the verdicts."""
    return [host.send(event, number).verdict for number, event in enumerate(events)]


@pytest.mark.parametrize("forgetful", [False, True])
def test_what_waits_is_taken_in_order_before_what_is_newer(forgetful: bool) -> None:
    """Each recalled event is a macrostep of its own: after `b` the run is busy again, and the rest waits on."""
    host = Host(mailbox(), Book(), forgetful=forgetful)
    assert send_all(host, "a", "a", "b", "a", "c") == ["deferred"] * 5
    host.send("ready")
    assert host.snapshot.data.log == ("a0", "a1", "b2")
    assert host.state == ("busy",)
    assert [occurrence.value for occurrence in host.snapshot.deferred] == [3, 4]
    host.send("a", 9)
    host.send("ready")
    assert host.snapshot.data.log == ("a0", "a1", "b2", "a3", "c4", "a9")
    assert host.snapshot.deferred == ()
    assert host.retold() == host.snapshot


def test_what_a_state_neither_takes_nor_defers_is_unmatched() -> None:
    """The host says so to the sender; nothing is kept."""
    host = Host(mailbox(), Book())
    assert host.send("end").verdict == "unmatched"
    assert host.snapshot.deferred == ()


def test_deferred_events_survive_states_that_neither_take_nor_defer_them() -> None:
    """They were acknowledged; they wait until some state takes them or the run ends."""
    host = Host(mailbox(), Book())
    host.send("a")
    host.send("shut")
    assert len(host.snapshot.deferred) == 1
    host.send("end")
    assert host.ended() == "completed"
    assert not host.snapshot.deferred


def test_a_recalled_event_whose_guard_says_no_waits_on() -> None:
    """And what arrived after it is looked at all the same."""
    definition = define(
        [state("busy", defer=("a", "b")), state("open"), final("end")],
        [
            go("busy", "ready", "open"),
            go("open", "a", "end", guard="never"),
            go("open", "b", None, "heard"),
        ],
        functions={"heard": heard, "never": lambda *_: False},
    )
    host = Host(definition, Book())
    assert send_all(host, "a", "b") == ["deferred", "deferred"]
    host.send("ready")
    assert host.snapshot.data.log == ("b1",)
    assert [occurrence.name for occurrence in host.snapshot.deferred] == ["a"]


def test_a_recalled_event_whose_handler_raises_is_an_incident() -> None:
    """Nobody waits to hear of it any more: the run moves on, and a person decides."""
    definition = define(
        [state("busy", defer=("a",)), state("open")],
        [go("busy", "ready", "open"), go("open", "a", None, "raise")],
        functions={"raise": raising},
    )
    host = Host(definition, Book())
    host.send("a", 1)
    assert host.send("ready").verdict == "accepted"
    assert host.state == ("open",)
    assert host.snapshot.deferred == ()
    assert host.incident.kind == "handler"
    assert host.incident.event is not None
    assert host.incident.event.value == 1


@pytest.mark.parametrize("forgetful", [False, True])
def test_a_paused_run_keeps_events_and_takes_them_when_it_goes_on(forgetful: bool) -> None:
    """Also those that its state would take at once, in their order."""
    host = Host(mailbox(), Book(), forgetful=forgetful)
    host.send("ready")
    host.tell(Pause("ops"))
    assert send_all(host, "a", "b", "a") == ["deferred"] * 3
    assert host.snapshot.data.log == ()
    host.tell(Resume("ops"))
    assert host.snapshot.data.log == ("a0", "b1")
    assert host.state == ("busy",)
    assert len(host.snapshot.deferred) == 1


def test_a_paused_run_begins_no_step_and_records_outcomes() -> None:
    """What ran is recorded; the next step begins when the run goes on, and an undo does, too."""
    definition = define(
        [state("one"), state("two"), final("end")],
        [go("one", "done.step.one", "two"), go("two", "done.step.two", "end")],
        steps=[step("one", "one"), step("two", "two")],
    )
    host = Host(definition, Book())
    host.tell(Pause())
    host.succeed("one", a=1)
    assert host.state == ("two",)
    assert host.running == {}
    host.crash()
    assert host.running == {}
    host.tell(Resume())
    assert [command.step for command in host.running.values()] == ["two"]
    host.tell(Pause())
    host.cancel()
    host.stop("two")
    assert host.status == "undoing"
    assert host.undo_under_way() is None
    host.tell(Resume())
    assert host.undo_under_way() == "two"
    host.undo()
    host.undo()
    assert host.ended() == "cancelled"
