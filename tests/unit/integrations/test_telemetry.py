"""Spans of runs: one trace a run, a span an attempt with the user's own below it, links to who started and who sent."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from opentelemetry.trace import StatusCode, get_current_span

from persistence import MemoryJournal, SQLiteJournal
from statemachine import Client, Runner, RunOver
from statemachine.runner import steps
from statemachine.testing import VirtualClock
from tests.unit.integrations.telling import (
    Approve,
    Decline,
    Desk,
    Endless,
    Kept,
    Lending,
    Loan,
    Poor,
    booked,
    ids,
    said,
)
from tests.unit.runner.desk import becomes, until


@pytest.fixture
def kept() -> Kept:
    """Telemetry in memory."""
    return Kept()


def test_a_run_is_one_trace_with_a_span_for_each_attempt(kept: Kept, tmp_path: Path) -> None:
    """All below the run's own span, which says how it ended and is the length of the run."""
    desk = Desk(kept.tracers)
    with Runner(tmp_path / "app.db", [Lending(desk)], observer=kept.telemetry) as runner:
        view = booked(runner, kept).look()
    whole = kept.one("lending")
    assert whole.parent is None
    ours = [span for span in kept.spans if span.instrumentation_scope and span.instrumentation_scope.name != "views"]
    assert {ids(span)[0] for span in ours} == {ids(whole)[0]}
    below = [span.name for span in ours if span.parent and span.parent.span_id == ids(whole)[1]]
    assert below == ["start", "score", "event Approve", "hold", "book"]
    assert said(whole) == {"workflow": "lending", "run": "loan-1", "state": ("booked",), "status": "completed"}
    assert whole.start_time == int(view.started.timestamp() * 1e6) * 1000
    assert whole.end_time == int(view.updated.timestamp() * 1e6) * 1000
    assert said(kept.one("score")) == {
        "workflow": "lending",
        "run": "loan-1",
        "state": ("scoring",),
        "step": "score",
        "attempt": 1,
        "key": desk.keys[0],
        "outcome": "succeeded",
    }
    assert [event.name for event in kept.one("score").events] == ["recorded"]


def test_what_a_step_does_stands_below_its_span(kept: Kept, tmp_path: Path) -> None:
    """In a coroutine, in a thread, in a transaction."""
    with Runner(tmp_path / "app.db", [Lending(Desk(kept.tracers))], observer=kept.telemetry) as runner:
        booked(runner, kept)
    for step, call in (("score", "ask bureau"), ("hold", "ask bank"), ("book", "ask book")):
        parent = kept.one(call).parent
        assert parent is not None
        assert (parent.trace_id, parent.span_id) == ids(kept.one(step))


def test_it_does_stand_there_on_an_applications_own_loop(kept: Kept, tmp_path: Path) -> None:
    """Where a span of the application's is current when the runner is opened: that one is no parent of theirs."""

    async def serve() -> None:
        with kept.tracers.get_tracer("app").start_as_current_span("boot"):
            async with Runner(tmp_path / "app.db", [Lending(Desk(kept.tracers))], observer=kept.telemetry) as runner:
                run = await runner.start(Lending, Loan(500))
                while (await run.look()).state != ("review",):  # noqa: ASYNC110 -- a look is what there is
                    await asyncio.sleep(0.005)
                await run.send(Approve())
                await run.result(timeout=10)

    asyncio.run(serve())
    for step, call in (("score", "ask bureau"), ("hold", "ask bank"), ("book", "ask book")):
        parent = kept.one(call).parent
        assert parent is not None
        assert (parent.trace_id, parent.span_id) == ids(kept.one(step))
    assert [link.context.span_id for link in kept.one("start").links] == [ids(kept.one("boot"))[1]]


