"""The saga by enumeration: of five steps each fails in each way, each undo fails in each way, with crashes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from statemachine.errors import RefusedVerb
from statemachine.inputs import Failed, IncidentVerb, Input, Kill, Received, Succeeded, UndoFailed, Undone
from statemachine.retry import Retry
from statemachine.snapshot import Failure, Occurrence
from statemachine.testing.host import Host
from tests.unit.core.charts import NAMES, Book, five_steps

TWICE = Retry(2, delay=1.0, jitter=0.0)
WAYS = ("declared", "declared on retry", "harmless", "exhausted", "unknown", "unknown then failed=", "never")


def until(step: str, *, forgetful: bool, failed: str | None = None) -> Host:
    """A run whose steps before this one have succeeded, each having written a field of its own visit."""
    host = Host(five_steps(retry=TWICE, failed=failed), Book(), forgetful=forgetful)
    for name in NAMES[: NAMES.index(step)]:
        host.succeed(name, a=NAMES.index(name) + 1)
    return host


def go_wrong(host: Host, step: str, way: str) -> None:
    """Let a step fail for good."""
    if way == "declared":
        host.fail(step, arm=0)
    elif way == "never":
        host.fail(step, final=True)
    else:
        if way.startswith("unknown"):
            host.act(step)
        host.fail(step)
        assert host.status == "running"
        assert host.pending(step).waiting
        assert not host.running
        host.elapse("retry")
        assert host.running[host.visit(step)].attempt == 2
        host.fail(step, arm=0 if way == "declared on retry" else None, effect=way != "harmless")


def stacked(step: str, way: str) -> tuple[str, ...]:
    """What has to be undone, in order, after this step failed in this way: its own undo too if it may have acted."""
    before = NAMES[: NAMES.index(step)]
    return tuple(reversed(before if way in {"declared", "declared on retry", "harmless"} else (*before, step)))


def failures() -> Iterator[tuple[str, str, str | None, str, bool]]:
    """Fail step i in each way; fail no undo, or undo j in each way; die never, or after every input."""
    for step, way, forgetful in product(NAMES, WAYS, (False, True)):
        yield step, way, None, "", forgetful
        for undo, how in product(stacked(step, way), ("once", "retry", "skip", "done")):
            yield step, way, undo, how, forgetful


@pytest.mark.parametrize(("step", "way", "undo", "how", "forgetful"), list(failures()))
def test_what_was_or_may_have_been_done_is_undone_once_in_reverse(
    step: str, way: str, undo: str | None, how: str, forgetful: bool
) -> None:
    """Whichever step fails and whichever undo fails: each effect is undone once, the last first, and the run ends."""
    host = until(step, forgetful=forgetful, failed=step if way == "unknown then failed=" else None)
    go_wrong(host, step, way)
    done = host.done()
    expected = stacked(step, way)
    for name in expected:
        assert host.status == "undoing"
        assert host.undoing is not None
        assert host.undoing.step == name
        if name == undo:
            trouble(host, how)
            if how in {"skip", "done"}:
                continue
        host.undo()

    ended = "completed" if way in {"declared", "declared on retry", "unknown then failed="} else "failed"
    assert host.ended() == ended
    left = {undo} if how in {"skip", "done"} else set[str]()
    assert [name for name, _ in host.undone()] == [name for name in expected if name not in left]
    assert set(done) - set(host.undone()) == {(name, visit) for name, visit in done if name in left}
    assert host.retold() == host.snapshot
    if ended == "failed":
        assert host.snapshot.ending is not None
        assert host.snapshot.ending.failure == Failure("Trouble", "no")


def trouble(host: Host, how: str) -> None:
    """Let the undo under way fail: once, or for good, which a person decides with this verb."""
    assert host.undoing is not None
    first = host.undoing
    host.fail_undo()
    assert host.undo_under_way() is None
    host.elapse("undo")
    assert host.undoing is not None
    again = host.undoing
    assert (again.step, again.visit, again.key, again.undoes) == (first.step, first.visit, first.key, first.undoes)
    assert again.attempt == 2
    if how == "once":
        return
    host.fail_undo()
    assert host.undo_under_way() is None
    assert host.status == "undoing"
    assert host.incident.kind == "undo"
    assert host.incident.message == f"The undo of step {first.step!r} failed 2 time(s): Trouble: cannot undo"
    verbs: dict[str, IncidentVerb] = {"retry": "retry", "skip": "skip", "done": "done"}
    host.resolve(verbs[how])
    assert not host.snapshot.incidents
    if how == "retry":
        assert host.undoing is not None
        assert host.undoing.attempt == 1


@pytest.mark.parametrize("step", NAMES)
@pytest.mark.parametrize("at", range(16))
def test_one_crash_at_any_point_changes_nothing(step: str, at: int) -> None:
    """A host that dies after any one input goes on as if it had not."""

    def story(crash: int) -> Host:
        host = until(step, forgetful=False)

        def perhaps() -> None:
            if len(host.inputs) >= crash:
                host.crash()

        perhaps()
        go_wrong(host, step, "unknown")
        perhaps()
        host.unwind(perhaps)
        return host

    one, other = story(at), story(1_000)
    assert one.snapshot == other.snapshot
    assert one.deeds == other.deeds
    assert one.finished == other.finished


def test_all_steps_done_completes_and_undoes_nothing() -> None:
    """A run that reaches a plain final state is completed; its stack is dropped."""
    host = Host(five_steps(), Book())
    for name in NAMES:
        host.succeed(name)
    assert host.ended() == "completed"
    assert host.state == ("paid",)
    assert host.undone() == []
    assert host.snapshot.undo == ()


def test_an_undo_gets_the_fields_that_its_own_visit_set() -> None:
    """Every step wrote the same field; each undo sees what its own step wrote."""
    host = until("five", forgetful=True)
    host.fail("five", final=True)
    host.unwind()
    assert [deed.fields for deed in host.deeds if deed.what == "undo"] == [
        (),
        (("a", 4),),
        (("a", 3),),
        (("a", 2),),
        (("a", 1),),
    ]


@pytest.mark.parametrize("running", NAMES)
@pytest.mark.parametrize("late", ["stopped", "succeeded", "failed", "declared", "crash"])
def test_cancel_at_every_point_undoes_what_was_done(running: str, late: str) -> None:
    """Cancelled while a step runs, whatever becomes of that, a run undoes exactly what may have happened."""
    host = until(running, forgetful=False)
    visit = host.visit(running)
    host.cancel()
    assert host.status == "undoing"
    assert host.undo_under_way() is None, "an undo was begun beside a running attempt"
    if late == "stopped":
        host.stop(running)
    elif late == "crash":
        host.crash()
    else:
        del host.cancelling[visit]
        told: dict[str, Input] = {
            "succeeded": Succeeded(running, visit, {"a": 99}),
            "failed": Failed(running, visit, Failure("Trouble", "late")),
            "declared": Failed(running, visit, Failure("Declined", "late"), arm=0),
        }
        assert host.tell(told[late]).verdict == "accepted"
    host.unwind()
    assert [name for name, _ in host.undone()] == list(stacked(running, late))
    assert host.ended() == "cancelled"
    assert host.snapshot.ending is not None
    assert (host.snapshot.ending.actor, host.snapshot.ending.reason) == ("ops", "because")
    if late == "succeeded":
        assert next(deed for deed in host.deeds if deed.what == "undo").fields == (("a", 99),)
    assert host.retold() == host.snapshot


@pytest.mark.parametrize("step", NAMES)
def test_cancel_while_a_retry_waits_needs_no_stop(step: str) -> None:
    """Nothing runs while a retry waits, so the undo begins at once; the timer is gone."""
    host = until(step, forgetful=False)
    host.fail(step)
    host.cancel()
    assert not host.cancelling
    assert not host.timers
    host.unwind()
    assert [name for name, _ in host.undone()] == list(reversed(NAMES[: NAMES.index(step) + 1]))
    assert host.ended() == "cancelled"


def test_cancel_of_a_run_that_did_nothing_ends_it_at_once() -> None:
    """There is nothing to stop and nothing to undo but the step that was only waiting to be tried again."""
    host = Host(five_steps(), Book())
    host.cancel()
    host.stop("one")
    host.undo()
    assert host.ended() == "cancelled"


def test_a_run_being_undone_takes_no_events_and_no_second_cancel() -> None:
    """Events are refused while undoing and after; a cancel is refused with the reason."""
    host = until("three", forgetful=False)
    host.fail("three", final=True)
    assert host.send("anything").verdict == "undoing"
    with pytest.raises(RefusedVerb, match="Cannot cancel run 'r-1': it is being undone already"):
        host.cancel()
    host.unwind()
    assert host.send("anything").verdict == "over"
    with pytest.raises(RefusedVerb, match=r"Cannot cancel run 'r-1': it is over \(failed\)"):
        host.cancel()


def test_outcomes_that_nobody_waits_for_change_nothing() -> None:
    """A second outcome of a visit, an undo of something else, an outcome after the end: all late, nothing changed."""
    host = until("three", forgetful=False)
    first = Succeeded("one", host.done()[0][1], {"a": 77})
    before = host.snapshot
    for told in (
        first,
        Failed("one", first.visit, Failure("Trouble", "again")),
        Undone(first.visit),
        UndoFailed(first.visit, Failure("Trouble", "again")),
    ):
        assert host.tell(told).verdict == "late"
        assert host.snapshot is before
    host.fail("three", final=True)
    assert host.tell(Undone(first.visit)).verdict == "late", "the undo of the bottom is not the one under way"
    host.unwind()
    ended = host.snapshot
    assert host.tell(first).verdict == "over"
    assert host.tell(Received(Occurrence("x"))).verdict == "over"
    assert host.snapshot is ended


def test_a_second_failure_while_the_retry_waits_is_late() -> None:
    """Two attempts may overlap; the one that fails while a retry already waits counts for nothing."""
    host = until("three", forgetful=False)
    visit = host.visit("three")
    host.fail("three")
    waiting = host.snapshot
    assert host.tell(Failed("three", visit, Failure("Trouble", "again"))).verdict == "late"
    assert host.snapshot is waiting


def test_a_success_while_the_retry_waits_is_the_outcome() -> None:
    """An attempt that timed out and succeeds after all is recorded, and no further attempt is made."""
    host = until("three", forgetful=False)
    visit = host.visit("three")
    host.act("three")
    host.fail("three")
    assert host.tell(Succeeded("three", visit, {"b": 1})).verdict == "accepted"
    assert host.state == ("four",)
    assert not host.timers
    host.fail("four", final=True)
    host.unwind()
    assert [name for name, _ in host.undone()] == ["four", "three", "two", "one"]


@pytest.mark.parametrize("undone", range(5))
def test_kill_undoes_nothing_and_lists_what_it_left(undone: int) -> None:
    """Killed while running or in the midst of undoing, a run is over at once and says what still stands."""
    host = until("five", forgetful=False)
    host.fail("five", final=True)
    for _ in range(undone):
        host.undo()
    outcome = host.tell(Kill("ops", "gone mad"))
    assert outcome.verdict == "accepted"
    assert host.status == "killed"
    assert [done.step for done in host.snapshot.undo] == list(NAMES[: 5 - undone])
    assert host.tell(Undone(host.snapshot.undo[-1].visit)).verdict == "over"
    with pytest.raises(RefusedVerb, match=r"Cannot kill run 'r-1': it is over \(killed\)"):
        host.tell(Kill())


def test_kill_lists_a_running_step_as_unknown() -> None:
    """What ran when the run was killed may have taken effect."""
    host = until("two", forgetful=False)
    host.tell(Kill())
    assert [(done.step, done.unknown) for done in host.snapshot.undo] == [("one", False), ("two", True)]
    assert host.finished[0].status == "killed"
