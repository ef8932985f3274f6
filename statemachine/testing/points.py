"""Crash points: every place where a commit or an effect begins or ends, by name, for a test to die, fail or look at.

A point is called `before X` or `after X`, where X is

* what a commit records: a kind of input (`start`, `event`, `succeeded`, `failed`, `timer`, `undone`, `cancel`, …: the
  tags of `statemachine.inputs.Input`), or what a commit without one is for: `mark` and `unmark` (the owner says that it
  works, and counts what ran when the last one died; or closes in peace), `hold` (runs no workflow here can move),
  `halt` and `unhalt` (work that a person holds back, and releases), `want` (which notices are written) and `notice`
  (that one was delivered), `answer` (the verdict on a client's message), `save` (the progress of a step);
  `items` (which there are for a step that is done for each of many), `item` and `item-undone` (what came of one);
  `wait` (an attempt stands in line) and `begin` (one that did begins);
* `transaction`: the commit that a transactional step works in. Once its SQL has run, `before succeeded` (or `before
  undone`) is passed inside that commit;
* `claim`, `release` (of the journal by its owner), `put` (a client's message);
* `step NAME` or `undo NAME`: the function itself, around its effect.

A commit of several transitions passes a point for each kind that it records. Nothing in the product knows of points:
they stand in a journal that wraps another, and around a definition's functions::

    hook = KillAt("before succeeded", nth=2)
    journal = watched(SQLiteJournal("app.db"), hook)
    with Runner(journal, [watched_steps(LoanApproval(bureau, bank), hook)]) as runner:
        ...                                     # this process dies before the second recorded success

To see what a scenario passes, give `list.append` of a list as the hook; to fail there instead, a hook that raises.
"""

from __future__ import annotations

import inspect
import os
import signal
import threading
import typing
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

import attrs

from persistence import Change, Journal, LiveGroup, MessageRecord, Pruned, Work
from statemachine.definition import Definition, Function
from statemachine.inputs import Input
from statemachine.workflow import Workflow, bind

T = TypeVar("T")
Hook = Callable[[str], object]
"""Called with the name of each point, in the thread that passes it. It may raise, or never come back."""

KINDS: tuple[str, ...] = (*(str(kind.__struct_config__.tag) for kind in typing.get_args(Input)), "erase")
"""What an entry of the journal can record: the kinds of transition, and that the run was erased."""
UNTOLD = (
    "mark",
    "unmark",
    "hold",
    "halt",
    "unhalt",
    "want",
    "notice",
    "answer",
    "save",
    "items",
    "item",
    "item-undone",
    "wait",
    "begin",
    "transaction",
    "claim",
    "release",
    "put",
    "prune",
)
"""What a commit without an entry is for."""
_READS = {
    *("name", "owner", "run", "runs", "count", "entries", "seen", "due", "next_due", "busy", "attempts", "holds"),
    *("saved", "saves", "backup", "notices", "wanted", "ended"),
    *("inbox", "message", "pulse", "live", "cached", "shelves", "log", "size", "close", "renew", "tidy"),
    *("fan", "fans", "given", "items"),
}
"""What of a journal commits nothing: `renew` writes beside it, `tidy` copies what was committed."""


class Unnamed(AssertionError):
    """A commit has no crash point: what it holds has no name here."""


def journal_points() -> tuple[str, ...]:
    """The names of all points that a watched journal can pass."""
    return tuple(f"{side} {what}" for what in (*KINDS, *UNTOLD) for side in ("before", "after"))


def step_points(workflow: Workflow[Any] | Definition) -> tuple[str, ...]:
    """The names of all points that a workflow's watched steps and undos can pass."""
    return tuple(f"{side} {what}" for what in _named(_definition(workflow)).values() for side in ("before", "after"))


class KillAt:
    """A hook that kills this process (SIGKILL: nothing is cleaned up) at the n-th passing of a point."""

    def __init__(self, point: str, nth: int = 1) -> None:
        self.point = point
        self._left = nth
        self._lock = threading.Lock()

    def __call__(self, point: str) -> None:
        """See `Hook`."""
        if point != self.point:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def watched(journal: Journal, hook: Hook) -> Journal:
    """The journal, telling `hook` each point that it passes.

    Its commits raise `Unnamed` when what they hold has no name, so that none is without a point.
    """
    return cast("Journal", _Watched(journal, hook))


