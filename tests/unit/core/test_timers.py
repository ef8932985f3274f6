"""Deadlines: set at entry, reset by leaving, kept by staying; a late one is known by its number and dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from statemachine.definition import Definition, TimerSpec
from statemachine.errors import HandlerFailed
from statemachine.inputs import Elapsed, Pause, Resume
from statemachine.scope import Scope
from statemachine.snapshot import Occurrence
from statemachine.testing.host import START, Host
from tests.unit.core.charts import Book, compound, define, final, go, noting, state


def due(host: Host) -> list[float]:
    """Seconds from the start at which the run's timers are due."""
    return [(timer.due - START).total_seconds() for timer in host.snapshot.timers]


def reminding() -> Definition:
    """A state with a deadline, in a compound with another; one transition stays, one comes back."""
    return define(
        [compound("outer", "wait"), state("wait", "outer"), state("rest", "outer"), final("end"), final("lapsed")],
        [
            go("wait", "note", None, "note"),
            go("wait", "again", "wait"),
            go("wait", "pause", "rest"),
            go("rest", "back", "wait"),
            go("outer", "all", "outer"),
            go("wait", "after.wait", "end"),
            go("outer", "after.outer", "lapsed"),
        ],
        timers=[
            TimerSpec(state="wait", event="after.wait", delay=10.0),
            TimerSpec(state="outer", event="after.outer", delay=100.0),
        ],
        functions={"note": noting("noted")},
    )


def test_an_external_self_transition_resets_an_internal_one_does_not() -> None:
    """Leaving and entering again begins the time anew; a handler that stays leaves it."""
    host = Host(reminding(), Book())
    assert sorted(due(host)) == [10, 100]
    host.wait(4)
    host.send("note")
    assert sorted(due(host)) == [10, 100]
    host.send("again")
    assert sorted(due(host)) == [14, 100]
    host.send("all")
    assert sorted(due(host)) == [14, 104]


def test_leaving_a_state_drops_its_timer_and_no_other() -> None:
    """The compound's deadline goes on while its children change."""
    host = Host(reminding(), Book())
    host.send("pause")
    assert due(host) == [100]
    host.send("back")
    assert sorted(due(host)) == [10, 100]


def test_a_timer_of_a_left_visit_is_late() -> None:
    """A host that delivers a cancelled timer all the same changes nothing, however the state was entered again."""
    host = Host(reminding(), Book())
    first = min(host.snapshot.timers, key=lambda timer: timer.due)
    host.send("pause")
    host.send("back")
    host.wait(50)
    before = host.snapshot
    assert host.tell(Elapsed(first.number)).verdict == "late"
    assert host.snapshot is before
    host.elapse()
    assert host.ended() == "completed"
    assert host.state == ("end",)
    assert host.tell(Elapsed(first.number)).verdict == "late"


def test_the_time_of_a_run_never_goes_back() -> None:
    """A clock that was set back does not turn the run's."""
    host = Host(reminding(), Book())
    host.wait(5)
    host.send("note")
    host.wait(-60)
    host.send("again")
    assert host.snapshot.now == START + timedelta(seconds=5)
    assert sorted(due(host)) == [15, 100]


def test_a_delay_function_gives_seconds_or_the_time_itself() -> None:
    """It sees the data and the transition's time, so a fold of the journal gives the same deadline."""

    def seconds(data: Book, _occurrence: Occurrence, _scope: Scope) -> float:
        return data.a

    def when(_data: Book, _occurrence: Occurrence, scope: Scope) -> datetime:
        return scope.now + timedelta(days=1)

    definition = define(
        [state("wait"), state("wait2"), final("end")],
        [go("wait", "after.wait", "wait2"), go("wait2", "after.wait2", "end")],
        timers=[
            TimerSpec(state="wait", event="after.wait", delay="seconds"),
            TimerSpec(state="wait2", event="after.wait2", delay="when"),
        ],
        functions={"seconds": seconds, "when": when},
    )
    host = Host(definition, Book(a=7), forgetful=True)
    assert due(host) == [7]
    host.elapse()
    assert due(host) == [7 + 86_400]
    assert host.retold() == host.snapshot