def test_who_started_and_who_sent_are_linked(kept: Kept, tmp_path: Path) -> None:
    """The run's span and the start's to the one, the event's to the other; each stays in a trace of its own."""
    with Runner(tmp_path / "app.db", [Lending(Desk(kept.tracers))], observer=kept.telemetry) as runner:
        booked(runner, kept)
    for name, caller in (("lending", "POST /loans"), ("start", "POST /loans"), ("event Approve", "POST /approve")):
        span = kept.one(name)
        assert [(link.context.trace_id, link.context.span_id) for link in span.links] == [ids(kept.one(caller))]
        assert ids(span)[0] != ids(kept.one(caller))[0]
    assert kept.one("score").links == ()


def test_a_client_and_a_restart_between_keep_the_links(tmp_path: Path) -> None:
    """The start came through the inbox; another process began the run, and a third one ended it."""
    first, second, third = Kept(), Kept(), Kept()
    path = tmp_path / "app.db"
    SQLiteJournal(path).close()
    with Client(path, [Lending.definition], observer=first.telemetry) as client:
        booking = client.start(Lending, Loan(500), id="loan-1")
        with first.tracers.get_tracer("views").start_as_current_span("POST /loans"):
            client.start(Lending, Loan(500), id="loan-2")
        assert booking.id == "loan-1"
    with Runner(path, [Lending(Desk(second.tracers))], observer=second.telemetry) as runner:
        becomes(lambda: len(runner.list(state=Lending.review)) == 2)
    with Runner(path, [Lending(Desk(third.tracers))], observer=third.telemetry) as runner:
        for run in ("loan-1", "loan-2"):
            runner.send(run, Approve())
            runner.result(run, timeout=10)
    caller = ids(first.one("POST /loans"))
    links = {said(span)["run"]: [(link.context.trace_id, link.context.span_id) for link in span.links]
             for span in third.named("lending")}  # fmt: skip
    assert links == {"loan-1": [], "loan-2": [caller]}
    for run in ("loan-1", "loan-2"):
        mine = [span for span in second.spans + third.spans if said(span).get("run") == run]
        assert len({ids(span)[0] for span in mine}) == 1
        names = sorted(span.name for span in mine)
        assert names == ["book", "event Approve", "hold", "lending", "score", "start"]


def test_a_retry_is_a_span_of_its_own(kept: Kept) -> None:
    """The one that failed has the error's type and says when the next is due; its time is that of its function."""
    clock = VirtualClock()
    desk = Desk(kept.tracers)
    desk.failures = [TimeoutError("account 4711 does not answer")]
    with Runner(MemoryJournal(), [Lending(desk)], clock=clock, observer=kept.telemetry) as runner:
        run = runner.start(Lending, Loan(500))
        becomes(lambda: runner.get(run.id).look().timers != ())
        clock.advance(60)
        until(run, "review")
    failed, done = kept.named("score")
    assert [said(span)["attempt"] for span in (failed, done)] == [1, 2]
    assert [said(span)["outcome"] for span in (failed, done)] == ["failed", "succeeded"]
    assert said(failed)["key"] == said(done)["key"]
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, "TimeoutError")
    error, retry, _ = failed.events
    assert (error.name, dict(error.attributes or {})) == ("exception", {"exception.type": "TimeoutError"})
    assert retry.name == "retry"
    due = datetime.fromisoformat(str((retry.attributes or {})["statemachine.due"]))
    waited = kept.one("timer score")
    assert waited.start_time == int(due.timestamp() * 1e6) * 1000


def test_texts_of_errors_are_told_when_asked_for() -> None:
    """Otherwise they stay in the journal: they may be private."""
    kept = Kept(texts=True)
    desk = Desk(kept.tracers)
    desk.failures = [Poor("account 4711")]
    with Runner(MemoryJournal(), [Lending(desk)], observer=kept.telemetry) as runner:
        assert runner.start(Lending, Loan(1)).result(timeout=10).state == ("poor",)
    attributes = kept.one("score").events[0].attributes or {}
    assert attributes["exception.message"] == "account 4711"
    assert "Poor" in str(attributes["exception.stacktrace"])


