"""Any story of one saga, with crashes at any point: what was or may have been done is undone once, last first, or kept.

The model keeps its own account of effects, pending visits and the order of commits; it reads no snapshot.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from statemachine.definition import Definition
from statemachine.errors import RefusedVerb
from statemachine.inputs import Failed, Pause, Resume, Stopped, Succeeded
from statemachine.retry import Retry
from statemachine.snapshot import Failure
from statemachine.testing.host import Host
from tests.unit.core.charts import Book, compound, define, final, go, parallel, state, step

UNDOABLE = ("book", "left", "right")
WORKING = (*UNDOABLE, "pay", "tell")
FIELD = {"book": "a", "left": "b", "right": "c"}


def trip() -> Definition:
    """A step, two beside each other, a pause for thought from which one can go round again, a pivot, a last step."""
    return define(
        [
            state("book"),
            parallel("both"),
            compound("l", "left", "both"),
            state("left", "l"),
            final("l.end", "l"),
            compound("r", "right", "both"),
            state("right", "r"),
            final("r.end", "r"),
            state("think"),
            state("pay"),
            state("tell"),
            final("paid"),
            final("sorry", compensate=True),
        ],
        [
            go("book", "done.step.book", "both"),
            go("left", "done.step.left", "l.end"),
            go("right", "done.step.right", "r.end"),
            go("both", "done.state.both", "think"),
            go("both", "hurry", "think"),
            go("think", "again", "book"),
            go("think", "go", "pay"),
            go("think", "stop", "sorry"),
            go("pay", "done.step.pay", "tell"),
            go("tell", "done.step.tell", "paid"),
            *(go(name, f"error.step.{name}.0", "sorry") for name in UNDOABLE),
            go("pay", "error.step.pay.0", "sorry"),
        ],
        steps=[
            *(step(name, name, retry=Retry(2, delay=1), errors=("Declined",)) for name in UNDOABLE),
            step("pay", "pay", undo=False, pivot=True, retry=Retry(2, delay=1), errors=("Declined",)),
            step("tell", "tell", undo=False),
        ],
    )


class Trip(RuleBasedStateMachine):
    """The story, and the account of it."""

    def __init__(self) -> None:
        super().__init__()
        self.host = Host(trip(), Book())
        self.acted: set[int] = set()
        self.settled: set[int] = set()
        self.stack: list[set[int]] = []
        """What to undo, in commit order; visits that one commit left stand together, in no order."""
        self.given_up: set[int] = set()
        self.steps: dict[int, str] = {}
        self.counter = 0
        self._learn()

    # The account.

    def _learn(self) -> None:
        """Note what was begun, and what was left while it ran: a step's state has its name."""
        self.steps.update({command.visit: command.step for command in self.host.begun})
        self._push(
            {visit for visit, name in self.steps.items() if visit not in self.settled and name not in self.host.state}
        )

    def _push(self, visits: set[int]) -> None:
        self.settled |= visits
        if any(self.steps[visit] == "pay" for visit in visits):
            self.stack.clear()
        undoable = {visit for visit in visits if self.steps[visit] in UNDOABLE}
        if undoable:
            self.stack.append(undoable)

    def _drop(self, visit: int) -> None:
        for visits in self.stack:
            visits.discard(visit)
        self.stack = [visits for visits in self.stack if visits]

    def _leave_all(self) -> None:
        """Every visit without an outcome is left: it may have been done."""
        self._push({visit for visit in self.steps if visit not in self.settled})

    @property
    def _live(self) -> bool:
        return self.host.status == "running"

    def _running(self, data: st.DataObject) -> tuple[int, str]:
        visit = data.draw(st.sampled_from(sorted(self.host.running)))
        return visit, self.host.running[visit].step

    def _act(self, visit: int, step: str) -> None:
        self.acted.add(visit)
        self.host.act(step)

    # What steps do.

    @precondition(lambda self: self.host.running)
    @rule(data=st.data())
    def a_step_succeeds(self, data: st.DataObject) -> None:
        visit, step = self._running(data)
        self._act(visit, step)
        self.counter += 1
        self._push({visit})
        fields = {FIELD[step]: self.counter} if step in FIELD else {}
        self.host.succeed(step, **fields)
        self._learn()

    @precondition(lambda self: self.host.running)
    @rule(data=st.data(), acts=st.booleans(), final=st.booleans())
    def a_step_raises(self, data: st.DataObject, acts: bool, final: bool) -> None:
        visit, step = self._running(data)
        if acts:
            self._act(visit, step)
        last = final or self.host.running[visit].attempt == (1 if step == "tell" else 2)
        if last and step in UNDOABLE:
            self._push({visit})
            self._leave_all()
        self.host.fail(step, final=final)
        self._learn()

    @precondition(lambda self: any(v not in self.acted and c.step != "tell" for v, c in self.host.running.items()))
    @rule(data=st.data())
    def a_step_declares_an_error(self, data: st.DataObject) -> None:
        visits = [v for v, c in self.host.running.items() if v not in self.acted and c.step != "tell"]
        visit = data.draw(st.sampled_from(sorted(visits)))
        self.settled.add(visit)
        self._leave_all()
        self.host.fail(self.steps[visit], arm=0)

    @precondition(lambda self: self.host.cancelling)
    @rule(data=st.data(), how=st.sampled_from(["stopped", "succeeded", "failed", "declared"]))
    def a_cancelled_step_ends(self, data: st.DataObject, how: str) -> None:
        visit = data.draw(st.sampled_from(sorted(self.host.cancelling)))
        command = self.host.cancelling.pop(visit)
        if visit not in self.steps:
            how = "stopped"
        if how == "declared" and visit not in self.acted:
            self._drop(visit)
            self.host.tell(Failed(command.step, visit, Failure("Declined", ""), arm=0))
        elif how == "succeeded":
            self.acted.add(visit)
            self.host.tell(Succeeded(command.step, visit, {FIELD[command.step]: -visit}))
        elif how == "failed":
            self.host.tell(Failed(command.step, visit, Failure("Trouble", "")))
        else:
            self.host.tell(Stopped(visit))

    @precondition(lambda self: any(timer.kind in {"retry", "undo"} for timer in self.host.snapshot.timers))
    @rule()
    def a_retry_is_due(self) -> None:
        self.host.elapse()

    # What people do.

    @rule(event=st.sampled_from(["hurry", "again", "go", "stop"]))
    def an_event_comes(self, event: str) -> None:
        self.host.send(event)
        self._learn()

    @rule()
    def somebody_cancels(self) -> None:
        live = self._live
        try:
            self.host.cancel()
        except RefusedVerb:
            assert not live or "pay" in self.steps.values()
        else:
            self._leave_all()

    @precondition(lambda self: self.host.snapshot.incidents)
    @rule(verb=st.sampled_from(["retry", "retry", "skip", "done"]))
    def somebody_decides(self, verb: str) -> None:
        incident = self.host.snapshot.incidents[0]
        undo = incident.kind == "undo"
        if verb == "skip" and incident.visit in self.acted and not undo:
            verb = "done"
        if verb == "done" and not undo:
            self.acted.add(incident.visit)
            self._push({incident.visit})
        elif verb == "skip" and not undo:
            self.settled.add(incident.visit)
            if self.steps[incident.visit] == "pay":
                self._leave_all()
        elif verb != "retry":
            self.given_up.add(incident.visit)
            self._drop(incident.visit)
        self.host.resolve(verb, incident)  # type: ignore[arg-type]
        self._learn()

    @precondition(lambda self: not self.host.snapshot.over)
    @rule()
    def somebody_pauses_or_goes_on(self) -> None:
        self.host.tell(Resume() if self.host.snapshot.paused else Pause())
        self._learn()

    # What is undone, and what dies.

    @precondition(lambda self: self.host.undoing)
    @rule()
    def an_undo_succeeds(self) -> None:
        undo = self.host.undoing
        assert undo is not None
        # A state that was entered while paused has a step that was never begun; it may be undone all the same.
        assert undo.visit not in self.steps or undo.visit in self.stack[-1], "not the last that was done"
        self._drop(undo.visit)
        self.host.undo()

    @precondition(lambda self: self.host.undoing)
    @rule(final=st.booleans())
    def an_undo_raises(self, final: bool) -> None:
        self.host.fail_undo(final=final)

    @rule()
    def the_host_dies(self) -> None:
        self.host.crash()

    # What always holds.

    @invariant()
    def nothing_is_undone_twice_or_beside_its_step(self) -> None:
        undone = [visit for _, visit in self.host.undone()]
        assert len(set(undone)) == len(undone)
        assert not set(undone) & (set(self.host.running) | set(self.host.cancelling))

    @invariant()
    def an_ended_run_has_left_nothing(self) -> None:
        if not self.host.snapshot.over:
            return
        ended = self.host.ended()
        undone = {visit for _, visit in self.host.undone()}
        paid = any(self.steps[visit] == "pay" for visit in self.acted)
        if paid:
            assert ended == "completed"
            assert not undone
            return
        assert self.host.state != ("paid",)
        assert not self.stack
        due = {visit for visit in self.acted if self.steps[visit] in UNDOABLE}
        assert due - self.given_up <= undone

    def teardown(self) -> None:
        """Whatever the story was, it comes to an end."""
        host = self.host
        for _ in range(200):
            if host.snapshot.over:
                break
            self._move_on()
        self.an_ended_run_has_left_nothing()
        assert host.snapshot.over
        assert host.retold() == host.snapshot

    def _move_on(self) -> None:
        host = self.host
        if host.snapshot.paused:
            self.somebody_pauses_or_goes_on()
        elif host.cancelling:
            host.stop(next(iter(host.cancelling.values())).step)
        elif host.undoing is not None:
            self.an_undo_succeeds()
        elif host.snapshot.incidents:
            self.somebody_decides("retry")
        elif host.running:
            visit, command = next(iter(host.running.items()))
            self._act(visit, command.step)
            self._push({visit})
            host.succeed(command.step)
            self._learn()
        elif host.snapshot.timers:
            host.elapse()
        else:
            self.an_event_comes("stop")


TestTrip = Trip.TestCase
