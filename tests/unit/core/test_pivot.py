"""The pivot: before it everything is undone, after it nothing; what nobody knows about it a person decides."""

from __future__ import annotations

from itertools import product

import pytest

from statemachine.errors import RefusedVerb
from statemachine.inputs import IncidentVerb, Kill, Lost
from statemachine.retry import Retry
from statemachine.snapshot import Failure
from statemachine.testing.host import Host
from tests.unit.core.charts import NAMES, Book, five_steps

TWICE = Retry(2, delay=1.0, jitter=0.0)


def until(name: str, pivot: str, *, forgetful: bool = False, failed: str | None = None) -> Host:
    """A run in which the steps before this one have succeeded."""
    host = Host(five_steps(pivot=pivot, retry=TWICE, failed=failed), Book(), forgetful=forgetful)
    for before in NAMES[: NAMES.index(name)]:
        host.succeed(before)
    return host


def exhaust(host: Host, name: str, *, effect: bool = True) -> None:
    """Let all attempts of a step fail."""
    host.fail(name)
    host.elapse("retry")
    host.fail(name, effect=effect)


@pytest.mark.parametrize(("pivot", "name"), list(product(NAMES, NAMES)))
@pytest.mark.parametrize("forgetful", [False, True])
def test_exhausted_before_at_and_after_the_pivot(pivot: str, name: str, forgetful: bool) -> None:
    """Before the pivot the run is undone; at it and after it an incident says what is unknown; nothing is undone."""
    host = until(name, pivot, forgetful=forgetful)
    exhaust(host, name)
    if NAMES.index(name) < NAMES.index(pivot):
        host.unwind()
        assert [step for step, _ in host.undone()] == list(reversed(NAMES[: NAMES.index(name) + 1]))
        assert host.ended() == "failed"
        return
    assert host.status == "running"
    assert host.incident.kind == ("pivot" if name == pivot else "step")
    assert host.incident.step == name
    assert host.incident.failure == Failure("Trouble", "no")
    assert not host.undone()
    assert not host.running
    assert host.retold() == host.snapshot


@pytest.mark.parametrize(("pivot", "verb"), list(product(NAMES, ("retry", "skip", "done"))))
@pytest.mark.parametrize("forgetful", [False, True])
def test_an_unknown_pivot_is_decided_by_a_person(pivot: str, verb: IncidentVerb, forgetful: bool) -> None:
    """retry repeats it under its key; done passes the pivot; skip says that it had no effect and undoes the run."""
    host = until(pivot, pivot, forgetful=forgetful)
    key = host.running[host.visit(pivot)].key
    exhaust(host, pivot)
    host.resolve(verb)
    assert not host.snapshot.incidents
    if verb == "retry":
        again = host.running[host.visit(pivot)]
        assert (again.key, again.attempt) == (key, 1)
        host.succeed(pivot)
    if verb == "skip":
        host.unwind()
        assert [step for step, _ in host.undone()] == list(reversed(NAMES[: NAMES.index(pivot)]))
        assert host.ended() == "failed"
        assert host.snapshot.ending is not None
        assert host.snapshot.ending.failure == Failure("Skipped", "because")
        return
    assert host.snapshot.pivoted
    assert host.snapshot.undo == ()
    for after in NAMES[NAMES.index(pivot) + 1 :]:
        host.succeed(after)
    assert host.ended() == "completed"
    assert host.undone() == []


@pytest.mark.parametrize("verb", ["retry", "skip", "done"])
@pytest.mark.parametrize("name", NAMES[3:])
def test_a_step_that_fails_after_the_pivot_goes_forward(name: str, verb: IncidentVerb) -> None:
    """Whatever a person says, the run goes on from there and undoes nothing."""
    host = until(name, "three")
    exhaust(host, name)
    host.resolve(verb)
    if verb == "retry":
        host.succeed(name)
    for after in NAMES[NAMES.index(name) + 1 :]:
        host.succeed(after)
    assert host.ended() == "completed"
    assert host.undone() == []