def test_a_declared_error_is_an_outcome_and_no_fault(kept: Kept) -> None:
    """Its span says which, and is not marked as wrong; nor is the run's."""
    desk = Desk(kept.tracers)
    desk.failures = [Poor("account 4711")]
    with Runner(MemoryJournal(), [Lending(desk)], observer=kept.telemetry) as runner:
        runner.start(Lending, Loan(1)).result(timeout=10)
    assert said(kept.one("score"))["outcome"] == "declared"
    assert kept.one("score").status.status_code is StatusCode.UNSET
    assert kept.one("lending").status.status_code is StatusCode.UNSET


def test_an_undo_has_a_span_and_what_it_calls_stands_below(kept: Kept) -> None:
    """In the trace of its run, with the key of the undo."""
    with Runner(MemoryJournal(), [Lending(Desk(kept.tracers))], observer=kept.telemetry) as runner:
        run = runner.start(Lending, Loan(500), id="loan-1")
        until(run, "review")
        run.send(Decline())
        run.result(timeout=10)
    undo = kept.one("undo score")
    assert said(undo)["key"] == f"{said(kept.one('score'))['key']}:undo"
    assert said(undo)["outcome"] == "succeeded"
    parent = kept.one("ask bureau to forget").parent
    assert parent is not None
    assert parent.span_id == ids(undo)[1]
    assert kept.one("lending").status.status_code is StatusCode.UNSET


def test_a_run_that_failed_says_why(kept: Kept) -> None:
    """By the type of its error."""
    desk = Desk(kept.tracers)
    clock = VirtualClock()
    with Runner(MemoryJournal(), [Lending(desk)], clock=clock, observer=kept.telemetry) as runner:
        run = runner.start(Lending, Loan(500))
        until(run, "review")
        desk.failures = [TimeoutError("4711")]
        run.send(Approve())
        assert run.result(timeout=10).status == "failed"
    whole = kept.one("lending")
    assert (whole.status.status_code, whole.status.description) == (StatusCode.ERROR, "TimeoutError")


def test_an_incident_is_told_where_it_opened_and_the_retry_a_person_asks_for_is_another_span(kept: Kept) -> None:
    """Attempt 1 for the second time: it has an id of its own."""
    desk = Desk(kept.tracers)
    with Runner(MemoryJournal(), [Lending(desk)], observer=kept.telemetry) as runner:
        run = runner.start(Lending, Loan(500))
        until(run, "review")
        desk.failures = [OSError()]
        run.send(Decline())
        becomes(lambda: run.incidents != ())
        run.retry(run.incidents[0].number, reason="it answers again")
        run.result(timeout=10)
    first, second = kept.named("undo score")
    assert [said(span)["attempt"] for span in (first, second)] == [1, 1]
    assert ids(first)[1] != ids(second)[1]
    assert [event.name for event in first.events] == ["exception", "recorded", "incident"]
    assert len(kept.named("resolve")) == 1


def test_an_overdue_timer_shows_how_late_it_was_taken(kept: Kept) -> None:
    """From its deadline to when it was taken."""
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    with Runner(MemoryJournal(), [Lending(Desk(kept.tracers))], clock=clock, observer=kept.telemetry) as runner:
        run = runner.start(Lending, Loan(500))
        until(run, "review")
        due = run.look().timers[0].due
        clock.advance(timedelta(days=8))
        run.result(timeout=10)
    (timer,) = [span for span in kept.spans if span.name.startswith("timer")]
    assert timer.start_time == int(due.timestamp() * 1e6) * 1000
    assert (timer.end_time or 0) > (timer.start_time or 0) > 0