def test_a_delayed_send_to_itself_arrives_as_an_event_and_can_be_taken_back() -> None:
    """It outlives the state that sent it; `cancel` by its id forgets it."""

    def send(data: Book, _occurrence: Occurrence, scope: Scope) -> Book:
        scope.send("", "later", {"x": 1}, delay=5, send_id="mine")
        return data

    def cancel(data: Book, _occurrence: Occurrence, scope: Scope) -> Book:
        scope.cancel("mine")
        return data

    def keep(data: Book, occurrence: Occurrence, _scope: Scope) -> Book:
        return attrs.evolve(data, log=(*data.log, f"{occurrence.name} {occurrence.value}"))

    def story(*events: str) -> Host:
        definition = define(
            [state("one"), state("two")],
            [
                go("one", "send", "two", "send"),
                go("two", "cancel", None, "cancel"),
                go("two", "later", "one", "keep"),
            ],
            functions={"send": send, "cancel": cancel, "keep": keep},
        )
        host = Host(definition, Book(), forgetful=True)
        for event in events:
            host.send(event)
        return host

    host = story("send")
    assert due(host) == [5]
    host.elapse()
    assert host.state == ("one",)
    assert host.snapshot.data.log == ("later {'x': 1}",)
    assert due(story("send", "cancel")) == []


def test_messages_to_other_runs_are_commands_with_ids_of_their_own() -> None:
    """Sent now or later, each has an id by which the receiver knows it again, and no two have the same."""

    def send(data: Book, _occurrence: Occurrence, scope: Scope) -> Book:
        scope.send("other", "ping", 1)
        scope.send("other", "ping", 2)
        scope.send("other", "ping", 3, delay=5)
        scope.send("other", "ping", 4, id="chosen")
        scope.send("other", "ping", 4, id="chosen", delay=5)
        return data

    host = Host(define([state("one")], [go("one", "go", None, "send")], functions={"send": send}), Book())
    host.send("go")
    host.send("go")
    while host.timers:
        host.elapse()
    assert sorted(sent.value for sent in host.sent) == [1, 1, 2, 2, 3, 3, 4, 4, 4, 4]
    assert {sent.to for sent in host.sent} == {"other"}
    ids = [sent.id for sent in host.sent if sent.value != 4]
    assert len(set(ids)) == len(ids)
    assert {sent.id for sent in host.sent if sent.value == 4} == {"chosen"}


def test_a_timer_that_nothing_answers_is_gone() -> None:
    """Its guard says no: the timer has fired once and does not come back."""
    definition = define(
        [state("wait"), final("end")],
        [go("wait", "after.wait", "end", guard="never")],
        timers=[TimerSpec(state="wait", event="after.wait", delay=1.0)],
        functions={"never": lambda *_: False},
    )
    host = Host(definition, Book())
    assert host.elapse().verdict == "accepted"
    assert host.snapshot.timers == ()
    assert host.state == ("wait",)


@pytest.mark.parametrize("what", [Pause(), Resume()])
def test_pausing_leaves_deadlines_as_they_are(what: Any) -> None:
    """They are absolute; a host takes none while the run is paused."""
    host = Host(reminding(), Book())
    before = due(host)
    host.tell(Pause())
    host.tell(what)
    assert due(host) == before


@pytest.mark.parametrize("given", [datetime(2030, 1, 1), 1e300, float("nan"), "soon"])  # noqa: DTZ001
def test_a_delay_that_is_no_time_has_failed(given: Any) -> None:
    """A deadline without a zone, or beyond all time, is an error of its function and reaches whoever caused it."""
    definition = define(
        [state("one"), state("two")],
        [go("one", "go", "two"), go("two", "after.two", "one")],
        timers=[TimerSpec(state="two", event="after.two", delay="when")],
        functions={"when": lambda *_: given},
    )
    host = Host(definition, Book())
    with pytest.raises(HandlerFailed, match="in one: when raised"):
        host.send("go")
    host.send("go", queued=True)
    assert host.incident.kind == "handler"
    assert host.state == ("one",)
    assert not host.snapshot.timers


def test_a_deadline_in_another_zone_is_kept_as_utc() -> None:
    """Deadlines are absolute."""
    definition = define(
        [state("one"), state("two")],
        [go("one", "after.one", "two")],
        timers=[TimerSpec(state="one", event="after.one", delay="when")],
        functions={"when": lambda *_: START.astimezone(timezone(timedelta(hours=5))) + timedelta(seconds=3)},
    )
    host = Host(definition, Book())
    assert due(host) == [3]
    assert host.snapshot.timers[0].due.tzinfo is UTC
