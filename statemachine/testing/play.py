"""Plays a workflow act by act on the pure core, calling its steps for real, and holds it to what must always hold.

A play is a runner without a file, a clock that runs or a thread: each act is one thing that can happen to a run (an
event comes, a step takes effect and its answer is lost, the process dies), done at once and the same every time.
After every act the promises are checked (see `Watched`).
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from statemachine.commands import RunStep, Undo
from statemachine.errors import NotStored, RefusedVerb, TooLarge
from statemachine.events import Event
from statemachine.inputs import (
    Cancel,
    Elapsed,
    Failed,
    IncidentVerb,
    Lost,
    Pause,
    Resolve,
    Resume,
    Stopped,
    Succeeded,
    UndoFailed,
    Undone,
)
from statemachine.snapshot import Failure, Incident
from statemachine.testing.host import Host
from statemachine.testing.script import Act, shortly
from statemachine.testing.watching import Watched

P = ParamSpec("P")
R = TypeVar("R")
Effect = Literal["before", "after"]
"""Where an attempt broke off: before its effect, or after."""
GUILTY = 3
"""Crashes in a row after which a step becomes an incident; see promise 4."""
LOST = Failure("StepTimeout", "no result in time")


def act(
    say: str | Callable[..., str],
) -> Callable[[Callable[Concatenate[Play, P], R]], Callable[Concatenate[Play, P], R]]:
    """Makes a method an act: written down, followed by a check of what must hold, and told when that fails.

    Args:
        say: What the picture says of it: a text with the method's parameters in braces, or a function of them.
    """

    def of(method: Callable[Concatenate[Play, P], R]) -> Callable[Concatenate[Play, P], R]:
        signature = inspect.signature(method)

        def words(*arguments: Any, **options: Any) -> str:
            if not isinstance(say, str):
                return say(*arguments, **options)
            bound = signature.bind(None, *arguments, **options)
            bound.apply_defaults()
            return say.format(**{name: shortly(value).strip("'") for name, value in bound.arguments.items()})

        @wraps(method)
        def do(self: Play, /, *arguments: P.args, **options: P.kwargs) -> R:
            given: dict[str, Any] = {name: value for name, value in options.items() if value}
            done = Act(method.__name__, arguments, given, words(*arguments, **options))
            self.script.append(done)
            try:
                result = method(self, *arguments, **options)
                done.led = self.place
                self.look()
            except Exception as error:
                self.tell_story(error)
                raise
            return result

        return do

    return of


def _came(event: Event, *, queued: bool = False) -> str:
    return f"{shortly(event)}{' (queued)' if queued else ''}"


def _died(after: Iterable[str] = ()) -> str:
    done = ", ".join(after)
    return f"the process dies after the effect of {done}" if done else "the process dies"


class Play(Watched):
    """See the module. `begin` comes first; then whatever the run allows: see `running`, `cancelling`, `undoing`."""

    # Acts: the run and its events.

    @act("begins with {data}")
    def begin(self, data: object) -> None:
        """Start the run."""
        self._first = copy.deepcopy(self.terms.effects())
        with self._handlers():
            self._host = Host(self.definition, data, run="run-1")

    @act(_came)
    def send(self, event: Event, *, queued: bool = False) -> str:
        """Send an event. Gives what became of it: accepted, deferred, or why it was refused."""
        name = self._names[type(event)]
        with suppress(NotStored, TooLarge):
            self._keep.event("run-1", name, event)
            return self._receive(name, event, queued=queued)
        return "not storable"

    @act("time passes until the next deadline")
    def elapse(self) -> None:
        """The next deadline is reached."""
        timer = min(self.snapshot.timers, key=lambda timer: (timer.due, timer.number))
        self.host.now = max(self.host.now, timer.due)
        self.host.timers.pop(timer.number)
        with self._handlers():
            self._tell(Elapsed(timer.number))

    # Acts: steps.

    @act("step {step} succeeds")
    def succeed(self, step: str) -> None:
        """The attempt of a step is made, and its outcome recorded, whatever it is."""
        command = self._take(step)
        self._settle(command.visit, self._performer.step(self.snapshot, command))

    @act("step {step} fails {effect} its effect")
    def fail(self, step: str, effect: Effect = "before", *, final: bool = False) -> None:
        """The attempt of a step times out, before or after its effect. `final`: it raised what is never tried again."""
        command = self._take(step)
        if effect == "after":
            self._performer.unseen(self.snapshot, command)
        effective = self.steps[step].kind != "transactional"
        self._settle(command.visit, Failed(step, command.visit, LOST, final=final, effect=effective))

    @act("step {step} raises {error}")
    def decline(self, step: str, error: str) -> None:
        """The attempt of a step raises a declared error, so it had no effect. `error` is as `errors` lists it."""
        command = self._take(step)
        arm = self.steps[step].errors.index(error)
        self._settle(command.visit, Failed(step, command.visit, Failure(error, "declared"), arm=arm))

    @act("the cancelled attempt of {step} ends {effect} its effect")
    def stop(self, step: str, effect: Effect = "before") -> None:
        """A cancelled attempt ends, before or after its effect; nobody hears its outcome."""
        visit = next(visit for visit, command in self.host.cancelling.items() if command.step == step)
        del self.host.cancelling[visit]
        key = self._account.key(visit)
        if effect == "after" and key is not None:
            self._performer.unseen(self.snapshot, RunStep(step, visit, 1, key))
        self._settle(visit, Stopped(visit))

    def touched(self, step: str) -> bool:
        """Whether the step whose attempt is under way was called before, in this visit."""
        return self._running(step).key in self._performer.touched

    def _running(self, step: str) -> RunStep:
        found = [command for command in self.host.running.values() if command.step == step]
        assert found, f"no attempt of {step!r} is under way; these are: {', '.join(self.running) or 'none'}"
        return found[0]

    def _take(self, step: str) -> RunStep:
        return self.host.running.pop(self._running(step).visit)

    def _settle(self, visit: int, told: Succeeded | Failed | Stopped) -> None:
        with self._handlers():
            self._tell(told)
        if isinstance(told, Succeeded):
            self._account.told(self.snapshot, visit, "done")
        elif isinstance(told, Failed) and (told.arm is not None or not told.effect):
            self._account.told(self.snapshot, visit, "harmless")
        else:
            self._account.told(self.snapshot, visit, "unknown")

    # Acts: undos.

    @act("the undo succeeds")
    def undo(self) -> None:
        """The undo that is asked for is made, and its outcome recorded, whatever it is."""
        undo = self._take_undo()
        told = self._performer.undo(self.snapshot, undo)
        self._tell(told)
        if isinstance(told, Undone):
            self._account.undo_recorded(undo.visit)
        else:
            self._again[undo.visit] = self._again.get(undo.visit, 0) + 1
            assert self._again[undo.visit] < 10, f"the undo of {undo.step!r} never succeeds: {told.failure.message}"

    @act("the undo fails {effect} its effect")
    def fail_undo(self, effect: Effect = "before") -> None:
        """The undo that is asked for times out, before or after its effect."""
        undo = self._take_undo()
        if effect == "after" and self.steps[undo.step].kind != "transactional":
            self._performer.undo(self.snapshot, undo)
        self._tell(UndoFailed(undo.visit, LOST))

    def _take_undo(self) -> Undo:
        undo, self.host.undoing = self.host.undoing, None
        assert undo is not None, "no undo is under way"
        return undo

    # Acts: people.

    @act("somebody cancels")
    def cancel(self) -> bool:
        """Cancel the run. Gives whether that was not refused."""
        try:
            self._tell(Cancel("ops", "a test"))
        except RefusedVerb:
            return False
        return True

    @act("somebody pauses it")
    def pause(self) -> None:
        """Pause the run."""
        self._tell(Pause("ops", "a test"))

    @act("somebody resumes it")
    def resume(self) -> None:
        """Go on."""
        with self._handlers():
            self._tell(Resume("ops", "a test"))

    @act("somebody decides the incident: {verb}")
    def resolve(self, verb: IncidentVerb) -> None:
        """A person decides the oldest incident, truly: what they say was done and was not, they do by hand first."""
        incident = self.incidents[0]
        if incident.kind == "undo":
            self._resolve_undo(verb, incident)
            return
        done = incident.kind == "conflict" or verb == "done"
        if verb == "skip" and not done:
            assert not self.was_done(incident), "'skip' says that the step had no effect, and it was called"
        if verb == "done" and not self.was_done(incident):
            self._by_hand(incident)
        if verb == "retry":
            key = self._account.key(incident.visit) or ""
            self._performer.forwards.pop(key, None)
        with self._handlers():
            self._tell(Resolve(incident.number, verb, "ops", "a test"))
        if verb != "retry" and incident.step is not None:
            self._account.told(self.snapshot, incident.visit, "done" if done else "harmless")

    def _by_hand(self, incident: Incident) -> None:
        key = self._account.key(incident.visit)
        if incident.step is not None and key is not None:
            self._performer.step(self.snapshot, RunStep(incident.step, incident.visit, 1, key))

    def _resolve_undo(self, verb: IncidentVerb, incident: Incident) -> None:
        if verb == "done" and self._undo is not None:
            self._performer.undo(self.snapshot, self._undo)
        self._tell(Resolve(incident.number, verb, "ops", "a test"))
        if verb == "done":
            self._account.undo_recorded(incident.visit)
        elif verb == "skip":
            self._account.leave(incident.visit)

    # Acts: the process.

    @act(_died)
    def crash(self, after: Iterable[str] = ()) -> None:
        """The process dies and another goes on from the bytes. `after`: what had just taken effect, unrecorded."""
        for name in after:
            if self.host.undoing is not None and name == f"undo {self.host.undoing.step}":
                self._performer.undo(self.snapshot, self.host.undoing)
            else:
                self._performer.unseen(self.snapshot, self._running(name))
        undoing = self.host.undoing
        self.host.crash()
        self._recover(undoing)

    def _recover(self, undoing: Undo | None) -> None:
        """What a runner does when it finds that its predecessor died."""
        if undoing is not None and not self.snapshot.paused:
            self.undo_crashes[undoing.visit] = crashes = self.undo_crashes.get(undoing.visit, 0) + 1
            if crashes >= GUILTY:
                self._undo, self.host.undoing = undoing, None
                self._tell(Lost(undoing.step, undoing.visit, crashes, undo=True))
        for pending in self.snapshot.pending:
            if pending.waiting or pending.incident:
                continue
            died = not self.snapshot.paused
            self.crashes[pending.visit] = crashes = self.crashes.get(pending.visit, 0) + died
            if (died and crashes >= GUILTY) or self.steps[pending.step].kind == "at-most-once":
                self.host.running.pop(pending.visit, None)
                self._tell(Lost(pending.step, pending.visit, crashes))

    # Acts: to the end.

    def end(self, events: Iterable[Event] = (), most: int = 60) -> None:
        """Lead the run to an end: by what it waits for, else by these events, else by cancelling it."""
        tries = [event for event in events for _ in range(3)]
        for _ in range(most):
            if self.over:
                return
            if not self._go_on() and not self._send_one(tries):
                break
        if not self.over and self.cancel():
            self._unwind()

    def _send_one(self, events: list[Event]) -> bool:
        """Send the first of these events that is taken; each is tried once. False: none is."""
        while events:
            event = events.pop(0)
            if self._names[type(event)] in self.accepted:
                if self.send(event) == "accepted":
                    return True
                self.script.pop()  # refused, so it belongs to no path
        return False

    def _go_on(self) -> bool:
        """Do one thing that the run waits for. False: it waits for an event."""
        if self.snapshot.paused:
            self.resume()
        elif self.cancelling:
            self.stop(self.cancelling[0])
        elif self.undoing:
            self.undo()
        elif self.incidents:
            self.resolve("retry" if self.may_repeat(self.incidents[0]) else "done")
        elif self.running:
            self.succeed(self.running[0])
        elif self.snapshot.timers:
            self.elapse()
        else:
            return False
        return True

    @act("everything is undone that must be")
    def _unwind(self) -> None:
        for _ in range(1000):
            if self.over or not self._go_on():
                break
        assert self.over, f"it was cancelled, and does not end: {self.place}"