def test_a_refused_event_leaves_no_span(kept: Kept) -> None:
    """Nothing was committed."""
    with Runner(MemoryJournal(), [Lending(Desk(kept.tracers))], observer=kept.telemetry) as runner:
        run = runner.start(Lending, Loan(500))
        until(run, "review")
        run.send(Approve())
        run.result(timeout=10)
        before = len(kept.spans)
        with pytest.raises(RunOver):
            run.send(Approve())
    assert len(kept.spans) == before


def test_a_killed_run_leaves_no_span_open(kept: Kept) -> None:
    """The attempt that ran is told as left."""
    desk = Desk(kept.tracers)
    with Runner(MemoryJournal(), [Lending(desk)], observer=kept.telemetry) as runner:
        run = runner.start(Lending, Loan(500))
        until(run, "review")
        desk.gate.clear()
        run.send(Approve())
        becomes(lambda: "bank" in desk.asked)
        run.kill(reason="it was a test")
        desk.gate.set()
    assert said(kept.one("hold"))["outcome"] == "left"
    assert said(kept.one("lending"))["status"] == "killed"
    assert kept.telemetry._running == {}


def test_nothing_is_kept_of_runs_that_wait(kept: Kept) -> None:
    """They cost no memory here either."""
    with Runner(MemoryJournal(), [Lending(Desk(kept.tracers))], observer=kept.telemetry) as runner:
        for number in range(5):
            until(runner.start(Lending, Loan(number)), "review")
        becomes(lambda: len(kept.named("score")) == 5)
        assert kept.telemetry._running == {}


def test_an_attempt_that_was_cancelled_is_told_as_stopped(kept: Kept) -> None:
    """Its run is cancelled, and went on without it."""
    with Runner(MemoryJournal(), [Endless()], observer=kept.telemetry) as runner:
        run = runner.start(Endless, Loan(500))
        becomes(lambda: kept.telemetry._running != {})
        run.cancel()
        assert run.result(timeout=10).status == "cancelled"
    assert said(kept.one("wait"))["outcome"] == "stopped"
    assert len(kept.named("cancel")) == 1


def test_what_a_runner_that_closes_does_not_see_the_end_of_is_told_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One span, with the id that the first one's would have had: what was called in either stands below it."""
    first, second = Kept(), Kept()
    desk = Desk(first.tracers)
    monkeypatch.setattr(steps, "FAREWELL", 0.05)
    with Runner(tmp_path / "app.db", [Lending(desk)], observer=first.telemetry, grace=0) as runner:
        run = runner.start(Lending, Loan(500), id="loan-1")
        until(run, "review")
        desk.gate.clear()
        run.send(Approve())
        becomes(lambda: "bank" in desk.asked)
    assert first.named("hold") == []
    desk.gate.set()
    becomes(lambda: first.named("ask bank") != [])
    with Runner(tmp_path / "app.db", [Lending(Desk(second.tracers))], observer=second.telemetry) as runner:
        runner.result("loan-1", timeout=10)
    parents = [kept.one("ask bank").parent for kept in (first, second)]
    assert [parent.span_id for parent in parents if parent] == [ids(second.one("hold"))[1]] * 2
    assert second.named("score") == []


def test_what_is_logged_of_an_attempt_is_logged_inside_its_span(kept: Kept) -> None:
    """So whatever writes the current span into log records finds it, also in the runner's own word of the failure."""
    seen: list[tuple[str, int]] = []

    def note(record: logging.LogRecord) -> bool:
        seen.append((record.levelname, get_current_span().get_span_context().span_id))
        return True

    log = logging.getLogger("statemachine")
    log.addFilter(note)
    desk = Desk(kept.tracers)
    desk.failures = [OSError()]
    try:
        with Runner(MemoryJournal(), [Lending(desk)], observer=kept.telemetry) as runner:
            runner.start(Lending, Loan(500))
            becomes(lambda: kept.named("score") != [])
    finally:
        log.removeFilter(note)
    assert seen == [("WARNING", ids(kept.one("score"))[1])]
