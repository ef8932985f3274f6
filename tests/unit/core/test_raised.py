"""Events that a handler raises in its own run: answered first, deferred, or said to a person; never dropped unseen."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from statemachine.definition import Definition
from statemachine.errors import HandlerFailed
from statemachine.scope import Scope
from statemachine.snapshot import Occurrence
from statemachine.testing.host import Host
from tests.unit.core.charts import Book, define, go, noting, state


def raises(data: Book, occurrence: Occurrence, scope: Scope) -> Book:
    """Raises what the event that it handles says."""
    scope.raise_event(occurrence.value, {"x": 1})
    return data


def raising(**more: Any) -> Definition:
    """Two states; in the second `later` is taken, in the first it is deferred."""
    return define(
        [state("one", defer=("later",)), state("two")],
        [
            go("one", "say", None, "raises"),
            go("one", "go", "two"),
            go("two", "say", None, "raises"),
            go("two", "later", None, "later"),
            go("two", "now", None, "now"),
        ],
        functions={"raises": raises, "later": noting("later"), "now": noting("now")},
        **more,
    )


def test_one_that_is_taken_is_answered_at_once() -> None:
    """In the transaction of the event that raised it."""
    host = Host(raising(), Book())
    host.send("go")
    host.send("say", "now")
    assert host.snapshot.data.log == ("now",)


@pytest.mark.parametrize("forgetful", [False, True])
def test_one_that_is_deferred_waits(forgetful: bool) -> None:
    """As one that was sent does."""
    host = Host(raising(), Book(), forgetful=forgetful)
    host.send("say", "later")
    assert [occurrence.name for occurrence in host.snapshot.deferred] == ["later"]
    host.send("go")
    assert host.snapshot.data.log == ("later",)
    assert not host.snapshot.deferred
    assert not host.snapshot.incidents


def test_one_that_nothing_takes_waits_for_a_person() -> None:
    """Its raiser has no other way to hear of it; once something takes it, `retry` delivers it."""
    host = Host(raising(), Book())
    assert host.send("say", "now").verdict == "accepted"
    assert host.incident.message == "No transition is enabled by 'now' in one"
    number = host.incident.number
    host.resolve("retry")
    assert host.incident.number != number, "still nothing takes it"
    host.send("go")
    host.resolve("retry")
    assert host.snapshot.data.log == ("now",)
    assert not host.snapshot.incidents


def test_one_that_the_workflow_does_not_declare_is_an_error_of_its_raiser() -> None:
    """A misspelt or foreign event could never be answered."""
    host = Host(raising(), Book())
    before = host.snapshot
    with pytest.raises(HandlerFailed, match="raises raised UndeclaredEvent: test does not declare the event 'nowt'"):
        host.send("say", "nowt")
    assert host.snapshot is before


def test_a_definition_with_scxml_ways_drops_it() -> None:
    """As SCXML says."""
    host = Host(attrs.evolve(raising(), descriptors=True), Book())
    host.send("say", "now")
    host.send("say", "nowt")
    assert not host.snapshot.incidents
    assert not host.snapshot.deferred


@pytest.mark.parametrize("forgetful", [False, True])
def test_a_delayed_event_to_itself_is_deferred_as_one_from_outside(forgetful: bool) -> None:
    """It is an event like any other when it arrives."""

    def later(data: Book, _occurrence: Occurrence, scope: Scope) -> Book:
        scope.send("", "later", {"x": 1}, delay=5)
        return data

    definition = define(
        [state("one", defer=("later",)), state("two")],
        [go("one", "send", None, "send"), go("one", "go", "two"), go("two", "later", None, "took")],
        functions={"send": later, "took": noting("took")},
    )
    host = Host(definition, Book(), forgetful=forgetful)
    host.send("send")
    host.elapse()
    host.send("go")
    assert host.snapshot.data.log == ("took",)
