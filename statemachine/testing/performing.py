"""Calls a workflow's steps and undos as its runner would, one at a time and on the spot.

What they do lands in the fakes that the workflow was given. Each call is noted by its key, so that a repetition can be
held to what an idempotency key promises: it changes nothing.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import weakref
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from statemachine.calls import Alone, Call
from statemachine.commands import RunStep, Undo
from statemachine.data import changed, overlay
from statemachine.definition import Definition, Function, StepSpec
from statemachine.errors import DataError, NotStored, TooLarge
from statemachine.inputs import Failed, Succeeded, UndoFailed, Undone
from statemachine.macrostep import failure_of
from statemachine.runner.stored import Stored
from statemachine.snapshot import Snapshot
from statemachine.testing.many import Many


class _Kept(Alone):
    """Keeps what a step saves for its next attempt, and holds it to be storable."""

    def __init__(self, stored: Stored, run: str, step: str) -> None:
        super().__init__()
        self._stored = stored
        self._run = run
        self._step = step

    def save(self, value: Any) -> Awaitable[None]:
        """See `Call.save`."""
        self._stored.saved(self._run, self._step, value)
        return super().save(value)


class Performer:
    """See the module.

    Args:
        definition: The workflow, bound to an object with its fakes.
        stored: By which results are held to be storable.
        effects: What the fakes hold by now; compared around calls that must change nothing.
        connect: Opens the database that transactional steps work in, as DB-API.
    """

    def __init__(
        self, definition: Definition, stored: Stored, effects: Callable[[], object], connect: Callable[[], Any]
    ) -> None:
        self._functions = definition.code.functions
        self._exceptions = definition.code.exceptions
        self._steps = {step.name: step for step in definition.steps}
        self._stored = stored
        self._effects = effects
        self._connect = connect
        self._connection: Any = None
        self._loop = asyncio.new_event_loop()
        self._left = [weakref.finalize(self, self._loop.close)]  # a play is often dropped without being closed
        self._whole: set[str] = set()
        """Keys whose step or undo was called and came back."""
        self.touched: set[str] = set()
        """Keys whose step was called, whatever came of it."""
        self.forwards: dict[str, int] = {}
        """Key -> how often its step was called."""
        self._bases: dict[int, Any] = {}
        self._saved: dict[str, _Kept] = {}
        self._many = Many(definition, stored, self._call_once, self._held)

    def begin(self, snapshot: Snapshot[Any], command: RunStep) -> None:
        """Note what an attempt that begins is given: the data as it was when the visit began, at every attempt."""
        pending = next((pending for pending in snapshot.pending if pending.visit == command.visit), None)
        if pending is None:  # a deferred event, taken in the same transition, has left it again
            self._bases.setdefault(command.visit, snapshot.data)
            return
        base = pending.base if pending.moved else snapshot.data
        assert self._bases.setdefault(command.visit, base) == base, f"{command} is given other data than before"

    def close(self) -> None:
        """Give up the loop and the connection."""
        for leave in self._left:
            leave()

    # Forward.

    def step(self, snapshot: Snapshot[Any], command: RunStep) -> Succeeded | Failed:
        """Attempt a step. Its outcome is told, and what it did in a transaction stays."""
        step = self._steps[command.step]
        if step.each is not None:
            self._note(command.key)
            return self._many.step(snapshot, step, command, self._bases[command.visit])
        try:
            result = self._forward(snapshot, command, keep=True)
        except AssertionError:
            raise  # a fake, or the kit, has something to say
        except Exception as error:  # noqa: BLE001 - whatever else a step raises is its outcome
            return self._failure(step, command, error)
        base = self._bases[command.visit]
        try:
            if step.into is not None:
                self._stored.event(snapshot.run, step.succeeded_event, result)
                return Succeeded(step.name, command.visit, {}, result)
            return Succeeded(step.name, command.visit, changed(base, result))
        except (DataError, NotStored, TooLarge) as error:
            return Failed(step.name, command.visit, failure_of(error), recorded=False)

    def unseen(self, snapshot: Snapshot[Any], command: RunStep) -> None:
        """Attempt a step of whose outcome nobody hears; what it did in a transaction is rolled back."""
        if self._steps[command.step].each is not None:
            self.step(snapshot, command)
            self._many.forget(command.visit)
            return
        try:
            self._forward(snapshot, command, keep=False)
        except AssertionError:
            raise
        except Exception:  # noqa: BLE001, S110 - nobody hears of that, too
            pass

    def _forward(self, snapshot: Snapshot[Any], command: RunStep, *, keep: bool) -> Any:
        step = self._steps[command.step]
        function = self._functions[step.function]
        call = Call[Any](
            key=command.key,
            run=snapshot.run,
            attempt=command.attempt,
            deadline=snapshot.now + timedelta(seconds=step.timeout),
            behind=self._saved.setdefault(command.key, _Kept(self._stored, snapshot.run, step.name)),
        )
        self._note(command.key)
        base = self._bases[command.visit]
        if step.kind == "transactional":
            return self._transact(function, base, call, keep=keep)
        return self._once(f"step {step.name!r}", command.key, lambda: self._call(function, base, call))

    def _note(self, key: str) -> None:
        self.touched.add(key)
        self.forwards[key] = self.forwards.get(key, 0) + 1

    def _failure(self, step: StepSpec, command: RunStep, error: Exception) -> Failed:
        arm = next((n for n, name in enumerate(step.errors) if isinstance(error, self._exceptions[name])), None)
        return Failed(
            step=step.name,
            visit=command.visit,
            failure=failure_of(error),
            arm=arm,
            final=isinstance(error, step.retry.never),
            effect=step.kind != "transactional",
        )

    # Back.

    def undo(self, snapshot: Snapshot[Any], command: Undo) -> Undone | UndoFailed:
        """Attempt an undo."""
        step = self._steps[command.step]
        undo = step.undo
        assert undo is not None, f"step {command.step!r} is to be undone, and has no undo"
        function = self._functions[undo.function]
        data = overlay(snapshot.data, snapshot.undo[-1].fields)
        call = Call(
            key=command.key,
            run=snapshot.run,
            attempt=command.attempt,
            undoes=command.undoes,
            deadline=snapshot.now + timedelta(seconds=undo.timeout),
        )
        if step.each is not None:
            return self._many.undo(snapshot, step, command, data)
        nothing = command.undoes not in self.touched
        before = self._held() if nothing else None
        try:
            if step.kind == "transactional":
                self._transact(function, data, call, keep=True)
            else:
                self._once(f"the undo of {step.name!r}", command.key, lambda: self._call(function, data, call))
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an undo raises is its outcome
            return UndoFailed(command.visit, failure_of(error), final=isinstance(error, undo.retry.never))
        assert not nothing or self._held() == before, (
            f"the undo of {step.name!r} has an effect where there is nothing to undo: "
            f"{before!r} became {self._held()!r}"
        )
        return Undone(command.visit)

    # Either.

    def _once(self, what: str, key: str, call: Callable[[], Any]) -> Any:
        """Call, and hold a repetition to have no effect of its own."""
        if key not in self._whole:
            result = call()
            self._whole.add(key)
            return result
        before = self._held()
        result = call()
        assert self._held() == before, (
            f"{what} is not idempotent: called again under the key {key!r} it changed the effects from "
            f"{before!r} to {self._held()!r}"
        )
        return result

    def _call_once(self, what: str, key: str, function: Function, arguments: tuple[Any, ...]) -> Any:
        return self._once(what, key, lambda: self._call(function, *arguments))

    def _held(self) -> object:
        return copy.deepcopy(self._effects())

    def _call(self, function: Function, *arguments: Any) -> Any:
        if inspect.iscoroutinefunction(function):
            return self._loop.run_until_complete(function(*arguments))
        return function(*arguments)

    def _transact(self, function: Function, data: Any, call: Call, *, keep: bool) -> Any:
        if self._connection is None:
            self._connection = self._connect()
            self._left.append(weakref.finalize(self, self._connection.close))
        try:
            result = function(data, self._connection, call)
        except BaseException:
            self._connection.rollback()
            raise
        if keep:
            self._connection.commit()
        else:
            self._connection.rollback()
        return result