def watched_steps(workflow: Workflow[Any] | Definition, hook: Hook) -> Definition:
    """The workflow, bound, with steps and undos that tell `hook` when they begin and when they end without an error."""
    definition = _definition(workflow)
    functions = dict(definition.code.functions)
    for name, what in _named(definition).items():
        functions[name] = _around(functions[name], what, hook)
    return attrs.evolve(definition, code=attrs.evolve(definition.code, functions=functions))


class _Watched:
    """See `watched`. What it does not name, and is not known to commit nothing, the journal does not have."""

    def __init__(self, journal: Journal, hook: Hook) -> None:
        self._journal = journal
        self._hook = hook

    def __getattr__(self, name: str) -> Any:
        if name not in _READS:
            message = f"Journal.{name} has no crash point"
            raise Unnamed(message)
        return getattr(self._journal, name)

    def claim(self, owner: str, lease: float) -> int:
        return self._pass("claim", lambda: self._journal.claim(owner, lease))

    def release(self, epoch: int) -> None:
        self._pass("release", lambda: self._journal.release(epoch))

    def hold(self, epoch: int, group: LiveGroup, reason: str) -> None:
        self._pass("hold", lambda: self._journal.hold(epoch, group, reason))

    def prune(self, epoch: int, before: int, remember: int, *, dry: bool) -> Pruned:
        return self._pass("prune", lambda: self._journal.prune(epoch, before, remember, dry=dry))

    def put(self, message: MessageRecord, connection: Any = None) -> MessageRecord:
        return self._pass("put", lambda: self._journal.put(message, connection))

    def commit(self, epoch: int, changes: Sequence[Change | Work]) -> list[Exception | None]:
        passed: list[str] = []
        told = [change if isinstance(change, Change) else self._inside(change, passed) for change in changes]
        for change in changes:
            passed.extend(_what(change))
        for what in passed:
            self._hook(f"before {what}")
        failures = self._journal.commit(epoch, told)
        for what in passed:
            self._hook(f"after {what}")
        return failures

    def _inside(self, work: Work, passed: list[str]) -> Work:
        def do(connection: Any) -> Change:
            change = work(connection)
            for what in _what(change):
                passed.append(what)
                self._hook(f"before {what}")
            return change

        return do

    def _pass(self, what: str, do: Callable[[], T]) -> T:
        self._hook(f"before {what}")
        done = do()
        self._hook(f"after {what}")
        return done


def _what(change: Change | Work) -> Iterator[str]:
    """What a change records or is for. Raises Unnamed."""
    if not isinstance(change, Change):
        yield "transaction"
        return
    if not change.entries:
        yield _untold(change)
    for entry in change.entries:
        if entry.kind not in KINDS:
            message = f"A commit records {entry.kind!r}, which is no kind of input."
            raise Unnamed(message)
        yield entry.kind


def _untold(change: Change) -> str:
    if change.run is not None:
        return "hold"
    if change.holds or change.released:
        return "halt" if change.holds else "unhalt"
    if change.wanted is not None or change.delivered:
        return "notice" if change.delivered else "want"
    if change.answers or change.saved:
        return "answer" if change.answers else "save"
    if any(not attempt.run for attempt in change.begun):
        return "mark"
    if any(not run for run, _ in change.ended):
        return "unmark"
    if change.fans:
        return "items"
    if change.items:
        return "item-undone" if change.items[0].back else "item"
    if change.begun or change.ended:
        return "wait" if change.begun else "begin"
    message = f"A commit holds what has no name: {change}"
    raise Unnamed(message)


def _definition(workflow: Workflow[Any] | Definition) -> Definition:
    return workflow if isinstance(workflow, Definition) else bind(workflow)


def _named(definition: Definition) -> dict[str, str]:
    """Function -> what its points are called, for steps and undos."""
    steps = {step.function: f"step {step.name}" for step in definition.steps}
    return steps | {step.undo.function: f"undo {step.name}" for step in definition.steps if step.undo is not None}


def _around(function: Function, what: str, hook: Hook) -> Function:
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def perform(*arguments: Any) -> Any:
            hook(f"before {what}")
            result = await function(*arguments)
            hook(f"after {what}")
            return result

        return perform

    @wraps(function)
    def do(*arguments: Any) -> Any:
        hook(f"before {what}")
        result = function(*arguments)
        hook(f"after {what}")
        return result

    return do
