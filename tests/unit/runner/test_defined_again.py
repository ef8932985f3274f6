"""Classes that are defined a second time, as in a notebook, meet a runner that was given the first."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from persistence import MemoryJournal
from statemachine import Event, Runner, RunnerClosed, State, UndeclaredEvent, UnknownWorkflow, Workflow, on


def define() -> tuple[type[object], type[Event], type[Workflow[object]]]:
    """What a cell defines each time it is run."""

    @attrs.frozen
    class Parcel:
        grams: int

    class Sent(Event, frozen=True):
        pass

    class Sending(Workflow[Parcel], name="sending"):
        packed = State(initial=True)
        gone = State(final=True)
        send = on(Sent, source=packed, to=gone)

    return Parcel, Sent, Sending  # type: ignore[return-value] # what a caller of this does is told by no type


def test_a_class_defined_again_is_refused_until_the_runner_has_it() -> None:
    """The first definition goes on; the second is not started under the code of the first, and the message says why."""
    parcel, sent, sending = define()
    parcel_again, sent_again, sending_again = define()
    with Runner(MemoryJournal(), [sending()]) as runner:
        run = runner.start(sending, parcel(1), id="p-1")  # type: ignore[call-arg]
        with pytest.raises(UnknownWorkflow, match="another class called 'sending': this one was defined again since"):
            runner.start(sending_again, parcel_again(1), id="p-2")  # type: ignore[call-arg]
        with pytest.raises(UndeclaredEvent, match="another class called 'Sent': this one was defined again since"):
            run.send(sent_again())
        assert [found.id for found in runner.list(workflow=sending_again)] == ["p-1"]
        run.send(sent())
        assert run.result(timeout=10).state == ("gone",)


def test_a_client_that_has_only_the_definition_takes_the_class() -> None:
    """A definition is of no class, so there is nothing to mix up."""
    parcel, _, sending = define()
    with Runner(MemoryJournal(), [sending.definition]) as runner:
        assert runner.start(sending, parcel(1), id="p-1").state == ("packed",)  # type: ignore[call-arg]


def test_a_runner_is_opened_and_closed_without_a_block() -> None:
    """`await Runner(...)` opens it, `close` closes it, twice is harmless, and the journal may be opened again."""

    async def cells() -> None:
        parcel, _, sending = define()
        journal = MemoryJournal()
        runner = await Runner(journal, [sending()])
        await runner.start(sending, parcel(1), id="p-1")  # type: ignore[call-arg]
        await runner.close()
        await runner.close()
        with pytest.raises(RunnerClosed, match="it was closed"):
            await runner.look("p-1")
        async with Runner(journal, [sending()]) as again:
            assert (await again.look("p-1")).state == ("packed",)
            await again.close()

    asyncio.run(cells())