def test_a_step_with_a_failed_state_goes_there_after_the_pivot() -> None:
    """`failed=` is a way forward, so no person is needed."""
    host = until("four", "three", failed="four")
    exhaust(host, "four")
    assert host.state == ("declined",)
    assert host.ended() == "completed"
    assert host.undone() == []


@pytest.mark.parametrize("how", ["declared", "harmless"])
def test_a_pivot_known_to_have_had_no_effect_is_not_unknown(how: str) -> None:
    """A declared error, or a transaction rolled back: no incident; what was before it is undone."""
    host = until("three", "three")
    if how == "declared":
        host.fail("three", arm=0)
    else:
        exhaust(host, "three", effect=False)
    host.unwind()
    assert [step for step, _ in host.undone()] == ["two", "one"]
    assert host.ended() == ("completed" if how == "declared" else "failed")


@pytest.mark.parametrize(("pivot", "name"), list(product(NAMES, NAMES)))
def test_cancel_before_at_and_after_the_pivot(pivot: str, name: str) -> None:
    """Cancel undoes before the pivot, waits while it runs or nobody knows, and is refused after it."""
    host = until(name, pivot)
    if NAMES.index(name) < NAMES.index(pivot):
        host.cancel()
        host.unwind()
        assert host.ended() == "cancelled"
    elif name == pivot:
        before = host.snapshot
        with pytest.raises(RefusedVerb, match=f"pivot '{pivot}' is under way") as refused:
            host.cancel()
        assert refused.value.wait
        assert host.snapshot is before
        exhaust(host, name)
        with pytest.raises(RefusedVerb, match="decide its incident") as refused:
            host.cancel()
        assert not refused.value.wait
    else:
        with pytest.raises(RefusedVerb, match="its pivot is done, after which nothing is undone") as refused:
            host.cancel()
        assert not refused.value.wait


def test_cancel_waits_while_the_pivot_waits_to_be_tried_again() -> None:
    """Between two attempts, the first may have had its effect: it is under way all the same."""
    host = until("three", "three")
    host.fail("three")
    with pytest.raises(RefusedVerb, match="under way") as refused:
        host.cancel()
    assert refused.value.wait


def test_a_compensating_final_state_after_the_pivot_undoes_nothing() -> None:
    """A declared error after the pivot goes to `declined`; the stack is empty there."""
    host = until("four", "two")
    host.fail("four", arm=0)
    assert host.state == ("declined",)
    assert host.ended() == "completed"
    assert host.undone() == []


def test_a_pivot_lost_at_a_crash_is_an_incident() -> None:
    """Found running at too many crashes: nobody knows, so nothing is undone until somebody says."""
    host = until("three", "three")
    host.tell(Lost("three", host.visit("three"), 3))
    assert host.incident.kind == "crashes"
    with pytest.raises(RefusedVerb, match="decide its incident"):
        host.cancel()


@pytest.mark.parametrize("verb", ["retry", "done"])
def test_a_pivot_whose_result_cannot_be_recorded_is_not_skipped(verb: IncidentVerb) -> None:
    """It took effect: were it skipped, the run would be undone behind a payment that was made."""
    host = Host(five_steps(pivot="three"), Book())
    host.succeed("one")
    host.succeed("two")
    host.fail("three", recorded=False)
    assert host.incident.kind == "result"
    before = host.snapshot
    with pytest.raises(RefusedVerb, match="pivot 'three' took effect; say 'done', or 'retry' for its result"):
        host.resolve("skip")
    assert host.snapshot == before
    host.resolve(verb)
    if verb == "retry":
        host.succeed("three")
    assert host.snapshot.pivoted
    assert host.state == ("four",)


@pytest.mark.parametrize("how", ["running", "asked about"])
def test_kill_lists_a_pivot_that_may_have_happened(how: str) -> None:
    """Of all that a killed run leaves, the payment that nobody knows about is what must be looked into."""
    host = until("three", "three")
    if how == "asked about":
        host.fail("three", final=True)
    host.tell(Kill("ops", "now"))
    assert [(done.step, done.unknown) for done in host.snapshot.undo] == [
        ("one", False),
        ("two", False),
        ("three", True),
    ]
