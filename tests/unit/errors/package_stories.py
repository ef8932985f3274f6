"""The stories of `statemachine.errors`."""

from __future__ import annotations

import asyncio
import math
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

import attrs

from persistence import MemoryJournal
from statemachine import Client, Event, Run, Runner, State, Workflow, always, errors, evolve, on, step
from statemachine.snapshot import Failure
from tests.unit.errors.telling import Desk, tells
from tests.unit.runner.desk import Confirm, Note, Order, Reject, Shop, Unheard


class Back(Event, frozen=True):
    """A player hits the ball."""


def in_fork(use: Callable[[], object]) -> tuple[str, str]:
    """The name and the message of the error that `use` raises in a child made by fork."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork among threads is what is tried here
        child = os.fork()
    if child == 0:
        said = "nothing\n"
        try:
            use()
        except BaseException as error:  # noqa: BLE001 -- the parent judges it
            said = f"{type(error).__name__}\n{error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        name, _, message = pipe.read().partition("\n")
    os.waitpid(child, 0)
    return name, message


# What a class is refused for.


@tells(
    errors.BrokenState,
    "Endless: no initial state; mark exactly one with initial=True (*)",
)
def _without_an_initial_state(_desk: Desk) -> None:
    class Endless(Workflow[Order]):
        waiting = State()
        done = State(final=True)
        confirm = on(Confirm, source=waiting, to=done)


@tells(
    errors.BrokenTransition,
    "Torn, state 'waiting': two transitions on Confirm, and the first has no guard, so the second is never ",
    "taken: guard the first with when=, or put both into one to=(…) with the unguarded last (*)",
)
def _two_ways_at_once(_desk: Desk) -> None:
    class Torn(Workflow[Order]):
        waiting = State(initial=True)
        sent = State(final=True)
        gone = State(final=True)
        confirm = on(Confirm, source=waiting, to=sent)
        refuse = on(Confirm, source=waiting, to=gone)


@tells(
    errors.BrokenStep,
    "Busy, state 'packing': it has two steps, wrap and label; give each a state of its own (*)",
)
def _two_steps_of_one_state(_desk: Desk) -> None:
    class Busy(Workflow[Order]):
        packing = State(initial=True)
        sent = State(final=True)

        @step(packing, to=sent)
        def wrap(self, order: Order) -> Order:
            return order

        @step(packing, to=sent)
        def label(self, order: Order) -> Order:
            return order


@tells(
    errors.BrokenFunction,
    "Mixed: Mixed.wrap: it takes 'parcel' as int, where Order is given (*)",
)
def _a_step_over_other_data(_desk: Desk) -> None:
    class Mixed(Workflow[Order]):
        packing = State(initial=True)
        sent = State(final=True)

        @step(packing, to=sent)
        def wrap(self, parcel: int) -> int:
            return parcel


@tells(
    errors.NotStorable,
    "Boxes: data: Box.content is Any, whose values come back as other types; name the type (*)",
)
def _data_of_any_type(_desk: Desk) -> None:
    @attrs.frozen
    class Box:
        content: Any

    class Boxes(Workflow[Box]):
        waiting = State(initial=True)
        sent = State(final=True)
        confirm = on(Confirm, source=waiting, to=sent)


# Values of data.


@tells(
    errors.NotData,
    "int has no fields; data is an attrs class, a dataclass or a msgspec.Struct",
)
def _evolving_a_number(_desk: Desk) -> None:
    evolve(3, size=4)


@tells(
    errors.UnknownField,
    "Order has no field 'pirce'; did you mean 'price'? Its fields: item, price, reserved, note",
)
def _evolving_a_misspelt_field(_desk: Desk) -> None:
    evolve(Order("book"), pirce=4)


@tells(
    errors.OtherData,
    "expected data of type Order, got str; return the data with the fields that changed (see evolve), or name ",
    "a fold for another result (into=)",
)
def _a_step_that_gives_something_else(desk: Desk) -> Failure:
    class Careless(Workflow[Order], name="careless"):
        packing = State(initial=True)
        sent = State(final=True)

        @step(packing, to=sent)
        def wrap(self, _order: Order) -> Order:
            given: Any = "a parcel"
            return given  # type: ignore[no-any-return]

    with Runner(MemoryJournal(), [Careless()]) as runner:
        run = runner.start(Careless, Order("book"), id="o-1")
        while not run.incidents:
            time.sleep(0.005)
        failure = run.incidents[0].failure
    assert failure is not None
    return failure


# What a sender is told.


@tells(
    errors.UndeclaredEvent,
    "shop does not declare the event 'Unheard'; it declares: Confirm, Note, Reject",
)
def _an_event_of_another_workflow(desk: Desk) -> None:
    desk.waiting().send(Unheard())


@tells(
    errors.HandlerFailed,
    "shop run 'o-1' in waiting: Shop.write raised ValueError: a handler that raises. The run is as it was; ",
    "guards and handlers must not raise.",
)
def _a_handler_that_raises(desk: Desk) -> None:
    desk.waiting().send(Note("bad"))


@tells(
    errors.EndlessLoop,
    "ping-pong run 'o-1' did not come to rest after 1000 microsteps (last in ping); guard its eventless ",
    "transitions so that they end.",
)
def _transitions_that_never_rest(_desk: Desk) -> None:
    class PingPong(Workflow[Order], name="ping-pong"):
        ping = State(initial=True)
        pong = State()
        done = State(final=True)
        there = always(source=ping, to=pong.when(cheap))
        back = always(source=pong, to=ping.when(cheap))
        stop = on(Back, source=(ping, pong), to=done)

    with Runner(MemoryJournal(), [PingPong()]) as runner:
        runner.start(PingPong, Order("ball"), id="o-1")


def cheap(order: Order) -> bool:
    """it is dear"""
    return order.price < 100


@tells(
    errors.NoSuchRun,
    "There is no run 'o-2' in memory, or its start is queued and no runner has taken it.",
)
def _a_run_that_was_never_started(desk: Desk) -> None:
    desk.runner.get("o-2").send(Confirm())


@tells(
    errors.AlreadyStarted,
    "Run 'o-1' exists already, with other data. Give a new run a new id; the same start may be repeated.",
)
def _an_id_that_is_taken(desk: Desk) -> None:
    desk.waiting()
    desk.runner.start(Shop, Order("pen"), id="o-1")


@tells(
    errors.AlreadySent,
    "Event Reject to run 'o-1' was not taken: its id 'm-1' was sent before, as Confirm. Give each event an id of its "
    "own; only the same event may be sent again under its id.",
)
def _an_event_id_that_is_taken(desk: Desk) -> None:
    desk.waiting().send(Confirm(), id="m-1")
    desk.runner.send("o-1", Reject(), id="m-1")


@tells(
    errors.NotAccepted,
    "Run 'o-1' in reserving does not accept Confirm. It has transitions for: no event.",
)
def _an_event_too_early(desk: Desk) -> None:
    desk.world.gate.clear()
    desk.runner.start(Shop, Order("book"), id="o-1").send(Confirm())


@tells(
    errors.RunOver,
    "Run 'o-1' is over (completed in sent); Reject came too late.",
)
def _an_event_too_late(desk: Desk) -> None:
    run = desk.waiting()
    run.send(Confirm())
    run.result(5)
    run.send(Reject())


@tells(
    errors.BeingUndone,
    "Run 'o-1' is being undone and takes no events; Confirm was refused.",
)
def _an_event_to_what_is_being_undone(desk: Desk) -> None:
    run = cancelled_in_a_step(desk)
    run.send(Confirm())


def cancelled_in_a_step(desk: Desk) -> Run[Order]:
    """A run that was cancelled, and waits for the thread of its step before that is undone."""
    desk.world.gate.clear()
    run = desk.runner.start(Shop, Order("book"), id="o-1")
    while not desk.world.calls:
        time.sleep(0.005)
    run.cancel()
    return run


@tells(
    errors.NotStored,
    "Run 'o-1': data of shop cannot be stored: Expected `float`, got `null` - at `$.price`.",
)
def _a_price_that_is_no_number(desk: Desk) -> None:
    desk.runner.start(Shop, Order("book", price=math.nan), id="o-1")


@tells(
    errors.TooLarge,
    "Run 'o-1': event Note is 20,011 bytes; the limit is 10,000. Store it elsewhere and keep its name, or ",
    "raise Runner(limit=).",
)
def _a_note_that_is_a_novel(desk: Desk) -> None:
    desk.waiting().send(Note("x" * 20_000))


# What an operator is told.


@tells(
    errors.RefusedVerb,
    "Cannot cancel run 'o-1': it is over (killed).",
)
def _cancelling_what_is_over(desk: Desk) -> None:
    run = desk.waiting()
    run.kill(reason="broken")
    run.cancel()


@tells(
    errors.NotOver,
    "Run 'o-1' is not over after 0.05 s: running in waiting. It goes on.",
)
def _waiting_in_vain(desk: Desk) -> None:
    desk.waiting().result(0.05)


@tells(
    errors.RunHeld,
    "Run 'o-1' is held: workflow 'shop' was not given to this runner. Deploy a version of shop that fits, or ",
    "kill it.",
)
def _a_run_whose_workflow_was_not_given(desk: Desk) -> None:
    with Runner(desk.left()) as runner:
        runner.get("o-1").send(Confirm())


@tells(
    errors.Refused,
    "Cannot mark as done in run 'o-1': it has no open incident 7; open: none.",
)
def _an_operator_from_another_process(desk: Desk) -> None:
    path = desk.left()
    with Runner(path, [Shop(desk.world)]), Client(path, [Shop(desk.world)]) as client:
        client.get("o-1").done(7, reason="the receipt is there")


@tells(
    errors.NotAnswered,
    "Run 'o-1': no runner has taken the message from *app.db in 0.05 s. It stays queued there; see that the ",
    "process that owns the journal is up.",
)
def _an_event_that_nobody_takes(desk: Desk) -> None:
    with Client(desk.left(), [Shop(desk.world)]) as client:
        receipt = client.get("o-1").send(Confirm())
        assert receipt.verdict == "queued"
        client.verdict(receipt, timeout=0.05)


# Misuse of a runner.


@tells(
    errors.UnknownWorkflow,
    "This runner was not given workflow 'shop'; it has: none. Give it where it is made: Runner(journal, ",
    "[YourWorkflow(...)]); a Client may be given YourWorkflow.definition.",
)
def _starting_what_was_not_given(_desk: Desk) -> None:
    with Runner(MemoryJournal()) as runner:
        runner.start(Shop, Order("book"))


@tells(
    errors.BlockingCall,
    "A call on a sync runner would block this thread's running event loop. Use the async face here: `async ",
    "with Runner(...) as runner:`, in a notebook `runner = await Runner(...)`, and `await`.",
)
def _waiting_where_a_loop_runs(desk: Desk) -> None:
    async def handler() -> None:
        desk.runner.get("o-1").send(Confirm())

    asyncio.run(handler())


@tells(
    errors.RunnerClosed,
    "The runner is not open: it was not entered, or it is closed. Use it inside `with Runner(...)` or `async ",
    "with Runner(...)`; one that has lost its journal stays closed, so end its process and let a new one open it.",
)
def _using_it_before_it_is_entered(desk: Desk) -> None:
    Runner(desk.path, [Shop(desk.world)]).list()


@tells(
    errors.Overloaded,
    "The runner cannot keep up: the line of steps of shop is full (1). Nothing was recorded; ask again later, or let ",
    "the runner have it wait (`Runner(refuse=False)`).",
)
def _starting_more_than_a_runner_takes_that_refuses(desk: Desk) -> None:
    desk.world.gate.clear()
    with Runner(MemoryJournal(), [Shop(desk.world)], queue=1, refuse=True, concurrency={Shop: 1}) as runner:
        try:
            for number in range(3):
                runner.start(Shop, Order("book"), id=f"o-{number}")
        finally:
            desk.world.gate.set()


@tells(
    errors.OpenedBeforeFork,
    "This runner was opened before a fork and is used after it; neither SQLite nor its threads survive that. ",
    "Open it in the child: for a prefork server, in the hook that runs after the fork.",
)
def _using_it_after_a_fork(desk: Desk) -> Failure:
    desk.waiting()
    return Failure(*in_fork(lambda: desk.runner.get("o-1").send(Confirm())), "")
