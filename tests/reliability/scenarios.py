"""The scenarios: for each kind of transition, a play that makes it, and whatever must have happened before.

A play is made again from its start after a death; its moves carry ids, so that what happened before happens once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime

import attrs

from persistence import Fenced, Owned, SQLiteJournal
from persistence.contract import start as late
from statemachine import RefusedVerb, Run, Runner
from tests.reliability.desk import Desk, insist, until
from tests.reliability.errand import (
    Ask,
    Confirm,
    Errand,
    Job,
    Linger,
    Many,
    Memo,
    MemoSince,
    Notify,
    Reject,
    Rest,
    Try,
)

Play = Callable[[Desk], None]
GONE = ("gone-1", "gone-2")
"""Runs that are pruned."""


@attrs.frozen
class Scenario:
    """`before` was played first, each play killed at its point, or to its end where that is empty."""

    title: str
    play: Play
    before: tuple[tuple[Play, str], ...] = ()


def one(moves: Callable[[Desk, Run[Job]], None], trouble: str = "") -> Play:
    """A play of one run in one life: started, moved, and waited for."""

    def play(desk: Desk) -> None:
        with desk.runner() as runner:
            run = desk.start(runner, "r", trouble)
            moves(desk, run)
            desk.end(run)

    return play


def sending(*events: object) -> Callable[[Desk, Run[Job]], None]:
    """Moves that send events, each once the run takes it."""

    def moves(desk: Desk, run: Run[Job]) -> None:
        for number, event in enumerate(events):
            desk.send(run, event, f"event-{number}")

    return moves


def only_start(desk: Desk) -> None:
    """Two starts, one of them again with the same id."""
    with desk.runner() as runner:
        for name in ("a", "b", "a"):
            run = desk.start(runner, name)
            desk.reach(run, "waiting")


def cancel(desk: Desk, run: Run[Job]) -> None:
    """Cancel while a step runs that must be stopped first."""
    desk.send(run, Linger())
    desk.verb(run, "cancel")


def kill(desk: Desk, run: Run[Job]) -> None:
    """Kill: nothing is undone."""
    desk.reach(run, "waiting", "")
    desk.verb(run, "kill")


def pause(desk: Desk, run: Run[Job]) -> None:
    """An event waits while the run is paused."""
    desk.reach(run, "waiting", "paid", "")
    desk.verb(run, "pause")
    desk.send(run, Confirm())
    desk.verb(run, "resume")


def shutdown(desk: Desk) -> None:
    """Close while a step runs, which gets its grace; open again and go on."""
    with desk.runner() as runner:
        desk.start(runner, "r", "slow")
    with desk.runner() as runner:
        run = desk.start(runner, "r", "slow")
        desk.send(run, Confirm())
        desk.end(run)


def several(desk: Desk) -> None:
    """Three runs in the middle of a step, of their undoing, and of waiting."""
    with desk.runner() as runner:
        runs = [desk.start(runner, name) for name in ("a", "b", "c")]
        desk.send(runs[0], Reject())
        desk.send(runs[1], Confirm())
        for run in runs[:2]:
            desk.end(run)
        desk.reach(runs[2], "waiting")


def client(desk: Desk) -> None:
    """A client puts a start and an event before anybody owns the file; then the event again, and one too late."""
    with desk.client() as client:
        insist(lambda: client.start(Errand, Job(), id="r"))
        desk.put(client, "r", Confirm(), "event")
    with desk.runner() as runner, desk.client() as client:
        desk.end(runner.get("r"))
        desk.settle(client, desk.put(client, "r", Confirm(), "event"))
        desk.settle(client, desk.put(client, "r", Reject(), "too-late"))


def pruning(desk: Desk) -> None:
    """An operator prunes what is over: the runs that ended before go, with their entries, and the others go on."""
    with desk.runner() as runner:
        run = desk.start(runner, "r")
        desk.send(run, Confirm())
        for gone in GONE:
            desk.world.ledger.note("pruned", gone)
        insist(lambda: runner.prune(datetime(2999, 1, 1, tzinfo=UTC)))
        assert not {one.id for one in runner.list()}.intersection(GONE), "what is over was not pruned"
        desk.end(run)


def to_be_pruned(desk: Desk) -> None:
    """Runs that end, and one after them that does not."""
    with desk.runner() as runner:
        for name, event in zip(GONE, (Confirm(), Reject()), strict=True):
            run = desk.start(runner, name)
            desk.send(run, event)
            desk.end(run)
        desk.reach(desk.start(runner, "r"), "waiting")


def erasing(desk: Desk) -> None:
    """A run that is over is erased; whoever dies on the way erases it again."""
    with desk.runner() as runner:
        run = desk.start(runner, "r")
        kill(desk, run)
        insist(lambda: run.erase(reason="asked for"))
        desk.acknowledged("verb", run.id, "erase")
        desk.end(run)


def let_go(runner: Runner) -> None:
    """Release what is held; whoever did not hear of it finds that nothing is. Were it still held, no run would end."""
    with suppress(RefusedVerb):
        runner.release("many")


def many(desk: Desk) -> None:
    """Held by a person and released; then a step that saves, one done for each of many, an undo of each, a notice."""
    told = threading.Event()
    with desk.runner([Many()], on_failed=lambda _notice: told.set()) as runner:
        insist(lambda: runner.hold("many"))
        run = desk.start(runner, "r", kind=Many)
        insist(lambda: let_go(runner))
        desk.end(run)
        told.wait(0.5)  # it was told before, where the death came after that


def line(desk: Desk) -> None:
    """Two runs of which only one may work at once: the other stands in line, and its turn comes."""
    with desk.runner(concurrency={Errand: 1}) as runner:
        runs = [desk.start(runner, name, "slow") for name in ("a", "b")]
        for run in runs:
            desk.send(run, Confirm())
        for run in runs:
            desk.end(run)


def suspended(desk: Desk) -> None:
    """An owner has the lock and lets its lease run out; another takes over, and the first one's late commit is refused.

    Who died after taking over is itself replaced once its own lease has run out.
    """
    first = SQLiteJournal(desk.file)
    epochs: list[int] = []

    def claimed() -> bool:
        with suppress(Owned):
            epochs.append(first.claim("suspended", 0.0))
        return bool(epochs)

    until(claimed, lambda: "its lease does not run out")
    with closing(first), desk.runner(lease=0.5) as runner:
        run = desk.start(runner, "r")
        try:
            first.commit(epochs[0], [late("late")])
        except Fenced:
            desk.send(run, Confirm())
        desk.end(run)


def old_version(desk: Desk) -> None:
    """Runs of a version that is replaced."""
    with desk.runner([Memo()]) as runner:
        for name in ("a", "b"):
            desk.start(runner, name, kind=Memo)


def deploy(desk: Desk) -> None:
    """First without the workflow, so that its runs are held; then with its next version, which adopts them."""
    with desk.runner():
        pass
    with desk.runner([MemoSince()]) as runner:
        desk.send(runner.get("a"), Confirm())
        desk.send(runner.get("b"), Reject())
        for name in ("a", "b"):
            desk.end(runner.get(name))


DIED = (one(sending(Confirm())), "before step reserve")
UNDO_DIED = (one(sending(Reject())), "before undo reserve")
SCENARIOS: dict[str, Scenario] = {
    scenario.title: scenario
    for scenario in (
        Scenario("start", only_start),
        Scenario("event", one(sending(Confirm()))),
        Scenario("event, deferred", one(sending(Confirm()), "slow")),
        Scenario("step done, at most once", one(sending(Notify()))),
        Scenario("step failed, declared error", one(sending(Ask()))),
        Scenario("step failed, attempts used up", one(sending(Try()))),
        Scenario("retry", one(sending(Confirm()), "reserve")),
        Scenario("timer", one(sending(Rest()))),
        Scenario("compensation, its first attempt failing", one(sending(Reject()), "release")),
        Scenario("cancel, stopping a step that runs", one(cancel)),
        Scenario("incident, resolved", one(sending(Confirm()), "pay")),
        Scenario("pause and resume", one(pause)),
        Scenario("kill", one(kill)),
        Scenario("shutdown while a step runs", shutdown),
        Scenario("two in line", line),
        Scenario("takeover of three runs", several, ((several, "before event"),)),
        Scenario("takeover of a lost step", one(sending(Notify())), ((one(sending(Notify())), "after step notify"),)),
        Scenario("takeover of a step that died once", one(sending(Confirm())), (DIED,)),
        Scenario("takeover of a step that died twice", one(sending(Confirm())), 2 * (DIED,)),
        Scenario("takeover of a step that died three times", one(sending(Confirm())), 3 * (DIED,)),
        Scenario("takeover of an undo that died twice", one(sending(Reject())), 2 * (UNDO_DIED,)),
        Scenario("takeover of an undo that died three times", one(sending(Reject())), 3 * (UNDO_DIED,)),
        Scenario("takeover from a suspended owner, by its lease", suspended),
        Scenario("deployment of another version", deploy, ((old_version, ""),)),
        Scenario("messages of a client", client),
        Scenario("pruning", pruning, ((to_be_pruned, ""),)),
        Scenario("erasing", erasing),
        Scenario("held and released; many items, saved, undone, and told", many),
    )
}


def play_of(scenario: str, before: int) -> Play:
    """A play that comes before the scenario's own, by its number; that itself for -1."""
    return SCENARIOS[scenario].play if before < 0 else SCENARIOS[scenario].before[before][0]
