"""Calls a step that is done for each of many items as its runner would: item by item, each outcome kept once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from statemachine.calls import Call
from statemachine.collected import ItemOutcome
from statemachine.commands import RunStep, Undo, item_key
from statemachine.definition import Definition, Function, StepSpec
from statemachine.errors import DataError, NotStored, TooLarge
from statemachine.inputs import Failed, Succeeded, UndoFailed, Undone
from statemachine.macrostep import failure_of
from statemachine.runner.stored import Stored
from statemachine.snapshot import Failure, Snapshot

CallOnce = Callable[[str, str, Function, tuple[Any, ...]], Any]
"""`(what, key, function, arguments)`: calls it, and holds a repetition under the same key to change nothing."""


class Many:
    """See the module.

    Args:
        definition: The workflow, bound.
        stored: By which results are held to be storable.
        once: How functions are called.
        held: What the fakes hold by now, copied.
    """

    def __init__(self, definition: Definition, stored: Stored, once: CallOnce, held: Callable[[], object]) -> None:
        self._functions = definition.code.functions
        self._exceptions = definition.code.exceptions
        self._stored = stored
        self._once = once
        self._held = held
        self._items: dict[int, list[Any]] = {}
        self._outcomes: dict[tuple[int, int], ItemOutcome[Any]] = {}
        """By visit and number."""
        self._touched: dict[int, set[int]] = {}
        self._undone: dict[int, set[int]] = {}

    def step(self, snapshot: Snapshot[Any], step: StepSpec, command: RunStep, base: Any) -> Succeeded | Failed:
        """Do what is left to do of a visit."""
        visit = command.visit
        items = self._items.setdefault(visit, list(self._functions[step.each or ""](base, None, None)))
        for number, item in enumerate(items):
            if (visit, number) not in self._outcomes:
                failed = self._one(snapshot, step, command, number, (base, item))
                if failed is not None:
                    return failed
        outcomes = [self._outcomes[visit, number] for number in range(len(items))]
        collect = step.failures == "collect"
        results = outcomes if collect else [one.result for one in outcomes]
        return Succeeded(step.name, visit, {}, results if step.into is not None else None)

    def forget(self, visit: int) -> None:
        """The process has died before the last outcome was recorded."""
        there = [number for of, number in self._outcomes if of == visit]
        if there:
            del self._outcomes[visit, there[-1]]

    def _one(
        self, snapshot: Snapshot[Any], step: StepSpec, command: RunStep, number: int, given: tuple[Any, Any]
    ) -> Failed | None:
        """Do one item, with all its attempts; what the step has failed with by that."""
        key, visit = item_key(command.key, number), command.visit
        self._touched.setdefault(visit, set()).add(number)
        deadline = snapshot.now + timedelta(seconds=step.timeout)
        for attempt in range(1, step.retry.attempts + 1):
            call = Call[Any](key=key, run=snapshot.run, attempt=attempt, deadline=deadline)
            try:
                result = self._once(f"step {step.name!r}", key, self._functions[step.function], (*given, call))
            except AssertionError:
                raise  # a fake, or the kit, has something to say
            except Exception as error:  # noqa: BLE001 - whatever else a step raises is its outcome
                arm = next((n for n, name in enumerate(step.errors) if isinstance(error, self._exceptions[name])), None)
                final = arm is not None or isinstance(error, step.retry.never) or attempt == step.retry.attempts
                if final and step.failures == "collect":
                    self._outcomes[visit, number] = ItemOutcome[Any](failure=failure_of(error))
                    return None
                if final:
                    return Failed(step.name, visit, _of_item(number, error), arm=arm, final=True)
            else:
                return self._keep(snapshot.run, step, visit, number, result)
        return None

    def _keep(self, run: str, step: StepSpec, visit: int, number: int, result: Any) -> Failed | None:
        try:
            if step.into is not None:
                self._stored.event(run, step.succeeded_event, result)
        except (DataError, NotStored, TooLarge) as error:
            return Failed(step.name, visit, _of_item(number, error), recorded=False)
        self._outcomes[visit, number] = ItemOutcome[Any](result=result)
        return None

    def undo(self, snapshot: Snapshot[Any], step: StepSpec, command: Undo, data: Any) -> Undone | UndoFailed:
        """Undo what is left to undo of a visit, the last first; also what was not begun, which must be harmless."""
        undo = step.undo
        assert undo is not None, f"step {command.step!r} is to be undone, and has no undo"
        left = snapshot.undoing.left if snapshot.undoing is not None else ()
        undone = self._undone.setdefault(command.visit, set())
        for number in reversed(range(len(self._items.get(command.visit, ())))):
            if number in undone or number in left:
                continue
            key = item_key(command.undoes, number)
            call = Call[Any](
                key=f"{key}:undo",
                run=snapshot.run,
                attempt=command.attempt,
                undoes=key,
                deadline=snapshot.now + timedelta(seconds=undo.timeout),
            )
            nothing = number not in self._touched.get(command.visit, ())
            before = self._held() if nothing else None
            given = (data, self._items[command.visit][number], call)
            try:
                self._once(f"the undo of {step.name!r}", call.key, self._functions[undo.function], given)
            except AssertionError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever an undo raises is its outcome
                final = isinstance(error, undo.retry.never)
                return UndoFailed(command.visit, _of_item(number, error), final=final, item=number)
            assert not nothing or self._held() == before, (
                f"the undo of {step.name!r} has an effect for item {number}, of which nothing was done"
            )
            undone.add(number)
        return Undone(command.visit)


def _of_item(number: int, error: Exception) -> Failure:
    failure = failure_of(error)
    return Failure(failure.type, f"item {number}: {failure.message}", failure.traceback)
