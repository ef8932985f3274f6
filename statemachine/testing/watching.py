"""A run under test, watched: what it is like by now, and what must hold of it after whatever has been done to it.

The promises are checked against an account of its own (`account`) and against what the fakes hold; a failure carries
the path that led to it, and a test that repeats it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from statemachine.commands import Undo
from statemachine.definition import Definition, Function, StepSpec
from statemachine.errors import EndlessLoop, HandlerFailed
from statemachine.events import Event
from statemachine.inputs import Input, Received
from statemachine.snapshot import Incident, Occurrence, Snapshot
from statemachine.testing.account import Account
from statemachine.testing.host import Host, stored
from statemachine.testing.performing import Performer
from statemachine.testing.script import Act, picture, pytest_function, shortly
from statemachine.transition import Outcome, accepted_events, transition


@attrs.frozen(kw_only=True)
class Terms:
    """What a play is held to, and where its effects land.

    Attributes:
        definition: The workflow, bound to an object with its fakes.
        effects: What the fakes hold by now; anything that can be copied and compared.
        connect: Opens the database of transactional steps, as DB-API.
        may_raise: What guards and handlers may raise on purpose.
        may_drop: Events that a run may keep deferred and end without.
        watch: Checks what its user wants checked, after every act.
        machine: The class whose `replay` gives such a play.
    """

    definition: Definition
    effects: Callable[[], object]
    connect: Callable[[], Any]
    may_raise: tuple[type[BaseException], ...] = ()
    may_drop: tuple[type[Event], ...] = ()
    watch: Callable[[], None] = lambda: None
    machine: type = object


class Watched:
    """See the module."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._handled: set[str] = set()
        self.definition = _telling(terms.definition, self._handled)
        self.steps: dict[str, StepSpec] = {step.name: step for step in self.definition.steps}
        self.script: list[Act] = []
        self.events: list[Event] = []
        """Events that were acknowledged, in their order."""
        self.crashes: dict[int, int] = {}
        self.undo_crashes: dict[int, int] = {}
        self._keep = stored(self.definition)
        self._names = {kind: name for name, kind in self.definition.code.events.items()}
        self._performer = Performer(self.definition, self._keep, terms.effects, terms.connect)
        self._account = Account(self.definition)
        self._host: Host | None = None
        self._noticed = 0
        self._deferred: dict[str, Event] = {}
        self._undo: Undo | None = None
        self._again: dict[int, int] = {}
        self._sent = 0
        self._first: object = None
        self._ended = False
        self.found = False
        """Whether something did not hold."""

    # What it is like by now.

    @property
    def host(self) -> Host:
        """The simulated host."""
        assert self._host is not None, "the play has not begun: call begin(data) first"
        return self._host

    @property
    def begun(self) -> bool:
        """Whether the run was started."""
        return self._host is not None

    @property
    def snapshot(self) -> Snapshot[Any]:
        """The run as it is."""
        return self.host.snapshot

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.snapshot.over

    @property
    def place(self) -> str:
        """Where the run is, in words."""
        snapshot = self.snapshot
        marks: list[str] = [snapshot.status] if snapshot.status != "running" else []
        marks += ["paused"] if snapshot.paused else []
        marks += [f"incident: {incident.kind}" for incident in snapshot.incidents]
        return ", ".join(snapshot.states) + (f"  ({', '.join(marks)})" if marks else "")

    @property
    def running(self) -> tuple[str, ...]:
        """Steps of which an attempt is under way."""
        return tuple(command.step for command in self.host.running.values())

    @property
    def cancelling(self) -> tuple[str, ...]:
        """Steps of which an attempt was cancelled and has not ended."""
        return tuple(command.step for command in self.host.cancelling.values())

    @property
    def undoing(self) -> str | None:
        """The step whose undo is under way."""
        return self.host.undo_under_way()

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """What needs a person."""
        return self.snapshot.incidents

    @property
    def can_elapse(self) -> bool:
        """Whether there is a deadline that time can reach."""
        return bool(self.snapshot.timers) and not self.snapshot.paused

    @property
    def accepted(self) -> tuple[str, ...]:
        """Names of the events that have a transition now, guards aside."""
        return accepted_events(self.definition, self.snapshot)

    def was_done(self, incident: Incident) -> bool:
        """Whether the step of an incident was called, so that nobody may say that it had no effect."""
        step = self.steps.get(incident.step or "")
        rolled_back = step is not None and step.kind == "transactional"
        return not rolled_back and self._account.key(incident.visit) in self._performer.touched

    def may_repeat(self, incident: Incident) -> bool:
        """Whether somebody who has asked the receiver may have the step run again: not what is at most once and was."""
        step = self.steps.get(incident.step or "")
        once = step is not None and step.kind == "at-most-once" and incident.kind != "undo"
        return incident.kind != "conflict" and not (once and self.was_done(incident))

    def close(self) -> None:
        """Give up what it holds."""
        self._performer.close()

    def _receive(self, name: str, event: Event, *, queued: bool) -> str:
        paused = self.snapshot.paused
        occurrence = Occurrence(name, event, id=f"event-{len(self.host.inputs)}", at=self.host.now)
        verdict = "refused"
        with self._handlers():
            verdict = self._tell(Received(occurrence, queued=queued)).verdict
        if verdict in {"accepted", "deferred"}:
            self.events.append(event)
        if verdict == "deferred" and not paused and not isinstance(event, self.terms.may_drop):
            self._deferred[occurrence.id] = event
        return verdict

    # What must hold.

    def _tell(self, told: Input) -> Outcome:
        before = self.snapshot if self.begun else None
        outcome = self.host.tell(told)
        if before is not None and self._deferred and outcome.verdict in {"accepted", "deferred"}:
            self._see_that_none_is_lost(before, told, outcome)
        return outcome

    def _see_that_none_is_lost(self, before: Snapshot[Any], told: Input, outcome: Outcome) -> None:
        """A deferred event that waits no more was handled, or dropped because the run is undone."""
        kept = {occurrence.id for occurrence in outcome.snapshot.deferred}
        for occurrence in before.deferred:
            event = self._deferred.get(occurrence.id)
            if event is None or occurrence.id in kept:
                continue
            del self._deferred[occurrence.id]
            if occurrence.id in self._handled or outcome.snapshot.ending is not None:
                continue
            others = tuple(other for other in before.deferred if other.id != occurrence.id)
            without = msgspec.structs.replace(before, deferred=others)
            again = transition(self.definition, without, told, self.host.now)
            assert _but_deferred(again.snapshot) != _but_deferred(outcome.snapshot), (
                f"{shortly(event)} was acknowledged and deferred, and is lost: nothing has handled it, and it waits no "
                f"more in {', '.join(outcome.snapshot.states)}"
            )

    def _handlers(self) -> Handlers:
        return Handlers(self.terms.may_raise)

    def look(self) -> None:
        """Check what must hold; done after each act."""
        self._notice()
        self._deliver()
        snapshot = self.snapshot
        assert snapshot.seq == len(self.host.inputs), "a transition was not one commit"
        self._see_incidents()
        self._see_once()
        if snapshot.over and not self._ended:
            self._ended = True
            self._see_end()
        elif self._at_rest() and not self.accepted:
            message = f"nothing leads on from {', '.join(snapshot.states)}: the run can never end by itself"
            raise AssertionError(message)
        self.terms.watch()

    def _notice(self) -> None:
        host = self.host
        for command in host.begun[self._noticed :]:
            self._account.begun(command)
            self._performer.begin(host.snapshot, command)
        self._noticed = len(host.begun)
        self._account.look(host.snapshot)
        if host.undoing is not None and host.undoing != self._undo:
            self._undo = host.undoing
            self._account.undoing(host.undoing)

    def _deliver(self) -> None:
        """What the run sent to itself arrives."""
        while self._sent < len(self.host.sent):
            sent = self.host.sent[self._sent]
            self._sent += 1
            if sent.to == self.snapshot.run and not self.over:
                self._receive(sent.name, sent.value, queued=True)
                self._notice()

    def _see_incidents(self) -> None:
        for incident in self.incidents:
            named = incident.failure.type if incident.failure is not None else ""
            allowed = named in {kind.__qualname__ for kind in self.terms.may_raise}
            assert incident.kind not in {"handler", "result"} or allowed, incident.message

    def _see_once(self) -> None:
        for visit, name in self._account.steps.items():
            times = self._performer.forwards.get(self._account.key(visit) or "", 0)
            assert self.steps[name].kind != "at-most-once" or times <= 1, (
                f"step {name!r} ran {times} times, not at most once"
            )

    def _at_rest(self) -> bool:
        snapshot = self.snapshot
        waits = snapshot.pending or snapshot.stopping or snapshot.timers or snapshot.incidents or snapshot.children
        return snapshot.status == "running" and not snapshot.paused and not waits

    def _see_end(self) -> None:
        whole = self._account.ended(self.snapshot)
        self.host.ended()
        assert self.host.retold() == self.snapshot, "its inputs folded again give another run"
        if whole:
            left = self.terms.effects()
            assert left == self._first, (
                f"the run was undone, and its effects were not: they were {self._first!r} and are {left!r}"
            )

    # What is said when it does not.

    def tell_story(self, error: BaseException) -> None:
        """Have the error carry the path and the test that repeats it; the innermost act does."""
        if not self.found:
            self.found = True
            first = str(error).partition("\n")[0] or " ".join(getattr(error, "__notes__", [type(error).__name__]))
            for one in self.script:
                one.led = one.led or (self.place if self.begun else "")
            error.add_note(f"\nThe path of the run:\n\n{picture(self.script, first)}\n")
            error.add_note(f"The same as a test:\n\n{self.as_test(first)}")

    def as_test(self, why: str = "") -> str:
        """The script as a pytest function."""
        return pytest_function(self.terms.machine, self.script, why)


class Handlers:
    """A guard or handler that raises is a defect of the workflow, unless its user says that it may."""

    def __init__(self, may_raise: tuple[type[BaseException], ...]) -> None:
        self._may_raise = may_raise

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, HandlerFailed | EndlessLoop):
            return False
        if isinstance(error.__cause__, self._may_raise):
            return True
        message = f"a guard or handler of the workflow raised: {error}"
        raise AssertionError(message) from error


def _telling(definition: Definition, handled: set[str]) -> Definition:
    """The definition, noting the id of each event that an action of a transition is given."""

    def told(function: Function) -> Function:
        def do(data: Any, occurrence: Occurrence, scope: Any) -> Any:
            handled.add(occurrence.id)
            return function(data, occurrence, scope)

        return do

    code = definition.code
    actions = {action for transition in definition.transitions for action in transition.actions}
    functions = {name: told(function) if name in actions else function for name, function in code.functions.items()}
    return attrs.evolve(definition, code=attrs.evolve(code, functions=functions))


def _but_deferred(snapshot: Snapshot[Any]) -> Snapshot[Any]:
    return msgspec.structs.replace(snapshot, deferred=())
