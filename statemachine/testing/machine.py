"""From any workflow a hypothesis state machine, without writing rules.

It draws events by their types, outcomes of steps, deaths of the process, time, people's decisions; runs the workflow's
own steps on its fakes, on the pure core; and holds it to what must hold for every workflow, and to its user's own
invariants. What it finds shrinks to a short path, told as a picture and as a test that can be pasted.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import INVARIANT_MARKER, RuleBasedStateMachine, initialize, precondition, rule

from statemachine.definition import Definition
from statemachine.events import Event
from statemachine.snapshot import Snapshot
from statemachine.testing.drawing import Drawn, of_type
from statemachine.testing.play import Play
from statemachine.testing.watching import Terms
from statemachine.workflow import Workflow, bind

_live = precondition(lambda machine: not machine.play.over)


class WorkflowMachine(RuleBasedStateMachine):
    """Derive from it, say how the workflow is made, and give its `TestCase` to pytest.

    ::

        class Loans(WorkflowMachine):
            def make(self) -> LoanApproval:
                self.bank = FakeBank()
                return LoanApproval(self.bank)

            def effects(self) -> object:
                return self.bank.held                      # what must be as before once a loan was undone

            @invariant()
            def nobody_is_paid_twice(self) -> None:
                assert self.bank.paid <= 1

        TestLoans = Loans.TestCase

    Attributes:
        draws: Strategies by type, for the data's type, for events, or for the type of any field of them; what is not
            given is drawn by its annotation.
        may_raise: Exceptions that guards and handlers raise on purpose; any other is a defect.
        may_drop: Events that a run may have deferred and end without having handled; any other is lost.
        play: The run, to be looked at: `play.snapshot`, `play.events` (those acknowledged), `play.script`.
    """

    draws: ClassVar[Mapping[Any, Drawn]] = {}
    may_raise: ClassVar[tuple[type[BaseException], ...]] = ()
    may_drop: ClassVar[tuple[type[Event], ...]] = ()

    _strategies: ClassVar[dict[Any, Drawn]] = {}

    def __init__(self) -> None:
        super().__init__()
        made = self.make()
        definition = made if isinstance(made, Definition) else bind(made)
        self._own = _invariants(type(self))
        self._pool: list[Event] = []
        self.play = Play(
            Terms(
                definition=definition,
                effects=self.effects,
                connect=self.connect,
                may_raise=self.may_raise,
                may_drop=self.may_drop,
                watch=self._check_own,
                machine=type(self),
            )
        )

    # What a user says.

    def make(self) -> Workflow[Any] | Definition:
        """The workflow, with new fakes: called once for each example."""
        raise NotImplementedError

    def effects(self) -> object:
        """What the fakes hold by now, to be compared with ==.

        A repeated call under the same key must not change it, and a run that was undone must leave it as it found it.
        So it has what a run does and undoes (a hold, a booking), and not what stays (a log of calls).
        """
        return None

    def connect(self) -> Any:
        """Open the database that transactional steps work in (DB-API), with its tables."""
        message = f"{type(self).__name__}: the workflow has a transactional step; say in connect() what it works in"
        raise NotImplementedError(message)

    @property
    def snapshot(self) -> Snapshot[Any]:
        """The run as it is."""
        return self.play.snapshot

    @property
    def data(self) -> Any:
        """The run's data as it is."""
        return self.play.snapshot.data

    @classmethod
    def replay(cls) -> Play:
        """A new play of this workflow, with all that it is held to, for a test that was printed."""
        return cls().play

    # What happens.

    @initialize(data=st.data())
    def _it_begins(self, data: st.DataObject) -> None:
        code = self.play.definition.code
        first = data.draw(self._drawn(code.data), "the data")
        self._pool = [data.draw(self._drawn(kind), "an event for its end") for kind in code.events.values()]
        self.play.begin(first)
        # All goes well so far; otherwise few would come far, where each act may as well be a failure, a death, the end.
        far = data.draw(
            st.integers(0, len(self.play.steps) + len(self._pool)), "how far it is when others begin to act"
        )
        while far and not self.play.over and self._goes_on(data):
            far -= 1

    @precondition(lambda self: self.play.definition.events and not self.play.over)
    @rule(data=st.data(), eager=st.integers(0, 4), queued=st.booleans())
    def _an_event_comes(self, data: st.DataObject, eager: int, queued: bool) -> None:
        play = self.play
        names = play.accepted if eager and play.accepted else play.definition.events
        kind = play.definition.code.events[data.draw(st.sampled_from(names))]
        play.send(data.draw(self._drawn(kind)), queued=queued)

    def _goes_on(self, data: st.DataObject) -> bool:
        play = self.play
        if play.running:
            play.succeed(data.draw(st.sampled_from(play.running)))
        elif play.undoing:
            play.undo()
        elif play.accepted and not play.snapshot.paused:
            play.send(data.draw(self._drawn(play.definition.code.events[data.draw(st.sampled_from(play.accepted))])))
        else:
            return False
        return True

    @precondition(lambda self: self.play.running)
    @rule(data=st.data())
    def _a_step_succeeds(self, data: st.DataObject) -> None:
        self.play.succeed(data.draw(st.sampled_from(self.play.running)))

    @precondition(lambda self: self.play.running)
    @rule(data=st.data(), effect=st.sampled_from(["before", "after"]), final=st.booleans())
    def _a_step_fails(self, data: st.DataObject, effect: Any, final: bool) -> None:
        step = data.draw(st.sampled_from(self.play.running))
        self.play.fail(step, effect, final=final and bool(self.play.steps[step].retry.never))

    @precondition(lambda self: self.play.running)
    @rule(data=st.data())
    def _an_answer_is_lost_and_the_step_tried_again(self, data: st.DataObject) -> None:
        play = self.play
        step = data.draw(st.sampled_from(play.running))
        play.fail(step, "after")
        if step not in play.running and play.can_elapse:
            play.elapse()
        if step in play.running:
            play.succeed(step)

    @precondition(lambda self: self._may_decline())
    @rule(data=st.data())
    def _a_step_declares_an_error(self, data: st.DataObject) -> None:
        step, error = data.draw(st.sampled_from(self._may_decline()))
        self.play.decline(step, error)

    def _may_decline(self) -> list[tuple[str, str]]:
        """Declared errors by step. Once it was called, the effect may be there, and the receiver knows its key."""
        play = self.play
        return [(name, error) for name in play.running if not play.touched(name) for error in play.steps[name].errors]

    @precondition(lambda self: self.play.cancelling)
    @rule(data=st.data(), effect=st.sampled_from(["before", "after"]))
    def _a_cancelled_step_ends(self, data: st.DataObject, effect: Any) -> None:
        self.play.stop(data.draw(st.sampled_from(self.play.cancelling)), effect)

    @precondition(lambda self: self.play.undoing)
    @rule()
    def _an_undo_succeeds(self) -> None:
        self.play.undo()

    @precondition(lambda self: self.play.undoing)
    @rule(effect=st.sampled_from(["before", "after"]))
    def _an_undo_fails(self, effect: Any) -> None:
        self.play.fail_undo(effect)

    @precondition(lambda self: self.play.can_elapse)
    @rule()
    def _time_passes(self) -> None:
        self.play.elapse()

    @_live
    @rule(data=st.data())
    def _the_process_dies(self, data: st.DataObject) -> None:
        play = self.play
        under_way = [name for name in play.running if play.steps[name].kind != "transactional"]
        if play.undoing and play.steps[play.undoing].kind != "transactional":
            under_way.append(f"undo {play.undoing}")
        done = data.draw(st.lists(st.sampled_from(under_way), unique=True)) if under_way else []
        play.crash(after=tuple(done))

    @_live
    @rule(urge=st.integers(0, 4))
    def _somebody_cancels(self, urge: int) -> None:
        if urge == 4:  # rarely, or few runs would come far
            self.play.cancel()

    @_live
    @rule(urge=st.integers(0, 2))
    def _somebody_pauses_or_resumes(self, urge: int) -> None:
        if self.play.snapshot.paused:
            self.play.resume()
        elif urge == 2:
            self.play.pause()

    @precondition(lambda self: self.play.incidents)
    @rule(verb=st.sampled_from(["retry", "skip", "done"]))
    def _somebody_decides(self, verb: Any) -> None:
        incident = self.play.incidents[0]
        if verb == "retry" and not self.play.may_repeat(incident):
            verb = "done"
        elif incident.kind == "conflict":
            pass
        elif incident.kind in {"handler", "result"}:
            verb = "retry"
        elif incident.kind != "undo" and verb == "skip" and self.play.was_done(incident):
            verb = "done"
        self.play.resolve(verb)

    @precondition(lambda self: self.play.over)
    @rule()
    def _nothing_happens(self) -> None:
        """The run is over; hypothesis wants a rule all the same."""

    @classmethod
    def _drawn(cls, kind: Any) -> Drawn:
        known = cls.__dict__.get("_strategies")
        if known is None:
            known = cls._strategies = {}  # one class has one set, whatever it derives from
        if kind not in known:
            known[kind] = of_type(kind, cls.draws)
        return known[kind]

    # What is checked, and when it is over.

    def _check_own(self) -> None:
        for method, conditions in self._own:
            if all(condition(self) for condition in conditions):
                _hold(method, self)

    def teardown(self) -> None:
        """Lead the run to an end, unless something was found."""
        try:
            if self.play.begun and not self.play.found:
                self.play.end(self._pool)
        finally:
            self.play.close()


def _hold(invariant: Callable[[Any], Any], machine: WorkflowMachine) -> None:
    try:
        invariant(machine)
    except Exception as error:
        error.add_note(f"invariant {invariant.__name__} does not hold")
        raise


def _invariants(kind: type) -> list[tuple[Callable[[Any], Any], tuple[Callable[[Any], bool], ...]]]:
    """The user's invariants with their preconditions: so that they are checked in a replay, too, and after each act."""
    marked = (getattr(method, INVARIANT_MARKER, None) for _, method in inspect.getmembers(kind))
    return [(one.function, one.preconditions) for one in marked if one is not None]
